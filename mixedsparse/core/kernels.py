"""Compiled loops: the only module that imports numba. Imported by large sparse problems only."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

__all__ = ["gather_inverse", "invert_narrow", "quadratic", "slab_gram", "subtract"]

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
    bounds = _stripe_bounds(len(matrix))
    if values.shape[1] == 1:
        _scatter_scalar(matrix, indptr, indices, values[:, 0], cov[:, 0, 0], bounds)
    else:
        _scatter_block(matrix, indptr, indices, values, cov, bounds)


def quadratic(lower: np.ndarray, indptr: np.ndarray, indices: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return g_l N g_l' for every level l, shape (levels, K, K), from the lower triangle of a C-ordered N."""
    out = np.zeros((len(indptr) - 1, values.shape[1], values.shape[1]))
    if values.shape[1] == 1:
        _gather_scalar(lower, indptr, indices, values[:, 0], out[:, 0, 0])
    else:
        _gather_block(lower, indptr, indices, values, out)
    return out


def _stripe_bounds(q: int) -> np.ndarray:
    """Row bounds of stripes of equal area of the lower triangle."""
    return np.unique((q * np.sqrt(np.arange(_STRIPES + 1) / _STRIPES)).astype(np.int64))


@njit(cache=True, parallel=True, fastmath={"contract"})
def _scatter_scalar(out, indptr, indices, values, cov, bounds):  # type: ignore[no-untyped-def]
    for stripe in prange(len(bounds) - 1):
        low, high = bounds[stripe], bounds[stripe + 1]
        for level in range(len(indptr) - 1):
            start, stop = indptr[level], indptr[level + 1]
            first = start + np.searchsorted(indices[start:stop], low)
            for i in range(first, stop):
                row = indices[i]
                if row >= high:
                    break
                weight = cov[level] * values[i]
                target = out[row]
                for j in range(start, i + 1):
                    target[indices[j]] -= weight * values[j]


@njit(cache=True, parallel=True, fastmath={"contract"})
def _scatter_block(out, indptr, indices, values, cov, bounds):  # type: ignore[no-untyped-def]
    k = values.shape[1]
    for stripe in prange(len(bounds) - 1):
        low, high = bounds[stripe], bounds[stripe + 1]
        weight = np.empty(k)
        for level in range(len(indptr) - 1):
            start, stop = indptr[level], indptr[level + 1]
            first = start + np.searchsorted(indices[start:stop], low)
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


@njit(cache=True, parallel=True, fastmath={"contract"})
def _gather_scalar(matrix, indptr, indices, values, out):  # type: ignore[no-untyped-def]
    for level in prange(len(indptr) - 1):
        start, stop = indptr[level], indptr[level + 1]
        total = 0.0
        for i in range(start, stop):
            source = matrix[indices[i]]
            part = 0.0
            for j in range(start, i):
                part += source[indices[j]] * values[j]
            total += values[i] * (2.0 * part + source[indices[i]] * values[i])
        out[level] = total


@njit(cache=True, parallel=True, fastmath={"contract"})
def _gather_block(matrix, indptr, indices, values, out):  # type: ignore[no-untyped-def]
    k = values.shape[1]
    for level in prange(len(indptr) - 1):
        start, stop = indptr[level], indptr[level + 1]
        part = np.empty(k)
        for i in range(start, stop):
            source = matrix[indices[i]]
            # Half of the diagonal entry: the sum below adds its transpose.
            half = 0.5 * source[indices[i]]
            for b in range(k):
                part[b] = half * values[i, b]
            for j in range(start, i):
                entry = source[indices[j]]
                for b in range(k):
                    part[b] += entry * values[j, b]
            for a in range(k):
                for b in range(k):
                    out[level, a, b] += values[i, a] * part[b] + values[i, b] * part[a]


def slab_gram(
    lower: np.ndarray, half: np.ndarray, rows: np.ndarray, columns: np.ndarray, n_rows: int, n_columns: int
) -> np.ndarray:
    """Sum over l, l' of x x' with x_ac = (N + H H')[rows[a] + l, columns[c] + l'].

    Parameters
    ----------
    lower : ndarray, shape (q, q), C-ordered
        Lower triangle of N.
    half : ndarray, shape (q, p)
        H; p may be 0.
    rows, columns : ndarray of int, shapes (K_s,) and (K_t,)
        First row, or column, of each slab.
    n_rows, n_columns : int
        Lengths of the slabs.

    Returns
    -------
    ndarray, shape (K_s K_t, K_s K_t)
    """
    return _slab_gram(lower, half, rows, columns, n_rows, n_columns).sum(axis=0)


@njit(cache=True, parallel=True, fastmath={"contract"})
def _slab_gram(lower, half, rows, columns, n_rows, n_columns):  # type: ignore[no-untyped-def]
    size = len(rows) * len(columns)
    out = np.zeros((_STRIPES, size, size))
    for stripe in prange(_STRIPES):
        entry = np.empty(size)
        for i in range(stripe, n_rows, _STRIPES):
            for j in range(n_columns):
                at = 0
                for a in range(len(rows)):
                    for c in range(len(columns)):
                        row, column = rows[a] + i, columns[c] + j
                        value = lower[row, column] if row >= column else lower[column, row]
                        for k in range(half.shape[1]):
                            value += half[row, k] * half[column, k]
                        entry[at] = value
                        at += 1
                for a in range(size):
                    for c in range(size):
                        out[stripe, a, c] += entry[a] * entry[c]
    return out


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
            at += np.searchsorted(indices[at:high], rows[a])
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
