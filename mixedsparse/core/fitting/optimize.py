"""The search for theta: trust-region Newton on exact gradients, without bounds.

The criterion is even in every column of Lambda, so the boundary (a zero on the diagonal) is an interior stationary
line and needs no constraint: the curvature term of the Hessian says whether it is a minimum or a saddle. The search
keeps diagonal entries 1e-7 away from 0, where the curvature is read off without loss; afterwards entries that are
zero to that precision are set to 0 in the open, and kept there only if the criterion does not rise.
"""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

from mixedsparse.core.engines.criteria import make_criterion, make_orthogonal
from mixedsparse.core.fitting.lacking import CLOSE, lacking
from mixedsparse.core.fitting.outcome import Search, Stop
from mixedsparse.core.fitting.start import moment_start
from mixedsparse.core.fitting.trust import Step, next_radius, trust_step
from mixedsparse.core.likelihood.criterion import Criterion, Point
from mixedsparse.core.likelihood.derivatives import Derivatives
from mixedsparse.core.likelihood.interface import Engine
from mixedsparse.ground.errors import NotPositiveDefiniteError
from mixedsparse.ground.progress import Iteration, Progress

__all__ = ["search"]

# Distance kept from a zero diagonal (theta has no units in whitened bases; errors are of its square).
_OFF_ZERO = 1e-7
# Diagonal entries below this are tried at exactly 0.
_ZERO = 1e-5
# Rounding noise of the criterion, relative.
_NOISE = 2e-15
_LARGEST_NOISE = 1e-6
# First radius, in whitened theta: moment estimates are rarely further off.
_FIRST_RADIUS = 0.5
# A start further out than `_FURTHEST` (in whitened theta) is cut to it, then tried at tenths down to `_FAR`.
_FURTHEST = 1e5
_FAR = 10.0
_FIRST_TRIES = 8
# Scaled gradient below which theta is as good as the criterion can tell, and no closing step is taken.
_CLOSED = 1e-7
# The radius below which Newton cannot progress.
_SMALLEST_RADIUS = 1e-6


class _Walk:
    """State of one search: the best point, and the counters."""

    def __init__(self, engine: Engine, reml: bool, progress: Progress | None, interruptible: bool) -> None:
        self.engine, self.progress, self.interruptible = engine, progress, interruptible
        self.reml, self.is_orthogonal = reml, False
        self.criterion = make_criterion(engine, reml)
        self.layout = engine.problem.layout
        self.nfev = 0
        self.path: list[Iteration] = []

    def use_orthogonal(self) -> bool:
        """Go over to the form of the criterion that loses fewest digits; return whether that can be done."""
        found = None if self.is_orthogonal else make_orthogonal(self.engine, self.reml)
        self.criterion, self.is_orthogonal = found or self.criterion, self.is_orthogonal or found is not None
        return found is not None

    def evaluate(self, theta: np.ndarray) -> Point:
        self.nfev += 1
        point: Point = self.criterion.evaluate(theta)
        return point

    def evaluate_off_zero(self, theta: np.ndarray) -> tuple[np.ndarray, Point]:
        theta = self.layout.positive(theta)
        theta = np.where(self.layout.is_diagonal, np.maximum(theta, _OFF_ZERO), theta)
        return theta, self.evaluate(theta)

    def note(self, at: Point, gradient: float, step: float) -> None:
        line = Iteration(len(self.path), self.nfev, at.criterion, gradient, step)
        self.path.append(line)
        if self.progress is not None:
            self.progress(line)


# Absurd theta overflow; the checks inside turn what is not finite into an error.
@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def search(
    engine: Engine,
    reml: bool,
    *,
    start: np.ndarray | None = None,
    max_evals: int = 500,
    tolerance: float = 1e-10,
    progress: Progress | None = None,
    interruptible: bool = False,
) -> Search:
    """Minimise the criterion over theta.

    Parameters
    ----------
    engine : Engine
        Of the problem.
    reml : bool
        REML criterion or -2 log-likelihood.
    start : ndarray, shape (m,), optional
        Theta of the whitened bases; moment estimates when not given.
    max_evals, tolerance
        See `FitOptions`.
    progress : callable, optional
        Called with an `Iteration` after each accepted step.
    interruptible : bool
        Whether a KeyboardInterrupt, once there is a point with derivatives, ends the search there instead of being
        raised.
    """
    began = time.perf_counter()
    walk = _Walk(engine, reml, progress, interruptible)
    theta = moment_start(engine.problem) if start is None else np.asarray(start, dtype=float)
    theta, at = _first_point(walk, theta)
    end = _newton(walk, theta, at, max_evals, tolerance)
    if end.stop is not Stop.INTERRUPTED:
        try:
            end = _finish(walk, theta, end, max_evals, tolerance)
        except KeyboardInterrupt:
            if not interruptible:
                raise
            end = end._replace(stop=Stop.INTERRUPTED)
    return Search(
        end.theta,
        end.criterion.pls(end.at),
        end.derivatives,
        end.step,
        end.stop,
        walk.nfev,
        len(walk.path) - 1,
        time.perf_counter() - began,
        tuple(walk.path),
        end.criterion.noise(end.at),
    )


def _first_point(walk: _Walk, theta: np.ndarray) -> tuple[np.ndarray, Point]:
    """Evaluate the start, scaled down while that helps: a start in the wrong units costs a few evaluations only."""
    theta = theta * min(1.0, _FURTHEST / max(float(np.abs(theta).max(initial=0.0)), 1e-300))
    best, given = None, theta
    for _ in range(_FIRST_TRIES):
        trial = _try(walk, theta)
        if trial is not None and (best is None or trial[1].criterion < best[1].criterion):
            best = trial
        if float(np.abs(theta).max(initial=0.0)) <= _FAR:
            break
        theta = 0.1 * theta
    if best is not None:
        return best
    if walk.use_orthogonal():
        return _first_point(walk, given)
    raise NotPositiveDefiniteError("The criterion cannot be evaluated anywhere near the start.")


class _End(NamedTuple):
    """Where Newton's method ended."""

    theta: np.ndarray
    at: Point
    derivatives: Derivatives
    step: Step
    stop: Stop
    criterion: Criterion


def _finish(walk: _Walk, start: np.ndarray, end: _End, max_evals: int, tolerance: float) -> _End:
    """Try with more digits or without derivatives where that may help, take the closing step, put zeros in place."""
    if (end.stop is Stop.NO_PROGRESS or walk.criterion.needs_digits(end.at)) and walk.use_orthogonal():
        # What few digits showed may have led astray: from the better of both ends.
        theta, at = min((walk.evaluate_off_zero(t) for t in (start, end.theta)), key=lambda found: found[1].criterion)
        end = _newton(walk, theta, at, max_evals, tolerance)
    if end.stop is Stop.NO_PROGRESS:
        theta, at = _derivative_free(walk, end.theta, end.at, max_evals)
        end = _newton(walk, theta, at, max_evals, tolerance)
    theta, at = end.theta, end.at
    if end.stop is Stop.INTERRUPTED:
        return end
    if end.stop is Stop.CONVERGED and end.derivatives.kind == "exact" and end.step.scaled_gradient > _CLOSED:
        theta, at = _closing_step(walk, theta, at, end.step)
    theta, at = _snap(walk, theta, at)
    return end._replace(theta=theta, at=at)


def _newton(walk: _Walk, theta: np.ndarray, at: Point, max_evals: int, tolerance: float) -> _End:
    """Trust-region Newton from an evaluated point."""
    derivatives = walk.criterion.differentiate(at, exact=True)
    missing = np.zeros((len(theta), len(theta)))
    radius, length = _FIRST_RADIUS, 0.0
    stop, fresh = Stop.CONVERGED, True
    try:
        while True:
            step = _trust_step(walk, theta, derivatives, missing, radius)
            if fresh:
                walk.note(at, step.scaled_gradient, length)
            noise = _noise(walk, at)
            # Tested first: a radius that shrank to nothing makes any promised fall small, which is no convergence.
            if step.limited and radius < _SMALLEST_RADIUS:
                stop = Stop.NO_PROGRESS
                break
            if step.predicted <= max(tolerance, noise):
                if derivatives.kind == "exact" or not walk.engine.writes_projection:
                    break
                # Only the exact Hessian shows a saddle whose negative curvature average information leaves out.
                derivatives, fresh = walk.criterion.differentiate(at, exact=True), False
                continue
            if walk.nfev >= max_evals:
                stop = Stop.MAX_EVALS
                break
            length = step.length
            trial = _try(walk, theta + step.move)
            gain = -np.inf if trial is None else at.criterion - trial[1].criterion
            radius = next_radius(radius, gain / step.predicted, length, step.limited)
            fresh = trial is not None and (gain > 0 or (step.predicted < 10 * noise and gain > -10 * noise))
            if fresh and trial is not None:
                found = walk.criterion.differentiate(trial[1], exact=step.scaled_gradient < CLOSE)
                missing = lacking(walk.layout, missing, theta, derivatives, found, step)
                (theta, at), derivatives = trial, found
                if not derivatives.finite:
                    stop = Stop.NOT_FINITE
                    break
    except KeyboardInterrupt:
        if not walk.interruptible:
            raise
        step, stop = _trust_step(walk, theta, derivatives, missing, radius), Stop.INTERRUPTED
    return _End(theta, at, derivatives, step, stop, walk.criterion)


def _trust_step(walk: _Walk, theta: np.ndarray, derivatives: Derivatives, missing: np.ndarray, radius: float) -> Step:
    """Newton's step within `radius`, relative where variance ratios are large: the criterion grows with their log."""
    assert derivatives.hessian is not None
    scale = np.maximum(1.0, walk.layout.row_norms(theta))
    return trust_step(derivatives.gradient, derivatives.hessian + missing, radius, scale)


def _try(walk: _Walk, theta: np.ndarray) -> tuple[np.ndarray, Point] | None:
    try:
        return walk.evaluate_off_zero(theta)
    except NotPositiveDefiniteError:
        return None


def _derivative_free(walk: _Walk, theta: np.ndarray, at: Point, max_evals: int) -> tuple[np.ndarray, Point]:
    """Nelder-Mead from where Newton was stuck; returns the better point."""

    def value(x: np.ndarray) -> float:
        trial = _try(walk, x)
        return np.inf if trial is None else trial[1].criterion

    budget = max(1, min(200 * len(theta), max_evals - walk.nfev))
    found = minimize(value, theta, method="Nelder-Mead", options={"maxfev": budget, "adaptive": True, "fatol": 1e-8})
    if found.fun < at.criterion:
        return walk.evaluate_off_zero(found.x)
    return theta, at


def _closing_step(walk: _Walk, theta: np.ndarray, at: Point, step: Step) -> tuple[np.ndarray, Point]:
    """Take the last Newton step, too short for the criterion to show: it squares the error that is left in theta."""
    trial = _try(walk, theta + step.move)
    if trial is not None and trial[1].criterion <= at.criterion + 10 * _noise(walk, at):
        return trial
    return theta, at


def _noise(walk: _Walk, at: Point) -> float:
    """Return the rounding noise of the criterion: r^2 is what is left of the sum of squares of y.

    Capped, so that an absurd theta is not taken for an optimum because nothing can be told apart there.
    """
    problem = walk.engine.problem
    cancelled = (float(problem.xy[-1, -1]) / at.pwrss) ** (0.5 if walk.is_orthogonal else 1.0)
    return min(_NOISE * (abs(at.criterion) + problem.n * (1.0 + cancelled)), _LARGEST_NOISE)


def _snap(walk: _Walk, theta: np.ndarray, at: Point) -> tuple[np.ndarray, Point]:
    """Set diagonal entries that are zero to working precision to 0, if the criterion does not rise."""
    layout = walk.layout
    zero = layout.is_diagonal & (np.abs(theta) < _ZERO)
    if not zero.any():
        return theta, at
    snapped = layout.canonical(np.where(zero, 0.0, theta))
    at_zero = walk.evaluate(snapped)
    if at_zero.criterion <= at.criterion + max(1e-9, 100 * _NOISE * abs(at.criterion)):
        return snapped, at_zero
    return theta, at
