"""Covariances of reduced rank: a few latent dimensions, on which every effect has its loading."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mixedsparse.core.structures.interface import Natural, Parameter
from mixedsparse.core.structures.triangles import triangle_of
from mixedsparse.core.structures.unstructured import semidefinite_root

__all__ = ["ReducedRank"]


@dataclass(frozen=True, slots=True)
class ReducedRank:
    """Sigma = L L' with loadings L (k, d), a lower trapezoid; see `interface.Structure`.

    The trapezoid settles how the dimensions are turned: effect j has no loading on dimensions after j. Sigma is
    singular everywhere, which is no boundary.

    Attributes
    ----------
    k : int
    rank : int
        Number of dimensions d, at most k.
    """

    k: int
    rank: int

    @property
    def size(self) -> int:
        """Number of loadings."""
        return self.k * self.rank - self.rank * (self.rank - 1) // 2

    @property
    def label(self) -> str:
        """Return ``"rr"``."""
        return "rr"

    @property
    def needs_exact(self) -> bool:
        """Average information leads astray where Sigma is singular."""
        return True

    def parameters(self) -> tuple[Parameter, ...]:
        """Return the loadings, dimension by dimension."""
        rows, columns = self._places
        return tuple(
            Parameter(f"loading[{i}, {j}]", "scale", -np.inf, np.inf, int(i))
            for i, j in zip(rows, columns, strict=True)
        )

    def factor(self, phi: np.ndarray) -> np.ndarray:
        """Put the loadings before columns of zeros."""
        lam = np.zeros((self.k, self.k))
        lam[self._places] = phi
        return lam

    def slopes(self, phi: np.ndarray) -> np.ndarray:
        """E_ij L' + L E_ji for the loading (i, j)."""
        rows, columns = self._places
        half = np.zeros((self.size, self.k, self.k))
        half[np.arange(self.size), rows] = self.factor(phi).T[columns]
        return half + half.swapaxes(1, 2)

    def bend(self, phi: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """2 G_ii' between loadings (i, j) and (i', j) on one dimension."""
        rows, columns = self._places
        return np.asarray(2.0 * scores[rows[:, None], rows] * (columns[:, None] == columns))

    def canonical(self, phi: np.ndarray) -> np.ndarray:
        """Turn dimensions whose first loading is negative."""
        lam = self.factor(phi)
        return self._loadings(lam * np.where(np.diagonal(lam) < 0, -1.0, 1.0))

    def start(self, sigma: np.ndarray) -> np.ndarray:
        """Load the largest principal components of the correlations."""
        sd = np.sqrt(np.diagonal(sigma))
        scale = np.where(sd > 0, sd, 1.0)
        values, vectors = np.linalg.eigh(sigma / np.outer(scale, scale))
        root = vectors[:, -self.rank :] * np.sqrt(np.maximum(values[-self.rank :], 0.0))
        return self._loadings(triangle_of(scale[:, None] * root))

    def natural(self, phi: np.ndarray) -> tuple[Natural, ...]:
        """Return the loadings."""
        unit = np.eye(self.size)
        places = enumerate(zip(*self._places, strict=True))
        return tuple(Natural("loading", (int(i),), float(phi[at]), unit[at], int(j) + 1) for at, (i, j) in places)

    def read(self, sigma: np.ndarray) -> np.ndarray:
        """Trapezoid of the covariance."""
        return self._loadings(semidefinite_root(sigma))

    def _loadings(self, lam: np.ndarray) -> np.ndarray:
        """Phi of a triangle (k, k)."""
        return np.asarray(lam[self._places])

    @property
    def _places(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of the loadings."""
        columns, rows = np.triu_indices(self.k)
        inside = columns < self.rank
        return rows[inside], columns[inside]
