"""The search for theta, gamma and psi together: trust-region Newton on exact gradients, without bounds.

The Hessian of `LaplaceCriterion` leaves out how W moves log|M|; a symmetric rank-one secant learns it from the
gradients. It is clipped after every update: one bad update, say over a change of sign of a pivot, would otherwise bend
the model for good.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mixedsparse.core.fitting.laplace.errors import exact_hessian
from mixedsparse.core.fitting.outcome import Stop
from mixedsparse.core.likelihood.laplace.criterion import Curvature, LaplaceCriterion, Point
from mixedsparse.core.newton.trust import Step, next_radius, secant, trust_step
from mixedsparse.ground.errors import NotPositiveDefiniteError
from mixedsparse.ground.progress import Iteration, Progress

__all__ = ["Found", "search"]

# The secant in units of the Hessian that it corrects.
_CLIP = (-0.9, 1.0)
_NOISE = 1e-13
_SMALLEST_RADIUS = 1e-7
_FIRST_TRIES = 8
# Length of a step up to which the predicted mode is the best start.
_NEAR = 0.1
# Diagonal entries of Lambda below this are tried at exactly 0.
_ZERO = 1e-5
# Steps that failed, and evaluations, until the exact Hessian is computed, and parameters up to which that pays.
_MOST_REFUSALS = 3
_PATIENCE = 25
_FEW = 12
# Scaled gradient below which the model is that of an optimum.
_CLOSE = 1.0
# Standard deviations on the scale of these links that are infinite for all that outcomes can tell.
_UNITLESS = ("logit", "probit", "cloglog", "log")
_ABSURD = 20.0
# Share of the first information on gamma below which some coefficient may have no estimate.
_FADED = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Where a search ended.

    Attributes
    ----------
    point : Point
    curvature : Curvature
        There.
    step : Step
        The last Newton step, too short for the criterion to show.
    stop : Stop
    nfev, factorisations : int
        Evaluations of the criterion, and factorisations of M.
    path : tuple of Iteration
    faded : bool
        Whether the search was left because the information on the fixed part fell to nothing.
    runaway : ndarray of int
        Blocks whose variance grew beyond all bounds, which ended the search.
    """

    point: Point
    curvature: Curvature
    step: Step
    stop: Stop
    nfev: int
    factorisations: int
    path: tuple[Iteration, ...]
    faded: bool = False
    runaway: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=int))

    @property
    def converged(self) -> bool:
        """Whether the search ended where the gradient vanishes."""
        return self.stop is Stop.CONVERGED and not self.faded and not len(self.runaway)


class _Walk:
    """Counters of one search."""

    def __init__(self, criterion: LaplaceCriterion, progress: Progress | None) -> None:
        self.criterion, self.progress = criterion, progress
        self.nfev = self.factorisations = 0
        self.path: list[Iteration] = []

    def evaluate(self, vector: np.ndarray, *starts: list[np.ndarray], near: Point | None = None) -> Point | None:
        """Return the point, None where there is none."""
        self.nfev += 1
        try:
            point = self.criterion.evaluate(vector, *starts, near=None if near is None else near.mode.factor)
        except NotPositiveDefiniteError:
            return None
        self.factorisations += point.mode.factorisations
        return point

    def note(self, at: Point, gradient: float, step: float) -> None:
        line = Iteration(len(self.path), self.nfev, at.criterion, gradient, step)
        self.path.append(line)
        if self.progress is not None:
            self.progress(line)


def search(
    criterion: LaplaceCriterion,
    start: np.ndarray,
    *,
    max_evals: int = 500,
    tolerance: float = 1e-10,
    progress: Progress | None = None,
    watch: bool = True,
) -> Found:
    """Minimise the criterion from the vector `start`.

    Parameters
    ----------
    criterion : LaplaceCriterion
    start : ndarray, shape (r,)
    max_evals, tolerance
        See `FitOptions`.
    progress : callable, optional
        Called with an `Iteration` after each accepted step.
    watch : bool
        Whether the search is left as soon as the information on the fixed part has faded away.

    Raises
    ------
    NotPositiveDefiniteError
        The criterion cannot be evaluated anywhere near the start.
    """
    walk = _Walk(criterion, progress)
    at, curvature = _first_point(walk, start)
    known, missing = np.zeros((2, criterion.size, criterion.size))
    refused = refreshed = 0
    radius, length = 0.5 * float(np.sqrt(criterion.size)), 0.0
    first = _weakest(curvature)
    fresh = True
    while True:
        step = trust_step(curvature.gradient, curvature.hessian + known + missing, radius)
        if fresh:
            walk.note(at, step.scaled_gradient, length)
        noise = _NOISE * abs(at.criterion)
        faded = watch and _weakest(curvature) < _FADED * first
        runaway = _runaway(criterion, at)
        stop = _reason(step, radius, max(tolerance, noise), walk.nfev >= max_evals)
        doubtful = stop is Stop.CONVERGED and step.lowest < 0 and refused >= 0
        slow = walk.nfev - refreshed >= _PATIENCE and stop is None
        if (doubtful or slow or refused >= _MOST_REFUSALS) and criterion.size <= _FEW:
            # The model misleads: the exact Hessian once costs less than the steps that it saves.
            known, missing = exact_hessian(criterion, at, curvature) - curvature.hessian, np.zeros_like(missing)
            walk.nfev += criterion.size
            refreshed = walk.nfev
            refused, fresh = -1 if doubtful else 0, False
            if np.isfinite(known).all():
                continue
            known = np.zeros_like(missing)
        if stop is not None or faded or len(runaway):
            break
        length = step.length
        motion = [z + d @ step.move for z, d in zip(at.mode.zeta, curvature.motion, strict=True)]
        # Over a long way the prediction may be worse than none.
        starts = [motion] if length < _NEAR else [motion, at.mode.zeta, criterion.at_rest()]
        trial = walk.evaluate(at.vector + step.move, *starts, near=at)
        gain = -np.inf if trial is None else at.criterion - trial.criterion
        radius = next_radius(radius, gain / step.predicted, length, step.limited)
        fresh = trial is not None and (gain > 0 or (step.predicted < 10 * noise and gain > -10 * noise))
        if fresh and trial is not None:
            found = criterion.differentiate(trial)
            if not found.finite:
                stop = Stop.NOT_FINITE
                break
            missing = _learn(known, missing, step.move, curvature, found)
            at, curvature = trial, found
        else:
            refused += step.scaled_gradient < _CLOSE
    if stop is Stop.CONVERGED:
        snapped = _snap(walk, at)
        if snapped is not at:
            at, curvature = snapped, criterion.differentiate(snapped)
    counts = walk.nfev, walk.factorisations, tuple(walk.path)
    return Found(at, curvature, step, stop or Stop.NO_PROGRESS, *counts, faded, runaway)


def _reason(step: Step, radius: float, enough: float, spent: bool) -> Stop | None:
    """Why to stop here, if there is a reason."""
    if step.limited and radius < _SMALLEST_RADIUS:
        return Stop.NO_PROGRESS
    if step.predicted <= enough:
        return Stop.CONVERGED
    return Stop.MAX_EVALS if spent else None


def _first_point(walk: _Walk, start: np.ndarray) -> tuple[Point, Curvature]:
    """Evaluate the start, theta scaled down while it has no likelihood."""
    vector = start.copy()
    for _ in range(_FIRST_TRIES):
        point = walk.evaluate(vector, walk.criterion.at_rest())
        if point is not None:
            curvature = walk.criterion.differentiate(point)
            if curvature.finite:
                return point, curvature
        vector[: walk.criterion.m] *= 0.3
    raise NotPositiveDefiniteError("The criterion cannot be evaluated anywhere near the start.")


def _weakest(curvature: Curvature) -> float:
    """Smallest eigenvalue of the information on gamma."""
    return float(np.linalg.eigvalsh(curvature.information)[0]) if len(curvature.information) else 1.0


def _runaway(criterion: LaplaceCriterion, at: Point) -> np.ndarray:
    """Blocks with a standard deviation that no outcome can tell from an infinite one."""
    if criterion.data.family.link.name not in _UNITLESS:
        return np.empty(0, dtype=int)
    return np.unique(criterion.layout.block[np.abs(at.vector[: criterion.m]) > _ABSURD])


def _learn(known: np.ndarray, missing: np.ndarray, move: np.ndarray, old: Curvature, new: Curvature) -> np.ndarray:
    """Update what the Hessian lacks beyond what is `known` of that, and clip it in units of the Hessian."""
    mean = 0.5 * (old.hessian + new.hessian) + known
    updated = secant(missing, move, new.gradient - old.gradient, mean)
    values, vectors = np.linalg.eigh(new.hessian + known)
    size = np.abs(values)
    root = np.sqrt(np.maximum(size, 1e-10 * size.max()))
    scaled = (vectors / root).T @ updated @ (vectors / root)
    inner, axes = np.linalg.eigh(0.5 * (scaled + scaled.T))
    back = (vectors * root) @ axes
    return np.asarray((back * np.clip(inner, *_CLIP)) @ back.T)


def _snap(walk: _Walk, at: Point) -> Point:
    """Make signs canonical, and diagonal entries 0 that are so to working precision, if the criterion does not rise."""
    layout, m = walk.criterion.layout, walk.criterion.m
    theta = layout.positive(at.vector[:m])
    zero = layout.is_diagonal & (np.abs(theta) < _ZERO)
    if not zero.any() and (theta == at.vector[:m]).all():
        return at
    if zero.any():
        theta = layout.canonical(np.where(zero, 0.0, theta))
    vector = np.concatenate([theta, at.vector[m:]])
    snapped = walk.evaluate(vector, at.mode.zeta)
    if snapped is not None and snapped.criterion <= at.criterion + max(1e-8, 100 * _NOISE * abs(at.criterion)):
        return snapped
    return at
