"""How sparse columns are made: levels by their contrasts, and products of columns row by row."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy import sparse

from mixedsparse.core.problem.sparse_columns import SparseColumns

__all__ = ["indicators", "separate", "side_by_side", "times_each", "together"]


def indicators(n: int, base: int | None = None, of_base: float = 0.0) -> SparseColumns:
    """Rows (n, n) of the identity; without the column of `base`, (n, n - 1), whose row is `of_base` throughout."""
    if base is None:
        return SparseColumns(sparse.eye_array(n, format="csr"))
    rows, columns, data = np.delete(np.arange(n), base), np.arange(n - 1), np.ones(n - 1)
    if of_base:
        rows, columns = np.append(rows, np.full(n - 1, base)), np.tile(columns, 2)
        data = np.append(data, np.full(n - 1, of_base))
    return SparseColumns(sparse.csr_array((data, (rows, columns)), shape=(n, n - 1)))


def times_each(numbers: np.ndarray, columns: SparseColumns) -> SparseColumns:
    """Return each row of `columns` (n, p) times its number (n,)."""
    data = columns.data * np.repeat(numbers, np.diff(columns.indptr))
    return SparseColumns((data, columns.indices, columns.indptr), shape=columns.shape)


def side_by_side(slow: SparseColumns, fast: SparseColumns) -> SparseColumns:
    """Products of each column of one matrix (n, a) with each of the other (n, b), (n, a b), row by row."""
    counts = np.diff(slow.indptr) * np.diff(fast.indptr)
    row = np.repeat(np.arange(len(counts)), counts)
    place = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    width = np.diff(fast.indptr)[row]
    left, right = slow.indptr[row] + place // width, fast.indptr[row] + place % width
    columns = slow.indices[left].astype(np.int64) * fast.shape[1] + fast.indices[right]
    indptr = np.concatenate([[0], np.cumsum(counts)])
    shape = (slow.shape[0], slow.shape[1] * fast.shape[1])
    return SparseColumns((slow.data[left] * fast.data[right], columns, indptr), shape=shape)


def together(pieces: Iterable[SparseColumns]) -> SparseColumns:
    """Put columns beside each other, and leave out what is 0."""
    out = SparseColumns(sparse.hstack([sparse.csr_array(piece) for piece in pieces], format="csr"))
    out.eliminate_zeros()
    return out


def separate(columns: SparseColumns) -> list[sparse.csc_matrix]:
    """Columns one by one, as formulaic takes them."""
    found = sparse.csc_matrix(columns)
    return [found[:, [j]] for j in range(found.shape[1])]
