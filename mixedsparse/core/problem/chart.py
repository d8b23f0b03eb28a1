"""Coordinates of the search where terms have structured covariances: their parameters phi in place of theta.

Coordinate x_i is phi_i, times the root mean square of its effect's column where it is a scale, so that a step means the
same whatever the units are. A problem whose terms are all unstructured has no chart: theta itself is searched.

Boundaries at which the criterion is stationary, scales of 0 and the ends of shapes, are kept away from by a little, as
in `mixedsparse.core.newton.boundary`, and put in place at the end of a search. A scale that is not even ends at 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mixedsparse.core.problem.problem import Problem
from mixedsparse.core.structures.interface import Parameter, Structure
from mixedsparse.core.structures.unstructured import Unstructured
from mixedsparse.ground.errors import BackendError

__all__ = ["Chart", "chart_of", "refuse_structures"]

# Distance kept from the ends of a shape.
_OFF_END = 1e-7
# Pivot of Lambda, in whitened bases, in place of one that a structure leaves at 0.
_OFF_SINGULAR = 1e-7
# Share of the largest move of the covariances below which a coordinate, one on its boundary, does not move them.
_STILL = 1e-10
# Step that shows which way a shape is turned.
_TURN = 1e-6


def chart_of(problem: Problem) -> Chart | None:
    """Chart of a problem, None where all of its terms are unstructured."""
    return Chart(problem) if problem.is_structured else None


def refuse_structures(problem: Problem, what: str) -> None:
    """Refuse a problem with structured terms for `what`, which knows triangles only.

    Raises
    ------
    BackendError
    """
    if problem.is_structured:
        raise BackendError(f"{what} take unstructured covariances only: fit structured ones by method='direct'.")


class Chart:
    """Coordinates x (size,) of all terms, in theta order; it answers what a search asks of a `BlockLayout`.

    Attributes
    ----------
    is_diagonal : ndarray of bool, shape (size,)
        Coordinates with a boundary at 0.
    ends : ndarray of bool, shape (size,)
        Those of them at whose boundary the criterion need not be stationary.
    is_shape : ndarray of bool, shape (size,)
        Those without units.
    low, high : ndarray, shape (size,)
        Between which canonical ones lie.
    needs_exact : bool
        Whether some structure needs exact second derivatives from the first step on.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.structures: list[Structure] = [
            Unstructured(term.k) if term.structure is None else term.structure for term in problem.terms
        ]
        stops = np.cumsum([structure.size for structure in self.structures]).tolist()
        self.places = [slice(i, j) for i, j in zip([0, *stops], stops, strict=False)]
        self.size = stops[-1]
        owned = [(t, p) for t, structure in enumerate(self.structures) for p in structure.parameters()]
        self.units = np.array([_unit(problem.layout.whiten[t], p) for t, p in owned])
        self.is_diagonal = np.array([p.kind == "scale" and p.low == 0.0 for _, p in owned])
        self.ends = self.is_diagonal & np.array([not p.even for _, p in owned])
        self.low, self.high = (np.array([getattr(p, end) for _, p in owned]) for end in ("low", "high"))
        self.needs_exact = any(getattr(structure, "needs_exact", False) for structure in self.structures)
        # Scales of one effect share a number, shapes have the last one.
        keys = [(t, p.effect) if p.kind == "scale" else None for t, p in owned]
        numbers = {key: i for i, key in enumerate(dict.fromkeys(key for key in keys if key is not None))}
        self._effect = np.array([len(numbers) if key is None else numbers[key] for key in keys])
        self.is_shape = np.array([p.kind == "shape" for _, p in owned])

    def phi(self, x: np.ndarray) -> list[np.ndarray]:
        """Parameters of each term."""
        values = x / self.units
        return [values[place] for place in self.places]

    def x_of(self, phi: Sequence[np.ndarray]) -> np.ndarray:
        """Coordinates of the parameters of each term."""
        return np.concatenate(phi) * self.units

    def theta(self, x: np.ndarray) -> np.ndarray:
        """Theta (m,) of the whitened bases."""
        templates = [structure.factor(phi) for structure, phi in zip(self.structures, self.phi(x), strict=True)]
        return np.asarray(self.problem.layout.to_block @ self.problem.theta_layout.flatten(templates))

    def regular_theta(self, x: np.ndarray) -> np.ndarray:
        """Theta (m,) a little away from where a structure leaves Lambda singular: derivatives divide by its pivots."""
        theta = self.theta(x)
        if not self.needs_exact:
            return theta
        empty = self.problem.layout.is_diagonal & (theta == 0.0)
        return np.where(empty, _OFF_SINGULAR, theta)

    def coordinates(self, theta: np.ndarray) -> np.ndarray:
        """Coordinates whose covariances are near those of theta (m,) of the whitened bases."""
        templates = self.problem.theta_layout.templates(self.problem.from_block @ theta)
        pairs = zip(self.structures, templates, strict=True)
        return np.concatenate([structure.start(lam @ lam.T) for structure, lam in pairs]) * self.units

    def slopes(self, x: np.ndarray) -> np.ndarray:
        """Ds / dx, (m, size), s being the entries of the covariances of the whitened bases."""
        layout, terms = self.problem.layout, self.problem.theta_layout
        out = np.zeros((terms.size, self.size))
        for t, (structure, phi, place) in enumerate(zip(self.structures, self.phi(x), self.places, strict=True)):
            mine = np.flatnonzero(terms.term == t)
            whitened = layout.whiten[t] @ structure.slopes(phi) @ layout.whiten[t].T
            out[mine, place] = whitened[:, terms.row[mine], terms.col[mine]].T
        return out / self.units

    def bend(self, x: np.ndarray, scores: Sequence[np.ndarray]) -> np.ndarray:
        """Sum over i of g_i d^2 s_i / dx^2, (size, size), for the derivatives G (k, k) of each term in its Sigma."""
        out = np.zeros((self.size, self.size))
        pieces = zip(self.structures, self.phi(x), self.places, scores, self.problem.layout.whiten, strict=True)
        for structure, phi, place, score, whiten in pieces:
            out[place, place] = structure.bend(phi, whiten.T @ score @ whiten)
        return np.asarray(out / self.units / self.units[:, None])

    def canonical(self, x: np.ndarray) -> np.ndarray:
        """Coordinates of the same covariances as they are reported."""
        pairs = zip(self.structures, self.phi(x), strict=True)
        return np.concatenate([structure.canonical(phi) for structure, phi in pairs]) * self.units

    def positive(self, x: np.ndarray) -> np.ndarray:
        """Canonical coordinates, shapes a little away from their ends."""
        found = self.canonical(x)
        inside = np.clip(found, self.low + _OFF_END, self.high - _OFF_END)
        return np.where(self.is_shape, inside, found)

    def settled(self, x: np.ndarray, tolerance: float) -> np.ndarray | None:
        """Coordinates with those on their boundary that are within `tolerance` of it; None where none is."""
        low = (self.is_diagonal | self.is_shape) & (x - self.low < tolerance)
        high = self.is_shape & (self.high - x < tolerance)
        if not (low | high).any():
            return None
        return self.canonical(np.where(low, self.low, np.where(high, self.high, x)))

    def signs(self, x: np.ndarray) -> np.ndarray:
        """Return -1 (size,) for the coordinates that `positive` turns round, 1 for others."""
        found = self.canonical(x)
        turned = found * x < 0
        if self.is_shape.any():
            moved = self.canonical(x + np.where(self.is_shape, _TURN, 0.0)) < found
            turned = np.where(self.is_shape, moved, turned)
        return np.where(turned, -1.0, 1.0)

    def moving(self, x: np.ndarray) -> np.ndarray:
        """Mask (size,) of the coordinates that move the covariances and are not at the end of their range."""
        sizes = np.linalg.norm(self.slopes(x), axis=0)
        stopped = self.ends & (x == 0.0)
        return np.asarray((sizes > _STILL * sizes.max(initial=0.0)) & ~stopped)

    def room(self, x: np.ndarray) -> np.ndarray:
        """Distance (size,) from the ends at which the criterion need not be stationary; infinite for the others."""
        return np.where(self.ends, x, np.inf)

    def row_norms(self, x: np.ndarray) -> np.ndarray:
        """Return the size (size,) of the effect of each scale; 0 for shapes."""
        sizes = np.sqrt(np.bincount(self._effect, np.where(self.is_shape, 0.0, x**2)))
        return sizes[self._effect]


def _unit(whiten: np.ndarray, parameter: Parameter) -> float:
    """Root mean square of the column of an effect, or of all columns of a term; 1 for what has no units."""
    if parameter.kind == "shape":
        return 1.0
    # T'T = z'z / n.
    squares = np.square(whiten).sum(axis=0)
    return float(np.sqrt(squares.mean() if parameter.effect is None else squares[parameter.effect]))
