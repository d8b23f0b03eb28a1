"""Poisson responses."""
# ruff: noqa: D102 - `base` says what each method of a family or a link gives

from __future__ import annotations

import numpy as np
from scipy.special import gammaincc, gammaln, xlogy

from mixedsparse.core.likelihood.family.base import InMean, MeanFamily, RowTerms, refuse

__all__ = ["Poisson", "check_counts", "less_saturated"]

# Relative distances of means from counts below which the log is taken of 1 + the distance.
_NEAR = 0.5
# Counts further than this from a whole number are no counts.
_WHOLE = 1e-6


class Poisson(MeanFamily):
    """Poisson with the log, square-root or identity link; prior weights multiply the log-likelihood."""

    name = "poisson"
    links = ("log", "sqrt", "identity")

    @property
    def canonical(self) -> bool:
        return self.link.name == "log"

    def rows(self, y: np.ndarray, m: np.ndarray, eta: np.ndarray, psi: float = 0.0) -> RowTerms:
        if not self.canonical:
            return super().rows(y, m, eta, psi)
        mu = np.exp(eta)
        weighted = m * mu
        return RowTerms(m * less_saturated(y, mu, eta), m * (y - mu), weighted, weighted)

    def in_mean(self, y: np.ndarray, m: np.ndarray, mu: np.ndarray, psi: float) -> InMean:
        ratio = m * y / mu
        value = m * less_saturated(y, mu, np.log(mu))
        return InMean(value, ratio - m, -ratio / mu, 2.0 * ratio / mu**2)

    def constant(self, y: np.ndarray, m: np.ndarray) -> float:
        known = np.where(y > 0, y, 1.0)
        return float((m * (np.where(y > 0, known * np.log(known) - known, 0.0) - gammaln(y + 1.0))).sum())

    def variance(self, mu: np.ndarray, m: np.ndarray, psi: float = 0.0) -> np.ndarray:
        return mu / m

    def check(self, y: np.ndarray, m: np.ndarray) -> None:
        check_counts(self.name, y)

    def first_means(self, y: np.ndarray, m: np.ndarray) -> np.ndarray:
        return y + 0.1

    def deviances(self, y: np.ndarray, m: np.ndarray, mu: np.ndarray, psi: float = 0.0) -> np.ndarray:
        return np.asarray(2.0 * m * (xlogy(y, y / mu) - (y - mu)))

    def cumulative(
        self, y: np.ndarray, m: np.ndarray, mu: np.ndarray, psi: float = 0.0
    ) -> tuple[np.ndarray, np.ndarray]:
        return np.where(y > 0, gammaincc(np.maximum(y, 1.0), mu), 0.0), gammaincc(y + 1.0, mu)

    def draw(self, rng: np.random.Generator, m: np.ndarray, mu: np.ndarray, psi: float = 0.0) -> np.ndarray:
        return rng.poisson(mu).astype(np.float64)


def less_saturated(y: np.ndarray, mu: np.ndarray, log_mu: np.ndarray) -> np.ndarray:
    """Return y log(mu / y) - (mu - y), without the loss of digits where both parts are large."""
    known = np.where(y > 0, y, 1.0)
    gap = (mu - known) / known
    near = np.abs(gap) < _NEAR
    log = np.where(near, np.log1p(np.where(near, gap, 0.0)), log_mu - np.log(known))
    return np.where(y > 0, known * (log - gap), -mu)


def check_counts(name: str, y: np.ndarray) -> None:
    """Refuse what is no count."""
    refuse(name, ~((y >= 0) & np.isfinite(y)), y, "a count of at least 0")
    refuse(name, np.abs(y - np.round(y)) > _WHOLE * np.maximum(1.0, y), y, "a whole number")
