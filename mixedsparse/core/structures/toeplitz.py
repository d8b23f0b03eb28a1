"""Banded correlations: one for each distance in order, by their partial autocorrelations."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np

from mixedsparse.core.structures.correlated import Correlated

__all__ = ["Toeplitz"]

# Largest partial autocorrelation to start from.
_MOST = 0.9


@dataclass(frozen=True, slots=True)
class Toeplitz(Correlated):
    """R_ij = r at the distance |t_i - t_j|, r from the partial autocorrelations sin(omega_1), ..., sin(omega_(k-1)).

    Every choice of these gives a matrix of correlations, and each comes from one (Barndorff-Nielsen & Schou 1973, J.
    Multivariate Analysis 3, 408-419; the recursion is that of Durbin and Levinson).

    Attributes
    ----------
    places : tuple of int
        Place t of each effect in the order, 0, ..., k - 1; that of the effects themselves when not given.
    """

    places: tuple[int, ...] = ()
    name: ClassVar[str] = "toep"

    @property
    def is_rugged(self) -> bool:
        """Likelihoods of small samples have optima with correlations that oscillate."""
        return self.k > 2

    @property
    def n_shapes(self) -> int:
        """Number of distances."""
        return self.k - 1

    def correlation(self, shape: np.ndarray) -> np.ndarray:
        """See `Correlated.correlation`."""
        return np.asarray(_autocorrelations(np.sin(shape))[0][self._distances])

    def correlation_root(self, shape: np.ndarray) -> np.ndarray:
        """Triangle of the effects in order: each is what those before predict, and an innovation."""
        p, k = np.sin(shape), self.k
        news = np.concatenate([[1.0], np.cumprod(np.abs(np.cos(shape)))])
        ordered, before = np.zeros((k, k)), np.empty(0)
        ordered[0, 0] = 1.0
        for i in range(1, k):
            # Coefficients of the effects one, two, ... before.
            before = np.append(before - p[i - 1] * before[::-1], p[i - 1])
            ordered[i] = before @ ordered[i - 1 :: -1]
            ordered[i, i] = news[i]
        root = np.empty_like(ordered)
        root[np.argsort(self._places)] = ordered
        return root

    def correlation_slopes(self, shape: np.ndarray) -> np.ndarray:
        """See `Correlated.correlation_slopes`."""
        return self._lag_slopes(shape)[:, self._distances]

    def correlation_bend(self, shape: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """See `Correlated.correlation_bend`."""
        p, cos = np.sin(shape), np.cos(shape)
        _, first, second = _autocorrelations(p)
        by_lag = np.bincount(self._distances.ravel(), scores.ravel(), minlength=self.k)
        out = np.tensordot(by_lag, second, axes=1) * np.outer(cos, cos)
        return np.asarray(out - np.diag((by_lag @ first) * p))

    def shape_near(self, correlation: np.ndarray) -> np.ndarray:
        """Partial autocorrelations of the mean correlations."""
        r = self.correlations_of(correlation)
        p, before, left = np.empty(self.k - 1), np.empty(0), 1.0
        for m in range(self.k - 1):
            predicted = before @ r[:m][::-1]
            p[m] = np.clip((r[m] - predicted) / left, -_MOST, _MOST)
            # What goes on is a sequence of correlations, whatever was clipped.
            r[m] = predicted + p[m] * left
            before = np.append(before - p[m] * before[::-1], p[m])
            left *= 1.0 - p[m] ** 2
        return np.arcsin(p)

    def correlations_of(self, correlation: np.ndarray) -> np.ndarray:
        """Mean of the correlations at each distance."""
        distances = self._distances.ravel()
        return (np.bincount(distances, correlation.ravel()) / np.bincount(distances))[1:]

    def natural_correlations(self, shape: np.ndarray) -> list[tuple[float, np.ndarray, int | None]]:
        """Return the correlation at each distance."""
        r, slopes = _autocorrelations(np.sin(shape))[0], self._lag_slopes(shape)
        return [(float(r[lag]), slopes[:, lag], lag) for lag in range(1, self.k)]

    def _lag_slopes(self, shape: np.ndarray) -> np.ndarray:
        """Differentiate the correlations at each distance, (shapes, lags)."""
        return np.asarray((_autocorrelations(np.sin(shape))[1] * np.cos(shape)).T)

    @property
    def _places(self) -> np.ndarray:
        return np.array(self.places) if self.places else np.arange(self.k)

    @property
    def _distances(self) -> np.ndarray:
        return np.abs(np.subtract.outer(self._places, self._places))


def _autocorrelations(p: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """See `_known`, which remembers: an evaluation asks for the same several times."""
    return _known(tuple(p.tolist()))


@lru_cache(maxsize=8)
def _known(partial: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Correlations r (m + 1,) at distances 0, 1, ... of partial ones p (m,), and their first and second derivatives.

    With the coefficients a of the best prediction from the j last values and v the share of the variance that is left,

        r_(j+1) = p_(j+1) v + sum over i of a_i r_(j+1-i),    a <- (a - p_(j+1) reversed a, p_(j+1)),
        v <- v (1 - p_(j+1)^2)
    """
    p, m = np.array(partial), len(partial)
    one = np.zeros((1, m)), np.zeros((1, m, m))
    r = _Jet(np.ones(1), *one)
    before, left = _Jet(np.empty(0), np.empty((0, m)), np.empty((0, m, m))), _Jet(np.ones(1), *one)
    for j in range(m):
        own = _Jet(p[j : j + 1], np.eye(m)[j : j + 1], np.zeros((1, m, m)))
        new = (before * r.turned(j)).summed().plus(own * left)
        before = before.plus(own * before.turned(j), -1.0).with_more(own)
        left = left.plus(left * (own * own), -1.0)
        r = r.with_more(new)
    for array in (r.value, r.first, r.second):
        array.flags.writeable = False
    return r.value, r.first, r.second


@dataclass(frozen=True, slots=True, eq=False)
class _Jet:
    """Numbers (n,) with their first (n, m) and second derivatives (n, m, m)."""

    value: np.ndarray
    first: np.ndarray
    second: np.ndarray

    def __mul__(self, other: _Jet) -> _Jet:
        a, b = self.value[:, None], other.value[:, None]
        mixed = self.first[:, :, None] * other.first[:, None, :]
        second = a[..., None] * other.second + b[..., None] * self.second + mixed + mixed.swapaxes(1, 2)
        return _Jet(self.value * other.value, a * other.first + b * self.first, second)

    def plus(self, other: _Jet, times: float = 1.0) -> _Jet:
        """Return self + times other."""
        return _Jet(
            self.value + times * other.value, self.first + times * other.first, self.second + times * other.second
        )

    def turned(self, count: int) -> _Jet:
        """Return the last `count` numbers, the last one first."""
        at = slice(len(self.value) - 1, len(self.value) - 1 - count if count < len(self.value) else None, -1)
        return _Jet(self.value[at], self.first[at], self.second[at])

    def summed(self) -> _Jet:
        """Return the sum of the numbers."""
        return _Jet(
            self.value.sum(keepdims=True), self.first.sum(axis=0, keepdims=True), self.second.sum(axis=0, keepdims=True)
        )

    def with_more(self, other: _Jet) -> _Jet:
        """Append numbers."""
        pairs = ((self.value, other.value), (self.first, other.first), (self.second, other.second))
        value, first, second = (np.concatenate(pair) for pair in pairs)
        return _Jet(value, first, second)
