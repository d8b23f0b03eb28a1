"""Compiled loop that gives products with an inverse at every pair of levels, not their sums alone."""

from __future__ import annotations

import numpy as np
from numba import prange

from mixedsparse.core.engines.kernels.loops import Loop
from mixedsparse.ground.threads import allowed_threads

__all__ = ["products"]

# Numbers of a stripe of N, which stays in the second cache while all levels are visited.
_NUMBERS = 65_536


def products(lower: np.ndarray, indptr: np.ndarray, indices: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return g_l N at the columns that level l meets, (nnz, K), from the lower triangle of a C-ordered N.

    N is read in stripes of rows, and each number is used for both of its places. The arguments are those of
    `direct.subtract`.
    """
    q, threads = len(lower), allowed_threads()
    # Stripes of equal area; each thread has some of them, and sums of its own.
    count = threads * max(1, -(-q * q // (2 * _NUMBERS * threads)))
    bounds = (q * np.sqrt(np.arange(count + 1) / count)).astype(np.int64)
    groups = np.arange(0, count + 1, count // threads)
    if values.shape[1] == 1:
        sums = np.zeros((threads, len(values)))
        own = np.ascontiguousarray(values[:, 0])
        _products_scalar(lower, bounds, groups, indptr, indices, own, sums, threads=threads)
        return sums.sum(axis=0)[:, None] if threads > 1 else sums[0][:, None]
    blocks = np.zeros((threads, *values.shape))
    _products_block(lower, bounds, groups, indptr, indices, np.ascontiguousarray(values), blocks, threads=threads)
    return blocks.sum(axis=0)


@Loop
def _products_scalar(matrix, bounds, groups, indptr, indices, values, out):  # type: ignore[no-untyped-def]
    for group in prange(len(groups) - 1):
        sums = out[group]
        for stripe in range(groups[group], groups[group + 1]):
            low, high = bounds[stripe], bounds[stripe + 1]
            for level in range(len(indptr) - 1):
                start, stop = indptr[level], indptr[level + 1]
                for i in range(start + np.searchsorted(indices[start:stop], low), stop):
                    if indices[i] >= high:
                        break
                    source, own = matrix[indices[i]], values[i]
                    part = source[indices[i]] * own
                    for j in range(start, i):
                        entry = source[indices[j]]
                        part += entry * values[j]
                        sums[j] += entry * own
                    sums[i] += part


@Loop
def _products_block(matrix, bounds, groups, indptr, indices, values, out):  # type: ignore[no-untyped-def]
    k = values.shape[1]
    for group in prange(len(groups) - 1):
        sums = out[group]
        for stripe in range(groups[group], groups[group + 1]):
            low, high = bounds[stripe], bounds[stripe + 1]
            for level in range(len(indptr) - 1):
                start, stop = indptr[level], indptr[level + 1]
                for i in range(start + np.searchsorted(indices[start:stop], low), stop):
                    if indices[i] >= high:
                        break
                    source = matrix[indices[i]]
                    for b in range(k):
                        sums[i, b] += source[indices[i]] * values[i, b]
                    for j in range(start, i):
                        entry = source[indices[j]]
                        for b in range(k):
                            sums[i, b] += entry * values[j, b]
                            sums[j, b] += entry * values[i, b]
