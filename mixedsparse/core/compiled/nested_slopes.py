"""Modes of nested factors and the derivatives of the criterion there, compiled: all of one cluster, then the next.

See `elimination` for trees, clusters and scratch arrays. The directions of theta are linear in z within a leaf: that of
entry (r, s) is z'c with c = e_r u_s + Lambda e_s zeta_r, so that sums over rows are of Z'WZ and Z'WQ alone.
"""

from __future__ import annotations

import numpy as np

from mixedsparse.core.compiled.elimination import (
    backward,
    compiled,
    forward,
    inner,
    invert,
    paths,
    raised,
    scores,
    unrotated,
)
from mixedsparse.core.compiled.nested_modes import find_mode

__all__ = ["visit"]


@inner
def _pass_over_rows(first, last, tree, z, lam, terms, Q, entries, raw, inverse, path, x, g, sums, products):  # type: ignore[no-untyped-def]
    """Fill x (nodes, D, r) with Z'[W F, t], g (n,) with t; add A Lambda N of the leaves, and F'W F but for Q'W Q.

    F has the directions of theta and gamma, left out where r is 1.
    """
    spans, rows = tree[1], tree[2]
    size, m, r = len(lam), len(entries), x.shape[2]
    left, c = np.empty(size), np.empty((m, size))
    for here in range(last - first):
        for a in range(size):
            for k in range(r):
                x[here, a, k] = 0.0
    for node in range(first, last):
        if spans[node, 0] > 0:
            continue
        here = node - first
        for a in range(size):
            for b in range(size):
                total = 0.0
                for k in range(b, size):
                    total += raw[here, a, k] * lam[k, b]
                left[b] = total
            for b in range(size):
                total = 0.0
                for k in range(size):
                    total += left[k] * inverse[here, k, b]
                sums[0, a, b] += total
        for i in range(rows[node], rows[node + 1]):
            for b in range(size):
                total = 0.0
                for k in range(b, size):
                    total += z[i, k] * lam[k, b]
                left[b] = total
            variance = 0.0
            for a in range(size):
                total = 0.5 * inverse[here, a, a] * left[a]
                for b in range(a):
                    total += inverse[here, a, b] * left[b]
                variance += 2.0 * left[a] * total
            t = variance * terms[2, i]
            g[i] = t
            for a in range(size):
                x[here, a, r - 1] += z[i, a] * t
                if r > 1:
                    weighted = z[i, a] * terms[1, i]
                    for j in range(Q.shape[1]):
                        x[here, a, m + j] += weighted * Q[i, j]
        if r == 1:
            continue
        for j in range(m):
            row, column = entries[j, 0], entries[j, 1]
            for a in range(size):
                c[j, a] = lam[a, column] * path[node, row, 0]
            c[j, row] += path[node, column, 1]
            for a in range(size):
                total = 0.0
                for b in range(size):
                    total += raw[here, a, b] * c[j, b]
                x[here, a, j] = total
        for j in range(r - 1):
            for k in range(min(j + 1, m)):
                for a in range(size):
                    products[j, k] += c[k, a] * x[here, a, j]


@inner
def _solve(first, last, tree, lam, front, x, products):  # type: ignore[no-untyped-def]
    """Put M^-1 Lambda'x in the place of x (nodes, D, r); subtract the products by it of all columns but the last."""
    spans = tree[1]
    for node in range(first, last):
        if spans[node, 0] == 0:
            here = node - first
            for a in range(len(lam)):
                for k in range(x.shape[2]):
                    total = 0.0
                    for b in range(a, len(lam)):
                        total += lam[b, a] * x[here, b, k]
                    x[here, a, k] = total
    forward(first, last, tree, front, x)
    for node in range(first, last):
        here = node - first
        for a in range(spans[node, 0], spans[node, 1]):
            for j in range(x.shape[2] - 1):
                for k in range(j + 1):
                    products[j, k] -= x[here, a, j] * x[here, a, k]
    backward(first, last, tree, front, x)


@inner
def _finish(first, last, tree, z, lam, safe, terms, raw, path, x, plain, g, sums, motion):  # type: ignore[no-untyped-def]
    """Subtract from t, in g (n,), what the last of the solutions x moves; unrotate all of them into `motion`, negated.

    `plain` (nodes, D, r) has the right-hand sides, or nothing where no column of Lambda needs them.
    """
    spans, rows = tree[1], tree[2]
    size, r, moved = len(lam), x.shape[2], np.empty(len(lam))
    for node in range(first, last):
        if spans[node, 0] > 0:
            continue
        here = node - first
        for k in range(0 if len(plain) else r - 1, r):
            for a in range(size):
                moved[a] = 0.0
                for b in range(a + 1):
                    moved[a] += lam[a, b] * x[here, b, k]
            if len(plain):
                for a in range(size):
                    for b in range(size):
                        plain[here, a, k] -= raw[here, a, b] * moved[b]
        for i in range(rows[node], rows[node + 1]):
            total = 0.0
            for a in range(size):
                total += z[i, a] * moved[a]
            g[i] -= terms[1, i] * total
    if len(plain):
        raised(first, last, tree, plain)
    for node in range(first, last):
        at, stop = spans[node, 0], spans[node, 1]
        unrotated(node - first, lam, safe, at, stop, x, plain, motion, node)
        for a in range(at, stop):
            for b in range(at, stop):
                sums[1, a, b] += path[node, a, 0] * path[node, b, 0]
                sums[2, a, b] -= motion[node, a, r - 1] * path[node, b, 0]


@compiled
def visit(tree, clusters, data, lam, safe, Q, entries, begin, path, eta, terms, g, sums, products, motion):  # type: ignore[no-untyped-def]
    """Search the modes of all clusters and, where `motion` has columns, add up the derivatives of the criterion there.

    Returns h = -2 sum l + u'u, u'u, log|M|, the largest decrement that is left, and the largest number of
    factorisations of a cluster; NaN where there is no mode.

    Parameters
    ----------
    tree : tuple (parents, spans, rows)
    clusters : ndarray of int
        Where each cluster starts, and the end.
    data : tuple (y, m, fixed, z, code)
    lam : ndarray, shape (D, D)
        Lambda of all blocks.
    safe : ndarray of bool, shape (D,)
        Whether a column of Lambda can be divided by.
    Q : ndarray, shape (n, p)
    entries : ndarray of int, shape (m, 2)
        Row and column in Lambda of each entry of theta.
    begin : ndarray, shape (starts, nodes, D)
        Starts of u.
    path : ndarray, shape (nodes, D, 2)
        Filled with zeta = Z's and u of each node.
    eta, terms : ndarray, shape (n,) and (3, n)
        Filled at the modes.
    g : ndarray, shape (n,)
        Filled with t - W Z c.
    sums : ndarray, shape (3, D, D)
        Added to: Z'V_0^-1 Z Lambda; zeta zeta'; alpha zeta'.
    products : ndarray, shape (m + p, m + p)
        Added to: lower triangle of F'V_0^-1 F less Q'W Q.
    motion : ndarray, shape (nodes, D, r)
        Filled with -Z'V_0^-1 F and -alpha, or with the latter alone (r = 1), or nothing (r = 0).
    """
    spans, z = tree[1], data[3]
    size, r, most, unsafe = len(lam), motion.shape[2], 0, 0
    for c in range(len(clusters) - 1):
        most = max(most, clusters[c + 1] - clusters[c])
    for a in range(size):
        unsafe += not safe[a]
    front, raw, inverse = np.empty((most, size, size)), np.empty((most, size, size)), np.empty((most, size, size))
    y, x, plain = np.empty((most, size, 1)), np.empty((most, size, r)), np.empty((most if unsafe else 0, size, r))
    u, tried, b = np.empty(path.shape[:2]), np.empty(path.shape[:2]), np.empty(path.shape[:2])
    h = penalty = logdet = worst = 0.0
    steps = 0
    for c in range(len(clusters) - 1):
        first, last = clusters[c], clusters[c + 1]
        found, log, decrement, taken = find_mode(
            first, last, tree, data, lam, begin, front, raw, y, u, tried, b, eta, terms
        )
        if taken == 0:
            return np.nan, np.nan, np.nan, np.nan, 0
        scores(first, last, tree, z, terms, y)
        raised(first, last, tree, y)
        for node in range(first, last):
            for a in range(spans[node, 0], spans[node, 1]):
                path[node, a, 0], path[node, a, 1] = y[node - first, a, 0], u[node, a]
                penalty += u[node, a] ** 2
        h, logdet = h + found, logdet + log
        worst, steps = max(worst, decrement), max(steps, taken)
        if r > 0:
            invert(first, last, tree, front, inverse)
            paths(first, last, tree, path)
            _pass_over_rows(first, last, tree, z, lam, terms, Q, entries, raw, inverse, path, x, g, sums, products)
            for node in range(first, first + len(plain)):
                if node < last:
                    for a in range(size):
                        for k in range(r):
                            plain[node - first, a, k] = x[node - first, a, k]
            _solve(first, last, tree, lam, front, x, products)
            _finish(first, last, tree, z, lam, safe, terms, raw, path, x, plain, g, sums, motion)
    return h, penalty, logdet, worst, steps
