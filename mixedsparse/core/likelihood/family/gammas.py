"""Differences of log-gamma functions and their derivatives, without loss of digits where the arguments are large."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import digamma, gammaln, polygamma

__all__ = ["Stirling", "rising", "rising_slopes", "stirling"]

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


def rising(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return log Gamma(y + x) - log Gamma(x) - y log x, the logarithm of the rising factorial over a power."""
    large, near, far = _split(y, x)
    c = far + y
    log = np.log1p(y / far)
    value = (c - 0.5) * log - y + _powers(y, far, 1) / 12.0 - _powers(y, far, 3) / 360.0 + _powers(y, far, 5) / 1260.0
    if large.all():
        return value
    return np.where(large, value, gammaln(y + near) - gammaln(near) - y * np.log(near))


def rising_slopes(y: np.ndarray, x: np.ndarray, order: int) -> list[np.ndarray]:
    """First derivatives in x, up to `order` of 1, 2 or 3, of log Gamma(y + x) - log Gamma(x)."""
    large, near, far = _split(y, x)
    sums = {k: _powers(y, far, k) for k in range(1, 7)}
    series = (
        np.log1p(y / far) - sums[1] / 2.0 - sums[2] / 12.0 + sums[4] / 120.0 - sums[6] / 252.0,
        sums[1] + sums[2] / 2.0 + sums[3] / 6.0 - sums[5] / 30.0,
        -sums[2] - sums[3] - sums[4] / 2.0 + sums[6] / 6.0,
    )
    if large.all():
        return list(series[:order])
    out = []
    for k, at_large in zip(range(order), series, strict=False):
        exact = digamma(y + near) - digamma(near) if k == 0 else polygamma(k, y + near) - polygamma(k, near)
        out.append(np.where(large, at_large, exact))
    return out


def _split(y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where x is large, and x with a harmless value in place of large and of other ones."""
    x = np.broadcast_to(np.asarray(x, dtype=float), y.shape)
    large = x > _LARGE
    return large, np.where(large, _LARGE, x), np.where(large, x, _LARGE)


def _powers(y: np.ndarray, x: np.ndarray, k: int) -> np.ndarray:
    """Return 1 / (x + y)^k - 1 / x^k."""
    u, v = 1.0 / (x + y), 1.0 / x
    return -y * u * v * np.add.reduce([u**i * v ** (k - 1 - i) for i in range(k)])
