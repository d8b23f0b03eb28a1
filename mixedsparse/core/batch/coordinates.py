"""Charts: coordinates of the parameter space in which one chosen parameter is a coordinate (see `joint`)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.linalg import solve_triangular

from mixedsparse.core.problem.problem import Problem

__all__ = ["ProfileChart", "coefficient_chart", "correlation_chart", "deviation_chart", "plain_chart", "sigma_chart"]

_NO_ANGLE = (-1, -1, -1)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ProfileChart:
    """Coordinates x (m + 2) of one `problem`, with the parameter of interest at `position`.

    Attributes
    ----------
    position : int
        Coordinate of the parameter; -1 for a coefficient, -2 for sigma.
    kind : {"linear", "log", "sine"}
        Parameter = centre + scale x, scale exp(x), or sin(x).
    floor : float
        Least value of the coordinate: 0 for a standard deviation.
    row, shift : ndarray (p,), float
        Condition row'gamma = shift + x[-1]; zeros where no coefficient is held.
    turned : dict term -> ndarray (k, k)
        Orthogonal matrix from the chart's order of the effects to the whitened basis of the layout.
    angle : tuple of int
        Entries W_11, W_21 and W_22 where W_21 gives way to an angle and W_22 to a radius; -1 otherwise.
    slope : float
        W_21 = slope W_11 where the correlation is 0.
    """

    problem: Problem = field(repr=False)
    position: int
    kind: str = "linear"
    scale: float = 1.0
    centre: float = 0.0
    floor: float = -math.inf
    row: np.ndarray
    shift: float = 0.0
    turned: dict[int, np.ndarray] = field(default_factory=dict)
    angle: tuple[int, int, int] = _NO_ANGLE
    slope: float = 0.0

    def rotation(self, term: int) -> np.ndarray:
        """Orthogonal matrix of one term."""
        return self.turned.get(term, np.eye(len(self.problem.layout.whiten[term])))

    def value(self, coordinate: np.ndarray) -> np.ndarray:
        """Parameter in the user's units from its coordinate."""
        if self.kind == "sine":
            return np.sin(coordinate)
        return self.scale * np.exp(coordinate) if self.kind == "log" else self.centre + self.scale * coordinate

    def rate(self, coordinate: np.ndarray) -> np.ndarray:
        """Differentiate `value`."""
        if self.kind == "sine":
            return np.cos(coordinate)
        return self.value(coordinate) if self.kind == "log" else np.full(np.shape(coordinate), self.scale)

    def lower(self) -> np.ndarray:
        """Least values of all coordinates (m + 2): an angle gives the sign of W_11 and of the radius a meaning."""
        out = np.full(self.problem.n_theta + 2, -np.inf)
        if self.angle != _NO_ANGLE:
            out[[self.angle[0], self.angle[2]]] = 0.0
        return out

    def coordinates(self, templates: Sequence[np.ndarray], log_sigma: float = 0.0) -> np.ndarray:
        """X (m + 2) of the covariances L_t L_t' with L_t = `templates` in the user's basis, in units of sigma_0."""
        layout = self.problem.layout
        triangles = [
            _triangle(self.rotation(t).T @ whiten @ lam)
            for t, (whiten, lam) in enumerate(zip(layout.whiten, templates, strict=True))
        ]
        x = np.concatenate([self.problem.theta_layout.flatten(triangles), [log_sigma, 0.0]])
        if self.angle != _NO_ANGLE:
            first, angle, radius = self.angle
            across, along = x[angle] - self.slope * x[first], x[radius]
            x[angle], x[radius] = math.atan2(across, along), math.hypot(across, along)
        return x


def plain_chart(problem: Problem) -> ProfileChart:
    """Leave W and sigma free, the coefficients at their best: nothing is held."""
    return ProfileChart(problem=problem, position=-1, row=np.zeros(problem.p))


def sigma_chart(problem: Problem, unit: float) -> ProfileChart:
    """Make the log of sigma a coordinate."""
    return ProfileChart(problem=problem, position=-2, kind="log", scale=unit, row=np.zeros(problem.p))


def coefficient_chart(problem: Problem, which: int, estimate: float, error: float) -> ProfileChart:
    """Make coefficient `which` of the kept columns a coordinate, in standard errors from the estimate."""
    unit = np.zeros(problem.p)
    unit[which] = 1.0
    row = solve_triangular(problem.basis.root, unit, trans="T") / error
    shift = estimate / error - float(row @ problem.basis.shift)
    return ProfileChart(problem=problem, position=-1, scale=error, centre=estimate, row=row, shift=shift)


def deviation_chart(problem: Problem, term: int, effect: int, unit: float) -> ProfileChart:
    """Make the standard deviation of one effect a coordinate: W_11 with that effect first."""
    turned, whiten = _reordered(problem, term, [effect])
    return ProfileChart(
        problem=problem,
        position=_entry(problem, term, 0, 0),
        scale=unit / whiten[0, 0],
        floor=0.0,
        row=np.zeros(problem.p),
        turned={term: turned},
    )


def correlation_chart(problem: Problem, term: int, first: int, second: int) -> ProfileChart:
    """Make the correlation of two effects a coordinate: the sine of the angle of row 2 with those effects first."""
    turned, whiten = _reordered(problem, term, [first, second])
    angle = (_entry(problem, term, 0, 0), _entry(problem, term, 1, 0), _entry(problem, term, 1, 1))
    return ProfileChart(
        problem=problem,
        position=angle[1],
        kind="sine",
        floor=-0.5 * math.pi,
        row=np.zeros(problem.p),
        turned={term: turned},
        angle=angle,
        slope=whiten[1, 0] / whiten[0, 0],
    )


def _entry(problem: Problem, term: int, row: int, col: int) -> int:
    """Position in theta of an entry of one term's triangle."""
    layout = problem.theta_layout
    return int(np.flatnonzero((layout.term == term) & (layout.row == row) & (layout.col == col))[0])


def _reordered(problem: Problem, term: int, first: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Orthogonal matrix and whitening T_P of one term with the effects `first` in front.

    T'T = T_P'T_P up to the order of rows and columns, so that T M = O T_P with M the permutation.
    """
    whiten = problem.layout.whiten[term]
    order = first + [j for j in range(len(whiten)) if j not in first]
    moved = whiten[:, order]
    # T_P lower with T_P'T_P given is the Cholesky factor of the matrix in reversed order.
    root = _triangle((moved.T)[::-1])[::-1, ::-1].T
    return solve_triangular(root, moved.T, lower=True, trans="T").T, root


def _triangle(matrix: np.ndarray) -> np.ndarray:
    """Lower triangle L, diagonal not negative, with L L' = matrix matrix'."""
    root = np.asarray(np.linalg.qr(matrix.T, mode="r")).T
    return np.asarray(root * np.where(np.diagonal(root) < 0, -1.0, 1.0))
