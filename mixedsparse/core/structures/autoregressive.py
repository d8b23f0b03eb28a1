"""First-order autoregression: the correlation of two effects is rho to the power of their distance in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mixedsparse.core.structures.correlated import Correlated

__all__ = ["Autoregressive"]

# Largest correlation to start from.
_MOST = 0.9


@dataclass(frozen=True, slots=True)
class Autoregressive(Correlated):
    """R_ij = sin(omega)^|t_i - t_j|.

    Attributes
    ----------
    times : tuple of int
        Time t of each effect, all different, in any order; 0, 1, 2, ... when not given.
    """

    times: tuple[int, ...] = ()
    name: ClassVar[str] = "ar1"

    @property
    def label(self) -> str:
        """Return ``"ar1"`` or ``"hetar1"``."""
        return "ar1" if self.hom else "hetar1"

    def correlation(self, shape: np.ndarray) -> np.ndarray:
        """See `Correlated.correlation`."""
        return np.asarray(np.sin(shape[0]) ** self._distances)

    def correlation_root(self, shape: np.ndarray) -> np.ndarray:
        """Triangle of the effects in the order of time: each is what the one before leaves, and an innovation."""
        rho, order = np.sin(shape[0]), np.argsort(self._times)
        gaps = np.diff(self._times[order])
        # sqrt(1 - rho^(2 g)) without loss where rho is near 1.
        news = np.abs(np.cos(shape[0])) * np.sqrt([(rho ** (2 * np.arange(gap))).sum() for gap in gaps])
        # R for later and earlier effects, times the innovations of the earlier.
        ordered = np.tril(rho ** np.abs(np.subtract.outer(self._times[order], self._times[order])))
        root = np.empty_like(ordered)
        root[order] = ordered * np.concatenate([[1.0], news])
        return root

    def correlation_slopes(self, shape: np.ndarray) -> np.ndarray:
        """See `Correlated.correlation_slopes`."""
        d, rho = self._distances, np.sin(shape[0])
        return np.asarray(np.cos(shape[0]) * d * rho ** np.maximum(d - 1, 0))[None]

    def correlation_bend(self, shape: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """See `Correlated.correlation_bend`."""
        d, rho, cos = self._distances, np.sin(shape[0]), np.cos(shape[0])
        first = d * rho ** np.maximum(d - 1, 0)
        second = d * (d - 1) * rho ** np.maximum(d - 2, 0)
        return np.array([[np.vdot(scores, second * cos * cos - first * rho)]])

    def shape_near(self, correlation: np.ndarray) -> np.ndarray:
        """Shape of the mean correlation between neighbours in time."""
        return np.arcsin(np.clip(self.correlations_of(correlation), -_MOST, _MOST))

    def correlations_of(self, correlation: np.ndarray) -> np.ndarray:
        """Root of the mean correlation between neighbours in time."""
        d = self._distances
        shortest = int(d[d > 0].min())
        mean = float(np.clip(correlation[d == shortest].mean(), -1.0, 1.0))
        # An even power of rho is never negative.
        rho = np.sign(mean) * abs(mean) ** (1.0 / shortest) if shortest % 2 or mean > 0 else 0.0
        return np.array([rho])

    def natural_correlations(self, shape: np.ndarray) -> list[tuple[float, np.ndarray, int | None]]:
        """Return rho."""
        return [(float(np.sin(shape[0])), np.array([np.cos(shape[0])]), None)]

    @property
    def _times(self) -> np.ndarray:
        return np.array(self.times) if self.times else np.arange(self.k)

    @property
    def _distances(self) -> np.ndarray:
        return np.abs(np.subtract.outer(self._times, self._times))
