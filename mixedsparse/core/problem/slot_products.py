"""Products of the rows of Z where a row has several levels, or where levels of one block meet, to be summed by weights.

All of them are numbers of one sparse matrix with a column per row of Z, whatever levels the row has.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import sparse

from mixedsparse.core.problem.blocks import Block
from mixedsparse.core.problem.crossproducts import Pairs, row_slots

__all__ = ["SlotProducts", "slot_columns"]


class SlotProducts:
    """Z_s'Z_t of each row at the blocks of `pairs`, or, without them, at the levels of one block.

    Parameters
    ----------
    s, t : Block
        The same one for pairs of its own levels.
    pairs : Pairs or None
    """

    def __init__(self, s: Block, t: Block, pairs: Pairs | None) -> None:
        self.count = s.n_levels if pairs is None else len(pairs.indices)
        self.shape = self.count, s.width, t.width
        n, size = len(s.codes), s.width * t.width
        self.table = sparse.csc_matrix((self.count * size, n))
        if pairs is None:
            pieces = _at_levels(s)
        else:
            pieces = _between_levels(s, pairs) if s is t else _between_blocks(s, t, pairs)
        for place, products, mine in pieces:
            values = np.where(mine[:, None, None], products, 0.0).reshape(n, size)
            self.table = self.table + slot_columns(values, np.where(mine, place, 0), self.count)

    def sums(self, weights: np.ndarray) -> np.ndarray:
        """Sum the products times the weights, (count, K_s, K_t)."""
        return np.asarray(self.table @ weights).reshape(self.shape)

    def forms(self, blocks: np.ndarray) -> np.ndarray:
        """z_s'C z_t of each row, (n,), for the blocks C (count, K_s, K_t)."""
        return np.asarray(self.table.T @ np.ascontiguousarray(blocks).reshape(-1))


Pieces = Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]


def _outer(one: Block, other: Block) -> np.ndarray:
    return one.z[:, :, None] * other.z[:, None, :]


def _at_levels(block: Block) -> Pieces:
    """Yield level, product, and whether it counts, of each row: two slots at the same level count both ways round."""
    slots = block.slots
    for c, one in enumerate(slots):
        yield one.codes, _outer(one, one), np.ones(len(one.codes), dtype=bool)
        for other in slots[c + 1 :]:
            both = _outer(one, other)
            yield one.codes, both + both.swapaxes(1, 2), one.codes == other.codes


def _between_levels(block: Block, pairs: Pairs) -> Pieces:
    slots = block.slots
    for c, one in enumerate(slots):
        for other in slots[c + 1 :]:
            turned = (one.codes > other.codes)[:, None, None]
            both = _outer(one, other)
            low, high = np.minimum(one.codes, other.codes), np.maximum(one.codes, other.codes)
            apart = low != high
            place = np.zeros(len(low), dtype=np.intp)
            place[apart] = row_slots(pairs, low[apart], high[apart])
            yield place, np.where(turned, both.swapaxes(1, 2), both), apart


def _between_blocks(s: Block, t: Block, pairs: Pairs) -> Pieces:
    for one in s.slots:
        for other in t.slots:
            yield row_slots(pairs, one.codes, other.codes), _outer(one, other), np.ones(len(one.codes), dtype=bool)


def slot_columns(values: np.ndarray, slots: np.ndarray, count: int) -> sparse.csc_matrix:
    """Matrix (count * k, n) whose column i has the numbers `values[i]` (k,) in the rows of slot i."""
    n, k = values.shape
    index = np.int32 if max(n, count) * k < np.iinfo(np.int32).max else np.int64
    rows = slots.astype(index)[:, None] * k + np.arange(k, dtype=index)
    return sparse.csc_matrix((values.ravel(), rows.ravel(), np.arange(n + 1, dtype=index) * k), shape=(count * k, n))
