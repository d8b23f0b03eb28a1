"""Cross-products of sparse one-hot designs, without ever forming Z.

Rows of Z are (level, k numbers): sums over the rows of a level, and over the rows of a pair of levels, are
all that the criterion needs, so the cost after this module no longer depends on the number of observations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from mixedsparse.core.problem.blocks import Block

__all__ = [
    "Pairs",
    "cross_pairs",
    "level_grams",
    "level_products",
    "level_sums",
    "placed",
    "refilled",
    "row_slots",
    "self_pairs",
    "spread_levels",
    "stable_order",
    "with_places",
]

# A table of all pairs of levels is used while it has at most this many cells per observation.
_TABLE_CELLS_PER_ROW = 4
# Up to this many numbers one call of bincount is quicker than a sparse product, whose set-up is slow.
_COUNTED = 6_000
# Rows per level from which on one matrix product per level is quicker than sums over all rows, number by number.
_BUSY = 200
# Numbers that may be put in the order of the levels for that.
_COPIED = 4_000_000
# Pairs of levels that are counted at a time.
_AT_ONCE = 4_000_000


@dataclass(frozen=True, eq=False)
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
        known: np.ndarray | None = self.__dict__.get("_rows")
        return np.repeat(np.arange(len(self.indptr) - 1), np.diff(self.indptr)) if known is None else known

    def placed(self) -> Pairs:
        """Keep `rows` in memory, for these pairs and all that have other numbers instead."""
        self.__dict__["_rows"] = self.rows
        return self

    def with_data(self, data: np.ndarray) -> Pairs:
        """Return other blocks on the same pattern."""
        out = Pairs(self.indptr, self.indices, data, self.n_columns)
        out.__dict__.update(self.__dict__ | {"data": data})
        return out

    @property
    def counts(self) -> np.ndarray:
        """Number of blocks of each level of t, shape (levels_t,)."""
        counts = np.zeros(self.n_columns, dtype=np.int64)
        for start in range(0, len(self.indices), _AT_ONCE):
            counts += np.bincount(self.indices[start : start + _AT_ONCE], minlength=self.n_columns)
        return counts

    def rows_of(self, piece: slice) -> np.ndarray:
        """Level of s of the blocks of a slice with both ends."""
        first, last = np.searchsorted(self.indptr, (piece.start, piece.stop - 1), side="right") - 1
        ends = np.clip(self.indptr[first : last + 2], piece.start, piece.stop)
        return np.repeat(np.arange(first, last + 1), np.diff(ends))

    def transposed(self) -> Pairs:
        """Z_t'Z_s."""
        order = stable_order(self.indices, self.n_columns)
        indptr = np.concatenate([[0], np.cumsum(self.counts)])
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
    if block.codes.ndim == 2:
        return np.add.reduce([level_sums(slot, columns) for slot in block.slots])
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


def spread_levels(blocks: Sequence[Block], effects: Sequence[np.ndarray], n: int) -> np.ndarray:
    """Z b, (n, r), for effects b (levels, K, r) per block."""
    out = np.zeros((n, effects[0].shape[2]))
    for block, own in zip(blocks, effects, strict=True):
        for slot in block.slots:
            for a in range(slot.width):
                out += own[slot.codes, a] if slot.unit else slot.z[:, a, None] * own[slot.codes, a]
    return out


def level_products(block: Block, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Diagonal blocks of Z'Z, (levels, K, K), and Z'columns, (levels, K, r), for columns (n, r)."""
    k, n = block.width, len(columns)
    if k == 1 or block.codes.ndim == 2 or n < _BUSY * block.n_levels or n * (k + columns.shape[1]) > _COPIED:
        return level_grams(block), level_sums(block, columns)
    is_sorted = bool((block.codes[1:] >= block.codes[:-1]).all())
    order = slice(None) if is_sorted else stable_order(block.codes, block.n_levels)
    rows = np.empty((n, k + columns.shape[1]))
    for j, column in enumerate([*block.z.T, *columns.T]):
        rows[:, j] = column[order]
    ends = np.cumsum(np.bincount(block.codes, minlength=block.n_levels))
    products = np.array([mine[:, :k].T @ mine for mine in np.split(rows, ends[:-1])])
    grams = products[:, :, :k]
    return 0.5 * (grams + grams.swapaxes(1, 2)), np.ascontiguousarray(products[:, :, k:])


def level_grams(block: Block) -> np.ndarray:
    """Return the diagonal blocks of Z'Z, shape (levels, K, K)."""
    if block.codes.ndim == 2:
        return _grams_of_slots(block)
    out = np.empty((block.n_levels, block.width, block.width))
    for a in range(block.width):
        for b in range(a + 1):
            product = None if block.unit else block.z[:, a] * block.z[:, b]
            out[:, a, b] = out[:, b, a] = np.bincount(block.codes, product, minlength=block.n_levels)
    return out


def cross_pairs(s: Block, t: Block) -> Pairs:
    """Blocks of Z_s'Z_t."""
    if s.codes.ndim == 2 or t.codes.ndim == 2:
        return _added([cross_pairs(one, other) for one in s.slots for other in t.slots])
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
    elif s.unit and t.unit:
        keys = np.sort(s.codes * t.n_levels + t.codes)
        start = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
        rows, indices = np.divmod(keys[start], t.n_levels)
        data = np.diff(start, append=n).astype(float)[:, None, None]
    else:
        order = stable_order(t.codes, t.n_levels)
        order = order[stable_order(s.codes[order], s.n_levels)]
        row, column = s.codes[order], t.codes[order]
        start = np.flatnonzero(np.concatenate([[True], (row[1:] != row[:-1]) | (column[1:] != column[:-1])]))
        rows, indices = row[start], column[start]
        counts = np.diff(start, append=n)
        slot_of_row = np.empty(n, dtype=np.intp)
        slot_of_row[order] = np.repeat(np.arange(len(start)), counts)
        data = _sums_by_slot(s, t, slot_of_row, counts)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=s.n_levels))])
    return Pairs(indptr, indices, data, t.n_levels)


def self_pairs(block: Block, more: tuple[np.ndarray, np.ndarray] | None = None) -> Pairs:
    """Blocks of Z'Z between two levels of one block, the first of which comes before the second.

    `more` are further pairs of levels (rows, columns) that need a place; their blocks are 0.
    """
    k = block.width
    pieces = [(np.empty(0, np.intp), np.empty(0, np.intp), np.empty((0, k, k)))]
    slots = block.slots
    for c, one in enumerate(slots):
        for other in slots[c + 1 :]:
            found = cross_pairs(one, other)
            rows, turned = found.rows, found.rows > found.indices
            data = np.where(turned[:, None, None], found.data.swapaxes(1, 2), found.data)
            low, high = np.where(turned, found.indices, rows), np.where(turned, rows, found.indices)
            off = low != high
            pieces.append((low[off], high[off], data[off]))
    if more is not None:
        pieces.append((*more, np.zeros((len(more[0]), k, k))))
    rows, columns, data = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
    return _sum_of_blocks(rows, columns, data, block.n_levels, block.n_levels)


def placed(old: Pairs, s: Block, t: Block) -> Pairs:
    """Blocks of Z_s'Z_t on the pattern of `old`, which has all pairs of levels that meet; of one block for s = t."""
    found = self_pairs(s) if s is t else cross_pairs(s, t)
    data = np.zeros(old.data.shape)
    data[row_slots(old, found.rows, found.indices)] = found.data
    return Pairs(old.indptr, old.indices, data, old.n_columns)


def _grams_of_slots(block: Block) -> np.ndarray:
    """Diagonal blocks of Z'Z where rows have several levels, which may be the same one twice."""
    slots = block.slots
    out = np.add.reduce([level_grams(slot) for slot in slots])
    for c, one in enumerate(slots):
        for other in slots[c + 1 :]:
            same = np.flatnonzero(one.codes == other.codes)
            both = one.z[same][:, :, None] * other.z[same][:, None, :]
            np.add.at(out, one.codes[same], both + both.swapaxes(1, 2))
    return out


def _added(pieces: list[Pairs]) -> Pairs:
    """Sum of pairs of the same two blocks."""
    rows, columns = (np.concatenate([getattr(p, name) for p in pieces]) for name in ("rows", "indices"))
    data = np.concatenate([p.data for p in pieces])
    return _sum_of_blocks(rows, columns, data, len(pieces[0].indptr) - 1, pieces[0].n_columns)


def _sum_of_blocks(rows: np.ndarray, columns: np.ndarray, data: np.ndarray, n_rows: int, n_columns: int) -> Pairs:
    """Pairs from blocks of which several may belong to the same pair of levels; every pair keeps its place."""
    place, slot = np.unique(rows * n_columns + columns, return_inverse=True)
    summed = np.zeros((len(place), *data.shape[1:]))
    np.add.at(summed, slot, data)
    rows, columns = np.divmod(place, n_columns)
    return Pairs(np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n_rows))]), columns, summed, n_columns)


def with_places(old: Pairs, rows: np.ndarray, columns: np.ndarray) -> Pairs:
    """Return `old` with places for the pairs of levels (rows[i], columns[i]) too; their blocks are 0."""
    data = np.concatenate([old.data, np.zeros((len(rows), *old.data.shape[1:]))])
    rows, columns = np.concatenate([old.rows, rows]), np.concatenate([old.indices, columns])
    return _sum_of_blocks(rows, columns, data, len(old.indptr) - 1, old.n_columns)


def refilled(old: Pairs, s: Block, t: Block, slots: np.ndarray) -> Pairs:
    """Blocks of Z_s'Z_t on the pattern of `old`, where `slots` (n,) say to which of them each row belongs."""
    data = _sums_by_slot(s, t, slots, np.empty(len(old.indices)))
    return Pairs(old.indptr, old.indices, data, old.n_columns)


def _sums_by_slot(s: Block, t: Block, slot: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Sum z_s z_t' over the rows of each slot, shape (slots, K_s, K_t)."""
    if s.unit and t.unit:
        return counts.astype(float)[:, None, None]
    out = np.empty((len(counts), s.width, t.width))
    for a in range(s.width):
        for b in range(t.width):
            out[:, a, b] = np.bincount(slot, s.z[:, a] * t.z[:, b], minlength=len(counts))
    return out


def stable_order(codes: np.ndarray, n_levels: int) -> np.ndarray:
    """Row numbers sorted by code, ties in their order: a counting sort, O(n)."""
    n = len(codes)
    onehot = sparse.csr_matrix((np.ones(n, dtype=np.int8), codes, np.arange(n + 1)), shape=(n, n_levels))
    return onehot.tocsc().indices


def row_slots(pairs: Pairs, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Positions in `pairs` of the blocks (rows[i], columns[i]), which must be there."""
    keys = pairs.rows * pairs.n_columns + pairs.indices
    return np.searchsorted(keys, rows * pairs.n_columns + columns)
