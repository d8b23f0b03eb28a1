"""Elimination of nested factors, compiled: from the finest levels up, which leaves no new couplings.

Levels are *nodes*, children before their parents. ``parents`` has the parent of each node, -1 for none; ``spans``
where its own effects start and end among those that a row meets, those of the finest factor first: vectors of length
D. The part of a node is its own effects and those of its ancestors, which are the last of them. Nodes `first` to `last`
are one or more clusters, levels of the coarsest factor with all that lies inside; arrays are counted from the first.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

__all__ = ["backward", "factorise", "forward", "invert", "paths", "raised", "scores", "spread", "turned", "unrotated"]

compiled = njit(cache=True, error_model="numpy", fastmath={"contract"})


@compiled
def factorise(first, last, parents, spans, rows, z, lam, terms, front, raw):  # type: ignore[no-untyped-def]
    """Fill the factorised parts of the nodes, and `raw` with Z'WZ of the leaves; return log|M|, NaN without one."""
    size, log = len(lam), 0.0
    for node in range(first, last):
        front[node - first] = 0.0
    for node in range(first, last):
        own = front[node - first]
        at, stop = spans[node, 0], spans[node, 1]
        if at == 0:
            _gram(rows[node], rows[node + 1], z, terms, raw[node - first])
            _congruence(raw[node - first], lam, own)
        for a in range(at, stop):
            own[a, a] += 1.0
        log += _eliminate(own, at, stop)
        if parents[node] >= 0:
            above = front[parents[node] - first]
            for a in range(stop, size):
                for b in range(stop, a + 1):
                    above[a, b] += own[a, b]
    return 2.0 * log


@compiled
def _gram(start, stop, z, terms, out):  # type: ignore[no-untyped-def]
    """Z'WZ of some rows."""
    size = len(out)
    for a in range(size):
        for b in range(size):
            out[a, b] = 0.0
    for i in range(start, stop):
        for a in range(size):
            left = terms[2, i] * z[i, a]
            for b in range(a + 1):
                out[a, b] += left * z[i, b]
    for a in range(size):
        for b in range(a):
            out[b, a] = out[a, b]


@compiled
def _congruence(gram, lam, out):  # type: ignore[no-untyped-def]
    """Add Lambda'A Lambda to the lower triangle of `out`; Lambda is lower triangular."""
    size = len(lam)
    for a in range(size):
        for b in range(a + 1):
            total = 0.0
            for i in range(a, size):
                if lam[i, a] != 0.0:
                    inner = 0.0
                    for j in range(b, size):
                        inner += gram[i, j] * lam[j, b]
                    total += lam[i, a] * inner
            out[a, b] += total


@compiled
def _eliminate(front, at, stop):  # type: ignore[no-untyped-def]
    """Factorise columns `at` to `stop` of the lower triangle; return log det of their part of L, NaN without one."""
    size, log = len(front), 0.0
    for c in range(at, stop):
        pivot = front[c, c]
        if not pivot > 0.0:
            return np.nan
        root = math.sqrt(pivot)
        log += math.log(root)
        front[c, c] = root
        for i in range(c + 1, size):
            front[i, c] /= root
        for j in range(c + 1, size):
            for i in range(j, size):
                front[i, j] -= front[i, c] * front[j, c]
    return log


@compiled
def forward(first, last, parents, spans, front, x):  # type: ignore[no-untyped-def]
    """Solve with L, x (nodes, D, r) in place, from the leaves up: their parts fall on those of the parents."""
    size, r = x.shape[1], x.shape[2]
    for node in range(first, last):
        own, mine = front[node - first], x[node - first]
        at, stop = spans[node, 0], spans[node, 1]
        for c in range(at, stop):
            for k in range(r):
                mine[c, k] /= own[c, c]
            for i in range(c + 1, size):
                for k in range(r):
                    mine[i, k] -= own[i, c] * mine[c, k]
        if parents[node] >= 0:
            above = x[parents[node] - first]
            for i in range(stop, size):
                for k in range(r):
                    above[i, k] += mine[i, k]


@compiled
def backward(first, last, parents, spans, front, x):  # type: ignore[no-untyped-def]
    """Solve with L' from the roots down; each node ends with the values of its ancestors beside its own."""
    size, r = x.shape[1], x.shape[2]
    for node in range(last - 1, first - 1, -1):
        own, mine = front[node - first], x[node - first]
        at, stop = spans[node, 0], spans[node, 1]
        if parents[node] >= 0:
            above = x[parents[node] - first]
            for i in range(stop, size):
                for k in range(r):
                    mine[i, k] = above[i, k]
        for c in range(stop - 1, at - 1, -1):
            for i in range(c + 1, size):
                for k in range(r):
                    mine[c, k] -= own[i, c] * mine[i, k]
            for k in range(r):
                mine[c, k] /= own[c, c]


@compiled
def invert(first, last, parents, spans, front, inverse):  # type: ignore[no-untyped-def]
    """M^-1 at the part of each node, (nodes, D, D), from the roots down."""
    size = front.shape[1]
    for node in range(last - 1, first - 1, -1):
        own, mine = front[node - first], inverse[node - first]
        at, stop = spans[node, 0], spans[node, 1]
        if parents[node] >= 0:
            above = inverse[parents[node] - first]
            for i in range(stop, size):
                for j in range(stop, size):
                    mine[i, j] = above[i, j]
        for c in range(stop - 1, at - 1, -1):
            for i in range(c + 1, size):
                total = 0.0
                for k in range(c + 1, size):
                    total -= own[k, c] * mine[k, i]
                mine[i, c] = mine[c, i] = total / own[c, c]
            total = 1.0 / own[c, c]
            for k in range(c + 1, size):
                total -= own[k, c] * mine[k, c]
            mine[c, c] = total / own[c, c]


@compiled
def spread(first, last, parents, spans, lam, u, b):  # type: ignore[no-untyped-def]
    """Fill b (all nodes, D) with Lambda u of each node and its ancestors, from u (all nodes, D) of the nodes alone."""
    size = len(lam)
    for node in range(last - 1, first - 1, -1):
        at, stop = spans[node, 0], spans[node, 1]
        if parents[node] >= 0:
            for i in range(stop, size):
                b[node, i] = b[parents[node], i]
        for i in range(at, stop):
            total = 0.0
            for j in range(at, i + 1):
                total += lam[i, j] * u[node, j]
            b[node, i] = total


@compiled
def paths(first, last, parents, spans, own):  # type: ignore[no-untyped-def]
    """Put beside the own values of each node those of its ancestors, in `own` (nodes, D, r)."""
    for node in range(last - 1, first - 1, -1):
        if parents[node] >= 0:
            for i in range(spans[node, 1], own.shape[1]):
                for k in range(own.shape[2]):
                    own[node - first, i, k] = own[parents[node] - first, i, k]


@compiled
def raised(first, last, parents, spans, sums):  # type: ignore[no-untyped-def]
    """Add what each node of `sums` (nodes, D, r) has for its ancestors to its parent."""
    for node in range(first, last):
        if parents[node] >= 0:
            for i in range(spans[node, 1], sums.shape[1]):
                for k in range(sums.shape[2]):
                    sums[parents[node] - first, i, k] += sums[node - first, i, k]


@compiled
def scores(first, last, parents, spans, rows, z, terms, out):  # type: ignore[no-untyped-def]
    """Fill `out` (nodes, D, r) with Z's at its first column: the own values of each node are complete."""
    for node in range(first, last):
        mine = out[node - first]
        for a in range(len(mine)):
            mine[a, 0] = 0.0
        if spans[node, 0] == 0:
            for i in range(rows[node], rows[node + 1]):
                for a in range(len(mine)):
                    mine[a, 0] += terms[1, i] * z[i, a]
    raised(first, last, parents, spans, out)


@compiled
def turned(lam, x):  # type: ignore[no-untyped-def]
    """Lambda'x in place, x (D, r)."""
    for a in range(len(lam)):
        for k in range(x.shape[1]):
            total = 0.0
            for b in range(a, len(lam)):
                total += lam[b, a] * x[b, k]
            x[a, k] = total


@compiled
def unrotated(lam, safe, at, stop, x, plain, out):  # type: ignore[no-untyped-def]
    """V from Lambda'V = x (D, r) at the effects of one node, where Lambda can be divided by; from `plain` elsewhere."""
    for k in range(x.shape[1]):
        for j in range(stop - 1, at - 1, -1):
            if safe[j]:
                total = x[j, k]
                for i in range(j + 1, stop):
                    total -= lam[i, j] * out[i, k]
                out[j, k] = total / lam[j, j]
            else:
                out[j, k] = plain[j, k]
