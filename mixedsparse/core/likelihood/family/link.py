"""What a link gives: the mean as a function of the linear predictor, with three derivatives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

import numpy as np

__all__ = ["Link", "Means"]


class Means(NamedTuple):
    """The mean and its first three derivatives in the linear predictor, each (n,)."""

    mu: np.ndarray
    d1: np.ndarray
    d2: np.ndarray
    d3: np.ndarray


class Link(ABC):
    """A link g, eta = g(mu)."""

    name: ClassVar[str]
    # Whether every number has a mean, but for single ones.
    takes_all: ClassVar[bool] = True

    @abstractmethod
    def of(self, mu: np.ndarray) -> np.ndarray:
        """Linear predictor of the mean `mu`."""

    @abstractmethod
    def means(self, eta: np.ndarray) -> Means:
        """Return the mean and its derivatives; `eta` lies in the domain."""

    def mean(self, eta: np.ndarray) -> np.ndarray:
        """Return the mean alone."""
        return self.means(eta).mu

    def in_domain(self, eta: np.ndarray) -> np.ndarray:
        """Mask of the linear predictors that have a mean; all of them unless a link says otherwise."""
        return np.isfinite(eta)

    def allows(self, eta: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Mask of the linear predictors at which responses `y` have a likelihood: where there is a mean, or less."""
        return self.in_domain(eta)

    def extremes(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Least and largest mean of the linear predictors from `low` to `high`; NaN where none of them has one.

        A link that takes all numbers is monotone, unless it says otherwise.
        """
        ends = np.sort([self.mean(low), self.mean(high)], axis=0)
        return ends[0], ends[1]
