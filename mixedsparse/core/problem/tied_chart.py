"""A chart in which parameters of several terms are one coordinate: terms of a common variance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mixedsparse.core.problem.chart import Chart
from mixedsparse.core.problem.problem import Problem

__all__ = ["TiedChart"]


class TiedChart(Chart):
    """Coordinates x of `problem`, of which parameter i of all terms, in theta order, takes number ``shared[i]``.

    The coordinates y of a plain chart are y = B x: parameters of one number are equal in the user's units.
    """

    def __init__(self, problem: Problem, shared: np.ndarray) -> None:
        super().__init__(problem)
        self.plain = Chart(problem)
        self.first = np.unique(shared, return_index=True)[1]
        self.size = len(self.first)
        for name in ("units", "is_diagonal", "ends", "low", "high", "_effect", "is_shape"):
            setattr(self, name, getattr(self, name)[self.first])
        self.B = np.zeros((len(shared), self.size))
        self.B[np.arange(len(shared)), shared] = self.plain.units / self.units[shared]

    def phi(self, x: np.ndarray) -> list[np.ndarray]:
        """See `Chart.phi`."""
        return self.plain.phi(self.B @ x)

    def x_of(self, phi: Sequence[np.ndarray]) -> np.ndarray:
        """See `Chart.x_of`."""
        return self.plain.x_of(phi)[self.first]

    def coordinates(self, theta: np.ndarray) -> np.ndarray:
        """See `Chart.coordinates`; those that come nearest."""
        return np.asarray(np.linalg.lstsq(self.B, self.plain.coordinates(theta), rcond=None)[0])

    def slopes(self, x: np.ndarray) -> np.ndarray:
        """See `Chart.slopes`."""
        return self.plain.slopes(self.B @ x) @ self.B

    def bend(self, x: np.ndarray, scores: Sequence[np.ndarray]) -> np.ndarray:
        """See `Chart.bend`."""
        return self.B.T @ self.plain.bend(self.B @ x, scores) @ self.B

    def canonical(self, x: np.ndarray) -> np.ndarray:
        """See `Chart.canonical`."""
        return self.plain.canonical(self.B @ x)[self.first]
