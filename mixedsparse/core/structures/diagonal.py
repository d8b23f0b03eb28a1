"""Uncorrelated effects: phi holds their standard deviations over sigma, or one for all of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mixedsparse.core.structures.interface import Natural, Parameter

__all__ = ["Diagonal"]


@dataclass(frozen=True, slots=True)
class Diagonal:
    """Variances of `k` effects without correlations, all equal if `hom`; see `interface.Structure`."""

    k: int
    hom: bool = False

    @property
    def size(self) -> int:
        """Number of standard deviations."""
        return 1 if self.hom else self.k

    @property
    def label(self) -> str:
        """Return ``"diag"`` or ``"homdiag"``."""
        return "homdiag" if self.hom else "diag"

    def parameters(self) -> tuple[Parameter, ...]:
        """Return the standard deviations."""
        if self.hom:
            return (Parameter("sd", "scale", 0.0, np.inf),)
        return tuple(Parameter(f"sd[{i}]", "scale", 0.0, np.inf, i) for i in range(self.k))

    def factor(self, phi: np.ndarray) -> np.ndarray:
        """Diagonal matrix of phi."""
        return np.diag(np.broadcast_to(phi, self.k))

    def slopes(self, phi: np.ndarray) -> np.ndarray:
        """2 phi_i at (i, i)."""
        own = np.eye(self.k)[:, :, None] * np.eye(self.k)[:, None, :]
        return np.asarray(2.0 * phi[:, None, None] * (own.sum(axis=0, keepdims=True) if self.hom else own))

    def bend(self, phi: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """2 G_ii, a diagonal matrix."""
        return np.array([[2.0 * np.trace(scores)]]) if self.hom else np.diag(2.0 * np.diagonal(scores))

    def canonical(self, phi: np.ndarray) -> np.ndarray:
        """Phi not negative."""
        return np.abs(phi)

    def start(self, sigma: np.ndarray) -> np.ndarray:
        """Roots of the diagonal, or of its mean."""
        variances = np.diagonal(sigma)
        return np.sqrt(variances.mean(keepdims=True) if self.hom else variances)

    def natural(self, phi: np.ndarray) -> tuple[Natural, ...]:
        """Return the standard deviations."""
        unit = np.eye(self.size)
        return tuple(Natural("sd", () if self.hom else (i,), float(phi[i]), unit[i]) for i in range(self.size))

    def read(self, sigma: np.ndarray) -> np.ndarray:
        """Roots of the diagonal, or of its mean."""
        return self.start(sigma)
