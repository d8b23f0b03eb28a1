"""The only module that imports sksparse: CHOLMOD behind an interface that cannot be misused.

Traps that are closed here (all silent in scikit-sparse 0.4): callers never see the permutation of a solve; the LL'
factor is taken, never that of LDL'; a log-determinant that is not finite is an error; the pattern never changes, only
numbers are refilled; indices are 32-bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from mixedsparse.ground.errors import BackendError, NotPositiveDefiniteError

__all__ = ["SparseCholesky", "available"]


# Nanoseconds: of a multiplication in a column by column (simplicial) factorisation, of one in dense blocks of columns
# (supernodal), and of calling BLAS for such a block. CHOLMOD's own rule, multiplications per number of L, takes blocks
# where thousands of them hold one column each: pupils with a teacher a year took five times as long.
_BY_COLUMN, _IN_BLOCKS, _PER_BLOCK = 0.7, 0.1, 4500.0


def available() -> bool:
    """Whether scikit-sparse can be imported."""
    try:
        import sksparse.cholmod  # noqa: F401
    except ImportError:
        return False
    return True


class SparseCholesky:
    """L L' = P M P' for one pattern, analysed once and refactored in place.

    Parameters
    ----------
    lower : scipy.sparse.csc_matrix, shape (q, q)
        Lower triangle with every structural non-zero; its values are not read.

    Attributes
    ----------
    counts : ndarray of int, shape (q,)
        Numbers in each column of L, by the pattern alone; factors in blocks store some zeros besides.
    in_blocks : bool
        Whether columns of one pattern are factorised together.
    """

    def __init__(self, lower: sparse.csc_matrix) -> None:
        from sksparse.cholmod import CholmodError, analyze

        self._matrix = lower
        try:
            self._factor = analyze(lower, mode="simplicial", use_long=False)
            self.counts = _counts(lower, np.asarray(self._factor.P()))
            self.in_blocks = _blocks_pay(self.counts)
            if self.in_blocks:
                self._factor = analyze(lower, mode="supernodal", use_long=False)
        except CholmodError as err:
            raise BackendError(
                "The factor has more numbers than CHOLMOD can count: use method='iterative', which needs none."
            ) from err
        self.permutation: np.ndarray = np.asarray(self._factor.P())
        self.logdet = np.nan
        # Counts factorisations: engines of one pattern share this object, and a `CholmodFactored` notices later ones.
        self.stamp = 0

    def __getstate__(self) -> dict[str, Any]:
        """Keep the matrix: CHOLMOD's own objects do not pickle."""
        return {"lower": self._matrix, "stamp": self.stamp}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Analyse and factorise again."""
        self.__init__(state["lower"])  # type: ignore[misc]
        self.factorize(state["lower"].data.copy())
        self.stamp = state["stamp"]

    def factorize(self, values: np.ndarray) -> None:
        """Refill the numbers of the lower triangle (CSC order) and factorise."""
        from sksparse.cholmod import CholmodError

        self._matrix.data[:] = values
        self.stamp += 1
        try:
            self._factor.cholesky_inplace(self._matrix)
            with np.errstate(invalid="ignore", divide="ignore"):
                self.logdet = float(self._factor.logdet())
        except CholmodError as err:
            raise NotPositiveDefiniteError("The penalised system is not positive definite at this theta.") from err
        if not np.isfinite(self.logdet):
            raise NotPositiveDefiniteError("The log-determinant of the penalised system is not finite.")

    def solve(self, rhs: np.ndarray) -> np.ndarray:
        """M^-1 rhs for a dense (q, r) array, in the caller's order."""
        return np.asarray(self._factor(np.asfortranarray(rhs)))

    def loss(self) -> float:
        """Sum of the diagonal entries of M over the pivots of L."""
        lower = self.lower_factor()
        pivots = lower.data[lower.indptr[:-1]]
        return float((self._matrix.diagonal()[self.permutation] / np.square(pivots)).sum())

    def lower_factor(self) -> sparse.csc_matrix:
        """L of L L' = P M P' as a copy, rows increasing inside each column (permuted order)."""
        factor = self._factor.L()
        factor.sort_indices()
        return factor


def _counts(lower: sparse.csc_matrix, permutation: np.ndarray) -> np.ndarray:
    """Numbers in each column of L (q,) for the rows and columns of M in the order of `permutation`."""
    from mixedsparse.core.engines.kernels.columns import column_counts

    size = len(permutation)
    place = np.empty(size, dtype=lower.indices.dtype)
    place[permutation] = np.arange(size, dtype=place.dtype)
    i, j = place[lower.indices], np.repeat(place, np.diff(lower.indptr))
    below = i != j
    i, j = i[below], j[below]
    return column_counts(np.maximum(i, j), np.minimum(i, j), size)


def _blocks_pay(counts: np.ndarray) -> bool:
    """Whether factorising in blocks is faster; one goes on while the next column has the same rows but one."""
    work = float(np.square(counts.astype(float)).sum())
    blocks = 1 + np.count_nonzero(counts[1:] != counts[:-1] - 1)
    return bool(_BY_COLUMN * work > _IN_BLOCKS * work + _PER_BLOCK * blocks)
