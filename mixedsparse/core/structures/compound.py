"""Compound symmetry: all correlations between effects are equal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mixedsparse.core.structures.correlated import Correlated
from mixedsparse.core.structures.interface import Natural, Parameter
from mixedsparse.core.structures.triangles import triangle_of

__all__ = ["CompoundSymmetry", "EqualCompoundSymmetry"]

# Largest correlation to start from.
_MOST = 0.9


def _projections(k: int) -> tuple[np.ndarray, np.ndarray]:
    """Off the mean of the effects, and on it."""
    mean = np.full((k, k), 1.0 / k)
    return np.eye(k) - mean, mean


@dataclass(frozen=True, slots=True)
class CompoundSymmetry(Correlated):
    """R = k / (k - 1) cos^2 omega (I - J / k) + sin^2 omega J: correlation sin^2 omega - cos^2 omega / (k - 1).

    Both ends of the correlation, 1 and -1 / (k - 1), are stationary: R is even in omega around 0 and pi / 2. There are
    two effects at least.
    """

    range_of_shapes: ClassVar[tuple[float, float]] = (0.0, np.pi / 2)
    name: ClassVar[str] = "cs"

    def correlation(self, shape: np.ndarray) -> np.ndarray:
        """See `Correlated.correlation`."""
        within, mean = _projections(self.k)
        c, s = np.cos(shape[0]), np.sin(shape[0])
        return np.asarray(c * c * self.k / (self.k - 1) * within + s * s * self.k * mean)

    def correlation_root(self, shape: np.ndarray) -> np.ndarray:
        """Root that is symmetric."""
        within, mean = _projections(self.k)
        c, s = np.cos(shape[0]), np.sin(shape[0])
        return np.asarray(c * np.sqrt(self.k / (self.k - 1)) * within + s * np.sqrt(self.k) * mean)

    def correlation_slopes(self, shape: np.ndarray) -> np.ndarray:
        """See `Correlated.correlation_slopes`."""
        return np.asarray(np.sin(2.0 * shape[0]) * self._move[None])

    def correlation_bend(self, shape: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """See `Correlated.correlation_bend`."""
        return np.array([[2.0 * np.cos(2.0 * shape[0]) * np.vdot(scores, self._move)]])

    def shape_near(self, correlation: np.ndarray) -> np.ndarray:
        """Shape of the mean correlation."""
        k = self.k
        rho = float(self.correlations_of(correlation)[0])
        # The share of the way from the least correlation to 1.
        share = np.clip((rho * (k - 1) + 1.0) / k, (1.0 - _MOST) / k, 1.0 - (1.0 - _MOST) * (k - 1) / k)
        return np.array([np.arcsin(np.sqrt(share))])

    def correlations_of(self, correlation: np.ndarray) -> np.ndarray:
        """Mean of the correlations."""
        k = len(correlation)
        return np.array([(float(correlation.sum()) - float(np.trace(correlation))) / (k * (k - 1))])

    def fold(self, shape: np.ndarray) -> np.ndarray:
        """See `Correlated.fold`."""
        return np.abs(np.arcsin(np.sin(shape)))

    def natural_correlations(self, shape: np.ndarray) -> list[tuple[float, np.ndarray, int | None]]:
        """Return the correlation."""
        c, s = np.cos(shape[0]), np.sin(shape[0])
        rho = float(s * s - c * c / (self.k - 1))
        return [(rho, np.array([np.sin(2.0 * shape[0]) * self.k / (self.k - 1)]), None)]

    @property
    def _move(self) -> np.ndarray:
        """DR / d(sin^2 omega)."""
        within, mean = _projections(self.k)
        return np.asarray(self.k * mean - self.k / (self.k - 1) * within)


@dataclass(frozen=True, slots=True)
class EqualCompoundSymmetry:
    """Equal variances too: Sigma = a^2 (I - J / k) + b^2 J / k, phi = (a, b); see `interface.Structure`.

    A zero of a is the correlation 1, one of b is -1 / (k - 1).
    """

    k: int

    @property
    def size(self) -> int:
        """Two: the deviation within a level and that of its mean."""
        return 2

    @property
    def label(self) -> str:
        """Return ``"homcs"``."""
        return "homcs"

    def parameters(self) -> tuple[Parameter, ...]:
        """Return a and b."""
        return Parameter("within", "scale", 0.0, np.inf), Parameter("between", "scale", 0.0, np.inf)

    def factor(self, phi: np.ndarray) -> np.ndarray:
        """Triangle of the symmetric root, which is linear in phi."""
        within, mean = _projections(self.k)
        return triangle_of(phi[0] * within + phi[1] * mean)

    def slopes(self, phi: np.ndarray) -> np.ndarray:
        """2 phi_i times the projections."""
        return np.stack(_projections(self.k)) * 2.0 * phi[:, None, None]

    def bend(self, phi: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """2 <G, projection>, a diagonal matrix."""
        return np.diag([2.0 * np.vdot(scores, projection) for projection in _projections(self.k)])

    def canonical(self, phi: np.ndarray) -> np.ndarray:
        """Phi not negative."""
        return np.abs(phi)

    def start(self, sigma: np.ndarray) -> np.ndarray:
        """Share of `sigma` in each projection."""
        within, mean = _projections(self.k)
        shares = [np.vdot(sigma, within) / (self.k - 1), np.vdot(sigma, mean)]
        return np.sqrt(np.maximum(shares, 0.0))

    def natural(self, phi: np.ndarray) -> tuple[Natural, ...]:
        """Return the standard deviation and the correlation."""
        k, (a, b) = self.k, phi
        variance = (a * a * (k - 1) + b * b) / k
        sd = float(np.sqrt(variance))
        slope = np.array([a * (k - 1), b]) / k / (sd if sd > 0 else np.inf)
        if not sd:
            return Natural("sd", (), 0.0, slope), Natural("cor", (), np.nan, np.full(2, np.nan))
        rho = (b * b - a * a) / (k * variance)
        moves = (2.0 * np.array([-a, b]) / k - rho * 2.0 * np.array([a * (k - 1), b]) / k) / variance
        return Natural("sd", (), sd, slope), Natural("cor", (), float(rho), moves)

    def read(self, sigma: np.ndarray) -> np.ndarray:
        """Root of the mean variance, and the mean covariance over it."""
        variance = float(np.trace(sigma)) / self.k
        covariance = (float(sigma.sum()) - self.k * variance) / (self.k * (self.k - 1))
        return np.array([np.sqrt(variance), covariance / variance if variance > 0 else np.nan])
