"""Binomial responses: y is the proportion of successes among m trials, 0 or 1 where m is 1."""
# ruff: noqa: D102 - `base` says what each method of a family or a link gives

from __future__ import annotations

import numpy as np
from scipy.special import betainc, gammaln, xlogy

from mixedsparse.core.likelihood.family.base import Family, RowTerms, refuse
from mixedsparse.core.likelihood.family.probability_links import LogProbability, ProbabilityLink

__all__ = ["Binomial"]

# Trials from which on the log-likelihood must not be a difference of large numbers.
_MANY = 1e3
# Relative distances of means from proportions below which their log is taken of 1 + the distance.
_NEAR = 0.5
# Successes further than this from a whole number are no successes.
_WHOLE = 1e-6


class Binomial(Family):
    """Binomial with the logit, probit or complementary log-log link.

    Examples
    --------
    >>> import numpy as np
    >>> Binomial("logit").rows(np.array([1.0]), np.ones(1), np.zeros(1)).s
    array([0.5])
    """

    name = "binomial"
    links = ("logit", "probit", "cloglog")
    link: ProbabilityLink

    @property
    def canonical(self) -> bool:
        return self.link.name == "logit"

    def rows(self, y: np.ndarray, m: np.ndarray, eta: np.ndarray, psi: float = 0.0) -> RowTerms:
        happened = y == 1.0
        if not ((y > 0.0) ^ happened).any():
            log = self.link.outcome(happened, eta)
            if (m == 1.0).all():
                return RowTerms(log.value, log.d1, np.negative(log.d2), np.negative(log.d3))
            return RowTerms(m * log.value, m * log.d1, -m * log.d2, -m * log.d3)
        yes, no = self.link.both(eta)
        rest = 1.0 - y
        if m.max() < _MANY:
            value = y * yes.value + rest * no.value - (_entropy(y) + _entropy(rest))
        else:
            value = _against(y, yes, no) + _against(rest, no, yes)
        return RowTerms(
            m * value,
            m * (y * yes.d1 + rest * no.d1),
            -m * (y * yes.d2 + rest * no.d2),
            -m * (y * yes.d3 + rest * no.d3),
        )

    def constant(self, y: np.ndarray, m: np.ndarray) -> float:
        if (m == 1.0).all() and ((y == 0.0) | (y == 1.0)).all():
            return 0.0
        successes, failures = m * y, m * (1.0 - y)
        choose = gammaln(m + 1.0) - gammaln(successes + 1.0) - gammaln(failures + 1.0)
        return float((choose + m * (_entropy(y) + _entropy(1.0 - y))).sum())

    def variance(self, mu: np.ndarray, m: np.ndarray, psi: float = 0.0) -> np.ndarray:
        return mu * (1.0 - mu) / m

    def check(self, y: np.ndarray, m: np.ndarray) -> None:
        refuse(self.name, ~((y >= 0) & (y <= 1)), y, "a proportion between 0 and 1")
        successes = m * y
        bad = np.abs(successes - np.round(successes)) > _WHOLE * np.maximum(1.0, successes)
        refuse(self.name, bad, successes, "a whole number of successes among the trials")

    def first_means(self, y: np.ndarray, m: np.ndarray) -> np.ndarray:
        return (m * y + 0.5) / (m + 1.0)

    def deviances(self, y: np.ndarray, m: np.ndarray, mu: np.ndarray, psi: float = 0.0) -> np.ndarray:
        return np.asarray(2.0 * m * (_excess(y, mu) + _excess(1.0 - y, 1.0 - mu)))

    def cumulative(
        self, y: np.ndarray, m: np.ndarray, mu: np.ndarray, psi: float = 0.0
    ) -> tuple[np.ndarray, np.ndarray]:
        successes = np.round(m * y)
        below = np.where(successes > 0, betainc(m - successes + 1.0, np.maximum(successes, 1.0), 1.0 - mu), 0.0)
        upto = np.where(successes < m, betainc(np.maximum(m - successes, 1.0), successes + 1.0, 1.0 - mu), 1.0)
        return below, upto

    def draw(self, rng: np.random.Generator, m: np.ndarray, mu: np.ndarray, psi: float = 0.0) -> np.ndarray:
        m, mu = np.broadcast_arrays(m, mu)
        out, known = np.full(mu.shape, np.nan), np.isfinite(m) & np.isfinite(mu)  # rows with missing values stay so
        out[known] = rng.binomial(m[known].astype(np.int64), mu[known]) / m[known]
        return out


def _excess(share: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Return share log(share / probability), 0 at 0 whatever the probability."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return xlogy(share, np.where(share > 0, share / probability, 1.0))


def _entropy(share: np.ndarray) -> np.ndarray:
    """Return share log share, 0 at 0."""
    return share * np.log(np.where(share > 0, share, 1.0))


def _against(share: np.ndarray, own: LogProbability, other: LogProbability) -> np.ndarray:
    """Share times log of (probability / share), plus share less probability, where `own` is the log probability.

    Over both outcomes the second parts cancel; with them each is quadratic in the distance, and keeps its digits when
    the trials are many.
    """
    probability = np.exp(own.value)
    known = share > 0
    safe = np.where(known, share, 1.0)
    gap = np.where(known, (probability - safe) / safe, 1.0)
    near = np.abs(gap) < _NEAR
    log = np.where(near, np.log1p(np.where(near, gap, 0.0)), own.value - np.log(safe))
    part = np.where(known, safe * (log - gap), -probability)
    whole = share == 1.0
    return np.where(whole, own.value + np.exp(other.value), part)
