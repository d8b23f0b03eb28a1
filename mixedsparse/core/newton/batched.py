"""Newton's method on many small problems at once, some coordinates held, others bounded below.

Every problem has its own trust region. The step is -|H|^-1 g, |H| with the absolute eigenvalues of H (Dauphin et al.
2014, "saddle-free Newton"), cut to the radius: the exact step of `trust_step` takes a search for its multiplier,
problem by problem. `control` says which steps are taken, how radii change and when a search is over. A coordinate on
its bound is held while the gradient pushes it outwards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, Self, TypeVar

import numpy as np

from mixedsparse.core.newton.control import FIRST_RADIUS, ends, judge

__all__ = ["Points", "Solved", "minimise"]


class Points(Protocol):
    """The criterion at B points."""

    @property
    def value(self) -> np.ndarray:
        """Criterion, (B,)."""
        ...

    @property
    def gradient(self) -> np.ndarray:
        """Gradient, (B, d)."""
        ...

    @property
    def hessian(self) -> np.ndarray:
        """Hessian, (B, d, d)."""
        ...

    @property
    def finite(self) -> np.ndarray:
        """Mask (B,): whether value and derivatives are all finite."""
        ...

    def take(self, index: np.ndarray) -> Self:
        """Return the points `index`."""
        ...

    def put(self, index: np.ndarray, new: Self) -> None:
        """Write `new` over the points `index`."""
        ...


P = TypeVar("P", bound=Points)

# Fall of the criterion that the model promises below which a problem is done.
_TOLERANCE = 1e-10
# Rounding noise of the criterion, relative.
_NOISE = 5e-15
_SMALLEST_RADIUS = 1e-8
# Eigenvalues within this share of the largest count as zero.
_FLAT = 1e-9
# Share of the radius that a direction of negative curvature is followed at least.
_LEAVE_SADDLE = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Solved(Generic[P]):
    """Where B searches ended.

    Attributes
    ----------
    x : ndarray, shape (B, d)
    point : Points
        The criterion there.
    converged : ndarray of bool, shape (B,)
    move : ndarray, shape (B, d)
        The next step of those that converged, shorter than it is worth to look where it leads.
    """

    x: np.ndarray
    point: P
    converged: np.ndarray
    move: np.ndarray

    def take(self, index: np.ndarray) -> Solved[P]:
        """Return the searches `index`."""
        return Solved(self.x[index], self.point.take(index), self.converged[index], self.move[index])


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """Steps of B searches.

    Attributes
    ----------
    move : ndarray, shape (B, d)
    promised : ndarray, shape (B,)
        Fall of the quadratic model.
    left : ndarray, shape (B,)
        What there is to gain: more than is promised where a bound cuts the step, or where it leads out of a saddle.
    enough : ndarray, shape (B,)
        Fall that is not worth a step.
    limited : ndarray of bool, shape (B,)
        Whether the radius cut it.
    """

    move: np.ndarray
    promised: np.ndarray
    left: np.ndarray
    enough: np.ndarray
    limited: np.ndarray

    def take(self, which: np.ndarray) -> _Step:
        """Return the steps of the searches `which`."""
        return _Step(self.move[which], self.promised[which], self.left[which], self.enough[which], self.limited[which])


def minimise(
    criterion: Callable[[np.ndarray, np.ndarray], P],
    x: np.ndarray,
    held: np.ndarray,
    lower: np.ndarray,
    max_iterations: int = 60,
    tolerance: float = _TOLERANCE,
    give_up: Callable[[np.ndarray, P, np.ndarray], np.ndarray] | None = None,
) -> Solved[P]:
    """Minimise B problems from x (B, d) over the coordinates that are not `held` (B, d), x >= lower (B, d).

    Parameters
    ----------
    criterion : callable
        ``criterion(x, index)`` evaluates the problems `index` at their x; a point that is not finite is refused.
    max_iterations : int
        After which a problem is left as it is, not converged.
    tolerance : float
        Fall of the criterion that the model promises below which a problem is done.
    give_up : callable, optional
        ``give_up(x, point, index)`` says which of the problems `index`, that came to x, are not worth going on with.
    """
    x = np.maximum(x, lower)
    count = len(x)
    point = criterion(x, np.arange(count))
    converged = np.zeros(count, dtype=bool)
    radius, move = np.full(count, FIRST_RADIUS), np.zeros_like(x)
    active = np.flatnonzero(point.finite)
    for _ in range(max_iterations):
        here = point.take(active)
        step = _propose(x[active], here, held[active], lower[active], radius[active], tolerance)
        stuck, near = ends(step.left, step.enough, step.limited, radius[active], _SMALLEST_RADIUS)
        converged[active[near]] = True
        move[active[near]] = step.move[near]
        going = ~(stuck | near)
        active, here, step = active[going], here.take(going), step.take(going)
        if not len(active):
            break
        trial = x[active] + step.move
        there = criterion(trial, active)
        gain = np.where(there.finite, here.value - there.value, -np.inf)
        noise, length = _NOISE * np.abs(here.value), np.linalg.norm(step.move, axis=1)
        taken, radius[active] = judge(gain, step.promised, noise, length, step.limited, radius[active])
        x[active[taken]] = trial[taken]
        point.put(active[taken], there.take(taken))
        if give_up is not None:
            active = active[~give_up(x[active], point.take(active), active)]
    return Solved(x, point, converged, move)


def _propose(
    x: np.ndarray, point: Points, held: np.ndarray, lower: np.ndarray, radius: np.ndarray, tolerance: float
) -> _Step:
    """Step within the radius and the bounds, and what the quadratic model says of it."""
    fixed = held | ((x <= lower) & (point.gradient >= 0))
    gradient = np.where(fixed, 0.0, point.gradient)
    free = ~fixed[:, :, None] & ~fixed[:, None, :]
    hessian = np.where(free, point.hessian, 0.0)
    values, vectors = np.linalg.eigh(hessian)
    along = (gradient[:, None, :] @ vectors)[:, 0]
    size = np.abs(values)
    floor = _FLAT * size.max(axis=1, keepdims=True) + 1e-300
    newton = np.where(size > floor, -along / np.maximum(size, floor), 0.0)
    negative = values < -1e3 * floor
    least = _LEAVE_SADDLE * radius[:, None]
    newton = np.where(negative & (np.abs(newton) < least), np.where(along > 0, -least, least), newton)
    # Squares of what is near the largest number there is would overflow.
    unit = np.maximum(np.abs(newton).max(axis=1, initial=0.0), 1.0)
    length = unit * np.linalg.norm(newton / unit[:, None], axis=1)
    limited = length > radius
    newton *= np.where(limited, radius / np.maximum(length, 1e-300), 1.0)[:, None]
    move = (vectors @ newton[..., None])[..., 0]
    inside = np.maximum(x + move, lower) - x
    move = np.where(fixed, 0.0, inside)
    change = (gradient * move).sum(axis=1) + 0.5 * (move * (hessian @ move[..., None])[..., 0]).sum(axis=1)
    # A step that a bound cut may promise nothing although the point is not stationary: a shorter one will.
    left = np.maximum(-change, 0.25 * np.abs(along * newton).sum(axis=1))
    left[negative.any(axis=1)] = np.inf
    enough = np.maximum(tolerance, _NOISE * np.abs(point.value))
    return _Step(move, np.maximum(-change, 0.0), left, enough, limited)
