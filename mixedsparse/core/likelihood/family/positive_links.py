"""Links of means that are positive, or that may be any number.

Some have means on one side of 0 only: there a mean is NaN on the other.
"""
# ruff: noqa: D102 - the base class says what each method of a link gives

from __future__ import annotations

from typing import ClassVar

import numpy as np

from mixedsparse.core.likelihood.family.link import Link, Means

__all__ = ["Identity", "Inverse", "InverseSquare", "Log", "PositiveLink", "Sqrt"]

# exp of more than this overflows when it is squared.
_LARGEST_EXPONENT = 350.0


class Log(Link):
    """eta = log mu."""

    name = "log"

    def of(self, mu: np.ndarray) -> np.ndarray:
        return np.log(mu)

    def means(self, eta: np.ndarray) -> Means:
        mu = np.exp(np.minimum(eta, _LARGEST_EXPONENT))
        return Means(mu, mu, mu, mu)


class PositiveLink(Link):
    """A link whose linear predictors are positive; the mean is `edge` where they fall to 0."""

    takes_all = False
    edge: ClassVar[float]

    def in_domain(self, eta: np.ndarray) -> np.ndarray:
        return eta > 0

    def mean(self, eta: np.ndarray) -> np.ndarray:
        inside = self.in_domain(eta)
        return np.where(inside, super().mean(np.where(inside, eta, 1.0)), np.nan)

    def extremes(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        at_low = np.where(self.in_domain(high) & (low <= 0), self.edge, self.mean(low))
        ends = np.sort([at_low, self.mean(high)], axis=0)
        return ends[0], ends[1]


class Identity(PositiveLink):
    """eta = mu > 0."""

    name = "identity"
    edge = 0.0

    def of(self, mu: np.ndarray) -> np.ndarray:
        return np.asarray(mu, dtype=float)

    def means(self, eta: np.ndarray) -> Means:
        zero = np.zeros_like(eta)
        return Means(eta, np.ones_like(eta), zero, zero)


class Sqrt(Link):
    """eta = sqrt(mu); a negative linear predictor has the mean of its opposite.

    Rows whose response is not 0 keep to eta > 0, as R's link does: their likelihood is 0 at eta = 0, which divides
    the conditional modes into as many optima as there are signs, of which only this one has the meaning of the link.
    There the log-likelihood of counts is concave. Rows whose response is 0 have no such wall: theirs is smooth at 0.
    """

    name = "sqrt"

    def of(self, mu: np.ndarray) -> np.ndarray:
        return np.sqrt(mu)

    def means(self, eta: np.ndarray) -> Means:
        return Means(eta * eta, 2.0 * eta, np.full_like(eta, 2.0), np.zeros_like(eta))

    def in_domain(self, eta: np.ndarray) -> np.ndarray:
        return np.isfinite(eta) & (eta != 0)

    def allows(self, eta: np.ndarray, y: np.ndarray) -> np.ndarray:
        return self.in_domain(eta) & ((eta > 0) | (y == 0))

    def extremes(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        least, most = super().extremes(low, high)
        return np.where((low < 0) & (high > 0), 0.0, least), most


class Inverse(PositiveLink):
    """eta = 1 / mu."""

    name = "inverse"
    edge = np.inf

    def of(self, mu: np.ndarray) -> np.ndarray:
        return 1.0 / mu

    def means(self, eta: np.ndarray) -> Means:
        mu = 1.0 / eta
        return Means(mu, -(mu**2), 2.0 * mu**3, -6.0 * mu**4)


class InverseSquare(PositiveLink):
    """eta = 1 / mu^2."""

    name = "1/mu^2"
    edge = np.inf

    def of(self, mu: np.ndarray) -> np.ndarray:
        return 1.0 / np.square(mu)

    def means(self, eta: np.ndarray) -> Means:
        mu = 1.0 / np.sqrt(eta)
        return Means(mu, -0.5 * mu**3, 0.75 * mu**5, -1.875 * mu**7)
