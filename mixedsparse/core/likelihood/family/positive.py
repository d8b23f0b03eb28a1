"""Positive responses: gamma with variance mu^2 / nu, inverse Gaussian with variance mu^3 / lambda.

The shape nu and the precision lambda are exp(psi) times the prior weights.
"""
# ruff: noqa: D102 - `base` says what each method of a family or a link gives

from __future__ import annotations

import numpy as np
from scipy.special import gammainc, log_ndtr, ndtr

from mixedsparse.core.likelihood.family.base import InMean, InMeanDispersion, MeanFamily, refuse
from mixedsparse.core.likelihood.family.gammas import stirling

__all__ = ["Gamma", "InverseGaussian"]


class Gamma(MeanFamily):
    """Gamma with the log, inverse or identity link."""

    name = "gamma"
    links = ("log", "inverse", "identity")
    has_dispersion = True

    def in_mean(self, y: np.ndarray, m: np.ndarray, mu: np.ndarray, psi: float) -> InMean:
        nu = m * np.exp(psi)
        excess = (y - mu) / mu
        value = nu * (_log_ratio(y, mu, excess) - excess) + stirling(nu).value
        return InMean(
            value,
            nu * excess / mu,
            -nu * (1.0 + 2.0 * excess) / mu**2,
            nu * (4.0 + 6.0 * excess) / mu**3,
        )

    def in_mean_dispersion(self, y: np.ndarray, m: np.ndarray, mu: np.ndarray, psi: float) -> InMeanDispersion:
        nu = m * np.exp(psi)
        plain = self.in_mean(y, m, mu, psi)
        excess = (y - mu) / mu
        shape = stirling(nu)
        first = nu * (_log_ratio(y, mu, excess) - excess + shape.d1)
        return InMeanDispersion(first, plain.d1, plain.d2, first + nu**2 * shape.d2)

    def constant(self, y: np.ndarray, m: np.ndarray) -> float:
        return -float(np.log(y).sum())

    def variance(self, mu: np.ndarray, m: np.ndarray, psi: float = 0.0) -> np.ndarray:
        return mu**2 / (m * np.exp(psi))

    def check(self, y: np.ndarray, m: np.ndarray) -> None:
        refuse(self.name, ~((y > 0) & np.isfinite(y)), y, "positive")

    def first_means(self, y: np.ndarray, m: np.ndarray) -> np.ndarray:
        return y

    def deviances(self, y: np.ndarray, m: np.ndarray, mu: np.ndarray, psi: float = 0.0) -> np.ndarray:
        excess = (y - mu) / mu
        return 2.0 * m * (excess - _log_ratio(y, mu, excess))

    def cumulative(
        self, y: np.ndarray, m: np.ndarray, mu: np.ndarray, psi: float = 0.0
    ) -> tuple[np.ndarray, np.ndarray]:
        shape = m * np.exp(psi)
        upto = np.asarray(gammainc(shape, shape * y / mu))
        return upto, upto

    def draw(self, rng: np.random.Generator, m: np.ndarray, mu: np.ndarray, psi: float = 0.0) -> np.ndarray:
        shape = m * np.exp(psi)
        return rng.gamma(shape, mu / shape)


class InverseGaussian(MeanFamily):
    """Inverse Gaussian with the log, inverse, inverse-square or identity link."""

    name = "inverse_gaussian"
    links = ("log", "inverse", "1/mu^2", "identity")
    has_dispersion = True

    def in_mean(self, y: np.ndarray, m: np.ndarray, mu: np.ndarray, psi: float) -> InMean:
        scale = m * np.exp(psi)
        ratio = y / mu
        return InMean(
            0.5 * (psi + np.log(m)) - 0.5 * scale * _squares(y, mu),
            scale * (ratio - 1.0) / mu**2,
            scale * (2.0 - 3.0 * ratio) / mu**3,
            scale * (12.0 * ratio - 6.0) / mu**4,
        )

    def in_mean_dispersion(self, y: np.ndarray, m: np.ndarray, mu: np.ndarray, psi: float) -> InMeanDispersion:
        plain = self.in_mean(y, m, mu, psi)
        half = 0.5 * m * np.exp(psi) * _squares(y, mu)
        return InMeanDispersion(0.5 - half, plain.d1, plain.d2, -half)

    def constant(self, y: np.ndarray, m: np.ndarray) -> float:
        return -0.5 * float(np.log(2.0 * np.pi * y**3).sum())

    def variance(self, mu: np.ndarray, m: np.ndarray, psi: float = 0.0) -> np.ndarray:
        return mu**3 / (m * np.exp(psi))

    def check(self, y: np.ndarray, m: np.ndarray) -> None:
        refuse(self.name, ~((y > 0) & np.isfinite(y)), y, "positive")

    def first_means(self, y: np.ndarray, m: np.ndarray) -> np.ndarray:
        return y

    def deviances(self, y: np.ndarray, m: np.ndarray, mu: np.ndarray, psi: float = 0.0) -> np.ndarray:
        return m * _squares(y, mu)

    def cumulative(
        self, y: np.ndarray, m: np.ndarray, mu: np.ndarray, psi: float = 0.0
    ) -> tuple[np.ndarray, np.ndarray]:
        precision = m * np.exp(psi)
        root = np.sqrt(precision / y)
        above = np.exp(2.0 * precision / mu + log_ndtr(-root * (y / mu + 1.0)))
        upto = np.clip(ndtr(root * (y / mu - 1.0)) + above, 0.0, 1.0)
        return upto, upto

    def draw(self, rng: np.random.Generator, m: np.ndarray, mu: np.ndarray, psi: float = 0.0) -> np.ndarray:
        return rng.wald(mu, m * np.exp(psi))


def _log_ratio(y: np.ndarray, mu: np.ndarray, excess: np.ndarray) -> np.ndarray:
    """Return log(y / mu), where `excess` is y / mu - 1."""
    near = np.abs(excess) < 0.5
    return np.where(near, np.log1p(np.where(near, excess, 0.0)), np.log(y) - np.log(mu))


def _squares(y: np.ndarray, mu: np.ndarray) -> np.ndarray:
    """Return (y - mu)^2 / (mu^2 y)."""
    return ((y - mu) / mu) ** 2 / y
