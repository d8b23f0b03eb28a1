"""The search for theta, gamma and psi together: trust-region Newton on exact gradients, without bounds.

The Hessian of `LaplaceCriterion` leaves out how W moves log|M|; a symmetric rank-one secant learns it from the
gradients. It is clipped after every update: one bad update, say over a change of sign of a pivot, would otherwise bend
the model for good.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from mixedsparse.core.fitting.laplace.errors import exact_hessian, is_flat_in_dispersion
from mixedsparse.core.fitting.laplace.fading import falls_below, weakest
from mixedsparse.core.fitting.laplace.secants import learnt
from mixedsparse.core.fitting.outcome import Stop
from mixedsparse.core.likelihood.laplace.criterion import Curvature, LaplaceCriterion, Point
from mixedsparse.core.newton.boundary import FIRST_TRIES, with_zeros
from mixedsparse.core.newton.control import FIRST_RADIUS
from mixedsparse.core.newton.single import minimise
from mixedsparse.core.newton.trust import Step, trust_step
from mixedsparse.ground.errors import NotPositiveDefiniteError
from mixedsparse.ground.progress import Iteration, Progress

__all__ = ["ABSURD", "Found", "LaplaceObjective", "Place", "search"]

# Least share of a step after which the criterion rose that is tried next; share of its promise from which on a step
# that this limited is good, and how much further the next may go.
_BACK, _GOOD, _WIDER = 0.02, 0.75, 3.0
_NOISE = 1e-13
_SMALLEST_RADIUS = 1e-7
# Length of a step up to which the predicted mode is the best start.
_NEAR = 0.1
# Steps that failed, and evaluations, until the exact Hessian is computed, and parameters up to which that pays.
_MOST_REFUSALS = 3
_PATIENCE = 25
_FEW = 12
# Scaled gradient below which the model is that of an optimum.
_CLOSE = 1.0
# Standard deviations on the scale of these links that are infinite for all that outcomes can tell.
_UNITLESS = ("logit", "probit", "cloglog", "log")
ABSURD = 20.0
# Scaled gradient below which the model says where the search ends, and how much lower, and by which share of the way,
# this must be to be an end of its own.
_SMALL, _LOWER, _MISSED = 0.05, 1e-6, 0.05
# Slope in a dispersion without limit that is not followed any more.
_LEFT = 1e-5
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


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A point with its curvature, and what the Hessian lacks: by differences at a place before, and by secants."""

    point: Point
    curvature: Curvature
    known: np.ndarray
    missing: np.ndarray

    @property
    def finite(self) -> bool:
        """Whether every derivative is."""
        return self.curvature.finite


class LaplaceObjective:
    """The criterion as `newton.single` minimises it, and a record of the search.

    Attributes
    ----------
    nfev, factorisations : int
        Evaluations, and factorisations that they took.
    path : list of Iteration
    refused : int
        Steps near the optimum that were not taken, since the model of the criterion was last mended; from -1 on where
        that was for a saddle.
    mended : int
        Evaluations up to then.
    reach : float
        Limit on the next step, after one over which the criterion rose.
    """

    def __init__(
        self,
        criterion: LaplaceCriterion,
        tolerance: float,
        progress: Progress | None = None,
        watch: bool = True,
        furthest: float = ABSURD,
        known: float = np.inf,
    ) -> None:
        self.criterion, self.tolerance, self.progress, self.watch = criterion, tolerance, progress, watch
        self.furthest, self.known = furthest, known
        self.nfev = self.factorisations = self.refused = self.mended = 0
        self.path: list[Iteration] = []
        self.least, self.reach, self.hopeless = -np.inf, np.inf, False

    def evaluate(self, vector: np.ndarray, *starts: list[np.ndarray], near: Point | None = None) -> Point | None:
        """Return the point, None where there is none."""
        self.nfev += 1
        try:
            point = self.criterion.evaluate(vector, *starts, near=None if near is None else near.mode)
        except NotPositiveDefiniteError:
            return None
        self.factorisations += point.mode.factorisations
        return point

    def first(self, start: np.ndarray) -> Place:
        """Evaluate the start, theta scaled down while it has no likelihood."""
        vector = start.copy()
        for _ in range(FIRST_TRIES):
            point = self.evaluate(vector, self.criterion.at_rest())
            if point is not None:
                curvature = self.criterion.differentiate(point)
                if curvature.finite:
                    self.least = _FADED * weakest(curvature) if self.watch else -np.inf
                    return Place(point, curvature, *np.zeros((2, self.criterion.size, self.criterion.size)))
            vector[: self.criterion.m] *= 0.3
        link = self.criterion.data.family.link
        mend = "" if link.takes_all else f" Means may leave the range of the {link.name} link: use link='log'."
        raise NotPositiveDefiniteError(f"The criterion cannot be evaluated anywhere near the start.{mend}")

    def step(self, at: Place, radius: float) -> Step:
        """See `Objective.step`."""
        gradient, hessian = at.curvature.gradient, at.curvature.hessian + at.known + at.missing
        if is_flat_in_dispersion(self.criterion, at.curvature) and abs(gradient[-1]) < _LEFT:
            # What is left of an exponential fall is its slope.
            gradient = np.append(gradient[:-1], 0.0)
            hessian[-1], hessian[:, -1], hessian[-1, -1] = 0.0, 0.0, 1.0
        step = trust_step(gradient, hessian, min(radius, self.reach))
        sure = not step.limited and step.lowest > 0.0 and step.scaled_gradient < _SMALL
        end = at.point.criterion - step.predicted
        self.hopeless = sure and end > self.known - max(_LOWER, _MISSED * step.predicted)
        return step

    def note(self, at: Place, step: Step, length: float) -> None:
        """See `Objective.note`."""
        line = Iteration(len(self.path), self.nfev, at.point.criterion, step.scaled_gradient, length)
        self.path.append(line)
        if self.progress is not None:
            self.progress(line)

    def accuracy(self, at: Place) -> tuple[float, float]:
        """See `Objective.accuracy`."""
        noise = _NOISE * abs(at.point.criterion)
        return max(self.tolerance, noise), noise

    def refined(self, at: Place, step: Step, stop: Stop | None) -> Place | None:
        """Compute the exact Hessian where the model misleads: once, it costs less than the steps that it saves."""
        saddle = stop is Stop.CONVERGED and step.lowest < 0 and self.refused >= 0
        slow = stop is None and self.nfev - self.mended >= _PATIENCE
        if not (saddle or slow or self.refused >= _MOST_REFUSALS) or self.criterion.size > _FEW:
            return None
        known = exact_hessian(self.criterion, at.point, at.curvature) - at.curvature.hessian
        self.nfev += self.criterion.size
        self.mended, self.refused = self.nfev, -1 if saddle else 0
        return replace(at, known=known, missing=np.zeros_like(known)) if np.isfinite(known).all() else None

    def is_lost(self, at: Place) -> bool:
        """Whether information on the fixed part faded away, a variance grew beyond all bounds, or no lower end is."""
        return self.hopeless or self.has_faded(at) or bool(len(self.runaway(at.point)))

    def runaway(self, point: Point, furthest: float | None = None) -> np.ndarray:
        """Blocks with a standard deviation beyond the furthest."""
        criterion, limit = self.criterion, self.furthest if furthest is None else furthest
        if criterion.data.family.link.name not in _UNITLESS:
            return np.empty(0, dtype=int)
        beyond = np.abs(point.vector[: criterion.m]) > limit
        return np.unique(criterion.layout.block[beyond]) if beyond.any() else np.empty(0, dtype=int)

    def has_faded(self, at: Place) -> bool:
        """Whether the information on the fixed part is next to nothing of what it was at the start."""
        return self.watch and falls_below(at.curvature, self.least)

    def attempt(self, at: Place, step: Step) -> Point | None:
        """See `Objective.attempt`."""
        motion = [z + d @ step.move for z, d in zip(at.point.mode.zeta, at.curvature.motion, strict=True)]
        # Over a long way the prediction may be worse than none.
        starts = [motion] if step.length < _NEAR else [motion, at.point.mode.zeta, self.criterion.at_rest()]
        # Refused until it is taken.
        self.refused += step.scaled_gradient < _CLOSE
        return self.evaluate(at.point.vector + step.move, *starts, near=at.point)

    def gain(self, at: Place, trial: Point, step: Step) -> float:
        """See `Objective.gain`; where there is none, a parabola along the step says how long the next may be."""
        gain = at.point.criterion - trial.criterion
        if not gain > 0.0:
            self.reach = step.length * max(_BACK, step.predicted / max(2.0 * step.predicted - gain, 1e-300))
        elif step.limited and gain > _GOOD * step.predicted:
            self.reach *= _WIDER
        return gain

    def accept(self, at: Place, trial: Point, step: Step) -> Place:
        """See `Objective.accept`."""
        self.refused -= step.scaled_gradient < _CLOSE
        found = self.criterion.differentiate(trial)
        missing = learnt(at.known, at.missing, step.move, at.curvature, found) if found.finite else at.missing
        return Place(trial, found, at.known, missing)

    def found(self, at: Place, step: Step, stop: Stop) -> Found:
        """Return the end of the search."""
        counts = self.nfev, self.factorisations, tuple(self.path)
        lost = self.has_faded(at), self.runaway(at.point, ABSURD)
        return Found(at.point, at.curvature, step, stop, *counts, *lost)


def search(
    criterion: LaplaceCriterion,
    start: np.ndarray,
    *,
    max_evals: int = 500,
    tolerance: float = 1e-10,
    progress: Progress | None = None,
    watch: bool = True,
    furthest: float = ABSURD,
    known: float = np.inf,
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
    furthest : float
        Standard deviation beyond which it is left; the end counts as runaway beyond `ABSURD`.
    known : float
        Criterion of another end: the search is left where it heads for one that is not lower, unless it is there.

    Raises
    ------
    NotPositiveDefiniteError
        The criterion cannot be evaluated anywhere near the start.
    """
    objective = LaplaceObjective(criterion, tolerance, progress, watch, furthest, known)
    radius = FIRST_RADIUS * float(np.sqrt(criterion.size))
    at, step, stop = minimise(objective, objective.first(start), max_evals, radius=radius, smallest=_SMALLEST_RADIUS)
    found = objective.found(at, step, stop)
    if stop is Stop.CONVERGED and (point := _snap(objective, at.point)) is not at.point:
        found = replace(objective.found(at, step, stop), point=point, curvature=criterion.differentiate(point))
    return found


def _snap(objective: LaplaceObjective, at: Point) -> Point:
    """Make signs canonical, and diagonal entries 0 that are so to working precision, if the criterion does not rise."""
    layout, m = objective.criterion.layout, objective.criterion.m
    theta = layout.positive(at.vector[:m])
    zeros = with_zeros(layout, theta)
    theta = theta if zeros is None else zeros
    if (theta == at.vector[:m]).all():
        return at
    snapped = objective.evaluate(np.concatenate([theta, at.vector[m:]]), at.mode.zeta)
    if snapped is not None and snapped.criterion <= at.criterion + max(1e-8, 100 * _NOISE * abs(at.criterion)):
        return snapped
    return at
