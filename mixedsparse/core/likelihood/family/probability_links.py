"""Links of probabilities, safe in the tails."""
# ruff: noqa: D102 - the base class says what each method of a link gives

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple

import numpy as np
from scipy import special

from mixedsparse.core.likelihood.family.link import Link, Means

__all__ = ["Cloglog", "LogProbability", "Logit", "ProbabilityLink", "Probit"]

_ROOT_2_OVER_PI = float(np.sqrt(2.0 / np.pi))
# Below this the closed forms of the complementary log-log link are differences of nearly equal numbers.
_SMALL_HAZARD = 1e-3
# exp of more than this overflows when it is squared.
_LARGEST_EXPONENT = 350.0


class LogProbability(NamedTuple):
    """The log of a probability and its first three derivatives in the linear predictor, each (n,)."""

    value: np.ndarray
    d1: np.ndarray
    d2: np.ndarray
    d3: np.ndarray


class ProbabilityLink(Link):
    """A link of a probability, known by log mu and log(1 - mu): neither loses digits where mu is near 0 or 1."""

    @abstractmethod
    def success(self, eta: np.ndarray) -> LogProbability:
        """Return log mu and its derivatives."""

    @abstractmethod
    def failure(self, eta: np.ndarray) -> LogProbability:
        """Return log(1 - mu) and its derivatives."""

    def outcome(self, happened: np.ndarray, eta: np.ndarray) -> LogProbability:
        """Return the log probability of what happened in each row (bool, (n,)), and its derivatives."""
        yes, no = self.success(eta), self.failure(eta)
        return LogProbability(*(np.where(happened, a, b) for a, b in zip(yes, no, strict=True)))

    def both(self, eta: np.ndarray) -> tuple[LogProbability, LogProbability]:
        """Return the log probabilities of success and of failure."""
        return self.success(eta), self.failure(eta)

    def means(self, eta: np.ndarray) -> Means:
        log, d1, d2, d3 = self.success(eta)
        mu = np.exp(log)
        return Means(mu, mu * d1, mu * (d2 + d1**2), mu * (d3 + 3.0 * d1 * d2 + d1**3))


class SymmetricLink(ProbabilityLink):
    """A link with mu(-eta) = 1 - mu(eta)."""

    def failure(self, eta: np.ndarray) -> LogProbability:
        return _mirrored(self.success(-eta))

    def outcome(self, happened: np.ndarray, eta: np.ndarray) -> LogProbability:
        sign = np.where(happened, 1.0, -1.0)
        log = self.success(sign * eta)
        return LogProbability(log.value, sign * log.d1, log.d2, sign * log.d3)


class Logit(SymmetricLink):
    """eta = log(mu / (1 - mu))."""

    name = "logit"

    def of(self, mu: np.ndarray) -> np.ndarray:
        return np.asarray(special.logit(mu))

    def mean(self, eta: np.ndarray) -> np.ndarray:
        return np.asarray(special.expit(eta))

    def success(self, eta: np.ndarray) -> LogProbability:
        # In place: this is most of the time of a row.
        less = np.abs(eta)
        np.negative(less, out=less)
        np.exp(less, out=less)
        more = 1.0 + less
        value = np.minimum(eta, 0.0)
        value -= np.log(more)
        np.divide(1.0, more, out=more)
        less *= more
        rest = np.where(eta < 0, more, less)
        more *= less
        spread = np.negative(more, out=more)
        bend = 2.0 * rest
        bend -= 1.0
        bend *= spread
        return LogProbability(value, rest, spread, bend)

    def both(self, eta: np.ndarray) -> tuple[LogProbability, LogProbability]:
        yes = self.success(eta)
        small = np.exp(-np.abs(eta))
        less = np.where(eta < 0, small, 1.0) / (1.0 + small)
        return yes, LogProbability(yes.value - eta, -less, yes.d2, yes.d3)


class Probit(SymmetricLink):
    """eta = Phi^-1(mu)."""

    name = "probit"

    def of(self, mu: np.ndarray) -> np.ndarray:
        return np.asarray(special.ndtri(mu))

    def mean(self, eta: np.ndarray) -> np.ndarray:
        return np.asarray(special.ndtr(eta))

    def success(self, eta: np.ndarray) -> LogProbability:
        # phi / Phi; the scaled complementary error function keeps its digits where phi and Phi are both 0.
        ratio = _ROOT_2_OVER_PI / special.erfcx(-eta / np.sqrt(2.0))
        gap = eta + ratio
        return LogProbability(special.log_ndtr(eta), ratio, -ratio * gap, ratio * (gap * (gap + ratio) - 1.0))


class Cloglog(ProbabilityLink):
    """eta = log(-log(1 - mu))."""

    name = "cloglog"

    def of(self, mu: np.ndarray) -> np.ndarray:
        return np.log(-np.log1p(-np.asarray(mu, dtype=float)))

    def mean(self, eta: np.ndarray) -> np.ndarray:
        return -np.expm1(-np.exp(np.minimum(eta, _LARGEST_EXPONENT)))

    def success(self, eta: np.ndarray) -> LogProbability:
        hazard = np.exp(np.minimum(eta, _LARGEST_EXPONENT))
        small = hazard < _SMALL_HAZARD
        e = np.where(small, 1.0, np.minimum(hazard, _LARGEST_EXPONENT))
        h = np.where(small, hazard, 0.0)
        d1 = np.where(small, 1.0 - h / 2.0 + h**2 / 12.0 - h**4 / 720.0, e / np.expm1(e))
        # The derivative of log d1.
        gap = np.where(small, -h / 2.0 - h**2 / 12.0 + h**4 / 720.0, 1.0 - e - d1)
        value = np.where(small, eta - h / 2.0 + h**2 / 24.0 - h**4 / 2880.0, np.log(-np.expm1(-e)))
        d2 = d1 * gap
        return LogProbability(value, d1, d2, d2 * gap - d1 * (np.where(small, h, e) + d2))

    def failure(self, eta: np.ndarray) -> LogProbability:
        minus = -np.exp(np.minimum(eta, _LARGEST_EXPONENT))
        return LogProbability(minus, minus, minus, minus)


def _mirrored(log: LogProbability) -> LogProbability:
    """Return derivatives of f(-eta) in eta from those of f at -eta."""
    return LogProbability(log.value, -log.d1, log.d2, -log.d3)
