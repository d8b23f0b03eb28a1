"""Compiled loops over pairs of levels, parallel over rows. Every row is summed in one fixed order.

So the results do not depend on the number of threads, to the last bit.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from mixedsparse.core.engines.kernels.loops import Loop, most_threads
from mixedsparse.ground.limits import LIMITS

__all__ = ["add_product", "sandwich"]


def add_product(
    indptr: np.ndarray,
    indices: np.ndarray,
    values: np.ndarray | None,
    x: np.ndarray,
    out: np.ndarray,
    many: float = LIMITS.threaded,
) -> None:
    """Add A x to `out`, where A has one (K_s, K_t) block for each listed pair of levels.

    Parameters
    ----------
    indptr, indices : ndarray of int, shapes (levels_s + 1,) and (nnz,)
        Levels of t met by each level of s.
    values : ndarray, shape (nnz, K_s, K_t), or None
        The blocks; None when each is a single 1.
    x, out : ndarray, shapes (levels_t, K_t, r) and (levels_s, K_s, r), C-ordered
    many : float
        `Limits.threaded`.
    """
    threads = _threads(len(indices) * x.shape[1] * out.shape[1] * out.shape[2], many)
    if values is None:
        _add_ones(indptr, indices, x[:, 0], out[:, 0], threads=threads)
    elif values.shape[1] == values.shape[2] == 1:
        _add_scalars(indptr, indices, values[:, 0, 0], x[:, 0], out[:, 0], threads=threads)
    else:
        _add_blocks(indptr, indices, values, x, out, threads=threads)


def sandwich(
    indptr: np.ndarray, indices: np.ndarray, values: np.ndarray | None, inner: np.ndarray, many: float = LIMITS.threaded
) -> np.ndarray:
    """Return the diagonal blocks of A N A', (levels_s, K_s, K_s), for a block diagonal N (levels_t, K_t, K_t)."""
    width = 1 if values is None else values.shape[1]
    out = np.zeros((len(indptr) - 1, width, width))
    threads = _threads(len(indices) * inner.shape[1] * width**2, many)
    if values is None:
        _sandwich_ones(indptr, indices, inner[:, 0, 0], out[:, 0, 0], threads=threads)
    else:
        _sandwich_blocks(indptr, indices, values, inner, out, threads=threads)
    return out


def _threads(work: float, many: float) -> int:
    return most_threads() if work > many else 1


@Loop
def _add_ones(indptr, indices, x, out):  # type: ignore[no-untyped-def]
    for row in prange(len(indptr) - 1):
        target = out[row]
        for i in range(indptr[row], indptr[row + 1]):
            source = x[indices[i]]
            for c in range(len(target)):
                target[c] += source[c]


@Loop
def _add_scalars(indptr, indices, values, x, out):  # type: ignore[no-untyped-def]
    for row in prange(len(indptr) - 1):
        target = out[row]
        for i in range(indptr[row], indptr[row + 1]):
            source = x[indices[i]]
            value = values[i]
            for c in range(len(target)):
                target[c] += value * source[c]


@Loop
def _add_blocks(indptr, indices, values, x, out):  # type: ignore[no-untyped-def]
    for row in prange(len(indptr) - 1):
        for i in range(indptr[row], indptr[row + 1]):
            for a in range(values.shape[1]):
                target = out[row, a]
                for b in range(values.shape[2]):
                    source = x[indices[i], b]
                    value = values[i, a, b]
                    for c in range(len(target)):
                        target[c] += value * source[c]


@Loop
def _sandwich_ones(indptr, indices, inner, out):  # type: ignore[no-untyped-def]
    for row in prange(len(indptr) - 1):
        total = 0.0
        for i in range(indptr[row], indptr[row + 1]):
            total += inner[indices[i]]
        out[row] = total


@Loop
def _sandwich_blocks(indptr, indices, values, inner, out):  # type: ignore[no-untyped-def]
    for row in prange(len(indptr) - 1):
        for i in range(indptr[row], indptr[row + 1]):
            middle = inner[indices[i]]
            for b in range(values.shape[2]):
                for a in range(values.shape[1]):
                    left = 0.0
                    for d in range(values.shape[2]):
                        left += values[i, a, d] * middle[d, b]
                    for c in range(values.shape[1]):
                        out[row, a, c] += left * values[i, c, b]
