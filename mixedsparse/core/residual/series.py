"""Autoregression of order 1 along a time within groups, discrete or continuous.

Rows of a series that are `gap` apart have the correlation rho^gap. In the order of time, with r = rho^gap to the row
before and x_p that row (r = 0 for the first row of a series),

    (L^-1 x)_t = (x_t - r x_p) / sqrt(1 - r^2),    log|R| = sum of log(1 - r^2).

The numerator is taken as (x_t - x_p) + (1 - r) x_p: it keeps its digits as rho goes to 1.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy.linalg import solve_banded

from mixedsparse.core.residual.grouped import Grouped, numbered
from mixedsparse.core.residual.interface import Entries, Quantity

__all__ = ["Series"]

# 1 - r^2 below which R counts as singular.
_LEAST = 1e-13
# Range of the correlation to start from.
_FURTHEST = 0.9


class Series:
    """AR(1), or CAR(1) where `continuous`; see `interface.Residual`.

    rho = tanh(phi); CAR(1): rho = exp(-exp(phi) gap / unit), positive, for the mean gap as `unit`.

    Attributes
    ----------
    groups : ndarray of int, shape (n,)
    times : ndarray, shape (n,)
        Whole numbers for AR(1); no two rows of a group have the same.
    """

    size = 1

    def __init__(self, groups: np.ndarray, times: np.ndarray, name: str, continuous: bool = False) -> None:
        self.groups, self.times, self.name, self.continuous = groups, times, name, continuous
        self.grouped = Grouped(groups, times)
        ordered = self.grouped.sorted(times)
        self.first = np.zeros(len(groups), dtype=bool)
        self.first[self.grouped.starts] = True
        gaps = np.diff(ordered, prepend=ordered[0])
        self.gaps = np.where(self.first, np.inf, gaps)
        later = self.gaps[~self.first]
        self.unit = float(later.mean()) if continuous and len(later) else 1.0

    @cached_property
    def joined(self) -> tuple[np.ndarray, np.ndarray]:
        """Neighbours in time; see `Residual.joined`."""
        later = np.flatnonzero(~self.first)
        return self.grouped.order[later - 1], self.grouped.order[later]

    def at(self, phi: np.ndarray) -> _At:
        """See `Residual.at`."""
        return _At(self, np.asarray(phi, dtype=float))

    def start(self, residuals: np.ndarray) -> np.ndarray:
        """Mean correlation of neighbours; see `Residual.start`."""
        ordered = self.grouped.sorted(residuals)
        near = ~self.first & (self.gaps <= np.min(self.gaps, where=~self.first, initial=np.inf) * 1.5)
        before = np.roll(ordered, 1)
        products = float((ordered * before)[near].mean()) if near.any() else 0.0
        rho = float(np.clip(products / np.square(ordered).mean(), -_FURTHEST, _FURTHEST))
        if not self.continuous:
            return np.array([np.arctanh(rho)])
        gap = float(self.gaps[near].mean()) / self.unit if near.any() else 1.0
        return np.array([np.log(-np.log(max(rho, 0.1)) / gap)])

    def rho(self, phi: np.ndarray) -> float:
        """Correlation of rows whose times differ by 1."""
        return float(np.exp(-np.exp(phi[0]) / self.unit) if self.continuous else np.tanh(phi[0]))

    def centred(self) -> None:
        """See `Residual.centred`."""
        return

    def on_rows(self, at: np.ndarray, phi: np.ndarray) -> tuple[Series, np.ndarray]:
        """See `Residual.on_rows`; the unit of a continuous time is its own mean gap."""
        out = Series(numbered(self.groups[at]), self.times[at], self.name, self.continuous)
        return out, phi + np.log(out.unit / self.unit)

    def quantities(self, phi: np.ndarray) -> list[Quantity]:
        """See `Residual.quantities`."""
        return [Quantity("cor", self.name, self.rho(phi))]


class _At:
    """See `interface.ResidualAt`; rows in the order of the series within."""

    def __init__(self, family: Series, phi: np.ndarray) -> None:
        self.family, self.phi = family, phi
        gaps, later = family.gaps, ~family.first
        r, slope, rest = np.zeros(len(gaps)), np.zeros(len(gaps)), np.ones(len(gaps))
        gap = gaps[later] / family.unit
        if family.continuous:
            rate = np.exp(float(phi[0]))
            r[later], rest[later] = np.exp(-rate * gap), -np.expm1(-rate * gap)
            slope[later] = -rate * gap * r[later]
        else:
            rho = np.tanh(float(phi[0]))
            r[later] = rho**gap
            # 1 - tanh(phi) = 2 / (exp(2 phi) + 1): rho itself is 1 to working precision where this still has digits.
            log_rho = np.log1p(-2.0 / (np.exp(2.0 * float(phi[0])) + 1.0)) if rho > 0.0 else 0.0
            rest[later] = -np.expm1(gap * log_rho) if rho > 0.0 else 1.0 - r[later]
            slope[later] = gap * rho ** (gap - 1.0) / np.cosh(float(phi[0])) ** 2
        self.r, self.slope, self.rest = r, slope, rest  # of the row before; its derivative; 1 - r
        self.left = rest * (1.0 + r)  # 1 - r^2
        self.logdet = float(np.log(self.left).sum())

    @property
    def slopes(self) -> np.ndarray:
        """See `ResidualAt.slopes`."""
        return np.array([-2.0 * float((self.r * self.slope / self.left).sum())])

    def _innovations(self, ordered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """M x = L^-1 x, and its derivative, for sorted columns (n, r)."""
        before = np.empty_like(ordered)
        before[1:], before[0] = ordered[:-1], 0.0
        before[self.family.first] = 0.0
        root = np.sqrt(self.left)[:, None]
        white = ((ordered - before) + self.rest[:, None] * before) / root
        turned = (self.slope * self.r / self.left)[:, None] * white - self.slope[:, None] / root * before
        return white, turned

    def whiten(self, columns: np.ndarray) -> np.ndarray:
        """See `ResidualAt.whiten`."""
        grouped = self.family.grouped
        return grouped.unsorted(self._innovations(grouped.sorted(columns))[0])

    innovations = whiten

    def colour(self, columns: np.ndarray) -> np.ndarray:
        """See `ResidualAt.colour`."""
        root = np.sqrt(self.left)
        bands = np.zeros((2, len(root)))
        bands[0], bands[1, :-1] = 1.0 / root, -(self.r / root)[1:]
        grouped = self.family.grouped
        return grouped.unsorted(solve_banded((1, 0), bands, grouped.sorted(columns)))

    def transposed(self, columns: np.ndarray) -> np.ndarray:
        """See `ResidualAt.transposed`."""
        grouped = self.family.grouped
        return grouped.unsorted(self._solve_transposed(grouped.sorted(columns)))

    def precision(self, columns: np.ndarray) -> np.ndarray:
        """See `ResidualAt.precision`."""
        grouped, root = self.family.grouped, np.sqrt(self.left)
        white = self._innovations(grouped.sorted(columns))[0]
        back = white / root[:, None]
        back[:-1] -= (self.r / root)[1:, None] * white[1:]
        return grouped.unsorted(back)

    def _solve_transposed(self, ordered: np.ndarray) -> np.ndarray:
        """L' times sorted columns: z with M'z = columns."""
        root = np.sqrt(self.left)
        bands = np.zeros((2, len(root)))
        bands[1], bands[0, 1:] = 1.0 / root, -(self.r / root)[1:]
        return np.asarray(solve_banded((0, 1), bands, ordered))

    def forms(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """See `ResidualAt.forms`; R^-1 R_1 R^-1 = -d(M'M)."""
        sorted_ = self.family.grouped.sorted
        one, turned_one = self._innovations(sorted_(left))
        other, turned_other = (one, turned_one) if left is right else self._innovations(sorted_(right))
        return -np.array([np.einsum("ij,ij->", one, turned_other) + np.einsum("ij,ij->", turned_one, other)])

    def moved(self, columns: np.ndarray, direction: np.ndarray) -> np.ndarray:
        """See `ResidualAt.moved`; L^-1 R_1 R^-1 = -(M' L + L'M'')M for the derivative M' of M, M'' its transpose."""
        grouped = self.family.grouped
        white, turned = self._innovations(grouped.sorted(columns))
        cubed = self.left**1.5
        back = (self.r * self.slope / cubed)[:, None] * white
        back[:-1] -= (self.slope / cubed)[1:, None] * white[1:]
        return -float(direction[0]) * grouped.unsorted(turned + self._solve_transposed(back))

    def working(self, e: np.ndarray) -> np.ndarray:
        """See `ResidualAt.working`."""
        return self.moved(e[:, None], np.ones(1))

    def inverse(self) -> Entries:
        """See `ResidualAt.inverse`; a row adds (x_t - r x_p)^2 / (1 - r^2) to x'R^-1 x."""
        diagonal = 1.0 / self.left
        diagonal[:-1] += (self.r**2 / self.left)[1:]
        return Entries(self.family.grouped.unsorted(diagonal), -(self.r / self.left)[~self.family.first])

    def turned(self, entries: Entries) -> np.ndarray:
        """See `ResidualAt.turned`; in differences (W_tt - 2 W_tp + W_pp), which keep their digits."""
        later = np.flatnonzero(~self.family.first)
        own = self.family.grouped.sorted(entries.diagonal)
        r, slope, left = self.r[later], self.slope[later], self.left[later]
        apart = own[later] - 2.0 * entries.pairs + own[later - 1]
        return np.array([2.0 * float((slope / (1.0 + r) ** 2 * entries.pairs - r * slope / left**2 * apart).sum())])

    def variances(self) -> np.ndarray:
        """See `ResidualAt.variances`."""
        return np.ones(len(self.r))

    def between(self, at: np.ndarray) -> np.ndarray:
        """See `ResidualAt.between`."""
        family = self.family
        own, times = family.groups[at], family.times[at]
        rho = family.rho(self.phi)
        return np.where(own[:, None] == own, np.power(rho, np.abs(times[:, None] - times)), 0.0)

    def degenerate(self, loose: float = 1.0) -> str:
        """See `ResidualAt.degenerate`."""
        if float(self.left.min()) > _LEAST * loose:
            return ""
        return (
            f"the correlation of neighbouring residuals of {self.family.name} goes to {self.family.rho(self.phi):.3g}"
        )
