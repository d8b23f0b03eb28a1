"""Adjustment of p-values and intervals for several comparisons."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import get_args

import numpy as np
from scipy.special import chdtri, fdtrc, gammaincinv, gammaln, ndtr, ndtri, stdtr, stdtrit

from mixedsparse.ground.checks import one_of
from mixedsparse.ground.choices import Adjust

__all__ = ["METHODS", "adjusted_p", "check_method", "critical_values", "range_quantile", "range_sf", "steps"]

METHODS = get_args(Adjust)

# Gauss-Legendre nodes of the two integrals of the studentized range (relative error below 1e-9), and the tails of s
# that are cut off. The density of s is wide for few degrees of freedom only.
_INNER, _OUTER, _OUTER_FEW = 96, 48, 128
_FEW = 10.0
_TAIL = 1e-17
# Above this many degrees of freedom the studentized range is that of normal variables to 1e-9.
_MANY = 1e8
# Sobol points of the multivariate t integral, and the share of the largest eigenvalue that counts as zero.
_POINTS = 2**14
_RANK_TOL = 1e-10


def check_method(adjust: str) -> None:
    """Refuse an adjustment that is not known."""
    one_of("adjust", adjust, METHODS)


def adjusted_p(
    t: np.ndarray, df: np.ndarray, adjust: str, *, family: int, correlation: np.ndarray | None = None
) -> np.ndarray:
    """Two-sided p-values of one family of tests, adjusted; NaN where `t` or `df` is.

    Parameters
    ----------
    t, df : ndarray, shape (r,)
        Test statistics and their degrees of freedom (inf: normal).
    adjust : str
        One of `METHODS`.
    family : int
        Number of means that are compared pairwise (Tukey), those without an estimate left out.
    correlation : ndarray, shape (r, r), optional
        Of the estimates, for ``"mvt"``.

    Notes
    -----
    ``"dunnettx"`` is emmeans' approximation of Dunnett's test, (k - 1)/k Tukey + 1/k Sidak for k contrasts, in place
    of the multivariate t distribution that ``"mvt"`` integrates (relative error about 1e-4). Tests without an estimate
    do not count in the size of the family, by any method.
    """
    p = np.full(len(t), np.nan)
    there = np.isfinite(t) & ~np.isnan(df)
    if not there.any():
        return p
    k, t, df = int(there.sum()), np.abs(t[there]), df[there]
    single = 2.0 * stdtr(df, -t)
    if k == 1 or adjust == "none":
        p[there] = single
    elif adjust == "tukey":
        p[there] = range_sf(np.sqrt(2.0) * t, family, df)
    elif adjust == "dunnettx":
        p[there] = _dunnettx(t, k, df)
    elif adjust == "sidak":
        p[there] = _sidak(single, k)
    elif adjust == "mvt":
        assert correlation is not None
        p[there] = _mvt(correlation[np.ix_(there, there)])(t, df)
    else:
        p[there] = _STEPS[adjust](single)
    return np.clip(p, 0.0, 1.0)


def critical_values(
    df: np.ndarray, level: float, adjust: str, *, family: int, correlation: np.ndarray | None = None
) -> np.ndarray:
    """Half-widths (r,) of simultaneous intervals of one family, in standard errors; NaN where `df` is.

    Holm's and Benjamini and Hochberg's methods have no intervals of their own: Bonferroni's stand in, as in emmeans.
    """
    there = ~np.isnan(df)
    k = int(there.sum())
    if k <= 1 or adjust == "none":
        return t_quantile(df, level)
    each, back = np.unique(df[there], return_inverse=True)
    tail = 1.0 - level
    if adjust == "sidak":
        values = t_quantile(each, level ** (1.0 / k))
    elif adjust == "tukey":
        values = range_quantile(level, family, each) / np.sqrt(2.0)
    elif adjust == "dunnettx":
        values = _solve(lambda x: _dunnettx(x, k, each), tail, t_quantile(each, level))
    elif adjust == "mvt":
        assert correlation is not None
        largest = _mvt(correlation[np.ix_(there, there)])
        values = _solve(lambda x: largest(x, each), tail, t_quantile(each, level))
    else:
        values = t_quantile(each, 1.0 - tail / k)
    out = np.full(len(df), np.nan)
    out[there] = values[back]
    return out


def t_quantile(df: np.ndarray, level: float) -> np.ndarray:
    """Quantile of |t| at `level`."""
    return np.asarray(-stdtrit(np.minimum(df, 1e300), 0.5 * (1.0 - level)))


def _sidak(p: np.ndarray, k: int) -> np.ndarray:
    """1 - (1 - p)^k without cancellation."""
    with np.errstate(divide="ignore"):
        return np.asarray(-np.expm1(k * np.log1p(-p)))


def _holm(p: np.ndarray) -> np.ndarray:
    order = np.argsort(p, kind="stable")
    out = np.empty_like(p)
    out[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return out


def _fdr(p: np.ndarray) -> np.ndarray:
    """Benjamini and Hochberg (1995)."""
    order = np.argsort(-p, kind="stable")
    out = np.empty_like(p)
    out[order] = np.minimum.accumulate(p[order] * len(p) / np.arange(len(p), 0, -1))
    return out


def steps(p: np.ndarray, adjust: str) -> np.ndarray:
    """Adjust p-values (k,) of one family by a method that needs nothing else: "bonferroni", "holm" or "fdr"."""
    return np.clip(_STEPS[adjust](p), 0.0, 1.0)


_STEPS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "bonferroni": lambda p: p * len(p),
    "holm": _holm,
    "fdr": _fdr,
}


def range_sf(q: np.ndarray, k: int, df: np.ndarray) -> np.ndarray:
    """Upper tail of the studentized range of `k` means, P(Q > q).

    Parameters
    ----------
    q, df : ndarray, shape (r,)
        Ranges, no units, and degrees of freedom (inf: known variance).

    Notes
    -----
    P(Q > q) = E[S(q s)], s^2 chi-square over its degrees of freedom, where S(w) = 1 - k int phi(z) [Phi(z) -
    Phi(z - w)]^(k-1) dz is the tail of the range of `k` standard normal variables; both integrals by Gauss-Legendre.
    scipy.stats.studentized_range gives the same, adaptively and about a hundred times slower.
    """
    q, df = np.broadcast_arrays(np.asarray(q, dtype=float), np.asarray(df, dtype=float))
    out = np.empty(q.shape)
    for i, (x, nu) in enumerate(zip(q, df, strict=True)):
        if nu > _MANY:
            out[i] = _normal_range_sf(np.array([x]), k)[0]
        else:
            s, weight = _chi_nodes(nu)
            out[i] = weight @ _normal_range_sf(x * s, k)
    return np.clip(out, 0.0, 1.0)


@cache
def _legendre(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of Gauss and Legendre on [-1, 1]."""
    return np.polynomial.legendre.leggauss(n)


def _chi_nodes(df: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes of s = chi / sqrt(df) on a log scale, and their probabilities."""
    low, high = 0.5 * np.log(2.0 * gammaincinv(0.5 * df, _TAIL) / df), 0.5 * np.log(chdtri(df, _TAIL) / df)
    x, w = _legendre(_OUTER_FEW if df < _FEW else _OUTER)
    log_s = low + 0.5 * (high - low) * (x + 1.0)
    log_density = np.log(2.0) + 0.5 * df * np.log(0.5 * df) - gammaln(0.5 * df) + df * log_s
    log_density -= 0.5 * df * np.exp(2.0 * log_s)
    return np.exp(log_s), 0.5 * (high - low) * w * np.exp(log_density)


def _normal_range_sf(w: np.ndarray, k: int) -> np.ndarray:
    """Upper tail of the range of `k` standard normal variables at `w` (m,)."""
    x, weight = _legendre(_INNER)
    z = 8.5 * x
    below = ndtr(z)
    # Phi(z)^(k-1) - [Phi(z) - Phi(z - w)]^(k-1) without cancellation; the first integrates to 1/k.
    with np.errstate(divide="ignore"):
        share = np.log1p(-np.minimum(ndtr(z - w[:, None]) / below, 1.0))
    lost = -np.expm1((k - 1) * share) * below ** (k - 1)
    return np.asarray(lost @ (8.5 * weight * k * np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi)))


def range_quantile(level: float, k: int, df: np.ndarray) -> np.ndarray:
    """Quantile of the studentized range of `k` means at `level`, shape of `df`."""
    start = np.sqrt(2.0) * t_quantile(np.asarray(df, dtype=float), 1.0 - 2.0 * (1.0 - level) / (k * (k - 1)))
    return _solve(lambda q: range_sf(q, k, df), 1.0 - level, start)


def _dunnettx(t: np.ndarray, k: int, df: np.ndarray) -> np.ndarray:
    """Upper tail of the largest of `k` |t|, emmeans' mixture; a family of k pairs has (1 + sqrt(1 + 8 k)) / 2 means."""
    tukey = range_sf(np.sqrt(2.0) * t, (1.0 + np.sqrt(1.0 + 8.0 * k)) / 2.0, df)
    return ((k - 1.0) * tukey + _sidak(2.0 * stdtr(df, -t), k)) / k


def _mvt(correlation: np.ndarray) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Tail P(max |T_i| > t) of the multivariate t distribution, as a function of t and df (r,).

    T = A d R with A A' the correlation, d uniform on the sphere of its rank, R^2 / rank ~ F(rank, df): the radius is
    integrated exactly and the direction over Sobol points, so that small tails keep their relative accuracy.
    """
    from scipy.stats import qmc

    values, vectors = np.linalg.eigh(correlation)
    used = values > _RANK_TOL * values[-1]
    rank = int(used.sum())
    points = qmc.Sobol(rank, scramble=False).random(_POINTS) + 0.5 / _POINTS
    direction = ndtri(points)
    direction /= np.linalg.norm(direction, axis=1)[:, None]
    reach = np.abs(direction @ (vectors[:, used] * np.sqrt(values[used])).T).max(axis=1)

    def tail(t: np.ndarray, df: np.ndarray) -> np.ndarray:
        squares = np.square(t[:, None] / reach)
        nu = np.minimum(df, _MANY)[:, None]
        return np.asarray(fdtrc(rank, nu, squares / rank).mean(axis=1))

    return tail


def _solve(tail: Callable[[np.ndarray], np.ndarray], target: float, start: np.ndarray) -> np.ndarray:
    """Solve tail(x) = target for each entry by the secant method on log tail, which is close to a parabola in x."""
    before, x = start, 1.05 * start
    f_before = np.log(tail(before) / target)
    for _ in range(30):
        f = np.log(tail(x) / target)
        if np.abs(f).max() < 1e-9 or (x == before).all():
            break
        slope = np.where(x == before, -1.0, (f - f_before) / np.where(x == before, 1.0, x - before))
        step = np.where(np.abs(f) < 1e-12, 0.0, -f / np.where(slope == 0.0, -1.0, slope))
        before, f_before, x = x, f, np.maximum(x + np.clip(step, -0.5 * x, x), 1e-3)
    return x
