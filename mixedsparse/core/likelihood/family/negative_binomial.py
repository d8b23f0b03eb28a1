"""Overdispersed counts: variance mu + mu^2 / exp(psi) (NB2), or mu (1 + exp(psi)) (NB1).

Prior weights multiply the log-likelihood.
"""
# ruff: noqa: D102 - `base` says what each method of a family or a link gives

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from scipy.special import betainc, expit, gammaln, xlogy

from mixedsparse.core.likelihood.family.base import (
    DispersionTerms,
    InMean,
    InMeanDispersion,
    MeanFamily,
    RowTerms,
)
from mixedsparse.core.likelihood.family.counts import check_counts
from mixedsparse.core.likelihood.family.gammas import rising, rising_slopes

__all__ = ["NegativeBinomial", "NegativeBinomial1"]


class _Counts(MeanFamily):
    """What both share."""

    has_dispersion = True

    def constant(self, y: np.ndarray, m: np.ndarray) -> float:
        known = np.where(y > 0, y, 1.0)
        return float((m * (y * np.log(known) - gammaln(y + 1.0))).sum())

    def check(self, y: np.ndarray, m: np.ndarray) -> None:
        check_counts("negative binomial", y)

    def first_means(self, y: np.ndarray, m: np.ndarray) -> np.ndarray:
        return y + 0.1

    @abstractmethod
    def shape(self, mu: np.ndarray, psi: float) -> tuple[np.ndarray, np.ndarray]:
        """Size and probability of each row's negative binomial distribution."""

    def cumulative(
        self, y: np.ndarray, m: np.ndarray, mu: np.ndarray, psi: float = 0.0
    ) -> tuple[np.ndarray, np.ndarray]:
        size, p = self.shape(mu, psi)
        return np.where(y > 0, betainc(size, np.maximum(y, 1.0), p), 0.0), betainc(size, y + 1.0, p)

    def draw(self, rng: np.random.Generator, m: np.ndarray, mu: np.ndarray, psi: float = 0.0) -> np.ndarray:
        size, p = self.shape(mu, psi)
        return rng.negative_binomial(size, p).astype(np.float64)


class NegativeBinomial(_Counts):
    """NB2, of size exp(psi), with the log or square-root link."""

    name = "negative_binomial"
    links = ("log", "sqrt")

    def rows(self, y: np.ndarray, m: np.ndarray, eta: np.ndarray, psi: float = 0.0) -> RowTerms:
        if self.link.name != "log":
            return super().rows(y, m, eta, psi)
        size = np.exp(psi)
        p, q = expit(eta - psi), expit(psi - eta)
        inside = m * p * q * (size + y)
        return RowTerms(m * self._value(y, np.exp(eta), eta, psi), m * (y * q - size * p), inside, inside * (q - p))

    def dispersion_rows(self, y: np.ndarray, m: np.ndarray, eta: np.ndarray, psi: float) -> DispersionTerms:
        if self.link.name != "log":
            return super().dispersion_rows(y, m, eta, psi)
        size = np.exp(psi)
        p, q = expit(eta - psi), expit(psi - eta)
        plain = self.in_mean_dispersion(y, m, np.exp(eta), psi)
        return DispersionTerms(
            plain.value, m * (y * q - size * p) * p, m * p * q * ((p - q) * (size + y) + size), plain.second
        )

    def _value(self, y: np.ndarray, mu: np.ndarray, log_mu: np.ndarray, psi: float) -> np.ndarray:
        """log-likelihood of rows of weight 1: log mu, not mu, where mu is 0 to working precision."""
        size = np.exp(psi)
        return rising(y, size) + _log_ratio(y, log_mu) - (y + size) * np.log1p(mu / size)

    def in_mean(self, y: np.ndarray, m: np.ndarray, mu: np.ndarray, psi: float) -> InMean:
        size = np.exp(psi)
        ratio, share = y / mu, (y + size) / (mu + size)
        return InMean(
            m * self._value(y, mu, np.log(mu), psi),
            m * (ratio - share),
            m * (share / (mu + size) - ratio / mu),
            2.0 * m * (ratio / mu**2 - share / (mu + size) ** 2),
        )

    def in_mean_dispersion(self, y: np.ndarray, m: np.ndarray, mu: np.ndarray, psi: float) -> InMeanDispersion:
        size = np.exp(psi)
        total = mu + size
        q = size / total
        d1, d2 = rising_slopes(y, size, 2)
        slope = d1 - np.log1p(mu / size) + (mu - y) / total
        first = m * size * slope
        second = first + m * (size**2 * d2 + size * (mu / total) - (mu - y) * q**2)
        return InMeanDispersion(
            first,
            m * q * (y - mu) / total,
            m * q * (1.0 - 2.0 * (y + size) / total) / total,
            second,
        )

    def variance(self, mu: np.ndarray, m: np.ndarray, psi: float = 0.0) -> np.ndarray:
        return (mu + mu**2 * np.exp(-psi)) / m

    def deviances(self, y: np.ndarray, m: np.ndarray, mu: np.ndarray, psi: float = 0.0) -> np.ndarray:
        return _deviances(y, m, mu, np.exp(psi))

    def shape(self, mu: np.ndarray, psi: float) -> tuple[np.ndarray, np.ndarray]:
        size = np.broadcast_to(np.exp(psi), mu.shape)
        return size, size / (size + mu)


class NegativeBinomial1(_Counts):
    """NB1, whose variance is mu times 1 + exp(psi), with the log or identity link."""

    name = "nb1"
    links = ("log", "identity")

    def in_mean(self, y: np.ndarray, m: np.ndarray, mu: np.ndarray, psi: float) -> InMean:
        phi = np.exp(psi)
        size = mu / phi
        d1, d2, d3 = rising_slopes(y, size, 3)
        rest = np.log1p(phi)
        # y log x of `rising` and y log phi together are y log mu.
        value = rising(y, size) + _log_ratio(y, np.log(mu)) - (size + y) * rest
        return InMean(m * value, m * (d1 - rest) / phi, m * d2 / phi**2, m * d3 / phi**3)

    def in_mean_dispersion(self, y: np.ndarray, m: np.ndarray, mu: np.ndarray, psi: float) -> InMeanDispersion:
        phi = np.exp(psi)
        size = mu / phi
        d1, d2, d3 = rising_slopes(y, size, 3)
        p, q = phi / (1.0 + phi), 1.0 / (1.0 + phi)
        slope = d1 - np.log1p(phi)
        return InMeanDispersion(
            m * (-size * slope - size * p + y * q),
            -m * (slope + size * d2 + p) / phi,
            -m * (2.0 * d2 + size * d3) / phi**2,
            m * (size * slope + size**2 * d2 + size * p * (2.0 - q) - y * p * q),
        )

    def variance(self, mu: np.ndarray, m: np.ndarray, psi: float = 0.0) -> np.ndarray:
        return mu * (1.0 + np.exp(psi)) / m

    def deviances(self, y: np.ndarray, m: np.ndarray, mu: np.ndarray, psi: float = 0.0) -> np.ndarray:
        return _deviances(y, m, mu, mu / np.exp(psi))  # the size as it is: the mean y is not the likeliest otherwise

    def shape(self, mu: np.ndarray, psi: float) -> tuple[np.ndarray, np.ndarray]:
        phi = np.exp(psi)
        return mu / phi, np.broadcast_to(1.0 / (1.0 + phi), mu.shape)


def _deviances(y: np.ndarray, m: np.ndarray, mu: np.ndarray, size: np.ndarray | float) -> np.ndarray:
    """Return the deviances of a negative binomial distribution of known size."""
    return np.asarray(2.0 * m * (xlogy(y, y / mu) - (y + size) * np.log((y + size) / (mu + size))))


def _log_ratio(y: np.ndarray, log_mu: np.ndarray) -> np.ndarray:
    """Return y log(mu / y), 0 where y is."""
    return y * (log_mu - np.log(np.where(y > 0, y, 1.0)))
