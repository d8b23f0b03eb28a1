"""X with many columns, nearly all of them 0 in a row: a wide factor takes memory for its rows, not for its levels.

The orthonormal basis Q of such an X is never written out either: Q = W R^-1, where W are the columns centred, scaled
and times the root weights, and R is the Cholesky factor of their cross-products.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from scipy.linalg import lapack

from mixedsparse.core.problem.blocks import Block
from mixedsparse.ground.errors import BackendError, DataError

__all__ = ["ImplicitBasis", "SparseColumns", "columns_of", "is_implicit", "is_sparse", "ordered_root"]

# Part of the squared length of a column that is new, from which on it is told from rounding, and below which it may
# have lost digits: cross-products square the condition number.
_NEW, _DOUBTFUL = 1e-12, 1e-9
# Columns of a Cholesky factor that are worked on at a time.
_PANEL = 128


class SparseColumns(sparse.csr_array):  # type: ignore[misc]
    """Columns of X (n, p) by their numbers that are not 0, row by row."""

    def __len__(self) -> int:
        return int(self.shape[0])

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise _needs_dense(self.shape)

    def spread(self, keep: np.ndarray) -> SparseColumns:
        """Return these as the rows `keep`, a mask, of more rows; a NaN in the first column stands for the others."""
        counts = np.ones(len(keep), dtype=np.intp)
        counts[keep] = np.diff(self.indptr)
        indptr = np.concatenate([[0], np.cumsum(counts)])
        mine = np.repeat(keep, counts)
        data, indices = np.full(indptr[-1], np.nan), np.zeros(indptr[-1], dtype=np.intp)
        data[mine], indices[mine] = self.data, self.indices
        return SparseColumns((data, indices, indptr), shape=(len(keep), self.shape[1]))

    def taken(self, columns: np.ndarray) -> SparseColumns:
        """Return the columns (k,), with a NaN in the first of them in every row that has one in any."""
        rows = np.repeat(np.arange(len(self)), np.diff(self.indptr))
        lost = np.unique(rows[np.isnan(self.data)])
        out = sparse.csr_array(self[:, columns])
        if len(lost) and len(columns):
            at = np.zeros(len(lost), dtype=np.intp)
            out = out + sparse.csr_array((np.full(len(lost), np.nan), (lost, at)), shape=out.shape)
        return SparseColumns(out)

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Least and greatest number (p,) of each column."""
        return self.min(axis=0).toarray(), self.max(axis=0).toarray()


def columns_of(X: Any, columns: np.ndarray) -> Any:
    """Columns (k,) of X, written out or not."""
    return X.taken(columns) if isinstance(X, SparseColumns) else X[:, columns]


def is_sparse(X: Any) -> bool:
    """Whether X has its numbers that are not 0 only."""
    return isinstance(X, SparseColumns)


def _needs_dense(shape: tuple[int, ...]) -> BackendError:
    return BackendError(
        f"The fixed part has {shape[1]:,} columns in {shape[0]:,} rows, of which only the numbers that are not 0 are "
        "kept, and this needs all of them: make the widest factor random, as in '(1 | factor)', or fit a sample of "
        "its levels."
    )


@dataclass(frozen=True, slots=True, eq=False)
class ImplicitBasis:
    """Orthonormal Q = W R^-1 (n, p) as an operator: products with it, and its sums over levels.

    Attributes
    ----------
    columns : SparseColumns
        W.
    root : ndarray, shape (p, p), upper triangular
        R.
    constant : float
        First entry of Q'1 where the first column of X is constant: the others are 0.
    """

    columns: SparseColumns
    root: np.ndarray
    constant: float
    # Products from the left are asked of this object, not spread over its elements.
    __array_ufunc__ = None

    @property
    def shape(self) -> tuple[int, int]:
        """(n, p)."""
        return self.columns.shape

    def __len__(self) -> int:
        return int(self.columns.shape[0])

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise _needs_dense(self.shape)

    def __matmul__(self, coefficients: np.ndarray) -> np.ndarray:
        return np.asarray(self.columns @ lapack.dtrtrs(self.root, coefficients)[0].reshape(coefficients.shape))

    def __rmatmul__(self, rows: np.ndarray) -> np.ndarray:
        return self.transposed_times(rows.T).T

    @property
    def T(self) -> _Transposed:
        """Q', for products with rows."""
        return _Transposed(self)

    def transposed_times(self, rows: np.ndarray) -> np.ndarray:
        """Q'rows (p,) or (p, r), from rows (n,) or (n, r)."""
        sums = np.asarray(self.columns.T @ rows)
        return np.asarray(lapack.dtrtrs(self.root, sums, trans=1)[0].reshape(sums.shape))

    def constants(self, means: np.ndarray) -> np.ndarray:
        """Return Q'1 times each of the `means` () or (r,): (p,) or (p, r), without rounding of what is 0."""
        out = np.zeros((self.shape[1], *np.shape(means)))
        out[0] = self.constant * means
        return out

    def level_sums(self, block: Block) -> np.ndarray:
        """Z'Q of one block, (levels, K, p)."""
        n, p = self.shape
        sums = np.zeros((block.n_levels, block.width, p))
        for slot in block.slots:
            for a in range(block.width):
                z = sparse.csr_array((slot.z[:, a], slot.codes, np.arange(n + 1)), shape=(n, block.n_levels))
                sums[:, a] += (z.T @ self.columns).toarray()
        solved = lapack.dtrtrs(self.root, sums.reshape(-1, p).T, trans=1)[0]
        return np.asarray(solved).T.reshape(sums.shape)


def is_implicit(q: Any) -> bool:
    """Whether an orthonormal basis is not written out."""
    return isinstance(q, ImplicitBasis)


@dataclass(frozen=True, slots=True, eq=False)
class _Transposed:
    """Q'."""

    basis: ImplicitBasis
    __array_ufunc__ = None

    def __matmul__(self, rows: np.ndarray) -> np.ndarray:
        return self.basis.transposed_times(rows)

    def __rmatmul__(self, coefficients: np.ndarray) -> np.ndarray:
        return (self.basis @ np.asarray(coefficients).T).T


def ordered_root(gram: np.ndarray, new: float = _NEW, doubtful: float = _DOUBTFUL) -> np.ndarray:
    """Upper triangular R (p, p) with R'R = `gram` of columns of length 1.

    A column whose part that is `new` is not more than that has a row of zeros: it depends on those before it. Columns
    are taken panel by panel, in their order.

    Raises
    ------
    DataError
        The part of a column that is new is so small that nobody can tell, not more than `doubtful`.
    """
    root, info = lapack.dpotrf(gram, lower=0, clean=1)
    if info == 0 and np.diagonal(root).min() ** 2 > doubtful:
        return np.asarray(root)
    p = len(gram)
    root = np.zeros((p, p), order="F")
    for start in range(0, p, _PANEL):
        stop = min(start + _PANEL, p)
        panel = gram[start:stop, start:] - root[:start, start:stop].T @ root[:start, start:]
        for i in range(stop - start):
            pivot = panel[i, i]
            if pivot <= new:
                continue
            if pivot <= doubtful:
                raise DataError(
                    f"Column {start + i + 1} of the fixed part is nearly a combination of those before it, and with "
                    f"{p:,} columns only their cross-products are kept, which cannot tell: centre the numbers of the "
                    "fixed part, or leave a term out."
                )
            row = panel[i, i:] / np.sqrt(pivot)
            root[start + i, start + i :] = row
            panel[i + 1 :, i + 1 :] -= np.outer(row[1 : stop - start - i], row[1:])
    return root
