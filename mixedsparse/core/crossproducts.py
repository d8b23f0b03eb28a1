"""Cross-products of sparse one-hot designs, without ever forming Z.

Rows of Z are (level, k numbers): sums over the rows of a level, and over the rows of a pair of levels, are
all that the criterion needs, so the cost after this module no longer depends on the number of observations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from mixedsparse.core.blocks import Block

__all__ = ["Pairs", "cross_pairs", "level_grams", "level_sums"]

# A table of all pairs of levels is used while it has at most this many cells per observation.
_TABLE_CELLS_PER_ROW = 4
# Up to this many numbers one call of bincount is quicker than a sparse product, whose set-up is slow.
_COUNTED = 100_000


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Z_s'Z_t as blocks, one for each pair of levels that occurs together.

    Attributes
    ----------
    indptr : ndarray, shape (levels_s + 1,)
        Where each level of s starts in `indices`.
    indices : ndarray, shape (nnz,)
        Levels of t, increasing inside a level of s.
    data : ndarray, shape (nnz, K_s, K_t)
        The blocks.
    n_columns : int
        Number of levels of t.
    """

    indptr: np.ndarray
    indices: np.ndarray
    data: np.ndarray
    n_columns: int

    @property
    def rows(self) -> np.ndarray:
        """Level of s of each block, shape (nnz,)."""
        return np.repeat(np.arange(len(self.indptr) - 1), np.diff(self.indptr))

    def transposed(self) -> Pairs:
        """Z_t'Z_s."""
        order = _stable_order(self.indices, self.n_columns)
        counts = np.bincount(self.indices, minlength=self.n_columns)
        indptr = np.concatenate([[0], np.cumsum(counts)])
        data = np.ascontiguousarray(self.data[order].transpose(0, 2, 1))
        return Pairs(indptr, self.rows[order], data, len(self.indptr) - 1)

    def dense(self) -> np.ndarray:
        """Return the array (levels_s, K_s, K_t, levels_t)."""
        _, width_s, width_t = self.data.shape
        out = np.zeros((len(self.indptr) - 1, width_s, width_t, self.n_columns))
        out[self.rows, :, :, self.indices] = self.data
        return out


def level_sums(block: Block, columns: np.ndarray) -> np.ndarray:
    """Z'columns as an array (levels, K, r) for columns (n, r)."""
    n, r = columns.shape
    out = np.empty((block.n_levels, block.width, r))
    if columns.size <= _COUNTED:
        cells = (block.codes[:, None] * r + np.arange(r)).ravel()
        for a in range(block.width):
            sums = np.bincount(cells, (block.z[:, a, None] * columns).ravel(), minlength=block.n_levels * r)
            out[:, a] = sums.reshape(block.n_levels, r)
        return out
    pointer = np.arange(n + 1)
    for a in range(block.width):
        onehot = sparse.csr_matrix((block.z[:, a], block.codes, pointer), shape=(n, block.n_levels))
        out[:, a] = onehot.T @ columns
    return out


def level_grams(block: Block) -> np.ndarray:
    """Return the diagonal blocks of Z'Z, shape (levels, K, K)."""
    out = np.empty((block.n_levels, block.width, block.width))
    for a in range(block.width):
        for b in range(a + 1):
            product = None if block.unit else block.z[:, a] * block.z[:, b]
            out[:, a, b] = out[:, b, a] = np.bincount(block.codes, product, minlength=block.n_levels)
    return out


def cross_pairs(s: Block, t: Block) -> Pairs:
    """Blocks of Z_s'Z_t."""
    n = len(s.codes)
    cells = s.n_levels * t.n_levels
    if cells <= _TABLE_CELLS_PER_ROW * n + 1000:
        key = s.codes * t.n_levels + t.codes
        counts = np.bincount(key, minlength=cells)
        present = np.flatnonzero(counts)
        slot = np.empty(cells, dtype=np.intp)
        slot[present] = np.arange(len(present))
        rows, indices = np.divmod(present, t.n_levels)
        data = _sums_by_slot(s, t, slot[key], counts[present])
    else:
        order = _stable_order(t.codes, t.n_levels)
        order = order[_stable_order(s.codes[order], s.n_levels)]
        row, column = s.codes[order], t.codes[order]
        start = np.flatnonzero(np.concatenate([[True], (row[1:] != row[:-1]) | (column[1:] != column[:-1])]))
        rows, indices = row[start], column[start]
        counts = np.diff(start, append=n)
        slot_of_row = np.empty(n, dtype=np.intp)
        slot_of_row[order] = np.repeat(np.arange(len(start)), counts)
        data = _sums_by_slot(s, t, slot_of_row, counts)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=s.n_levels))])
    return Pairs(indptr, indices, data, t.n_levels)


def _sums_by_slot(s: Block, t: Block, slot: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Sum z_s z_t' over the rows of each slot, shape (slots, K_s, K_t)."""
    if s.unit and t.unit:
        return counts.astype(float)[:, None, None]
    out = np.empty((len(counts), s.width, t.width))
    for a in range(s.width):
        for b in range(t.width):
            out[:, a, b] = np.bincount(slot, s.z[:, a] * t.z[:, b], minlength=len(counts))
    return out


def _stable_order(codes: np.ndarray, n_levels: int) -> np.ndarray:
    """Row numbers sorted by code, ties in their order: a counting sort, O(n)."""
    n = len(codes)
    onehot = sparse.csr_matrix((np.ones(n, dtype=np.int8), codes, np.arange(n + 1)), shape=(n, n_levels))
    return onehot.tocsc().indices
