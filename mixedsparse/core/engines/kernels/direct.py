"""Compiled loops of direct fits. Imported by large sparse problems only."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, prange

from mixedsparse.core.engines.kernels.loops import Loop
from mixedsparse.ground.threads import allowed_threads

__all__ = ["ByColumn", "gather_inverse", "invert_narrow", "quadratic", "subtract"]

# More stripes than threads even out the work; the triangle makes the last rows the longest.
_STRIPES = 16


def subtract(matrix: np.ndarray, indptr: np.ndarray, indices: np.ndarray, values: np.ndarray, cov: np.ndarray) -> None:
    """Subtract sum_l g_l C_l g_l' from the lower triangle of `matrix`, in place.

    Parameters
    ----------
    matrix : ndarray, shape (q, q), C-ordered
    indptr, indices : ndarray of int
        Columns met by each level, increasing inside a level.
    values : ndarray, shape (nnz, K)
        K numbers g per entry.
    cov : ndarray, shape (levels, K, K)
        Symmetric blocks C_l.
    """
    bounds, threads = _stripe_bounds(len(matrix)), allowed_threads()
    if values.shape[1] == 1:
        _scatter_scalar(matrix, indptr, indices, values[:, 0], cov[:, 0, 0], bounds, threads=threads)
    else:
        _scatter_block(matrix, indptr, indices, values, cov, bounds, threads=threads)


class ByColumn(NamedTuple):
    """The entries of all levels column by column.

    Attributes
    ----------
    starts : ndarray of int, shape (q + 1,)
        Where each column starts in `entries`.
    entries : ndarray of int, shape (nnz,)
        Positions in the lists of the levels.
    level : ndarray of int, shape (nnz,)
        Level of each position.
    """

    starts: np.ndarray
    entries: np.ndarray
    level: np.ndarray


def quadratic(
    lower: np.ndarray, indptr: np.ndarray, indices: np.ndarray, values: np.ndarray, by_column: ByColumn
) -> np.ndarray:
    """Return g_l N g_l' for every level l, shape (levels, K, K), from the lower triangle of a C-ordered N.

    N is read row by row, each for all levels that meet its column: level by level, every read would leave the cache.
    """
    levels, k = len(indptr) - 1, values.shape[1]
    bounds, threads = _stripe_bounds(len(lower)), allowed_threads()
    lists = (*by_column, indptr, indices)
    if k == 1:
        sums = np.zeros((len(bounds) - 1, levels))
        _gather_scalar(lower, bounds, *lists, values[:, 0], sums, threads=threads)
        return sums.sum(axis=0)[:, None, None]
    blocks = np.zeros((len(bounds) - 1, levels, k, k))
    _gather_block(lower, bounds, *lists, values, blocks, threads=threads)
    return blocks.sum(axis=0)


def _stripe_bounds(q: int) -> np.ndarray:
    """Row bounds of stripes of equal area of the lower triangle."""
    return np.unique((q * np.sqrt(np.arange(_STRIPES + 1) / _STRIPES)).astype(np.int64))


@njit(cache=True)
def _at_least(indices, start, stop, value):  # type: ignore[no-untyped-def]
    """First position from `start` to `stop` with an index of at least `value`; compiles quicker than NumPy's search."""
    while start < stop:
        middle = (start + stop) // 2
        if indices[middle] < value:
            start = middle + 1
        else:
            stop = middle
    return start


@Loop
def _scatter_scalar(out, indptr, indices, values, cov, bounds):  # type: ignore[no-untyped-def]
    for stripe in prange(len(bounds) - 1):
        low, high = bounds[stripe], bounds[stripe + 1]
        for level in range(len(indptr) - 1):
            start, stop = indptr[level], indptr[level + 1]
            first = _at_least(indices, start, stop, low)
            for i in range(first, stop):
                row = indices[i]
                if row >= high:
                    break
                weight = cov[level] * values[i]
                target = out[row]
                for j in range(start, i + 1):
                    target[indices[j]] -= weight * values[j]


@Loop
def _scatter_block(out, indptr, indices, values, cov, bounds):  # type: ignore[no-untyped-def]
    k = values.shape[1]
    for stripe in prange(len(bounds) - 1):
        low, high = bounds[stripe], bounds[stripe + 1]
        weight = np.empty(k)
        for level in range(len(indptr) - 1):
            start, stop = indptr[level], indptr[level + 1]
            first = _at_least(indices, start, stop, low)
            for i in range(first, stop):
                row = indices[i]
                if row >= high:
                    break
                for b in range(k):
                    weight[b] = 0.0
                    for a in range(k):
                        weight[b] += values[i, a] * cov[level, a, b]
                for j in range(start, i + 1):
                    total = 0.0
                    for b in range(k):
                        total += weight[b] * values[j, b]
                    out[row, indices[j]] -= total


@Loop
def _gather_scalar(matrix, bounds, starts, entries, levels, indptr, indices, values, out):  # type: ignore[no-untyped-def]
    for stripe in prange(len(bounds) - 1):
        sums = out[stripe]
        for row in range(bounds[stripe], bounds[stripe + 1]):
            source = matrix[row]
            for e in range(starts[row], starts[row + 1]):
                i = entries[e]
                level = levels[i]
                part = 0.0
                for j in range(indptr[level], i):
                    part += source[indices[j]] * values[j]
                sums[level] += values[i] * (2.0 * part + source[row] * values[i])


@Loop
def _gather_block(matrix, bounds, starts, entries, levels, indptr, indices, values, out):  # type: ignore[no-untyped-def]
    k = values.shape[1]
    for stripe in prange(len(bounds) - 1):
        part = np.empty(k)
        for row in range(bounds[stripe], bounds[stripe + 1]):
            source = matrix[row]
            for e in range(starts[row], starts[row + 1]):
                i = entries[e]
                level = levels[i]
                # Half of the diagonal entry: the sum below adds its transpose.
                half = 0.5 * source[row]
                for b in range(k):
                    part[b] = half * values[i, b]
                for j in range(indptr[level], i):
                    entry = source[indices[j]]
                    for b in range(k):
                        part[b] += entry * values[j, b]
                sums = out[stripe, level]
                for a in range(k):
                    for b in range(k):
                        sums[a, b] += values[i, a] * part[b] + values[i, b] * part[a]


@njit(cache=True)
def gather_inverse(rows, indptr, indices, starts, owner, inverse):  # type: ignore[no-untyped-def]
    """Return N[rows, rows], symmetric, from N on the pattern of L; `rows` is the structure below a supernode."""
    size = len(rows)
    out = np.empty((size, size))
    place = np.empty(size, dtype=np.int64)
    first = 0
    while first < size:
        node = owner[rows[first]]
        start, stop = starts[node], starts[node + 1]
        # Rows of the supernode: those of its first column. Column start + j holds all but the first j of them.
        low, high = indptr[start], indptr[start + 1]
        at = low
        for a in range(first, size):
            at = _at_least(indices, at, high, rows[a])
            place[a] = at - low
        b = first
        while b < size and rows[b] < stop:
            shift = indptr[rows[b]] - (rows[b] - start)
            for a in range(b, size):
                out[a, b] = out[b, a] = inverse[shift + place[a]]
            b += 1
        first = b
    return out


@njit(cache=True)
def invert_narrow(first, last, indptr, indices, starts, owner, values, out):  # type: ignore[no-untyped-def]
    """Invert the supernodes `first` to `last` - 1, from the last to the first, into `out`."""
    for node in range(last - 1, first - 1, -1):
        start = starts[node]
        width = starts[node + 1] - start
        base = indptr[start]
        height = indptr[start + 1] - base
        below = height - width
        # Inverse of the triangle L_JJ, column by column.
        triangle = np.zeros((width, width))
        for j in range(width):
            triangle[j, j] = 1.0 / values[indptr[start + j]]
            for i in range(j + 1, width):
                total = 0.0
                for k in range(j, i):
                    total += values[indptr[start + k] + i - k] * triangle[k, j]
                triangle[i, j] = -total / values[indptr[start + i]]
        mix = np.zeros((below, width))
        product = np.zeros((below, width))
        if below:
            for j in range(width):
                for k in range(j, width):
                    for i in range(below):
                        mix[i, j] += values[indptr[start + k] + width - k + i] * triangle[k, j]
            gathered = gather_inverse(indices[base + width : base + height], indptr, indices, starts, owner, out)
            for i in range(below):
                for k in range(below):
                    entry = gathered[i, k]
                    for j in range(width):
                        product[i, j] -= entry * mix[k, j]
        for j in range(width):
            column = indptr[start + j]
            for i in range(j, width):
                total = 0.0
                for k in range(i, width):
                    total += triangle[k, i] * triangle[k, j]
                for k in range(below):
                    total -= mix[k, i] * product[k, j]
                out[column + i - j] = total
            for i in range(below):
                out[column + width - j + i] = product[i, j]
