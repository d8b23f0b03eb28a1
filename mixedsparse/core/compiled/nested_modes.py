"""Conditional modes of nested factors, compiled: each level of the coarsest factor has a search of its own.

See `elimination` for trees, clusters and scratch arrays.
"""

from __future__ import annotations

import math

import numpy as np

from mixedsparse.core.compiled.elimination import backward, factorise, forward, inner, scores, spread
from mixedsparse.core.compiled.families import WHOLE_LOGIT, logit_parts, one_row

__all__ = ["find_mode"]

# Decrement per effect from which on a mode is exact, and up to which a point that no step improves is the mode to
# within rounding; from which on a full step needs no fall of h, or so many times the rounding of h: see `laplace.mode`.
_EXACT = 1e-22
_SHARP = 1e-5
_CLOSE = 1e-9
_HIDDEN = 4e-15
# Decrement per effect up to which a first start is so good that no other is looked at.
_TRUSTED = 0.01
_MOST_STEPS = 200
_MOST_HALVINGS = 40
# Rise of h, relative, that is rounding.
_ROUNDING = 1e-13
# Products are turned into logarithms before they overflow.
_LARGE = 1e150


@inner
def _penalised(first, last, tree, data, lam, u, b, eta, terms):  # type: ignore[no-untyped-def]
    """Fill b, eta and the terms (3, n) of the rows of a cluster at u; return -2 sum l + u'u, infinity for no number."""
    spans, rows = tree[1], tree[2]
    y, m, fixed, z, code = data
    spread(first, last, tree, lam, u, b)
    size, total, product = z.shape[1], 0.0, 1.0
    for node in range(first, last):
        for a in range(spans[node, 0], spans[node, 1]):
            total += u[node, a] ** 2
        if spans[node, 0] > 0:
            continue
        for i in range(rows[node], rows[node + 1]):
            at = fixed[i]
            for a in range(size):
                at += z[i, a] * b[node, a]
            eta[i] = at
            if code == WHOLE_LOGIT:
                value, small, terms[0, i], terms[1, i], terms[2, i] = logit_parts(y[i], m[i], at)
                total -= 2.0 * m[i] * value
                # One logarithm for many rows.
                if m[i] == 1.0:
                    product *= 1.0 + small
                    if product > _LARGE:
                        total, product = total + 2.0 * math.log(product), 1.0
                else:
                    total += 2.0 * m[i] * math.log(1.0 + small)
            else:
                value, terms[0, i], terms[1, i], terms[2, i] = one_row(code, y[i], m[i], at)
                total -= 2.0 * value
    total += 2.0 * math.log(product)
    return total if total < np.inf else np.inf


@inner
def _half_step(first, last, tree, z, lam, terms, u, front, raw, x):  # type: ignore[no-untyped-def]
    """Factorise M at u and fill x (nodes, D, 1) with L^-1 (Lambda'Z's - u); return log|M| and its square."""
    spans = tree[1]
    log = factorise(first, last, tree, z, lam, terms, front, raw)
    if not log < np.inf:
        return np.nan, np.nan
    scores(first, last, tree, z, terms, x)
    for node in range(first, last):
        here = node - first
        if spans[node, 0] == 0:
            for a in range(len(lam)):
                total = 0.0
                for b in range(a, len(lam)):
                    total += lam[b, a] * x[here, b, 0]
                x[here, a, 0] = total
        for a in range(spans[node, 0], spans[node, 1]):
            x[here, a, 0] -= u[node, a]
    forward(first, last, tree, front, x)
    decrement = 0.0
    for node in range(first, last):
        for a in range(spans[node, 0], spans[node, 1]):
            decrement += x[node - first, a, 0] ** 2
    return log, decrement


@inner
def _effects(first, last, tree):  # type: ignore[no-untyped-def]
    """Return the number of random effects of a cluster."""
    count = 0
    for node in range(first, last):
        count += tree[1][node, 1] - tree[1][node, 0]
    return count


@inner
def _rounding(first, last, tree, eta, terms):  # type: ignore[no-untyped-def]
    """Return the sum of scores times linear predictors of a cluster, to which the rounding of h is relative."""
    spans, rows = tree[1], tree[2]
    total = 0.0
    for node in range(first, last):
        if spans[node, 0] == 0:
            for i in range(rows[node], rows[node + 1]):
                total += abs(terms[0, i]) * (1.0 + abs(eta[i]))
    return total


@inner
def _search(first, last, tree, data, lam, front, raw, x, u, tried, b, eta, terms, best, log, decrement):  # type: ignore[no-untyped-def]
    """Search the mode of one cluster from `u`, where h is `best`: h, log|M|, decrement, factorisations (0: none).

    `log` and `decrement` are those of `_half_step` there, NaN where it has not been done.
    """
    spans, z = tree[1], data[3]
    before, q = np.inf, _effects(first, last, tree)
    for step in range(_MOST_STEPS):
        if step > 0 or not log < np.inf:
            log, decrement = _half_step(first, last, tree, z, lam, terms, u, front, raw, x)
        if not log < np.inf:
            break
        close = decrement < _SHARP * q and decrement <= max(_CLOSE, _HIDDEN * _rounding(first, last, tree, eta, terms))
        if decrement <= _EXACT * q or (close and decrement > 0.25 * before):
            return best, log, decrement, step + 1
        backward(first, last, tree, front, x)
        share, taken, h = 1.0, False, best
        # The last round goes back to where the step began.
        for halving in range(_MOST_HALVINGS + 1):
            share = share if halving < _MOST_HALVINGS else 0.0
            for node in range(first, last):
                for a in range(spans[node, 0], spans[node, 1]):
                    tried[node, a] = u[node, a] + share * x[node - first, a, 0]
            h = _penalised(first, last, tree, data, lam, tried, b, eta, terms)
            if h <= best + _ROUNDING * abs(best) or (close and share == 1.0 and h < np.inf):
                taken = share > 0.0
                break
            share *= 0.5
        if not taken:
            if decrement < _SHARP * q:
                return best, log, decrement, step + 1
            break
        for node in range(first, last):
            for a in range(spans[node, 0], spans[node, 1]):
                u[node, a] = tried[node, a]
        best, before = h, decrement
    return np.nan, np.nan, np.nan, 0


@inner
def find_mode(first, last, tree, data, lam, begin, front, raw, x, u, tried, b, eta, terms):  # type: ignore[no-untyped-def]
    """Search the mode of one cluster from the best of the starts `begin` (starts, nodes, D) of u.

    A first start that is next to the mode is taken, and the last resort is 0. Fills u, eta (n,), terms (3, n), and the
    scratch arrays with the factor there; returns h, log|M|, the decrement that is left and the number of
    factorisations, 0 where there is no mode.
    """
    spans, z = tree[1], data[3]
    q = _effects(first, last, tree)
    best, chosen, log, decrement = np.inf, len(begin), np.nan, np.nan
    # Once more at the end, unless the last one is the best: what belongs to the best is filled in.
    for start in range(len(begin) + 1):
        at = start
        if start == len(begin):
            if chosen == start - 1:
                break
            at = chosen
        for node in range(first, last):
            for a in range(spans[node, 0], spans[node, 1]):
                u[node, a] = begin[at, node, a] if at < len(begin) else 0.0
        found = _penalised(first, last, tree, data, lam, u, b, eta, terms)
        if found < best:
            best, chosen = found, start
            if start == 0 and len(begin) > 1:
                log, decrement = _half_step(first, last, tree, z, lam, terms, u, front, raw, x)
                if decrement <= _TRUSTED * q:
                    break
                log = np.nan
    if best == np.inf:
        return np.nan, np.nan, np.nan, 0
    return _search(first, last, tree, data, lam, front, raw, x, u, tried, b, eta, terms, best, log, decrement)
