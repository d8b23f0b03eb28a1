"""Z'WZ, Z'WC and C'WC of the columns C = [Q r] of one problem for any weights: what a reweighting costs.

Every row has to be passed over, so the passes are few and in order: weights and weighted columns are summed over the
pairs of levels that occur where these are few, and the sums of levels follow from these; effects of busy levels are
multiplied level by level, with the columns beside them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mixedsparse.core.problem.blocks import Block
from mixedsparse.core.problem.crossproducts import Pairs, stable_order
from mixedsparse.core.problem.problem import Problem
from mixedsparse.core.problem.reweighting import Key

__all__ = ["KnownColumns", "Weighted", "known_columns"]

# Rows per pair of levels from which on sums over pairs come first.
_SHARED = 2
# Rows per level from which on a level has a product of its own, and cells per row of levels filled up to the longest.
_BUSY, _FILLED = 8, 1.5


class Weighted(NamedTuple):
    """Cross-products by weights; columns times the roots of the weights, (p + 1, n)."""

    grams: tuple[np.ndarray, ...]
    pairs: dict[Key, Pairs]
    Zxy: tuple[np.ndarray, ...]
    xy: np.ndarray
    scaled: np.ndarray


class KnownColumns:
    """What is known of the rows of `problem` before their weights change; `kept` is that of `Limits`."""

    def __init__(self, problem: Problem, kept: int) -> None:
        self.sums, self.blocks = problem.row_sums, problem.blocks
        self.columns = np.ascontiguousarray(problem.columns.T)
        n = self.columns.shape[1]
        unit = [b for b, block in enumerate(self.blocks) if block.unit]
        # Pairs of related levels of one block are no pairs that rows have.
        known = {key: p for key, p in problem.pairs.items() if key in self.sums.slots and {*key} <= {*unit}}
        shared = {key: p for key, p in known.items() if _SHARED * len(p.indices) <= n}
        self.cells: dict[int, tuple[Key, np.ndarray]] = {}
        self.levels: dict[int, _Levels] = {}
        for b, block in enumerate(self.blocks):
            own = [key for key in shared if b in key]
            if own:
                key = min(own, key=lambda key: len(shared[key].indices))
                self.cells[b] = key, shared[key].rows if key[0] == b else shared[key].indices
            elif (length := _length(block)) and block.n_levels * length * (block.width + len(self.columns)) <= kept:
                self.levels[b] = _Levels(block, self.columns, length)

    def weighted(self, weights: np.ndarray) -> Weighted:
        """Cross-products for `weights` (n,)."""
        root = np.sqrt(weights)
        scaled = self.columns * root
        columns, pairs = scaled * root, self.sums.pairs(weights)
        by_pair = {
            key: [np.bincount(self.sums.slots[key], column, minlength=len(pairs[key].indices)) for column in columns]
            for key in {key for key, _ in self.cells.values()}
        }
        grams, Zxy = [], []
        for b, block in enumerate(self.blocks):
            if b in self.cells:
                key, levels = self.cells[b]
                counted = [pairs[key].data[:, 0, 0], *by_pair[key]]
                gram, own = _counted(levels, counted, block.n_levels)
            elif block.unit:
                gram, own = _counted(block.codes, [weights, *columns], block.n_levels)
            elif b in self.levels:
                gram, own = self.levels[b].products(weights)
            else:
                gram, own = self.sums.gram(b, weights), self.sums.columns_of(b, columns.T)
            grams.append(gram)
            Zxy.append(own)
        return Weighted(tuple(grams), pairs, tuple(Zxy), columns @ self.columns.T, scaled)


def known_columns(problem: Problem, kept: int) -> KnownColumns:
    """Return those of `problem`, made once."""
    found: KnownColumns | None = problem.__dict__.get("_known_columns")
    if found is None:
        found = problem.__dict__["_known_columns"] = KnownColumns(problem, kept)
    return found


def _counted(codes: np.ndarray, values: list[np.ndarray], count: int) -> tuple[np.ndarray, np.ndarray]:
    """Sum the first of the `values` by code, (count, 1, 1), and the others, (count, 1, r)."""
    first, *others = (np.bincount(codes, each, minlength=count) for each in values)
    return first[:, None, None], np.stack(others, axis=1)[:, None, :]


def _length(block: Block) -> int:
    """Rows of the largest level, where levels of several effects are busy and alike enough to be filled up; else 0."""
    n = len(block.codes)
    if block.codes.ndim == 2 or block.width == 1 or n < _BUSY * block.n_levels:
        return 0
    length = int(np.bincount(block.codes, minlength=block.n_levels).max())
    return length if block.n_levels * length <= _FILLED * n else 0


class _Levels:
    """Effects and columns of the rows of each level side by side, (levels, K + r, length), filled up by zeros."""

    def __init__(self, block: Block, columns: np.ndarray, length: int) -> None:
        n, self.width = len(block.codes), block.width
        order = stable_order(block.codes, block.n_levels)
        codes = block.codes[order]
        place = np.arange(n) - np.searchsorted(codes, codes)
        self.row = np.zeros((block.n_levels, length), dtype=np.intp)  # any row will do where there is none
        self.row[codes, place] = order
        self.values = np.zeros((block.n_levels, block.width + len(columns), length))
        for j, column in enumerate([*block.z.T, *columns]):
            self.values[codes, j, place] = column[order]

    def products(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Z'WZ (levels, K, K) and Z'WC (levels, K, r)."""
        k = self.width
        left = self.values[:, :k] * weights.take(self.row)[:, None, :]
        found = left @ self.values.swapaxes(1, 2)
        grams = found[:, :, :k]
        return 0.5 * (grams + grams.swapaxes(1, 2)), np.ascontiguousarray(found[:, :, k:])
