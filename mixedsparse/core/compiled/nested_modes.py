"""Conditional modes of nested factors, compiled: each level of the coarsest factor has a search of its own.

See `elimination` for nodes and clusters. The rows of a leaf are next to each other, and start at ``rows[node]``.
"""

from __future__ import annotations

import numpy as np

from mixedsparse.core.compiled.elimination import backward, compiled, factorise, forward, scores, spread, turned
from mixedsparse.core.compiled.families import WHOLE_LOGIT, logit_row, one_row

__all__ = ["find_modes"]

# Decrement per effect from which on a mode is exact, and up to which a point that no step improves is the mode to
# within rounding; from which on a full step needs no fall of h, or so many times the rounding of h: see `find_mode`.
_EXACT = 1e-22
_SHARP = 1e-5
_CLOSE = 1e-9
_HIDDEN = 4e-15
_MOST_STEPS = 200
_MOST_HALVINGS = 40
# Rise of h, relative, that is rounding.
_ROUNDING = 1e-13


@compiled
def _penalised(first, last, tree, data, lam, u, b, eta, terms):  # type: ignore[no-untyped-def]
    """Fill b, eta and the terms (4, n) of the rows of a cluster at u; return -2 sum l + u'u, infinity for no number."""
    parents, spans, rows = tree
    y, m, fixed, z, code = data
    spread(first, last, parents, spans, lam, u, b)
    size, total = z.shape[1], 0.0
    for node in range(first, last):
        for a in range(spans[node, 0], spans[node, 1]):
            total += u[node, a] ** 2
        if spans[node, 0] == 0:
            for i in range(rows[node], rows[node + 1]):
                at = fixed[i]
                for a in range(size):
                    at += z[i, a] * b[node, a]
                eta[i] = at
                if code == WHOLE_LOGIT:
                    terms[0, i], terms[1, i], terms[2, i], terms[3, i] = logit_row(y[i], m[i], at)
                else:
                    terms[0, i], terms[1, i], terms[2, i], terms[3, i] = one_row(code, y[i], m[i], at)
                total -= 2.0 * terms[0, i]
    return total if total < np.inf else np.inf


@compiled
def _residual(first, last, spans, rows, z, lam, terms, u, x):  # type: ignore[no-untyped-def]
    """Fill x (nodes, D, 1) with Lambda'Z's - u, each leaf with the sums of its rows."""
    for node in range(first, last):
        mine = x[node - first]
        for a in range(len(lam)):
            mine[a, 0] = 0.0
        if spans[node, 0] == 0:
            for i in range(rows[node], rows[node + 1]):
                for a in range(len(lam)):
                    mine[a, 0] += terms[1, i] * z[i, a]
            turned(lam, mine)
        for a in range(spans[node, 0], spans[node, 1]):
            mine[a, 0] -= u[node, a]


@compiled
def _shift(first, last, spans, source, share, x, out):  # type: ignore[no-untyped-def]
    """Fill the nodes of `out` with those of `source` plus `share` of a step x (nodes, D, 1); return its |x|^2."""
    total = 0.0
    for node in range(first, last):
        for a in range(spans[node, 0], spans[node, 1]):
            out[node, a] = source[node, a] + share * x[node - first, a, 0]
            total += x[node - first, a, 0] ** 2
    return total


@compiled
def _rounding(first, last, tree, eta, terms):  # type: ignore[no-untyped-def]
    """Return the sum of scores times linear predictors of a cluster, to which the rounding of h is relative."""
    _, spans, rows = tree
    total = 0.0
    for node in range(first, last):
        if spans[node, 0] == 0:
            for i in range(rows[node], rows[node + 1]):
                total += abs(terms[1, i]) * (1.0 + abs(eta[i]))
    return total


@compiled
def _search(first, last, tree, data, lam, front, raw, x, u, tried, b, eta, terms, best):  # type: ignore[no-untyped-def]
    """Search the mode of one cluster from `u`, where h is `best`: h, log|M|, decrement, factorisations (0: none)."""
    parents, spans, rows = tree
    z = data[3]
    q = 0
    for node in range(first, last):
        q += spans[node, 1] - spans[node, 0]
    before = np.inf
    for step in range(_MOST_STEPS):
        log = factorise(first, last, parents, spans, rows, z, lam, terms, front, raw)
        if not log < np.inf:
            break
        _residual(first, last, spans, rows, z, lam, terms, u, x)
        forward(first, last, parents, spans, front, x)
        decrement = _shift(first, last, spans, u, 0.0, x, tried)
        close = decrement < _SHARP * q and decrement <= max(_CLOSE, _HIDDEN * _rounding(first, last, tree, eta, terms))
        if decrement <= _EXACT * q or (close and decrement > 0.25 * before):
            return best, log, decrement, step + 1
        backward(first, last, parents, spans, front, x)
        share, taken = 1.0, False
        # The last round goes back to where the step began.
        for halving in range(_MOST_HALVINGS + 1):
            share = share if halving < _MOST_HALVINGS else 0.0
            _shift(first, last, spans, u, share, x, tried)
            h = _penalised(first, last, tree, data, lam, tried, b, eta, terms)
            if h <= best + _ROUNDING * abs(best) or (close and share == 1.0 and h < np.inf):
                taken = share > 0.0
                break
            share *= 0.5
        if not taken:
            if decrement < _SHARP * q:
                return best, log, decrement, step + 1
            break
        _shift(first, last, spans, tried, 0.0, x, u)
        best, before = h, decrement
    return np.nan, np.nan, np.nan, 0


@compiled
def find_modes(tree, clusters, data, lam, begin, path, eta, terms):  # type: ignore[no-untyped-def]
    """Search the modes of all clusters from the best of the starts `begin` (starts, nodes, D) of u.

    Fills the own effects of each node in `path` (nodes, D, 2) with zeta = Z's and u, eta (n,) and terms (4, n). Returns
    h = -2 sum l + u'u, u'u, log|M|, the largest decrement that is left, and the largest number of factorisations of a
    cluster; NaN where there is no mode.

    Parameters
    ----------
    tree : tuple (parents, spans, rows)
    clusters : ndarray of int
        Where each cluster starts, and the end.
    data : tuple (y, m, fixed, z, code)
    lam : ndarray, shape (D, D)
        Lambda of all blocks.
    """
    parents, spans, rows = tree
    size, most = len(lam), 0
    for c in range(len(clusters) - 1):
        most = max(most, clusters[c + 1] - clusters[c])
    front, raw, x = np.empty((most, size, size)), np.empty((most, size, size)), np.zeros((most, size, 1))
    u, tried, b = np.zeros(path.shape[:2]), np.zeros(path.shape[:2]), np.empty(path.shape[:2])
    h = penalty = logdet = worst = 0.0
    most = 0
    for c in range(len(clusters) - 1):
        first, last = clusters[c], clusters[c + 1]
        best, chosen = np.inf, 0
        # The best once more at the end, unless it is the only one: what belongs to it is filled in.
        for start in range(len(begin) + (len(begin) > 1)):
            at = start if start < len(begin) else chosen
            _shift(first, last, spans, begin[at], 0.0, x, u)
            found = _penalised(first, last, tree, data, lam, u, b, eta, terms)
            if found < best:
                best, chosen = found, start
        if best == np.inf:
            for node in range(first, last):
                u[node] = 0.0
            best = _penalised(first, last, tree, data, lam, u, b, eta, terms)
        if best == np.inf:
            return np.nan, np.nan, np.nan, np.nan, 0
        found, log, decrement, steps = _search(
            first, last, tree, data, lam, front, raw, x, u, tried, b, eta, terms, best
        )
        if steps == 0:
            return np.nan, np.nan, np.nan, np.nan, 0
        scores(first, last, parents, spans, rows, data[3], terms, x)
        for node in range(first, last):
            for a in range(spans[node, 0], spans[node, 1]):
                path[node, a, 0], path[node, a, 1] = x[node - first, a, 0], u[node, a]
                penalty += u[node, a] ** 2
        h, logdet = h + found, logdet + log
        worst, most = max(worst, decrement), max(most, steps)
    return h, penalty, logdet, worst, most
