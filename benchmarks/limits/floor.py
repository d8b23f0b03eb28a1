"""The kernels that no exact evaluation with gradient avoids, on one problem's own sizes and patterns.

Eliminate the block with most random effects (1); what is left (2) of a crossed design is a dense matrix M_2. Then

- ``potrf``: its Cholesky factor. log|M| is part of the criterion.
- ``potri``: its inverse. The gradient sums entries of M_2^-1 over the whole pattern of Z_2'Z_2 and, through A_12, over
  the pairs of effects that meet in a level of (1): nearly all entries of a crossed design.
- ``one pass over the cross-products``: M_2 is Lambda_2'A_22 Lambda_2 + I less S'S, where the rows of S are those of
  A_12 = Z_1'Z_2, weighted level by level. Theta changes every weight, so S'S is formed anew at each theta, and every
  pair of entries of a row of S is read once and added into M_2. The pass is measured in two forms, with the weights
  given: a plain loop over the pairs, and BLAS' ``syrk`` on S written out dense. The quicker one counts.

Not in the floor: the second pass, by which the gradient gathers entries of M_2^-1, fresh memory, and every solve.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numba import njit, prange
from scipy import sparse
from scipy.linalg import blas, lapack

if TYPE_CHECKING:
    from mixedsparse.core.problem.problem import Problem

__all__ = ["coupling_rows", "kernels", "rest_size"]

# The dense form of S is tried up to this many numbers (1.6 GB).
_LARGEST_DENSE = 2e8
_STRIPES = 16


def rest_size(problem: Problem) -> int:
    """Order of M_2: random effects that are left when the largest block is eliminated."""
    sizes = _sizes(problem)
    return sum(sizes) - max(sizes)


def kernels(problem: Problem) -> Mapping[str, Callable[[], float]]:
    """Return calls that run one kernel each and return its seconds; the copies that they work on are not timed.

    Parameters
    ----------
    problem : Problem
        Of a crossed design.

    Returns
    -------
    dict
        ``"potrf"``, ``"potri"``, ``"pass (loop)"`` and, where it fits, ``"pass (syrk)"``.
    """
    rows = coupling_rows(problem)
    size = rows.shape[1]
    # Positive definite by its diagonal; LAPACK's time does not depend on the numbers.
    matrix = np.asfortranarray(np.full((size, size), 0.5) + 0.5 * np.eye(size))
    factor, _ = lapack.dpotrf(matrix, lower=0, clean=0)
    room = np.empty_like(matrix)

    def on_copy(kernel: Callable[..., tuple[np.ndarray, int]], source: np.ndarray, **flags: int) -> float:
        np.copyto(room, source)
        start = time.perf_counter()
        _, info = kernel(room, lower=0, **flags)
        seconds = time.perf_counter() - start
        assert info == 0
        return seconds

    def loop() -> float:
        start = time.perf_counter()
        subtract_pairs(room.T, rows.indptr, rows.indices, rows.data, bounds)
        return time.perf_counter() - start

    bounds = stripes(size)
    out = {
        "potrf": lambda: on_copy(lapack.dpotrf, matrix, overwrite_a=1, clean=0),
        "potri": lambda: on_copy(lapack.dpotri, factor, overwrite_c=1),
        "pass (loop)": loop,
    }
    if np.prod(rows.shape, dtype=float) <= _LARGEST_DENSE:
        dense = np.asfortranarray(rows.toarray())

        def syrk() -> float:
            start = time.perf_counter()
            blas.dsyrk(-1.0, dense, beta=1.0, c=room, trans=1, overwrite_c=1)
            return time.perf_counter() - start

        out["pass (syrk)"] = syrk
    return out


def coupling_rows(problem: Problem) -> sparse.csr_matrix:
    """A_12 by rows, one per random effect of the eliminated block, columns in order within a row."""
    sizes, widths = _sizes(problem), problem.layout.widths
    first = int(np.argmax(sizes))
    rest = [b for b in range(len(sizes)) if b != first]
    starts = dict(zip(rest, np.cumsum([0, *(sizes[b] for b in rest)]), strict=False))
    rows, columns, values = [], [], []
    for b in rest:
        pairs = problem.pairs[min(first, b), max(first, b)]
        mine, other, data = (
            (pairs.rows, pairs.indices, pairs.data)
            if first < b
            else (pairs.indices, pairs.rows, pairs.data.swapaxes(1, 2))
        )
        for a in range(widths[first]):
            for c in range(widths[b]):
                rows.append(mine * widths[first] + a)
                columns.append(starts[b] + c * problem.layout.n_levels[b] + other)
                values.append(data[:, a, c])
    entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    matrix = sparse.csr_matrix(entries, shape=(sizes[first], sum(sizes[b] for b in rest)))
    matrix.sort_indices()
    return matrix


def stripes(size: int) -> np.ndarray:
    """Row bounds of stripes of equal area of a lower triangle: threads share the work without meeting."""
    return np.unique((size * np.sqrt(np.arange(_STRIPES + 1) / _STRIPES)).astype(np.int64))


@njit(cache=True, parallel=True, fastmath={"contract"})
def subtract_pairs(out, indptr, indices, values, bounds):  # type: ignore[no-untyped-def]
    """Subtract S'S from the lower triangle of `out` (C-ordered), S by compressed rows."""
    for stripe in prange(len(bounds) - 1):
        for level in range(len(indptr) - 1):
            start, stop = indptr[level], indptr[level + 1]
            first = start + np.searchsorted(indices[start:stop], bounds[stripe])
            for i in range(first, stop):
                if indices[i] >= bounds[stripe + 1]:
                    break
                target, weight = out[indices[i]], values[i]
                for j in range(start, i + 1):
                    target[indices[j]] -= weight * values[j]


def _sizes(problem: Problem) -> list[int]:
    return [k * n for k, n in zip(problem.layout.widths, problem.layout.n_levels, strict=True)]
