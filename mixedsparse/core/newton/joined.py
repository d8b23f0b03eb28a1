"""Coordinates of a search in the parameters of the random effects and of the residual covariance together."""

from __future__ import annotations

import numpy as np

from mixedsparse.core.newton.boundary import Coordinates
from mixedsparse.core.newton.bounded import BoundedCoordinates

__all__ = ["JoinedBounded", "JoinedCoordinates"]


class JoinedCoordinates:
    """Coordinates of the random effects, and then `size` residual parameters without bounds; see `Coordinates`."""

    def __init__(self, inner: Coordinates, count: int, size: int) -> None:
        self.inner, self.count, self.size = inner, count, size
        self.is_diagonal = np.append(inner.is_diagonal, np.zeros(size, dtype=bool))

    def _with(self, own: np.ndarray, x: np.ndarray) -> np.ndarray:
        return np.concatenate([own, x[self.count :]])

    def positive(self, x: np.ndarray) -> np.ndarray:
        """See `Coordinates.positive`."""
        return self._with(self.inner.positive(x[: self.count]), x)

    def signs(self, x: np.ndarray) -> np.ndarray:
        """See `Coordinates.signs`."""
        return self._with(self.inner.signs(x[: self.count]), np.ones(len(x)))

    def row_norms(self, x: np.ndarray) -> np.ndarray:
        """See `Coordinates.row_norms`."""
        return self._with(self.inner.row_norms(x[: self.count]), np.zeros(len(x)))

    def canonical(self, x: np.ndarray) -> np.ndarray:
        """See `Coordinates.canonical`."""
        return self._with(self.inner.canonical(x[: self.count]), x)


class JoinedBounded(JoinedCoordinates):
    """The same where some coordinates of the random effects have ends; see `BoundedCoordinates`."""

    def __init__(self, inner: BoundedCoordinates, count: int, size: int) -> None:
        super().__init__(inner, count, size)
        self.bounded = inner
        self.ends = np.append(inner.ends, np.zeros(size, dtype=bool))

    def room(self, x: np.ndarray) -> np.ndarray:
        """See `BoundedCoordinates.room`."""
        return self._with(self.bounded.room(x[: self.count]), np.full(len(x), np.inf))

    def settled(self, x: np.ndarray, tolerance: float) -> np.ndarray | None:
        """See `BoundedCoordinates.settled`."""
        found = self.bounded.settled(x[: self.count], tolerance)
        return None if found is None else self._with(found, x)
