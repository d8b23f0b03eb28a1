"""Differences of log-gamma functions and their derivatives, without loss of digits where the arguments are large."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import digamma, gammaln, polygamma

__all__ = ["Stirling", "rising", "rising_slopes", "stirling"]

# Arguments from which on asymptotic series are used: their first term left out is below 1e-13 of the first.
_LARGE = 60.0
# Share of the rows that there may be of different counts for it to pay to have each of them once.
_FEW = 0.5


class Stirling(NamedTuple):
    """f(x) = x log x - x - log Gamma(x), and its first two derivatives."""

    value: np.ndarray
    d1: np.ndarray
    d2: np.ndarray


def stirling(x: np.ndarray) -> Stirling:
    """Return what Stirling's formula leaves of log Gamma, with the sign turned; once for an x that all rows share."""
    if x.size > 1 and (x == x.flat[0]).all():
        return Stirling(*(np.broadcast_to(value, x.shape) for value in _stirling(x.flat[:1])))
    return _stirling(x)


def _stirling(x: np.ndarray) -> Stirling:
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


def rising(y: np.ndarray, x: np.ndarray | float) -> np.ndarray:
    """Return log Gamma(y + x) - log Gamma(x) - y log x, the logarithm of the rising factorial over a power."""
    counts = _counts(y, x)
    return _rising(y, x) if counts is None else _rising(counts, x)[y.astype(np.intp)]


def _rising(y: np.ndarray, x: np.ndarray | float) -> np.ndarray:
    large, near, far = _split(y, x)
    c = far + y
    log = np.log1p(y / far)
    value = (c - 0.5) * log - y + _powers(y, far, 1) / 12.0 - _powers(y, far, 3) / 360.0 + _powers(y, far, 5) / 1260.0
    if large.all():
        return value
    return np.where(large, value, gammaln(y + near) - gammaln(near) - y * np.log(near))


def rising_slopes(y: np.ndarray, x: np.ndarray | float, order: int) -> list[np.ndarray]:
    """First derivatives in x, up to `order` of 1, 2 or 3, of log Gamma(y + x) - log Gamma(x)."""
    counts = _counts(y, x)
    if counts is None:
        return _rising_slopes(y, x, order)
    index = y.astype(np.intp)
    return [slopes[index] for slopes in _rising_slopes(counts, x, order)]


def _counts(y: np.ndarray, x: np.ndarray | float) -> np.ndarray | None:
    """Return all counts up to the largest of y, if they are far fewer than the rows and x is one number for all."""
    if np.ndim(x) > 0 or not y.size or not 0.0 <= y.min() <= y.max() < _FEW * y.size or (y != np.floor(y)).any():
        return None
    return np.arange(y.max() + 1.0)


def _rising_slopes(y: np.ndarray, x: np.ndarray | float, order: int) -> list[np.ndarray]:
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


def _split(y: np.ndarray, x: np.ndarray | float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where x is large, and x with a harmless value in place of large and of other ones."""
    x = np.broadcast_to(np.asarray(x, dtype=float), y.shape)
    large = x > _LARGE
    return large, np.where(large, _LARGE, x), np.where(large, x, _LARGE)


def _powers(y: np.ndarray, x: np.ndarray, k: int) -> np.ndarray:
    """Return 1 / (x + y)^k - 1 / x^k."""
    u, v = 1.0 / (x + y), 1.0 / x
    return -y * u * v * np.add.reduce([u**i * v ** (k - 1 - i) for i in range(k)])
