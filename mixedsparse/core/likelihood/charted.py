"""The criterion in the coordinates of a chart: the parameters of structured covariances.

With J = ds / dtheta and A = ds / dx, s the entries of the covariances, theta moves with x by B = J^-1 A, which stays
bounded where J and A both vanish on the boundary. So

    gradient = B'g,    Hessian = B'(H - sum of g_i d^2 s_i / dtheta^2) B + sum of g_i d^2 s_i / dx^2

for gradient and Hessian g, H in theta, and g_i = the derivative in s_i. Average information is taken along A in the
first place, which is what its B'(...)B comes to, from as few working vectors as there are parameters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mixedsparse.core.likelihood.criterion import ThetaCriterion
from mixedsparse.core.likelihood.derivatives import Derivatives
from mixedsparse.core.likelihood.pls import Pls
from mixedsparse.core.problem.chart import Chart
from mixedsparse.core.structures.unstructured import Unstructured

__all__ = ["ChartedCriterion", "ChartedPoint"]

# Diagonal entries of Lambda are taken for at least this, where they are divided by.
_OFF_ZERO = 1e-8


@dataclass(frozen=True, slots=True, eq=False)
class ChartedPoint:
    """Coordinates x and the point of the criterion in theta."""

    x: np.ndarray
    theta: np.ndarray
    inner: Any

    @property
    def criterion(self) -> float:
        """See `Evaluated`."""
        return float(self.inner.criterion)

    @property
    def pwrss(self) -> float:
        """See `Evaluated`."""
        return float(self.inner.pwrss)


class ChartedCriterion:
    """The criterion `inner` of a problem as a function of the coordinates of its `chart`; see `Criterion`."""

    def __init__(self, inner: ThetaCriterion, chart: Chart) -> None:
        self.inner, self.chart = inner, chart

    def evaluate(self, x: np.ndarray) -> ChartedPoint:
        """See `Criterion.evaluate`."""
        theta = self.chart.regular_theta(x)
        return ChartedPoint(x, theta, self.inner.evaluate(theta))

    def differentiate(self, point: ChartedPoint, exact: bool) -> Derivatives:
        """See `Criterion.differentiate`."""
        moved = self.chart.slopes(point.x)
        along = self.inner.along(point.inner, exact, moved)
        found = self.inner.differentiate(point.inner, exact) if along is None else along
        curve = None if found.hessian is None or along is not None else found.hessian.copy()
        scores = []
        for mine, triangle, theta in self._triangles(point):
            row, col = triangle.places
            J = triangle.slopes(theta)[:, row, col].T
            moved[mine] = np.linalg.solve(J, moved[mine])
            # G holds the derivative in an entry off the diagonal twice, half of it each time.
            score = np.zeros((triangle.k, triangle.k))
            score[row, col] = 0.5 * np.linalg.solve(J.T, found.gradient[mine])
            scores.append(score + score.T)
            if curve is not None:
                curve[mine, mine] -= triangle.bend(theta, scores[-1])
        gradient = moved.T @ found.gradient
        if found.hessian is None:
            return Derivatives(gradient, None)
        hessian = found.hessian if curve is None else moved.T @ curve @ moved
        hessian = hessian + self.chart.bend(point.x, scores)
        known = np.ones(hessian.shape, dtype=bool) if found.kind == "exact" else None
        return Derivatives(gradient, 0.5 * (hessian + hessian.T), found.kind, known)

    def _triangles(self, point: ChartedPoint) -> Iterator[tuple[slice, Unstructured, np.ndarray]]:
        """Place in theta of each term, its triangle and theta there, with a diagonal that can be divided by."""
        stop = 0
        for k in self.chart.problem.theta_layout.widths:
            triangle = Unstructured(k)
            mine = slice(stop, stop + triangle.size)
            stop = mine.stop
            lam = triangle.factor(point.theta[mine])
            index = np.flatnonzero(np.abs(np.diagonal(lam)) < _OFF_ZERO)
            lam[index, index] = _OFF_ZERO
            yield mine, triangle, triangle.entries(lam)

    def gradient(self, point: ChartedPoint) -> np.ndarray:
        """See `Criterion.gradient`."""
        return self.differentiate(point, exact=False).gradient

    def pls(self, point: ChartedPoint) -> Pls:
        """See `Criterion.pls`."""
        return self.inner.pls(point.inner)

    def noise(self, point: ChartedPoint) -> float:
        """See `Criterion.noise`."""
        return self.inner.noise(point.inner)

    def needs_digits(self, point: ChartedPoint) -> bool:
        """See `Criterion.needs_digits`."""
        return self.inner.needs_digits(point.inner)
