"""Compiled loops over pairs of levels that are listed one way only, by the levels of the block that is eliminated.

Columns go four at a time, or two: a row of four fills a vector register and half a line of the cache. How many is known
when a loop is compiled, from the length of a tuple. The rows are cut into `PARTS` pieces of about as many pairs, whose
sums over the other block are added up in one fixed order, so that results do not depend on the number of threads, to
the last bit.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from mixedsparse.core.engines.kernels.loops import Loop, most_threads
from mixedsparse.ground.limits import LIMITS

__all__ = ["COLUMNS", "PARTS", "gather", "pieces", "scatter", "through"]

PARTS, COLUMNS = 8, 4


def pieces(indptr: np.ndarray) -> np.ndarray:
    """Rows at which the parts begin and end, (PARTS + 1,)."""
    goals = np.linspace(0.0, float(indptr[-1]), PARTS + 1)[1:-1]
    return np.concatenate([[0], np.searchsorted(indptr[:-1], goals), [len(indptr) - 1]]).astype(np.int64)


def gather(
    indptr: np.ndarray, indices: np.ndarray, values: np.ndarray | None, x: np.ndarray, many: float = LIMITS.threaded
) -> np.ndarray:
    """Return A x, (rows, w), for x (columns, w).

    Parameters
    ----------
    indptr, indices : ndarray of int, shapes (rows + 1,) and (nnz,)
        Pairs by rows.
    values : ndarray, shape (nnz,), or None
        Entries of A; None where each is 1.
    x : ndarray, shape (columns, w)
        With w = 2 or 4.
    many : float
        `Limits.threaded`.
    """
    out = np.zeros((len(indptr) - 1, x.shape[1]))
    _gather(indptr, indices, values, pieces(indptr), x, out, _width(x), threads=_threads(indices, many))
    return out


def scatter(
    indptr: np.ndarray,
    indices: np.ndarray,
    values: np.ndarray | None,
    x: np.ndarray,
    size: int,
    many: float = LIMITS.threaded,
) -> np.ndarray:
    """Return A'x, (size, w), for x (rows, w); see `gather`."""
    out = np.zeros((PARTS, size, x.shape[1]))
    _scatter(indptr, indices, values, pieces(indptr), x, out, _width(x), threads=_threads(indices, many))
    return np.asarray(out.sum(axis=0))


def through(
    indptr: np.ndarray,
    indices: np.ndarray,
    values: np.ndarray | None,
    weights: np.ndarray,
    x: np.ndarray,
    many: float = LIMITS.threaded,
) -> np.ndarray:
    """Return A' diag(weights) A x in one pass over the pairs, for x (columns, w); see `gather`."""
    out = np.zeros((PARTS, *x.shape))
    _through(indptr, indices, values, pieces(indptr), weights, x, out, _width(x), threads=_threads(indices, many))
    return np.asarray(out.sum(axis=0))


def _threads(indices: np.ndarray, many: float) -> int:
    return most_threads() if len(indices) * COLUMNS > many else 1


def _width(x: np.ndarray) -> tuple[int, ...]:
    return (0,) * x.shape[1]


# Indices are unsigned, for which no code is made that counts from the end. The branches on `values` are decided when a
# loop is compiled, for None and for numbers.
@Loop
def _gather(indptr, indices, values, bounds, x, out, width):  # type: ignore[no-untyped-def]
    for part in prange(len(bounds) - 1):
        for row in range(bounds[part], bounds[part + 1]):
            for i in range(indptr[row], indptr[row + 1]):
                j = np.uint64(indices[i])
                for c in range(len(width)):
                    if values is None:
                        out[row, c] += x[j, c]
                    else:
                        out[row, c] += values[i] * x[j, c]


@Loop
def _scatter(indptr, indices, values, bounds, x, out, width):  # type: ignore[no-untyped-def]
    for part in prange(len(bounds) - 1):
        sums = out[part]
        for row in range(bounds[part], bounds[part + 1]):
            for i in range(indptr[row], indptr[row + 1]):
                j = np.uint64(indices[i])
                for c in range(len(width)):
                    if values is None:
                        sums[j, c] += x[row, c]
                    else:
                        sums[j, c] += values[i] * x[row, c]


@Loop
def _through(indptr, indices, values, bounds, weights, x, out, width):  # type: ignore[no-untyped-def]
    for part in prange(len(bounds) - 1):
        sums, held = out[part], np.empty(len(width))
        for row in range(bounds[part], bounds[part + 1]):
            for c in range(len(width)):
                held[c] = 0.0
            for i in range(indptr[row], indptr[row + 1]):
                j = np.uint64(indices[i])
                for c in range(len(width)):
                    if values is None:
                        held[c] += x[j, c]
                    else:
                        held[c] += values[i] * x[j, c]
            for c in range(len(width)):
                held[c] *= weights[row]
            for i in range(indptr[row], indptr[row + 1]):
                j = np.uint64(indices[i])
                for c in range(len(width)):
                    if values is None:
                        sums[j, c] += held[c]
                    else:
                        sums[j, c] += values[i] * held[c]
