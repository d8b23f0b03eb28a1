"""Limits of a new response of a generalized model: quantiles of its distribution, the mean not known exactly.

With eta + s z, z standard normal, the linear predictor of the row as the fit knows it,

    P(Y <= y) = integral of F(y; g^-1(eta + s z)) phi(z) dz

by the trapezoidal rule, whose step is at most what moves the mean by one standard deviation of the response.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mixedsparse.core.likelihood.family import Family
from mixedsparse.data.families import DOMAINS

__all__ = ["response_limits"]

# Range of z, and numbers of its nodes.
_RANGE = 5.0
_FEWEST, _MOST = 21, 401
# Numbers of one block of rows.
_NUMBERS = 2_000_000
# Bisections of a positive response, from within a factor of 2.
_HALVINGS = 40
# Share of the linear predictors outside the range of the link above which there are no limits.
_OUTSIDE = 1e-3


def response_limits(
    family: Family, psi: float, eta: np.ndarray, variance: np.ndarray, m: np.ndarray, level: float
) -> np.ndarray:
    """Lower and upper limits, (2, r), that leave out at most (1 - level) / 2 on either side.

    Parameters
    ----------
    family : Family
    psi : float
    eta, variance : ndarray, shape (r,)
        Linear predictor, and variance of its error.
    m : ndarray, shape (r,)
        Trials, of whose number the limits are proportions; or prior weights.
    level : float

    Returns
    -------
    ndarray
        NaN where an argument is, and where linear predictors leave the range of the link.
    """
    out = np.full((2, len(eta)), np.nan)
    known = np.flatnonzero(np.isfinite(eta) & np.isfinite(variance) & np.isfinite(m))
    step = max(1, _NUMBERS // _MOST)
    for start in range(0, len(known), step):
        rows = known[start : start + step]
        mixture = _Mixture.of(family, psi, eta[rows], np.sqrt(variance[rows]), m[rows])
        inside = mixture.outside <= _OUTSIDE
        for side, q in enumerate((0.5 - 0.5 * level, 0.5 + 0.5 * level)):
            out[side, rows[inside]] = mixture.take(inside).quantile(q)
    return out


@dataclass(frozen=True, slots=True, eq=False)
class _Mixture:
    """Distributions of r responses: weights (r, nodes) and means (r, nodes); share of the weights outside (r,)."""

    family: Family
    psi: float
    m: np.ndarray
    means: np.ndarray
    weights: np.ndarray
    outside: np.ndarray

    @classmethod
    def of(cls, family: Family, psi: float, eta: np.ndarray, sd: np.ndarray, m: np.ndarray) -> _Mixture:
        with np.errstate(all="ignore"):
            at = family.link.means(eta)
            # Standard deviations of the response, on the scale of the linear predictor.
            width = np.sqrt(family.variance(at.mu, m, psi)) / np.abs(at.d1)
            wanted = np.nanmax(np.where(sd > 0, 2.0 * _RANGE * sd / width, 0.0), initial=0.0)
        count = int(np.clip(np.ceil(wanted) + 1, _FEWEST, _MOST))
        z = np.linspace(-_RANGE, _RANGE, count)
        moved = eta[:, None] + sd[:, None] * z
        inside = family.link.in_domain(moved)
        weights = np.exp(-0.5 * z**2) * inside
        share = weights.sum(axis=1) / np.exp(-0.5 * z**2).sum()
        means = family.mean(np.where(inside, moved, np.where(inside.any(), moved[inside][0], 1.0)))
        weights = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-300)
        return cls(family, psi, m, means, weights, 1.0 - share)

    def take(self, rows: np.ndarray) -> _Mixture:
        """Return the same of some rows."""
        m, means, weights, outside = self.m[rows], self.means[rows], self.weights[rows], self.outside[rows]
        return replace(self, m=m, means=means, weights=weights, outside=outside)

    def upto(self, y: np.ndarray) -> np.ndarray:
        """P(Y <= y) of responses y (r,) as the family has them."""
        parts = self.family.cumulative(y[:, None], self.m[:, None], self.means, self.psi)[1]
        return np.asarray((self.weights * parts).sum(axis=1))

    def quantile(self, q: float) -> np.ndarray:
        """Smallest y with P(Y <= y) >= q, (r,)."""
        domain = DOMAINS[self.family.name]
        if domain == "events":
            return self._whole(q, self.m, self.m) / self.m
        high = np.maximum(self.means.max(axis=1, initial=0.0), 1e-300)
        if domain == "counts":
            return self._whole(q, np.ceil(self._above(q, np.ceil(high))), np.ones(len(high)))
        high = self._above(q, high)
        low = 0.5 * high
        while len(high) and (above := self.upto(low) >= q).any():
            low = np.where(above, 0.5 * low, low)
            high = np.where(above, 2.0 * low, high)
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            enough = self.upto(middle) >= q
            low, high = np.where(enough, low, middle), np.where(enough, middle, high)
        return high

    def _above(self, q: float, y: np.ndarray) -> np.ndarray:
        """Return values (r,) with P(Y <= y) >= q, from `y` up."""
        while len(y) and (below := self.upto(y) < q).any():
            y = np.where(below, 2.0 * y, y)
        return y

    def _whole(self, q: float, high: np.ndarray, unit: np.ndarray) -> np.ndarray:
        """Smallest whole number s up to `high` with P(Y <= s / unit) >= q."""
        low = np.full(len(high), -1.0)
        while (open_ := high - low > 1.0).any():
            middle = np.floor(0.5 * (low + high))
            enough = self.upto(np.maximum(middle, 0.0) / unit) >= q
            low = np.where(open_ & ~enough, middle, low)
            high = np.where(open_ & enough, middle, high)
        return high
