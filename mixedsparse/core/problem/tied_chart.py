"""A chart with fewer coordinates than parameters: some are common to several terms, others are held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mixedsparse.core.problem.chart import Chart
from mixedsparse.core.problem.problem import Problem

__all__ = ["TiedChart"]


class TiedChart(Chart):
    """Coordinates x of `problem`, of which parameter i of all terms, in theta order, takes number ``shared[i]``.

    Parameters that are `held` at a value, by their positions, take the number -1. The coordinates y of a plain chart
    are y = B x + c: parameters of one number are equal in the user's units.
    """

    def __init__(self, problem: Problem, shared: np.ndarray, held: Mapping[int, float] | None = None) -> None:
        super().__init__(problem)
        self.plain = Chart(problem)
        numbers, first = np.unique(shared, return_index=True)
        self.first = first[numbers >= 0]
        self.size = len(self.first)
        for name in ("units", "is_diagonal", "ends", "low", "high", "_effect", "is_shape"):
            setattr(self, name, getattr(self, name)[self.first])
        self.B, self.c = np.zeros((len(shared), self.size)), np.zeros(len(shared))
        for i, number in enumerate(shared):
            if number >= 0:
                self.B[i, number] = self.plain.units[i] / self.units[number]
        for i, value in (held or {}).items():
            self.c[i] = value * self.plain.units[i]

    def _all(self, x: np.ndarray) -> np.ndarray:
        """Coordinates of the plain chart."""
        return self.B @ x + self.c

    def phi(self, x: np.ndarray) -> list[np.ndarray]:
        """See `Chart.phi`."""
        return self.plain.phi(self._all(x))

    def x_of(self, phi: Sequence[np.ndarray]) -> np.ndarray:
        """See `Chart.x_of`."""
        return self.plain.x_of(phi)[self.first]

    def coordinates(self, theta: np.ndarray) -> np.ndarray:
        """See `Chart.coordinates`; those that come nearest."""
        return np.asarray(np.linalg.lstsq(self.B, self.plain.coordinates(theta) - self.c, rcond=None)[0])

    def slopes(self, x: np.ndarray) -> np.ndarray:
        """See `Chart.slopes`."""
        return self.plain.slopes(self._all(x)) @ self.B

    def bend(self, x: np.ndarray, scores: Sequence[np.ndarray]) -> np.ndarray:
        """See `Chart.bend`."""
        return self.B.T @ self.plain.bend(self._all(x), scores) @ self.B

    def canonical(self, x: np.ndarray) -> np.ndarray:
        """See `Chart.canonical`."""
        return self.plain.canonical(self._all(x))[self.first]
