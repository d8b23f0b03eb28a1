"""One correlation between all rows of a group (compound symmetry), which may be negative.

R of a group of m rows is (1 - rho)(I - J/m) + (1 + (m - 1) rho) J/m, J a matrix of ones, and its symmetric root serves
as L.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from mixedsparse.core.residual.grouped import Grouped, numbered
from mixedsparse.core.residual.interface import Entries, Quantity

__all__ = ["Exchangeable"]

# Distance of the correlation from the ends of its range, over its length, where R counts as singular.
_LEAST = 1e-12
# Range of the moment estimate to start from, as a share of that of the correlation.
_FURTHEST = 0.95


class Exchangeable:
    """Compound symmetry within groups; see `interface.Residual`.

    rho = low + (1 - low) / (1 + exp(-phi)), low = -1 / (m - 1) for the m rows of the largest group.

    Attributes
    ----------
    groups : ndarray of int, shape (n,)
    """

    size = 1

    def __init__(self, groups: np.ndarray, name: str) -> None:
        self.groups, self.name = groups, name
        self.grouped = Grouped(groups)
        self.low = -1.0 / max(int(self.grouped.counts.max()) - 1, 1)

    @cached_property
    def joined(self) -> tuple[np.ndarray, np.ndarray]:
        """All pairs within groups; see `Residual.joined`."""
        return self.grouped.pairs()

    def at(self, phi: np.ndarray) -> _At:
        """See `Residual.at`."""
        return _At(self, np.asarray(phi, dtype=float))

    def start(self, residuals: np.ndarray) -> np.ndarray:
        """Moment estimate of the correlation; see `Residual.start`."""
        counts = self.grouped.counts
        between = np.square(self.grouped.sums(residuals[:, None])[:, 0]).sum() - np.square(residuals).sum()
        pairs = float((counts * (counts - 1)).sum())
        share = between / max(pairs, 1.0) / np.square(residuals).mean()
        place = np.clip((share - self.low) / (1.0 - self.low), 1.0 - _FURTHEST, _FURTHEST)
        return np.array([np.log(place / (1.0 - place))])

    def centred(self) -> None:
        """See `Residual.centred`."""
        return

    def on_rows(self, at: np.ndarray, phi: np.ndarray) -> tuple[Exchangeable, np.ndarray]:
        """See `Residual.on_rows`; a smaller largest group leaves the correlation a longer range."""
        out, here = Exchangeable(numbered(self.groups[at]), self.name), self.at(phi)
        return out, np.array([np.log((here.rho - out.low) / here.within)])

    def quantities(self, phi: np.ndarray) -> list[Quantity]:
        """See `Residual.quantities`."""
        return [Quantity("cor", self.name, self.at(phi).rho)]


class _At:
    """See `interface.ResidualAt`."""

    def __init__(self, family: Exchangeable, phi: np.ndarray) -> None:
        self.family, self.phi = family, phi
        share = 1.0 / (1.0 + np.exp(-float(phi[0])))
        self.rho = family.low + (1.0 - family.low) * share
        m = family.grouped.counts
        self.slope = (1.0 - family.low) * share * (1.0 - share)
        # 1 - rho without a difference of numbers close together.
        self.within = (1.0 - family.low) / (1.0 + np.exp(float(phi[0])))
        self.means = 1.0 + (m - 1) * self.rho
        self.logdet = float(((m - 1) * np.log(self.within) + np.log(self.means)).sum())

    @property
    def slopes(self) -> np.ndarray:
        """See `ResidualAt.slopes`."""
        m = self.family.grouped.counts
        return np.array([self.slope * float(((m - 1) / self.means - (m - 1) / self.within).sum())])

    def _scaled(self, columns: np.ndarray, within: float, means: np.ndarray) -> np.ndarray:
        """Multiply deviations from the means of the groups by `within`, the means by `means` (groups,)."""
        grouped = self.family.grouped
        own = grouped.sums(columns) / grouped.counts[:, None]
        return columns * within + ((means - within)[:, None] * own)[self.family.groups]

    def whiten(self, columns: np.ndarray) -> np.ndarray:
        """See `ResidualAt.whiten`."""
        return self._scaled(columns, self.within**-0.5, self.means**-0.5)

    def innovations(self, columns: np.ndarray) -> np.ndarray:
        """Return what the rows of the group before a row do not tell of it; see `ResidualAt.innovations`."""
        grouped = self.family.grouped
        ordered = grouped.sorted(columns)
        j = np.arange(len(ordered)) - np.repeat(grouped.starts, grouped.counts)
        sums = np.cumsum(ordered, axis=0) - ordered
        before = sums - np.repeat(sums[grouped.starts], grouped.counts, axis=0)
        known = (1.0 + (j - 1) * self.rho)[:, None]
        left = self.within * (1.0 + j * self.rho)[:, None] / known
        return grouped.unsorted((ordered - self.rho * before / known) / np.sqrt(left))

    def colour(self, columns: np.ndarray) -> np.ndarray:
        """See `ResidualAt.colour`."""
        return self._scaled(columns, self.within**0.5, self.means**0.5)

    transposed = colour

    def precision(self, columns: np.ndarray) -> np.ndarray:
        """See `ResidualAt.precision`."""
        return self._scaled(columns, 1.0 / self.within, 1.0 / self.means)

    def forms(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """See `ResidualAt.forms`."""
        return np.array([np.einsum("ij,ij->", self.whiten(left), self.moved(right, np.ones(1)))])

    def moved(self, columns: np.ndarray, direction: np.ndarray) -> np.ndarray:
        """See `ResidualAt.moved`."""
        turn, m = self.slope * float(direction[0]), self.family.grouped.counts
        return self._scaled(columns, -turn * self.within**-1.5, turn * (m - 1) * self.means**-1.5)

    def working(self, e: np.ndarray) -> np.ndarray:
        """See `ResidualAt.working`."""
        return self.moved(e[:, None], np.ones(1))

    def inverse(self) -> Entries:
        """See `ResidualAt.inverse`."""
        return self._entries(1.0 / self.within, 1.0 / self.means)

    def turned(self, entries: Entries) -> np.ndarray:
        """See `ResidualAt.turned`."""
        m = self.family.grouped.counts
        own = self._entries(-self.slope / self.within**2, self.slope * (m - 1) / self.means**2)
        return np.array([own.diagonal @ entries.diagonal + 2.0 * (own.pairs @ entries.pairs)])

    def _entries(self, within: float, means: np.ndarray) -> Entries:
        """Entries of the matrix that `_scaled` multiplies by."""
        groups = self.family.groups
        shared = (means - within) / self.family.grouped.counts
        return Entries(within + shared[groups], shared[groups[self.family.joined[0]]])

    def variances(self) -> np.ndarray:
        """See `ResidualAt.variances`."""
        return np.ones(len(self.family.groups))

    def between(self, at: np.ndarray) -> np.ndarray:
        """See `ResidualAt.between`."""
        own = self.family.groups[at]
        out = np.where(own[:, None] == own, self.rho, 0.0)
        out[at[:, None] == at] = 1.0
        return out

    @cached_property
    def _place(self) -> float:
        return (self.rho - self.family.low) / (1.0 - self.family.low)

    def degenerate(self, loose: float = 1.0) -> str:
        """See `ResidualAt.degenerate`."""
        if _LEAST * loose < self._place < 1.0 - _LEAST * loose:
            return ""
        return f"the residual correlation within {self.family.name} goes to {self.rho:.3g}"
