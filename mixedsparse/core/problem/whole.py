"""All cross-products of a problem in one matrix: for few effects, one dense operation is cheaper than one per block."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mixedsparse.core.problem.blocks import BlockLayout
from mixedsparse.core.problem.crossproducts import Pairs
from mixedsparse.core.problem.problem import Problem

__all__ = ["WholeColumns", "keep_whole", "slabs_of", "whole"]


def slabs_of(layout: BlockLayout) -> list[slice]:
    """Rows of each block in effect-major order: all levels of one effect together, blocks one after the other."""
    out, start = [], 0
    for k, levels in zip(layout.widths, layout.n_levels, strict=True):
        out.append(slice(start, start + k * levels))
        start += k * levels
    return out


def whole(problem: Problem) -> np.ndarray:
    """[Z Q r]'[Z Q r], (q + p + 1, q + p + 1), effect-major; made once, and not to be written to."""
    found: np.ndarray | None = problem.__dict__.get("_whole")
    if found is None:
        found = problem.__dict__["_whole"] = _made(problem)
    return found


def keep_whole(problem: Problem, matrix: np.ndarray) -> None:
    """Let `matrix` be the `whole` of a problem."""
    problem.__dict__["_whole"] = matrix


def _made(problem: Problem) -> np.ndarray:
    layout, slabs = problem.layout, slabs_of(problem.layout)
    q = layout.q
    out = np.zeros((q + problem.p + 1, q + problem.p + 1))
    shapes = list(zip(layout.widths, layout.n_levels, strict=True))
    for (k, levels), slab, gram, cross in zip(shapes, slabs, problem.grams, problem.Zxy, strict=True):
        index = np.arange(levels)
        out[slab, slab].reshape(k, levels, k, levels)[:, index, :, index] = gram
        out[slab, q:] = cross.swapaxes(0, 1).reshape(-1, problem.p + 1)
    for (s, t), pairs in problem.pairs.items():
        met = out[slabs[s], slabs[t]].reshape(*shapes[s], *shapes[t])
        met[:, pairs.rows, :, pairs.indices] = pairs.data
        if s == t:
            met[:, pairs.indices, :, pairs.rows] = pairs.data.swapaxes(1, 2)
        else:
            out[slabs[t], slabs[s]] = out[slabs[s], slabs[t]].T
    out[q:, :q] = out[:q, q:].T
    out[q:, q:] = problem.xy
    return out


class WholeProducts(NamedTuple):
    """Cross-products by weights, which are views of numbers of `whole`; columns times the roots of the weights."""

    grams: tuple[np.ndarray, ...]
    pairs: dict[tuple[int, int], Pairs]
    Zxy: tuple[np.ndarray, ...]
    xy: np.ndarray
    scaled: np.ndarray
    whole: np.ndarray


class WholeColumns:
    """[Z Q r] of a small problem, written out, for cross-products with other weights by one dense product."""

    def __init__(self, problem: Problem) -> None:
        layout, slabs = problem.layout, slabs_of(problem.layout)
        self.q, self.pairs = layout.q, problem.pairs
        size, n = layout.q + problem.p + 1, len(problem.basis.residual)
        self.columns = np.zeros((size, n))
        self.columns[layout.q :] = problem.columns.T
        # Row of each effect of each level.
        places = [
            slab.start + np.arange(k * levels).reshape(k, levels).T
            for slab, k, levels in zip(slabs, layout.widths, layout.n_levels, strict=True)
        ]
        for block, place in zip(problem.blocks, places, strict=True):
            for a in range(block.width):
                self.columns[place[block.codes, a], np.arange(n)] = block.z[:, a]
        beside = np.arange(layout.q, size)
        wanted = [(place, place) for place in places] + [(place, beside[None]) for place in places]
        wanted += [(places[s][own.rows], places[t][own.indices]) for (s, t), own in self.pairs.items()]
        found = [rows[:, :, None] * size + columns[:, None, :] for rows, columns in wanted]
        self.shapes = [index.shape for index in found]
        self.stops = np.cumsum([index.size for index in found]).tolist()
        self.at = np.concatenate([index.ravel() for index in found])

    @classmethod
    def of(cls, problem: Problem, most: float) -> WholeColumns | None:
        """Return those of a problem whose product takes at `most` so many multiply-adds; None for others."""
        size = problem.layout.q + problem.p + 1
        if not problem.blocks or problem.coupled or len(problem.basis.residual) * float(size) ** 2 > most:
            return None
        return cls(problem)

    def products(self, root: np.ndarray) -> WholeProducts:
        """Cross-products for weights whose roots are `root` (n,)."""
        scaled = self.columns * root
        product = scaled @ scaled.T
        numbers, start, found = product.take(self.at), 0, []
        for shape, stop in zip(self.shapes, self.stops, strict=True):
            found.append(numbers[start:stop].reshape(shape))
            start = stop
        count = (len(found) - len(self.pairs)) // 2
        pairs = {
            key: Pairs(old.indptr, old.indices, data, old.n_columns)
            for (key, old), data in zip(self.pairs.items(), found[2 * count :], strict=True)
        }
        grams, beside = tuple(found[:count]), tuple(found[count : 2 * count])
        return WholeProducts(grams, pairs, beside, product[self.q :, self.q :], scaled[self.q :], product)
