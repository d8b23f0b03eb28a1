"""Differences of log-gamma functions and their derivatives, without loss of digits where the arguments are large."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import digamma, gammaln, polygamma

__all__ = ["Rising", "Stirling", "rising", "stirling"]

# Arguments from which on asymptotic series are used: their first term left out is below 1e-13 of the first.
_LARGE = 60.0


class Stirling(NamedTuple):
    """f(x) = x log x - x - log Gamma(x), and its first two derivatives."""

    value: np.ndarray
    d1: np.ndarray
    d2: np.ndarray


def stirling(x: np.ndarray) -> Stirling:
    """Return what Stirling's formula leaves of log Gamma, with the sign turned."""
    large = x > _LARGE
    safe, far = np.where(large, _LARGE, x), 1.0 / np.where(large, x, _LARGE)
    log = np.log(safe)
    square = far**2
    return Stirling(
        np.where(
            large,
            -0.5 * np.log(2.0 * np.pi * far) - far * (1.0 - square * (1.0 / 30.0 - square / 105.0)) / 12.0,
            safe * log - safe - gammaln(safe),
        ),
        np.where(large, far * (0.5 + far * (1.0 - square * (0.1 - square / 21.0)) / 12.0), log - digamma(safe)),
        np.where(
            large,
            -square * (0.5 + far * (1.0 - square * (0.2 - square / 7.0)) / 6.0),
            1.0 / safe - polygamma(1, safe),
        ),
    )


class Rising(NamedTuple):
    """f(x) = log Gamma(y + x) - log Gamma(x) - y log x, and derivatives of the first two parts alone."""

    value: np.ndarray
    d1: np.ndarray
    d2: np.ndarray
    d3: np.ndarray


def rising(y: np.ndarray, x: np.ndarray) -> Rising:
    """Return the logarithm of the rising factorial, and its derivatives in x (those of y log x left in)."""
    x = np.broadcast_to(np.asarray(x, dtype=float), y.shape)
    large = x > _LARGE
    a = np.where(large, _LARGE, x)
    b = np.where(large, x, _LARGE)
    c = b + y
    log = np.log1p(y / b)
    # Powers of 1/(b + y) less those of 1/b.
    first = -y / (b * c)
    u, v = 1.0 / c, 1.0 / b
    sums = {k: first * sum(u**i * v ** (k - 1 - i) for i in range(k)) for k in range(1, 7)}
    value = (c - 0.5) * log - y + sums[1] / 12.0 - sums[3] / 360.0 + sums[5] / 1260.0
    d1 = log - sums[1] / 2.0 - sums[2] / 12.0 + sums[4] / 120.0 - sums[6] / 252.0
    d2 = sums[1] + sums[2] / 2.0 + sums[3] / 6.0 - sums[5] / 30.0
    d3 = -sums[2] - sums[3] - sums[4] / 2.0 + sums[6] / 6.0
    return Rising(
        np.where(large, value, gammaln(y + a) - gammaln(a) - y * np.log(a)),
        np.where(large, d1, digamma(y + a) - digamma(a)),
        np.where(large, d2, polygamma(1, y + a) - polygamma(1, a)),
        np.where(large, d3, polygamma(2, y + a) - polygamma(2, a)),
    )
