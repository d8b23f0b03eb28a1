"""A known covariance among the levels of a term: K = P^-1, by its sparse or dense precision matrix P.

What a fit needs of it is P on its pattern, log|P|, and products K v; draws need a root C, P = C C': C'^-1 times
independent numbers have the covariance K.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse
from scipy.linalg import cho_solve, solve_triangular
from scipy.sparse.linalg import SuperLU, splu, spsolve_triangular

from mixedsparse.ground.errors import DataError

__all__ = ["Relationship", "from_covariance", "nearest", "relationship", "same_relationship"]

# Asymmetry of a matrix, relative to its largest entry, that rounding explains.
_ROUNDING = 1e-8
# Eigenvalue of a covariance, relative to its largest entry, that is no more than rounding.
_SMALLEST = 1e-10
# Share of the largest entry, below 0, from which on an eigenvalue is that of no covariance: cut digits leave less.
_NEGATIVE = 1e-6
# Share of its entries that are not 0 from which on a matrix is taken as dense.
_DENSE = 0.3
# Columns of K that are solved for at a time.
_BATCH = 256


class Relationship:
    """Covariance K = P^-1 among levels.

    Parameters
    ----------
    precision : csr_matrix, shape (levels, levels)
        P, symmetric, its indices sorted.
    covariance : ndarray, optional
        K, where it is at hand.
    name : str
        What errors call it.

    Raises
    ------
    DataError
        P is not positive definite.
    """

    def __init__(self, precision: sparse.csr_matrix, covariance: np.ndarray | None = None, name: str = "") -> None:
        self.precision, self.covariance, self.name = precision, covariance, name
        self.log_det = self._log_det()

    def __getstate__(self) -> dict[str, Any]:
        """State without the factors, of which those of SuperLU do not pickle."""
        return {name: value for name, value in self.__dict__.items() if name not in ("root", "_sparse_factor")}

    @property
    def n_levels(self) -> int:
        """Number of levels."""
        return int(self.precision.shape[0])

    def times(self, vectors: np.ndarray) -> np.ndarray:
        """K times vectors (levels, ...)."""
        flat = vectors.reshape(len(vectors), -1)
        if self.covariance is not None:
            return np.asarray(self.covariance @ flat).reshape(vectors.shape)
        return np.asarray(self._solve(np.ascontiguousarray(flat))).reshape(vectors.shape)

    def times_precision(self, vectors: np.ndarray) -> np.ndarray:
        """P times vectors (levels, ...)."""
        return np.asarray(self.precision @ vectors.reshape(len(vectors), -1)).reshape(vectors.shape)

    def draw(self, independent: np.ndarray) -> np.ndarray:
        """C'^-1 times independent numbers (levels, ...): their covariance among levels becomes K."""
        flat = independent.reshape(len(independent), -1)
        return self._rooted(flat).reshape(independent.shape)

    @property
    def knows_diagonal(self) -> bool:
        """Whether the diagonal of K is at hand."""
        return self.covariance is not None

    @cached_property
    def diagonal(self) -> np.ndarray:
        """Diagonal of K, (levels,)."""
        return self.entries(np.arange(self.n_levels), np.arange(self.n_levels))

    def entries(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Entries of K at pairs of levels, which broadcast."""
        rows, columns = np.broadcast_arrays(rows, columns)
        if self.covariance is not None:
            return np.asarray(self.covariance[rows, columns])
        wanted, place = np.unique(columns, return_inverse=True)
        place = place.reshape(columns.shape)
        out = np.empty(rows.shape)
        for start in range(0, len(wanted), _BATCH):
            unit = np.zeros((self.n_levels, min(_BATCH, len(wanted) - start)))
            unit[wanted[start : start + _BATCH], np.arange(unit.shape[1])] = 1.0
            mine = (place >= start) & (place < start + _BATCH)
            out[mine] = self.times(unit)[rows[mine], place[mine] - start]
        return out

    @cached_property
    def root(self) -> np.ndarray:
        """C (levels, levels), lower triangular and dense, with P = C C'."""
        return np.linalg.cholesky(self.precision.toarray())

    @cached_property
    def _is_dense(self) -> bool:
        return bool(self.precision.nnz > _DENSE * self.n_levels**2)

    @cached_property
    def _sparse_factor(self) -> SuperLU:
        options = {"SymmetricMode": True}
        return splu(self.precision.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options)

    def _log_det(self) -> float:
        if self._is_dense:
            try:
                return 2.0 * float(np.log(np.diagonal(self.root)).sum())
            except np.linalg.LinAlgError:
                raise _indefinite(self.name) from None
        try:
            pivots = self._sparse_factor.U.diagonal()
        except RuntimeError:
            raise _indefinite(self.name) from None
        # Symmetric elimination keeps to the diagonal while pivots are positive.
        if not (pivots > 0).all() or (self._sparse_factor.perm_r != self._sparse_factor.perm_c).any():
            raise _indefinite(self.name)
        return float(np.log(pivots).sum())

    def _solve(self, flat: np.ndarray) -> np.ndarray:
        if self._is_dense:
            return np.asarray(cho_solve((self.root, True), flat))
        return np.asarray(self._sparse_factor.solve(flat))

    def _rooted(self, flat: np.ndarray) -> np.ndarray:
        if self._is_dense:
            return np.asarray(solve_triangular(self.root, flat, lower=True, trans=1))
        factor = self._sparse_factor
        scaled = flat / np.sqrt(factor.U.diagonal())[:, None]
        return np.asarray(spsolve_triangular(factor.L.T.tocsr(), scaled, lower=False))[factor.perm_c]


def same_relationship(one: Relationship | None, other: Relationship | None) -> bool:
    """Whether two terms have the same relationship among their levels."""
    if one is None or other is None or one is other:
        return one is other
    P, Q = one.precision, other.precision
    if P.shape != Q.shape or P.nnz != Q.nnz:
        return False
    return all(np.array_equal(getattr(P, name), getattr(Q, name)) for name in ("indptr", "indices", "data"))


def relationship(matrix: Any, name: str) -> Relationship:
    """Make one from a precision matrix, dense or sparse; a `Relationship` is returned as it is.

    Raises
    ------
    DataError
        It is not a symmetric, positive definite matrix of finite numbers.
    """
    if isinstance(matrix, Relationship):
        return matrix
    try:
        P = matrix if sparse.issparse(matrix) else np.asarray(matrix)
        if P.ndim != 2 or P.dtype.kind not in "biufO":
            raise TypeError
        P = sparse.csr_matrix(P, dtype=float, copy=True)
    except (TypeError, ValueError) as err:
        raise DataError(f"The precision matrix of {name!r} must be a square matrix of real numbers.") from err
    _check_symmetric(P, f"The precision matrix of {name!r}")
    P = (0.5 * (P + P.T)).tocsr()
    P.sort_indices()
    return Relationship(P, name=name)


def from_covariance(K: np.ndarray, name: str, levels: Sequence[Any] = ()) -> Relationship:
    """Make one from K (levels, levels), dense; messages name the `levels`.

    Raises
    ------
    DataError
        It is not symmetric and positive definite.
    """
    what = f"The relationship matrix of {name!r}"
    _check_symmetric(sparse.csr_matrix(K), what)
    K = 0.5 * (K + K.T)
    smallest = float(np.linalg.eigvalsh(K)[0])
    if smallest <= _SMALLEST * float(np.abs(K).max()):
        raise DataError(f"{what} is not positive definite: {_why_singular(K, smallest, levels)}")
    inverse = np.linalg.inv(K)
    return Relationship(sparse.csr_matrix(0.5 * (inverse + inverse.T)), K, name)


def _why_singular(K: np.ndarray, smallest: float, levels: Sequence[Any]) -> str:
    """Say what makes K singular, or no covariance at all, and what to do."""
    limit = _SMALLEST * float(np.abs(K).max())
    take = "take the nearest matrix that is, ms.nearest(K)"
    if smallest < -_NEGATIVE * float(np.abs(K).max()):
        return (
            f"its smallest eigenvalue is {smallest:.3g}, so that it is no covariance: look for mistakes in it, or, "
            f"where it has been rounded, {take}."
        )
    named = list(levels) or list(range(len(K)))
    still = [str(named[i]) for i in np.flatnonzero(np.diagonal(K) <= limit)]
    if still:
        return f"{_some(still)} {'has' if len(still) == 1 else 'have'} no variance: leave these levels out, or {take}."
    i, j = (index[0] if len(index) else -1 for index in np.nonzero(_twins(K, limit)))
    if i >= 0:
        return (
            f"'{named[i]}' and '{named[j]}' have the same relationships, as identical twins have: give both one label, "
            f"whose effect they share, or {take}."
        )
    rank = int((np.linalg.eigvalsh(K) > limit).sum())
    return f"it has rank {rank} for {len(K)} levels, as a matrix of few markers has: {take}."


def _twins(K: np.ndarray, limit: float) -> np.ndarray:
    """Mask (levels, levels) above the diagonal: whether the effects of two levels do not differ."""
    own = np.diagonal(K)
    return np.asarray(np.triu(own[:, None] + own - 2.0 * K <= limit, 1))


def _some(names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


def nearest(K: np.ndarray, floor: float) -> np.ndarray:
    """Return the nearest symmetric matrix to K whose eigenvalues are at least `floor` times the largest.

    It is nearest in the sum of squares of its entries: eigenvalues below are raised (Higham 1988, Linear Algebra Appl.
    103, 103-118).
    """
    values, vectors = np.linalg.eigh(0.5 * (K + K.T))
    raised = (vectors * np.maximum(values, floor * values[-1])) @ vectors.T
    return np.asarray(0.5 * (raised + raised.T))


def _check_symmetric(matrix: sparse.csr_matrix, what: str) -> None:
    if matrix.shape[0] != matrix.shape[1] or not matrix.shape[0]:
        raise DataError(f"{what} must be square, not {matrix.shape[0]} x {matrix.shape[1]}.")
    if not np.isfinite(matrix.data).all():
        raise DataError(f"{what} holds numbers that are missing or infinite.")
    gap = abs(matrix - matrix.T)
    if gap.nnz and gap.max() > _ROUNDING * abs(matrix).max():
        raise DataError(f"{what} is not symmetric.")


def _indefinite(name: str) -> DataError:
    return DataError(
        f"The precision matrix of {name!r} is not positive definite. One whose rows sum to 0, of neighbours, belongs "
        "to no covariance: add a small number to its diagonal."
    )
