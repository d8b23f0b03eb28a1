"""Compiled loops over pairs of levels, parallel over rows. Every row is summed in one fixed order.

So the results do not depend on the number of threads, to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import njit, prange

__all__ = ["add_product", "sandwich"]

# Multiply-adds from which on a second thread is worth waking: on a busy machine that takes milliseconds.
_MANY = 1e7


def add_product(
    indptr: np.ndarray, indices: np.ndarray, values: np.ndarray | None, x: np.ndarray, out: np.ndarray
) -> None:
    """Add A x to `out`, where A has one (K_s, K_t) block for each listed pair of levels.

    Parameters
    ----------
    indptr, indices : ndarray of int, shapes (levels_s + 1,) and (nnz,)
        Levels of t met by each level of s.
    values : ndarray, shape (nnz, K_s, K_t), or None
        The blocks; None when each is a single 1.
    x, out : ndarray, shapes (levels_t, K_t, r) and (levels_s, K_s, r), C-ordered
    """
    loops = _loops(len(indices) * x.shape[1] * out.shape[1] * out.shape[2])
    if values is None:
        loops.add_ones(indptr, indices, x[:, 0], out[:, 0])
    elif values.shape[1] == values.shape[2] == 1:
        loops.add_scalars(indptr, indices, values[:, 0, 0], x[:, 0], out[:, 0])
    else:
        loops.add_blocks(indptr, indices, values, x, out)


def sandwich(indptr: np.ndarray, indices: np.ndarray, values: np.ndarray | None, inner: np.ndarray) -> np.ndarray:
    """Return the diagonal blocks of A N A', (levels_s, K_s, K_s), for a block diagonal N (levels_t, K_t, K_t)."""
    width = 1 if values is None else values.shape[1]
    out = np.zeros((len(indptr) - 1, width, width))
    loops = _loops(len(indices) * inner.shape[1] * width**2)
    if values is None:
        loops.sandwich_ones(indptr, indices, inner[:, 0, 0], out[:, 0, 0])
    else:
        loops.sandwich_blocks(indptr, indices, values, inner, out)
    return out


def _add_ones(indptr, indices, x, out):  # type: ignore[no-untyped-def]
    for row in prange(len(indptr) - 1):
        target = out[row]
        for i in range(indptr[row], indptr[row + 1]):
            source = x[indices[i]]
            for c in range(len(target)):
                target[c] += source[c]


def _add_scalars(indptr, indices, values, x, out):  # type: ignore[no-untyped-def]
    for row in prange(len(indptr) - 1):
        target = out[row]
        for i in range(indptr[row], indptr[row + 1]):
            source = x[indices[i]]
            value = values[i]
            for c in range(len(target)):
                target[c] += value * source[c]


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


def _sandwich_ones(indptr, indices, inner, out):  # type: ignore[no-untyped-def]
    for row in prange(len(indptr) - 1):
        total = 0.0
        for i in range(indptr[row], indptr[row + 1]):
            total += inner[indices[i]]
        out[row] = total


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


class _Loops(NamedTuple):
    """The loops above, compiled one way: each row is summed in the same order in both."""

    add_ones: Callable[..., None]
    add_scalars: Callable[..., None]
    add_blocks: Callable[..., None]
    sandwich_ones: Callable[..., None]
    sandwich_blocks: Callable[..., None]


def _compiled(**options: Any) -> _Loops:
    compile_loop = njit(cache=True, fastmath={"contract"}, **options)
    return _Loops(*map(compile_loop, (_add_ones, _add_scalars, _add_blocks, _sandwich_ones, _sandwich_blocks)))


_serial, _parallel = _compiled(), _compiled(parallel=True)


def _loops(work: float) -> _Loops:
    return _parallel if work > _MANY else _serial
