"""Uncorrelated effects: phi holds their standard deviations over sigma."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mixedsparse.core.structures.interface import Parameter

__all__ = ["Diagonal"]


@dataclass(frozen=True, slots=True)
class Diagonal:
    """Variances of `k` effects without correlations; see `interface.Structure`."""

    k: int

    @property
    def size(self) -> int:
        """Number of effects."""
        return self.k

    def parameters(self) -> tuple[Parameter, ...]:
        """Return the standard deviations."""
        return tuple(Parameter(f"sd[{i}]", "scale", 0.0, np.inf, i) for i in range(self.k))

    def factor(self, phi: np.ndarray) -> np.ndarray:
        """Diagonal matrix of phi."""
        return np.diag(phi)

    def slopes(self, phi: np.ndarray) -> np.ndarray:
        """2 phi_i at (i, i)."""
        return np.asarray(2.0 * phi[:, None, None] * np.eye(self.k)[:, :, None] * np.eye(self.k)[:, None, :])

    def bend(self, phi: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """2 G_ii, a diagonal matrix."""
        return np.diag(2.0 * np.diagonal(scores))

    def canonical(self, phi: np.ndarray) -> np.ndarray:
        """Phi not negative."""
        return np.abs(phi)

    def start(self, sigma: np.ndarray) -> np.ndarray:
        """Roots of the diagonal."""
        return np.sqrt(np.diagonal(sigma))
