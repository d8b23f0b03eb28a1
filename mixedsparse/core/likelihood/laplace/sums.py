"""Sums over rows by compiled loops: what `RowSums` does, for models that do it at every step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mixedsparse.core.problem.blocks import Block
from mixedsparse.core.problem.crossproducts import Pairs
from mixedsparse.core.problem.reweighting import Key

__all__ = ["CompiledSums"]

_ONES = np.empty((0, 1))
# Pairs of levels whose places are kept from one factorisation to the next.
_PLACED = 1_000_000


class CompiledSums:
    """Sums over the rows of `blocks`, on the pattern of `pairs`.

    Parameters
    ----------
    blocks : sequence of Block
    pairs : dict (s, t) -> Pairs
    slots : dict (s, t) -> ndarray (n,)
        Position of each row among the blocks of the pair.
    """

    def __init__(self, blocks: Sequence[Block], pairs: Mapping[Key, Pairs], slots: Mapping[Key, np.ndarray]) -> None:
        self.old = {key: own.placed() if len(own.indices) <= _PLACED else own for key, own in pairs.items()}
        self.shapes = [(block.n_levels, block.width) for block in blocks]
        self.n = len(blocks[0].codes)
        self.slots = {key: _whole(own) for key, own in slots.items()}
        self._codes = [_whole(block.codes) for block in blocks]
        self._z = [_ONES if block.unit else np.ascontiguousarray(block.z) for block in blocks]

    def grams(self, weights: np.ndarray) -> tuple[np.ndarray, ...]:
        """Diagonal blocks of Z'WZ, (levels, K, K), for weights (n,) of any sign."""
        from mixedsparse.core.compiled.sums import add_grams

        out = tuple(np.zeros((levels, k, k)) for levels, k in self.shapes)
        for codes, z, own in zip(self._codes, self._z, out, strict=True):
            add_grams(codes, z, weights, own)
        return out

    def pairs(self, weights: np.ndarray) -> dict[Key, Pairs]:
        """Off-diagonal blocks of Z'WZ."""
        from mixedsparse.core.compiled.sums import add_products

        found = {}
        for (s, t), old in self.old.items():
            out = np.zeros(old.data.shape)
            add_products(self.slots[s, t], self._z[s], self._z[t], weights, out)
            found[s, t] = old.with_data(out)
        return found

    def columns(self, columns: np.ndarray) -> list[np.ndarray]:
        """Z'C, (levels, K, r) per block, for columns (n, r)."""
        from mixedsparse.core.compiled.sums import add_columns

        columns = np.ascontiguousarray(columns)
        out = [np.zeros((levels, k, columns.shape[1])) for levels, k in self.shapes]
        for codes, z, own in zip(self._codes, self._z, out, strict=True):
            add_columns(codes, z, columns, own)
        return out

    def spread(self, modes: Sequence[np.ndarray]) -> np.ndarray:
        """Z b, (n,), for b (levels, K) per block."""
        from mixedsparse.core.compiled.sums import add_spread

        out = np.zeros(self.n)
        for codes, z, b in zip(self._codes, self._z, modes, strict=True):
            add_spread(codes, z, np.ascontiguousarray(b), out)
        return out

    def forms(self, diagonal: Sequence[np.ndarray], pairs: Mapping[Key, np.ndarray]) -> np.ndarray:
        """z_i'C z_i of each row, (n,), for C by its blocks on the pattern of Z'Z."""
        from mixedsparse.core.compiled.sums import add_forms

        out = np.zeros(self.n)
        for codes, z, own in zip(self._codes, self._z, diagonal, strict=True):
            add_forms(codes, z, z, np.ascontiguousarray(own), 1.0, out)
        for (s, t), own in pairs.items():
            add_forms(self.slots[s, t], self._z[s], self._z[t], np.ascontiguousarray(own), 2.0, out)
        return out


def _whole(codes: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(codes, dtype=np.int64)
