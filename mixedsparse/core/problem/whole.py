"""All cross-products of a problem in one matrix: for few effects, one dense operation is cheaper than one per block."""

from __future__ import annotations

import numpy as np

from mixedsparse.core.problem.blocks import BlockLayout
from mixedsparse.core.problem.problem import Problem

__all__ = ["slabs_of", "whole"]


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
