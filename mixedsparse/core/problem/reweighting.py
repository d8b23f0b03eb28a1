"""Z'WZ and Z'WC for any weights: sums over rows of products that are known but for the weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from scipy import sparse

from mixedsparse.core.problem.blocks import Block
from mixedsparse.core.problem.crossproducts import Pairs, row_slots
from mixedsparse.core.problem.slot_products import SlotProducts, slot_columns
from mixedsparse.ground.limits import LIMITS

__all__ = ["RowSums", "slots_of", "sum_of_logs"]

# Weights that are multiplied before a logarithm is taken, and least and greatest for which that loses nothing.
_MULTIPLIED = 16
_BOUNDS = 1e-15, 1e15

Key = tuple[int, int]


class RowSums:
    """Sums over the rows of `blocks`, on the pattern of `pairs`.

    Parameters
    ----------
    blocks : sequence of Block
    pairs : dict (s, t) -> Pairs
    slots : dict (s, t) -> ndarray (n,), optional
        Position of each row among the blocks of the pair.
    kept : int
        See `Limits`.
    """

    def __init__(
        self,
        blocks: Sequence[Block],
        pairs: Mapping[Key, Pairs],
        slots: Mapping[Key, np.ndarray] | None = None,
        kept: int = LIMITS.kept,
    ) -> None:
        self.blocks, self.old = blocks, pairs
        self.slots = slots_of(blocks, pairs) if slots is None else slots
        self._grams = [_products(b, b, None, None, kept) for b in blocks]
        self._pairs = {
            (s, t): _products(blocks[s], blocks[t], old, self.slots.get((s, t)), kept) for (s, t), old in pairs.items()
        }

    def grams(self, weights: np.ndarray) -> tuple[np.ndarray, ...]:
        """Diagonal blocks of Z'WZ, (levels, K, K), for weights (n,) of any sign."""
        return tuple(self.gram(i, weights) for i in range(len(self.blocks)))

    def gram(self, i: int, weights: np.ndarray) -> np.ndarray:
        """Diagonal block of Z'WZ, (levels, K, K), of block i."""
        return self._grams[i].sums(weights)

    def pairs(self, weights: np.ndarray) -> dict[Key, Pairs]:
        """Off-diagonal blocks of Z'WZ."""
        return {
            key: Pairs(old.indptr, old.indices, self.pair(key, weights), old.n_columns) for key, old in self.old.items()
        }

    def pair(self, key: Key, weights: np.ndarray) -> np.ndarray:
        """Those of one pair of blocks, (nnz, K_s, K_t)."""
        return self._pairs[key].sums(weights)

    def columns(self, columns: np.ndarray) -> tuple[np.ndarray, ...]:
        """Z'C, (levels, K, r) per block, for columns (n, r)."""
        return tuple(self.columns_of(i, columns) for i in range(len(self.blocks)))

    def columns_of(self, i: int, columns: np.ndarray) -> np.ndarray:
        """Z'C of block i, (levels, K, r), for columns (n, r)."""
        block = self.blocks[i]
        if block.unit and columns.shape[1] == 1:
            return np.bincount(block.codes, columns[:, 0], minlength=block.n_levels)[:, None, None]
        return np.asarray(self.designs[i] @ columns).reshape(block.n_levels, block.width, -1)

    @cached_property
    def designs(self) -> list[sparse.csc_matrix]:
        """Z' of each block, (levels * K, n)."""
        return [
            sum(slot_columns(slot.z, slot.codes, block.n_levels) for slot in block.slots)
            if block.codes.ndim == 2
            else slot_columns(block.z, block.codes, block.n_levels)
            for block in self.blocks
        ]

    def spread(self, modes: Sequence[np.ndarray]) -> np.ndarray:
        """Z b, (n,), for b (levels, K) per block."""
        out = np.zeros(len(self.blocks[0].codes))
        for i, (block, b) in enumerate(zip(self.blocks, modes, strict=True)):
            out += b[block.codes, 0] if block.unit else self.designs[i].T @ np.ascontiguousarray(b).reshape(-1)
        return out

    def forms(self, diagonal: Sequence[np.ndarray], pairs: Mapping[Key, np.ndarray]) -> np.ndarray:
        """z_i'C z_i of each row, (n,), for C by its blocks on the pattern of Z'Z."""
        out = np.zeros(len(self.blocks[0].codes))
        for products, own in zip(self._grams, diagonal, strict=True):
            out += products.forms(own)
        for key, own in pairs.items():
            out += 2.0 * self._pairs[key].forms(own)
        return out


def sum_of_logs(weights: np.ndarray) -> float:
    """Sum of log w (n,), by one logarithm for several."""
    whole = len(weights) - len(weights) % _MULTIPLIED
    if not whole or weights.min() < _BOUNDS[0] or weights.max() > _BOUNDS[1]:
        return float(np.log(weights).sum())
    products = np.multiply.reduce(weights[:whole].reshape(_MULTIPLIED, -1), axis=0)
    return float(np.log(products).sum() + np.log(weights[whole:]).sum())


def slots_of(blocks: Sequence[Block], pairs: Mapping[Key, Pairs]) -> dict[Key, np.ndarray]:
    """Position of each row, (n,), among the blocks of each pair of blocks whose rows have one level each."""
    return {
        (s, t): row_slots(old, blocks[s].codes, blocks[t].codes)
        for (s, t), old in pairs.items()
        if s != t and blocks[s].codes.ndim == blocks[t].codes.ndim == 1
    }


def _products(s: Block, t: Block, pairs: Pairs | None, slots: np.ndarray | None, kept: int) -> _Products | SlotProducts:
    """Products of the rows of two blocks at the levels of `pairs`, or of one block at its levels."""
    if s.codes.ndim == 2 or t.codes.ndim == 2 or (pairs is not None and s is t):
        return SlotProducts(s, t, pairs)
    if pairs is None:
        return _Products(s, t, s.codes, s.n_levels, kept)
    assert slots is not None
    return _Products(s, t, slots, len(pairs.indices), kept)


class _Products:
    """z_s z_t' of each row, to be summed over the rows of `count` slots."""

    def __init__(self, s: Block, t: Block, slots: np.ndarray, count: int, kept: int) -> None:
        self.s, self.t, self.slots, self.count = s, t, slots, count
        self.table: sparse.csc_matrix | None = None
        size = s.width * t.width
        if not (s.unit and t.unit) and len(slots) * size <= kept:
            products = s.z[:, :, None] * t.z[:, None, :]
            self.table = slot_columns(products.reshape(len(slots), size), slots, count)

    def sums(self, weights: np.ndarray) -> np.ndarray:
        """Sum the products times the weights, (count, K_s, K_t)."""
        shape = self.count, self.s.width, self.t.width
        if self.table is not None:
            return np.asarray(self.table @ weights).reshape(shape)
        if self.s.unit and self.t.unit:
            return np.bincount(self.slots, weights, minlength=self.count).reshape(shape)
        out = np.empty(shape)
        for a in range(shape[1]):
            left = weights * self.s.z[:, a]
            for b in range(a + 1 if self.s is self.t else shape[2]):
                out[:, a, b] = np.bincount(self.slots, left * self.t.z[:, b], minlength=self.count)
                if self.s is self.t:
                    out[:, b, a] = out[:, a, b]
        return out

    def forms(self, blocks: np.ndarray) -> np.ndarray:
        """z_s'C z_t of each row, (n,), for the blocks C (count, K_s, K_t) of its slots."""
        if self.s.unit and self.t.unit:
            return np.asarray(blocks[self.slots, 0, 0])
        if self.table is not None:
            return np.asarray(self.table.T @ np.ascontiguousarray(blocks).reshape(-1))
        out = np.zeros(len(self.slots))
        for a in range(self.s.width):
            for b in range(self.t.width):
                out += blocks[self.slots, a, b] * self.s.z[:, a] * self.t.z[:, b]
        return out
