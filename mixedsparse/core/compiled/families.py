"""Log-likelihood of one row and its derivatives in the linear predictor, compiled: the usual families and links.

Every function returns l, s = l', w = -l'' and kappa = -l''' of a row with response y and prior weight m, l less the
constant of `Family.constant`, as `Family.rows` does for all rows at once.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

__all__ = ["WHOLE_LOGIT", "code_of", "fill_rows", "logit_parts", "one_row"]

BINOMIAL_LOGIT, BINOMIAL_PROBIT, BINOMIAL_CLOGLOG, POISSON_LOG = range(4)
# The first of them where all y are 0 or 1.
WHOLE_LOGIT = 4
_CODES = {
    ("binomial", "logit"): BINOMIAL_LOGIT,
    ("binomial", "probit"): BINOMIAL_PROBIT,
    ("binomial", "cloglog"): BINOMIAL_CLOGLOG,
    ("poisson", "log"): POISSON_LOG,
}

# Relative distances of means from responses below which their log is taken of 1 + the distance.
_NEAR = 0.5
# Hazard below which the derivatives of the complementary log-log link are series; exponents that do not overflow.
_SMALL_HAZARD = 1e-3
_LARGEST_EXPONENT = 700.0
# Argument from which on the tail of the normal distribution is a continued fraction, of so many terms.
_TAIL = -5.0
_TERMS = 60
# Rows whose log-likelihoods are summed before they meet those of others, and of which products do not overflow.
_TOGETHER = 512
_HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)
_ROOT_TWO_PI = math.sqrt(2.0 * math.pi)
_ROOT_HALF = math.sqrt(0.5)


def code_of(name: str, link: str, y: np.ndarray) -> int | None:
    """Return the number of the family `name` with this link, for responses y (n,); None where it is not compiled."""
    code = _CODES.get((name, link))
    return WHOLE_LOGIT if code == BINOMIAL_LOGIT and not ((y > 0.0) ^ (y == 1.0)).any() else code


_compiled = njit(cache=True, error_model="numpy", fastmath={"contract"})
# What only compiled functions call: without wrappers, which take long to compile too.
_inner = njit(  # type: ignore[call-overload]
    cache=True, error_model="numpy", fastmath={"contract"}, no_cpython_wrapper=True, no_cfunc_wrapper=True
)


@_inner
def _log_normal(x):  # type: ignore[no-untyped-def]
    """Log Phi(x) and its derivatives."""
    if x < _TAIL:
        # gap = x + phi / Phi = 1 / (t + 2 / (t + 3 / ...)) with t = -x, which keeps its digits.
        t, gap = -x, 0.0
        for k in range(_TERMS, 1, -1):
            gap = k / (t + gap)
        gap = 1.0 / (t + gap)
        ratio = gap + t
        value = -0.5 * x * x - _HALF_LOG_TWO_PI - math.log(ratio)
    else:
        above = 0.5 * math.erfc(x * _ROOT_HALF)
        value = math.log1p(-above) if x > 0.0 else math.log(0.5 * math.erfc(-x * _ROOT_HALF))
        ratio = math.exp(-0.5 * x * x - value) / _ROOT_TWO_PI
        gap = x + ratio
    return value, ratio, -ratio * gap, ratio * (gap * (gap + ratio) - 1.0)


@_inner
def _log_success(code, eta):  # type: ignore[no-untyped-def]
    """Log probability of success and its derivatives."""
    if code == BINOMIAL_LOGIT:
        small = math.exp(-abs(eta))
        more = 1.0 / (1.0 + small)
        value = min(eta, 0.0) - math.log(1.0 + small)
        rest = more if eta < 0.0 else small * more
        spread = -small * more * more
        return value, rest, spread, spread * (2.0 * rest - 1.0)
    if code == BINOMIAL_PROBIT:
        return _log_normal(eta)
    hazard = math.exp(min(eta, _LARGEST_EXPONENT))
    if hazard < _SMALL_HAZARD:
        h = hazard
        d1 = 1.0 - h / 2.0 + h**2 / 12.0 - h**4 / 720.0
        gap = -h / 2.0 - h**2 / 12.0 + h**4 / 720.0
        value = eta - h / 2.0 + h**2 / 24.0 - h**4 / 2880.0
    else:
        h = min(hazard, _LARGEST_EXPONENT)
        d1 = h / math.expm1(h)
        gap = 1.0 - h - d1
        value = math.log(-math.expm1(-h))
    d2 = d1 * gap
    return value, d1, d2, d2 * gap - d1 * (h + d2)


@_inner
def _log_failure(code, eta):  # type: ignore[no-untyped-def]
    """Log probability of failure and its derivatives."""
    if code == BINOMIAL_CLOGLOG:
        minus = -math.exp(min(eta, _LARGEST_EXPONENT))
        return minus, minus, minus, minus
    value, d1, d2, d3 = _log_success(code, -eta)
    return value, -d1, d2, -d3


@_inner
def _against(share, own, other):  # type: ignore[no-untyped-def]
    """Share times log of (probability / share), plus share less probability, for log probabilities `own`, `other`.

    Over both outcomes the second parts cancel; with them each is quadratic in the distance, and keeps its digits when
    the trials are many.
    """
    probability = math.exp(own)
    if share <= 0.0:
        return -probability
    if share >= 1.0:
        return own + math.exp(other)
    gap = (probability - share) / share
    log = math.log1p(gap) if abs(gap) < _NEAR else own - math.log(share)
    return share * (log - gap)


@_inner
def _poisson(y, m, eta):  # type: ignore[no-untyped-def]
    mu = math.exp(eta)
    value = -mu
    if y > 0.0:
        gap = (mu - y) / y
        log = math.log1p(gap) if abs(gap) < _NEAR else eta - math.log(y)
        value = y * (log - gap)
    return m * value, m * (y - mu), m * mu, m * mu


@_inner
def one_row(code, y, m, eta):  # type: ignore[no-untyped-def]
    """Return l, s, w and kappa of one row."""
    if code == POISSON_LOG:
        return _poisson(y, m, eta)
    if y == 1.0 or y == 0.0:
        if code == BINOMIAL_CLOGLOG:
            value, d1, d2, d3 = _log_success(code, eta) if y == 1.0 else _log_failure(code, eta)
        else:
            # Without a branch on the outcome, which no processor can foresee.
            sign = 2.0 * y - 1.0
            value, d1, d2, d3 = _log_success(code, sign * eta)
            d1, d3 = sign * d1, sign * d3
    else:
        yes, yes1, yes2, yes3 = _log_success(code, eta)
        no, no1, no2, no3 = _log_failure(code, eta)
        rest = 1.0 - y
        value = _against(y, yes, no) + _against(rest, no, yes)
        d1, d2, d3 = y * yes1 + rest * no1, y * yes2 + rest * no2, y * yes3 + rest * no3
    return m * value, m * d1, -m * d2, -m * d3


@_compiled
def _fill(code, y, m, eta, out, sums):  # type: ignore[no-untyped-def]
    for i in range(len(y)):
        value, out[0, i], out[1, i], out[2, i] = one_row(code, y[i], m[i], eta[i])
        sums[i // _TOGETHER] += value


@_inner
def logit_parts(y, m, eta):  # type: ignore[no-untyped-def]
    """Return a and b of l = m (a - log(1 + b)), s, w and kappa, for all or no successes and the logit link.

    Without branches, three times as fast as `one_row`.
    """
    sign = 2.0 * y - 1.0
    at = sign * eta
    small = math.exp(-abs(at))
    more = 1.0 / (1.0 + small)
    rest = more if at < 0.0 else small * more
    spread = m * small * more * more
    return min(at, 0.0), small, m * sign * rest, spread, spread * sign * (2.0 * rest - 1.0)


@_compiled
def _fill_logit(y, m, eta, single, out, sums):  # type: ignore[no-untyped-def]
    """Fill both for all or no successes and the logit link, single trials or not: one logarithm for many rows."""
    for block in range(len(sums)):
        start, stop = block * _TOGETHER, min((block + 1) * _TOGETHER, len(y))
        total, product = 0.0, 1.0
        for i in range(start, stop):
            value, small, out[0, i], out[1, i], out[2, i] = logit_parts(y[i], m[i], eta[i])
            total += m[i] * value
            if single:
                product *= 1.0 + small
            else:
                total -= m[i] * math.log(1.0 + small)
        sums[block] = total - math.log(product)


def fill_rows(code: int, y: np.ndarray, m: np.ndarray, eta: np.ndarray, single: bool) -> tuple[float, np.ndarray]:
    """Return the sum of l of all rows, and their s, w and kappa, (3, n), for the family of `code`.

    `single` says whether all prior weights are 1.
    """
    out, sums = np.empty((3, len(y))), np.zeros(-(-len(y) // _TOGETHER))
    if code == WHOLE_LOGIT:
        _fill_logit(y, m, eta, single, out, sums)
    else:
        _fill(code, y, m, eta, out, sums)
    return float(sums.sum()), out
