"""The criterion on an affine piece of the space of parameters: one parameter, or a few, held at values.

With parameters v = shift + directions x the criterion is a function of x, minimised by the same search.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mixedsparse.core.fitting.laplace.search import Found, search
from mixedsparse.core.likelihood.laplace.criterion import Curvature, LaplaceCriterion, Point
from mixedsparse.core.likelihood.laplace.data import Vectors
from mixedsparse.core.likelihood.laplace.mode import Mode

__all__ = ["Restricted", "minimise_within", "without_effects"]


class Restricted(LaplaceCriterion):
    """The criterion `whole` at shift + directions x, x (r,); `rest` is where searches of the mode begin."""

    def __init__(
        self, whole: LaplaceCriterion, directions: np.ndarray, shift: np.ndarray, rest: Vectors | None = None
    ) -> None:
        self.whole, self.directions, self.shift, self.rest = whole, directions, shift, rest
        self.data = whole.data
        # No coordinate is an entry of Lambda by itself.
        nothing = np.empty(0, dtype=int)
        self.layout = replace(whole.layout, block=nothing, row=nothing, col=nothing, to_block=np.empty((0, 0)))
        self.m, self.p, self.size = 0, 0, directions.shape[1]

    def at_rest(self) -> Vectors:
        """Return the mode to start from."""
        return self.whole.at_rest() if self.rest is None else self.rest

    def evaluate(self, vector: np.ndarray, *starts: Vectors, near: Mode | None = None) -> Point:
        """Criterion at the coordinates `vector`; see `LaplaceCriterion.evaluate`."""
        point = self.whole.evaluate(self.shift + self.directions @ vector, *starts, near=near)
        return replace(point, vector=vector)

    def gradient_near(self, point: Point, vector: np.ndarray, zeta: Vectors) -> np.ndarray:
        """Exact gradient (r,) close to `point`; see `LaplaceCriterion.gradient_near`."""
        found = self.whole.gradient_near(point, self.shift + self.directions @ vector, zeta)
        return np.asarray(self.directions.T @ found)

    def gradient(self, point: Point) -> np.ndarray:
        """Exact gradient (r,)."""
        return np.asarray(self.directions.T @ self.whole.gradient(point))

    def differentiate(self, point: Point) -> Curvature:
        """Gradient, curvature and motion of the mode in the coordinates."""
        found, to = self.whole.differentiate(point), self.directions
        motion = [own @ to for own in found.motion]
        return Curvature(to.T @ found.gradient, to.T @ found.hessian @ to, found.information, motion)


def minimise_within(piece: Restricted, start: np.ndarray) -> tuple[Point, bool, int]:
    """Minimise from the coordinates `start`: the point, whether it is a minimum, and the evaluations."""
    if not piece.size:
        return piece.evaluate(np.empty(0), piece.at_rest()), True, 1
    found: Found = search(piece, start, watch=False)
    return found.point, found.converged, found.nfev


def without_effects(whole: LaplaceCriterion, gamma: np.ndarray, psi: np.ndarray) -> tuple[float, bool]:
    """Least criterion with no random effects at all, searched from gamma (p,) and psi (1,) or (0,)."""
    start = np.concatenate([gamma, psi])
    directions = np.eye(whole.size)[:, whole.m :]
    point, minimal, _ = minimise_within(Restricted(whole, directions, np.zeros(whole.size)), start)
    return point.criterion, minimal
