"""Minimise F with one quantity held: sequential quadratic programming on the surface u(vector) = u.

Steps are Newton's in the directions that leave u alone to first order; what they move it by is put back along the
normal. The Hessian of the Lagrangian is average information and a correction, of differences of the gradient at the
optimum, that takes in what every step tells of it (symmetric rank one; Nocedal & Wright 2006, sections 6.2 and 18.3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mixedsparse.ground.errors import NotPositiveDefiniteError
from mixedsparse.inference.held.quantities import Held
from mixedsparse.inference.held.surface import Place, Surface

__all__ = ["Solved", "observed_correction", "search", "tangent"]

# Fall of F that a further step promises at the end.
_SMALL = 1e-10
# Fall that rounding may keep a step from, at an end that counts as one all the same.
_NEAR = 1e-7
_MOST_STEPS = 60
_MOST_HALVINGS = 14
# Longest step of a coordinate, in what curvature makes of a unit of F.
_LONGEST = 30.0
# Eigenvalues of the reduced Hessian, scaled, below which a direction counts as flat.
_FLAT = 1e-8
# Share of the promised fall that a step must keep.
_KEPT = 1e-4
# Step of differences over a standard error.
_STEP = 2e-3
# Share of a coordinate by which settling moves it at most if it does not turn it round.
_TURNED = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """The end of a search.

    Attributes
    ----------
    place : Place
    pull : float
        dF / du, F minimised over the rest.
    hessian : ndarray
        Of the Lagrangian.
    normal : ndarray
        du / dvector.
    correction : ndarray
        What is added to average information there.
    converged : bool
    """

    place: Place
    pull: float
    hessian: np.ndarray
    normal: np.ndarray
    correction: np.ndarray
    converged: bool


def observed_correction(surface: Surface, place: Place) -> np.ndarray:
    """Difference of the Hessian by central differences of the gradient, and of average information, at the optimum.

    Scales on their boundary keep what average information says.
    """
    vector = place.vector
    _, about = surface.differentiate(place)
    curvature = np.maximum(np.diagonal(about), 1e-8 * float(np.abs(np.diagonal(about)).max()))
    steps, rows = _STEP / np.sqrt(curvature), {}
    for i, step in enumerate(steps):
        move = np.zeros(len(vector))
        move[i] = step
        ends = [vector + move, vector - move]
        if not all(np.array_equal(surface.settled(end), end) for end in ends):
            continue
        high, low = (surface.differentiate(surface.evaluate(end))[0] for end in ends)
        rows[i] = (high - low) / (2.0 * step)
    out, inside = np.zeros_like(about), np.array(sorted(rows), dtype=np.intp)
    if len(inside):
        observed = np.array([rows[i] for i in inside])[:, inside]
        out[np.ix_(inside, inside)] = 0.5 * (observed + observed.T) - about[np.ix_(inside, inside)]
    return out


def search(held: Held, start: np.ndarray, u: float, correction: np.ndarray) -> Solved:
    """Minimise F at the coordinate `u`, from the vector `start`.

    Raises
    ------
    NotPositiveDefiniteError
        F cannot be evaluated at the start.
    """
    surface, u = held.surface, held.inside(u)
    place = surface.evaluate(_restored(held, surface.settled(start), u))
    before: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
    for _ in range(_MOST_STEPS):
        gradient, about = surface.differentiate(place)
        normal = held.slope(place.vector)
        if before is not None:
            correction = _learned(correction, about, place.vector, gradient, normal, before)
        hessian = about + correction
        move, fall, pull = _step(surface, place.vector, gradient, hessian, normal)
        if fall <= _SMALL:
            return Solved(place, pull, hessian, normal, correction, True)
        found = _line_search(held, place, move, fall, u)
        if found is None:
            return Solved(place, pull, hessian, normal, correction, fall <= _NEAR)
        before = (place.vector, gradient, normal)
        new, kept = found
        if not kept.all():
            correction, before = correction * np.outer(kept, kept), None
        place = new
    return Solved(place, pull, hessian, normal, correction, False)


def _line_search(held: Held, place: Place, move: np.ndarray, fall: float, u: float) -> tuple[Place, np.ndarray] | None:
    """First of ever shorter steps that lowers F; also the mask of the coordinates that were not turned round by it."""
    share = 1.0
    for _ in range(_MOST_HALVINGS):
        raw = place.vector + share * move
        settled = held.surface.settled(raw)
        try:
            new = held.surface.evaluate(_restored(held, settled, u))
        except NotPositiveDefiniteError:
            new = None
        if new is not None and new.value <= place.value - _KEPT * share * fall:
            return new, np.abs(settled - raw) <= _TURNED * (1.0 + np.abs(raw))
        share *= 0.4
    return None


def _restored(held: Held, vector: np.ndarray, u: float) -> np.ndarray:
    """Move the vector along the normal until its coordinate is `u`.

    Raises
    ------
    NotPositiveDefiniteError
        There is no such point nearby.
    """
    for _ in range(50):
        gap = u - held.coordinate(vector)
        if abs(gap) <= 1e-12 * (1.0 + abs(u)):
            return vector
        slope = held.slope(vector)
        length = float(slope @ slope)
        if not np.isfinite(length) or length <= 0.0:
            break
        vector = held.surface.settled(vector + slope * (gap / length))
    if abs(u - held.coordinate(vector)) <= 1e-8 * (1.0 + abs(u)):
        return vector
    raise NotPositiveDefiniteError("The parameter cannot be held at this value here.")


def _step(
    surface: Surface, vector: np.ndarray, gradient: np.ndarray, hessian: np.ndarray, normal: np.ndarray
) -> tuple[np.ndarray, float, float]:
    """Step in the directions that keep u, the fall of F that it promises, and dF / du."""
    scale = 1.0 / np.sqrt(np.maximum(np.abs(np.diagonal(hessian)), 1e-8 * np.abs(np.diagonal(hessian)).max()))
    a, g, H = normal * scale, gradient * scale, hessian * np.outer(scale, scale)
    free = np.ones(len(a), dtype=bool)
    while True:
        inside = a[free]
        pull = float(inside @ g[free]) / float(inside @ inside)
        slope = g - pull * a
        # Scales at an end at which F need not be stationary stay there if it rises.
        blocked = free & _at_ends(surface, vector) & (slope > 0.0)
        if not blocked.any() or not np.abs(a[free & ~blocked]).any():
            break
        free &= ~blocked
    basis = _null_space(a[free])
    values, vectors = np.linalg.eigh(basis.T @ H[np.ix_(free, free)] @ basis)
    along = vectors.T @ (basis.T @ slope[free])
    size = np.maximum(np.abs(values), _FLAT * np.abs(values).max(initial=1.0))
    inner = -along / size
    length = float(np.linalg.norm(inner))
    inner *= min(1.0, _LONGEST / max(length, 1e-300))
    move = np.zeros(len(a))
    move[free] = scale[free] * (basis @ (vectors @ inner))
    return move, 0.5 * float(np.abs(along @ inner)), pull


def _at_ends(surface: Surface, vector: np.ndarray) -> np.ndarray:
    """Mask of the scales that are at an end of their range."""
    out = np.zeros(len(vector), dtype=bool)
    if surface.chart is not None:
        out[: surface.m] = surface.chart.ends & (vector[: surface.m] <= 1e-6)
    return out


def _null_space(a: np.ndarray) -> np.ndarray:
    """Orthonormal basis (n, n - 1) of what is orthogonal to one vector."""
    q, _ = np.linalg.qr(a[:, None], mode="complete")
    return np.asarray(q[:, 1:])


def _learned(
    correction: np.ndarray,
    about: np.ndarray,
    vector: np.ndarray,
    gradient: np.ndarray,
    normal: np.ndarray,
    before: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> np.ndarray:
    """Correct the Hessian of the Lagrangian by what the last step told of it."""
    old, old_gradient, old_normal = before
    size = np.abs(np.diagonal(about + correction))
    weight = 1.0 / np.maximum(size, 1e-8 * size.max())
    pull = float(normal @ (weight * gradient)) / float(normal @ (weight * normal))
    step = vector - old
    rise = (gradient - pull * normal) - (old_gradient - pull * old_normal)
    left = rise - (about + correction) @ step
    across = float(left @ step)
    lengths = float(np.sqrt((left @ (weight * left)) * (step @ (step / weight))))
    if abs(across) <= 1e-6 * lengths or lengths <= 1e-12:
        return correction
    return correction + np.outer(left, left) / across


def tangent(solved: Solved) -> tuple[np.ndarray, float]:
    """Return dvector / du along the path, and the second derivative of the minimum in u where it is stationary."""
    hessian, normal = solved.hessian, solved.normal
    scale = 1.0 / np.sqrt(np.maximum(np.abs(np.diagonal(hessian)), 1e-8 * np.abs(np.diagonal(hessian)).max()))
    a, H = normal * scale, hessian * np.outer(scale, scale)
    straight = a / float(a @ a)
    basis = _null_space(a)
    values, vectors = np.linalg.eigh(basis.T @ H @ basis)
    floor = _FLAT * np.abs(values).max(initial=1.0)
    inverse = np.divide(1.0, values, out=np.zeros_like(values), where=values > floor)
    moved = straight - basis @ (vectors @ (inverse * (vectors.T @ (basis.T @ (H @ straight)))))
    return scale * moved, float(moved @ H @ moved)
