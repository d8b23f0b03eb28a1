"""A trust-region step that ends where coordinates have an end at which the criterion need not be stationary.

Source: the active sets of Nocedal & Wright (2006), Numerical Optimization, section 16.7, for the few coordinates that
there are: those at their end that would leave their range stay there, others go as far as their end.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np

from mixedsparse.core.newton.boundary import ZERO, Coordinates
from mixedsparse.core.newton.trust import Step, trust_step

__all__ = ["BoundedCoordinates", "bounded_step", "relative_bounded_step", "with_boundaries"]

# Share of the fall over the free step that a cut one must keep; else the whole step is shortened.
_KEPT = 0.1


class BoundedCoordinates(Coordinates, Protocol):
    """What a search asks of coordinates some of which have such an end."""

    @property
    def ends(self) -> np.ndarray:
        """Mask of those that have one."""
        ...

    def room(self, theta: np.ndarray) -> np.ndarray:
        """Distance of each from its end; infinite where there is none."""
        ...

    def settled(self, theta: np.ndarray, tolerance: float) -> np.ndarray | None:
        """Those on their boundary that are within `tolerance` of it put there; None where none is."""
        ...


def relative_bounded_step(
    layout: BoundedCoordinates, theta: np.ndarray, gradient: np.ndarray, hessian: np.ndarray, radius: float
) -> Step:
    """See `mixedsparse.core.newton.boundary.relative_step`."""
    scale = np.maximum(1.0, layout.row_norms(theta))
    if not layout.ends.any():
        return trust_step(gradient, hessian, radius, scale)
    return bounded_step(gradient, hessian, radius, scale, layout.room(theta), ZERO)


def with_boundaries(layout: BoundedCoordinates, theta: np.ndarray) -> np.ndarray | None:
    """See `mixedsparse.core.newton.boundary.with_zeros`."""
    return layout.settled(theta, ZERO)


def bounded_step(
    gradient: np.ndarray, hessian: np.ndarray, radius: float, scale: np.ndarray, room: np.ndarray, at_end: float
) -> Step:
    """Minimise g's + s'Hs / 2 over |s / scale| <= radius and s >= -room.

    Parameters
    ----------
    gradient, hessian, radius, scale
        See `trust_step`.
    room : ndarray, shape (m,)
        Distance of each coordinate from its lower end; infinite where there is none.
    at_end : float
        Room that counts as none.
    """
    none_left = room <= at_end
    held = none_left & (gradient > 0.0)
    while True:
        step = _free_step(gradient, hessian, radius, scale, held)
        out = none_left & ~held & (step.move < 0.0)
        if not out.any():
            break
        held |= out
    crossing = step.move < -room
    if not crossing.any():
        return step
    cut = np.maximum(step.move, -room)
    fall = -float(gradient @ cut + 0.5 * cut @ hessian @ cut)
    if fall < _KEPT * step.predicted:
        cut = step.move * float((room[crossing] / -step.move[crossing]).min())
        fall = -float(gradient @ cut + 0.5 * cut @ hessian @ cut)
    return replace(step, move=cut, length=float(np.linalg.norm(cut / scale)), predicted=max(fall, 0.0))


def _free_step(gradient: np.ndarray, hessian: np.ndarray, radius: float, scale: np.ndarray, held: np.ndarray) -> Step:
    """Step of the coordinates that are not held."""
    if not held.any():
        return trust_step(gradient, hessian, radius, scale)
    free = np.flatnonzero(~held)
    move = np.zeros(len(gradient))
    if not len(free):
        return Step(move, 0.0, 0.0, False, 0.0, 0.0)
    step = trust_step(gradient[free], hessian[np.ix_(free, free)], radius, scale[free])
    move[free] = step.move
    return replace(step, move=move)
