"""Derivatives of the criterion with nested factors, compiled; see `elimination` and `nested_modes`."""

from __future__ import annotations

import numpy as np

from mixedsparse.core.compiled.elimination import (
    backward,
    compiled,
    factorise,
    forward,
    invert,
    paths,
    raised,
    turned,
    unrotated,
)

__all__ = ["finish", "over_rows", "prepare", "solve"]


@compiled
def _of_row(z, lam, out):  # type: ignore[no-untyped-def]
    """Lambda'z of one row."""
    for b in range(len(out)):
        total = 0.0
        for k in range(b, len(out)):
            total += z[k] * lam[k, b]
        out[b] = total


@compiled
def _add_trace(gram, lam, inverse, sums, left):  # type: ignore[no-untyped-def]
    """Add A Lambda N of one leaf."""
    size = len(lam)
    for a in range(size):
        for b in range(size):
            total = 0.0
            for k in range(b, size):
                total += gram[a, k] * lam[k, b]
            left[b] = total
        for b in range(size):
            total = 0.0
            for k in range(size):
                total += left[k] * inverse[k, b]
            sums[0, a, b] += total


@compiled
def _rows_of_leaf(start, stop, z, lam, terms, Q, inverse, entries, path, x, g, inner, left, f):  # type: ignore[no-untyped-def]
    """Pass over the rows of one leaf: add Z'[W F, t] to x (D, r), F'W F to `inner`; fill g (n,) with t.

    `path` has zeta and u of the leaf and its ancestors, (D, 2). F is left out where r is 1.
    """
    size, m, p, r = len(lam), len(entries), Q.shape[1], x.shape[1]
    for i in range(start, stop):
        _of_row(z[i], lam, left)
        variance = 0.0
        for a in range(size):
            part = 0.5 * inverse[a, a] * left[a]
            for b in range(a):
                part += inverse[a, b] * left[b]
            variance += 2.0 * left[a] * part
        t = variance * terms[3, i]
        g[i] = t
        if r == 1:
            for a in range(size):
                x[a, 0] += z[i, a] * t
            continue
        for j in range(m):
            row, column = entries[j, 0], entries[j, 1]
            f[j] = z[i, row] * path[column, 1] + left[column] * path[row, 0]
        for j in range(p):
            f[m + j] = Q[i, j]
        for j in range(r - 1):
            weighted = terms[2, i] * f[j]
            for k in range(j + 1):
                inner[j, k] += weighted * f[k]
        for j in range(r - 1):
            f[j] *= terms[2, i]
        f[r - 1] = t
        for a in range(size):
            for j in range(r):
                x[a, j] += z[i, a] * f[j]


@compiled
def _moved_of_leaf(start, stop, z, lam, terms, x, g, b):  # type: ignore[no-untyped-def]
    """Subtract W Z Lambda x of the rows of one leaf from g (n,), the last column of x (D, r)."""
    size, last = len(lam), x.shape[1] - 1
    for i in range(size):
        b[i] = 0.0
        for j in range(i + 1):
            b[i] += lam[i, j] * x[j, last]
    for i in range(start, stop):
        moved = 0.0
        for a in range(size):
            moved += z[i, a] * b[a]
        g[i] -= terms[2, i] * moved


@compiled
def _subtract_product(gram, lam, x, out, left):  # type: ignore[no-untyped-def]
    """Subtract A Lambda x of one leaf, x (D, r)."""
    size = len(lam)
    for k in range(x.shape[1]):
        for a in range(size):
            left[a] = 0.0
            for b in range(a + 1):
                left[a] += lam[a, b] * x[b, k]
        for a in range(size):
            for b in range(size):
                out[a, k] -= gram[a, b] * left[b]


@compiled
def prepare(first, last, tree, z, lam, terms, path, front, raw, inverse):  # type: ignore[no-untyped-def]
    """Factorise M at the nodes, invert it, and complete the paths to their ancestors."""
    parents, spans, rows = tree
    factorise(first, last, parents, spans, rows, z, lam, terms, front, raw)
    invert(first, last, parents, spans, front, inverse)
    paths(first, last, parents, spans, path)


@compiled
def over_rows(first, last, tree, z, lam, terms, Q, entries, raw, inverse, path, x, g, sums, inner):  # type: ignore[no-untyped-def]
    """Pass over all rows of the nodes; see `_rows_of_leaf`. Fills x (nodes, D, r) with Z'[W F, t]."""
    spans, rows = tree[1], tree[2]
    left, f = np.empty(len(lam)), np.empty(x.shape[2])
    for node in range(first, last):
        here = node - first
        if spans[node, 0] == 0:
            start, stop = rows[node], rows[node + 1]
            _add_trace(raw[here], lam, inverse[here], sums, left)
            _rows_of_leaf(start, stop, z, lam, terms, Q, inverse[here], entries, path[here], x[here], g, inner, left, f)


@compiled
def solve(first, last, tree, lam, front, x, inner):  # type: ignore[no-untyped-def]
    """Put M^-1 Lambda'x in the place of x (nodes, D, r); subtract the products by it of all columns but the last."""
    parents, spans = tree[0], tree[1]
    for node in range(first, last):
        if spans[node, 0] == 0:
            turned(lam, x[node - first])
    forward(first, last, parents, spans, front, x)
    for node in range(first, last):
        for a in range(spans[node, 0], spans[node, 1]):
            for j in range(x.shape[2] - 1):
                for k in range(j + 1):
                    inner[j, k] -= x[node - first, a, j] * x[node - first, a, k]
    backward(first, last, parents, spans, front, x)


@compiled
def finish(first, last, tree, z, lam, safe, terms, raw, path, x, plain, g, sums, motion):  # type: ignore[no-untyped-def]
    """Subtract from t, in g (n,), what the last of the solutions x moves; unrotate all of them into `motion`.

    `plain` (nodes, D, r) has the right-hand sides, or nothing where no column of Lambda needs them.
    """
    parents, spans, rows = tree
    r, left = x.shape[2], np.empty(len(lam))
    for node in range(first, last):
        here = node - first
        if spans[node, 0] == 0:
            _moved_of_leaf(rows[node], rows[node + 1], z, lam, terms, x[here], g, left)
            if len(plain):
                _subtract_product(raw[here], lam, x[here], plain[here], left)
    if len(plain):
        raised(first, last, parents, spans, plain)
    for node in range(first, last):
        here, at, stop = node - first, spans[node, 0], spans[node, 1]
        found = motion[here]
        unrotated(lam, safe, at, stop, x[here], plain[here] if len(plain) else x[here], found)
        for a in range(at, stop):
            for b in range(at, stop):
                sums[1, a, b] += path[here, a, 0] * path[here, b, 0]
                sums[2, a, b] += found[a, r - 1] * path[here, b, 0]
