"""Elimination of nested factors, compiled: from the finest levels up, which leaves no new couplings.

Levels are *nodes*, children before their parents. A *tree* is ``parents`` with the parent of each node, -1 for none;
``spans``, where its own effects start and end among those that a row meets, those of the finest factor first: vectors
of length D; and ``rows``, where the rows of each leaf start. The part of a node is its own effects and those of its
ancestors, which are the last of them. Nodes `first` to `last` are a cluster: a level of the coarsest factor with all
that lies inside. Scratch arrays (nodes, D, ...) are counted from the first of them, as `here`; ``terms`` (3, n) has s,
w and kappa of the rows. Entries are addressed one by one: a view of an array costs more than a small matrix product.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

__all__ = [
    "backward",
    "compiled",
    "factorise",
    "forward",
    "inner",
    "invert",
    "paths",
    "raised",
    "scores",
    "spread",
    "unrotated",
]

# Products of pivots are turned into logarithms before they overflow.
_LARGE = 1e150

# What is called from Python, and what only compiled functions call: without wrappers, which take long to compile too.
compiled = njit(cache=True, error_model="numpy", fastmath={"contract"})
inner = njit(  # type: ignore[call-overload]
    cache=True, error_model="numpy", fastmath={"contract"}, no_cpython_wrapper=True, no_cfunc_wrapper=True
)


@inner
def factorise(first, last, tree, z, lam, terms, front, raw):  # type: ignore[no-untyped-def]
    """Fill the factorised parts of the nodes, and `raw` with Z'WZ of the leaves; return log|M|, NaN without one."""
    parents, spans, rows = tree
    size, log, product = len(lam), 0.0, 1.0
    for here in range(last - first):
        for a in range(size):
            for b in range(size):
                front[here, a, b] = 0.0
    for node in range(first, last):
        here, at, stop = node - first, spans[node, 0], spans[node, 1]
        if at == 0:
            _gram(here, rows[node], rows[node + 1], z, terms, raw)
            _congruence(here, raw, lam, front)
        for c in range(at, stop):
            pivot = front[here, c, c] + 1.0
            if not pivot > 0.0:
                return np.nan
            product *= pivot
            if product > _LARGE:
                log, product = log + math.log(product), 1.0
            root = math.sqrt(pivot)
            front[here, c, c] = root
            for i in range(c + 1, size):
                front[here, i, c] /= root
            for j in range(c + 1, size):
                for i in range(j, size):
                    front[here, i, j] -= front[here, i, c] * front[here, j, c]
        if parents[node] >= 0:
            above = parents[node] - first
            for a in range(stop, size):
                for b in range(stop, a + 1):
                    front[above, a, b] += front[here, a, b]
    return log + math.log(product)


@inner
def _gram(here, start, stop, z, terms, raw):  # type: ignore[no-untyped-def]
    """Z'WZ of some rows."""
    size = z.shape[1]
    for a in range(size):
        for b in range(a + 1):
            total = 0.0
            for i in range(start, stop):
                total += terms[1, i] * z[i, a] * z[i, b]
            raw[here, a, b] = raw[here, b, a] = total


@inner
def _congruence(here, raw, lam, front):  # type: ignore[no-untyped-def]
    """Add Lambda'A Lambda to the lower triangle; Lambda is lower triangular."""
    size = len(lam)
    for a in range(size):
        for b in range(a + 1):
            total = 0.0
            for i in range(a, size):
                if lam[i, a] != 0.0:
                    part = 0.0
                    for j in range(b, size):
                        part += raw[here, i, j] * lam[j, b]
                    total += lam[i, a] * part
            front[here, a, b] += total


@inner
def forward(first, last, tree, front, x):  # type: ignore[no-untyped-def]
    """Solve with L, x (nodes, D, r) in place, from the leaves up: their parts fall on those of the parents."""
    parents, spans = tree[0], tree[1]
    size, r = x.shape[1], x.shape[2]
    for node in range(first, last):
        here, stop = node - first, spans[node, 1]
        for c in range(spans[node, 0], stop):
            for k in range(r):
                x[here, c, k] /= front[here, c, c]
            for i in range(c + 1, size):
                for k in range(r):
                    x[here, i, k] -= front[here, i, c] * x[here, c, k]
        if parents[node] >= 0:
            above = parents[node] - first
            for i in range(stop, size):
                for k in range(r):
                    x[above, i, k] += x[here, i, k]


@inner
def backward(first, last, tree, front, x):  # type: ignore[no-untyped-def]
    """Solve with L' from the roots down; each node ends with the values of its ancestors beside its own."""
    parents, spans = tree[0], tree[1]
    size, r = x.shape[1], x.shape[2]
    for node in range(last - 1, first - 1, -1):
        here, at, stop = node - first, spans[node, 0], spans[node, 1]
        if parents[node] >= 0:
            above = parents[node] - first
            for i in range(stop, size):
                for k in range(r):
                    x[here, i, k] = x[above, i, k]
        for c in range(stop - 1, at - 1, -1):
            for i in range(c + 1, size):
                for k in range(r):
                    x[here, c, k] -= front[here, i, c] * x[here, i, k]
            for k in range(r):
                x[here, c, k] /= front[here, c, c]


@inner
def invert(first, last, tree, front, inverse):  # type: ignore[no-untyped-def]
    """M^-1 at the part of each node, (nodes, D, D), from the roots down."""
    parents, spans = tree[0], tree[1]
    size = front.shape[1]
    for node in range(last - 1, first - 1, -1):
        here, at, stop = node - first, spans[node, 0], spans[node, 1]
        if parents[node] >= 0:
            above = parents[node] - first
            for i in range(stop, size):
                for j in range(stop, size):
                    inverse[here, i, j] = inverse[above, i, j]
        for c in range(stop - 1, at - 1, -1):
            pivot = front[here, c, c]
            for i in range(c + 1, size):
                total = 0.0
                for k in range(c + 1, size):
                    total -= front[here, k, c] * inverse[here, k, i]
                inverse[here, i, c] = inverse[here, c, i] = total / pivot
            total = 1.0 / pivot
            for k in range(c + 1, size):
                total -= front[here, k, c] * inverse[here, k, c]
            inverse[here, c, c] = total / pivot


@inner
def spread(first, last, tree, lam, u, b):  # type: ignore[no-untyped-def]
    """Fill b (all nodes, D) with Lambda u of each node and its ancestors, from u (all nodes, D) of the nodes alone."""
    parents, spans = tree[0], tree[1]
    for node in range(last - 1, first - 1, -1):
        at, stop = spans[node, 0], spans[node, 1]
        if parents[node] >= 0:
            for i in range(stop, len(lam)):
                b[node, i] = b[parents[node], i]
        for i in range(at, stop):
            total = 0.0
            for j in range(at, i + 1):
                total += lam[i, j] * u[node, j]
            b[node, i] = total


@inner
def paths(first, last, tree, path):  # type: ignore[no-untyped-def]
    """Put beside the own values of each node those of its ancestors, in `path` (all nodes, D, r)."""
    parents, spans = tree[0], tree[1]
    for node in range(last - 1, first - 1, -1):
        if parents[node] >= 0:
            for i in range(spans[node, 1], path.shape[1]):
                for k in range(path.shape[2]):
                    path[node, i, k] = path[parents[node], i, k]


@inner
def raised(first, last, tree, sums):  # type: ignore[no-untyped-def]
    """Add what each node of `sums` (nodes, D, r) has for its ancestors to its parent."""
    parents, spans = tree[0], tree[1]
    for node in range(first, last):
        if parents[node] >= 0:
            here, above = node - first, parents[node] - first
            for i in range(spans[node, 1], sums.shape[1]):
                for k in range(sums.shape[2]):
                    sums[above, i, k] += sums[here, i, k]


@inner
def scores(first, last, tree, z, terms, out):  # type: ignore[no-untyped-def]
    """Fill the first columns of `out` (nodes, D, r) with Z's of the rows of each leaf, 0 for other nodes."""
    spans, rows = tree[1], tree[2]
    for node in range(first, last):
        here = node - first
        for a in range(z.shape[1]):
            total = 0.0
            if spans[node, 0] == 0:
                for i in range(rows[node], rows[node + 1]):
                    total += terms[0, i] * z[i, a]
            out[here, a, 0] = total


@inner
def unrotated(here, lam, safe, at, stop, x, plain, out, node):  # type: ignore[no-untyped-def]
    """Fill -V of `node` from Lambda'V = x where Lambda can be divided by; from `plain` elsewhere."""
    for k in range(x.shape[2]):
        for j in range(stop - 1, at - 1, -1):
            if safe[j]:
                total = -x[here, j, k]
                for i in range(j + 1, stop):
                    total -= lam[i, j] * out[node, i, k]
                out[node, j, k] = total / lam[j, j]
            else:
                out[node, j, k] = -plain[here, j, k]
