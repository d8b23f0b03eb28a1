"""Compiled loop that gives products with an inverse at every pair of levels, not their sums alone."""

from __future__ import annotations

import numpy as np
from numba import prange

from mixedsparse.core.engines.kernels.direct import ByColumn
from mixedsparse.core.engines.kernels.loops import Loop
from mixedsparse.ground.threads import allowed_threads

__all__ = ["products"]


def products(
    lower: np.ndarray, indptr: np.ndarray, indices: np.ndarray, values: np.ndarray, by_column: ByColumn
) -> np.ndarray:
    """Return g_l N at the columns that level l meets, (nnz, K), from the lower triangle of a C-ordered N.

    N is read row by row, and each number is used for both of its places. The arguments are those of `direct.quadratic`.
    """
    q, threads = len(lower), allowed_threads()
    # Stripes of equal area, one per thread: each has sums of its own.
    bounds = np.unique((q * np.sqrt(np.arange(threads + 1) / threads)).astype(np.int64))
    lists = (*by_column, indptr, indices)
    if values.shape[1] == 1:
        sums = np.zeros((len(bounds) - 1, len(values)))
        _products_scalar(lower, bounds, *lists, np.ascontiguousarray(values[:, 0]), sums, threads=threads)
        return sums.sum(axis=0)[:, None] if threads > 1 else sums[0][:, None]
    blocks = np.zeros((len(bounds) - 1, *values.shape))
    _products_block(lower, bounds, *lists, np.ascontiguousarray(values), blocks, threads=threads)
    return blocks.sum(axis=0)


@Loop
def _products_scalar(matrix, bounds, starts, entries, levels, indptr, indices, values, out):  # type: ignore[no-untyped-def]
    for stripe in prange(len(bounds) - 1):
        sums = out[stripe]
        for row in range(bounds[stripe], bounds[stripe + 1]):
            source = matrix[row]
            for e in range(starts[row], starts[row + 1]):
                i = entries[e]
                own = values[i]
                part = source[row] * own
                for j in range(indptr[levels[i]], i):
                    entry = source[indices[j]]
                    part += entry * values[j]
                    sums[j] += entry * own
                sums[i] += part


@Loop
def _products_block(matrix, bounds, starts, entries, levels, indptr, indices, values, out):  # type: ignore[no-untyped-def]
    k = values.shape[1]
    for stripe in prange(len(bounds) - 1):
        sums = out[stripe]
        for row in range(bounds[stripe], bounds[stripe + 1]):
            source = matrix[row]
            for e in range(starts[row], starts[row + 1]):
                i = entries[e]
                for b in range(k):
                    sums[i, b] += source[row] * values[i, b]
                for j in range(indptr[levels[i]], i):
                    entry = source[indices[j]]
                    for b in range(k):
                        sums[i, b] += entry * values[j, b]
                        sums[j, b] += entry * values[i, b]
