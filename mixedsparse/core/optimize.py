"""The search for theta: trust-region Newton on exact gradients, without bounds.

The criterion is even in every column of Lambda, so the boundary (a zero on the diagonal) is an interior stationary
line and needs no constraint: the curvature term of the Hessian says whether it is a minimum or a saddle. The search
keeps diagonal entries 1e-7 away from 0, where the curvature is read off without loss; afterwards entries that are
zero to that precision are set to 0 in the open, and kept there only if the criterion does not rise.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import numpy as np
from scipy.optimize import minimize

from mixedsparse.core.derivatives import Derivatives, differentiate
from mixedsparse.core.engine import Engine
from mixedsparse.core.exact import affordable
from mixedsparse.core.pls import Pls, solve_pls
from mixedsparse.core.start import moment_start
from mixedsparse.core.trust import Step, trust_step
from mixedsparse.errors import NotPositiveDefiniteError

__all__ = ["Iteration", "Search", "Stop", "search"]

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
# Scaled gradient below which the exact Hessian takes over.
_CLOSE = 1.0
# The radius below which Newton cannot progress.
_SMALLEST_RADIUS = 1e-6


class Stop(Enum):
    """Why the search ended."""

    CONVERGED = "converged"
    MAX_EVALS = "the limit on evaluations was reached"
    NO_PROGRESS = "no step lowers the criterion"
    NOT_FINITE = "the derivatives are not finite"


@dataclass(frozen=True, slots=True)
class Iteration:
    """One line of the search: evaluations so far, criterion, scaled gradient norm, length of the last step."""

    number: int
    nfev: int
    criterion: float
    gradient: float
    step: float


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """Outcome of the search, in theta of the whitened bases.

    Attributes
    ----------
    theta : ndarray, shape (m,)
        Where it ended, zeros exact and signs canonical.
    pls : Pls
        Penalised least squares there.
    derivatives : Derivatives
        At the last point of the search (entries that were set to 0 are still 1e-7 there).
    step : Step
        The last Newton step, shorter than the criterion can show.
    stop : Stop
    nfev, nit : int
        Evaluations of the criterion; accepted steps.
    seconds : float
    path : tuple of Iteration
    """

    theta: np.ndarray
    pls: Pls
    derivatives: Derivatives
    step: Step
    stop: Stop
    nfev: int
    nit: int
    seconds: float
    path: tuple[Iteration, ...]


Progress = Callable[[Iteration], None]


class _Walk:
    """State of one search: the best point, and the counters."""

    def __init__(self, engine: Engine, reml: bool, progress: Progress | None) -> None:
        self.engine, self.reml, self.progress = engine, reml, progress
        self.layout = engine.problem.layout
        self.nfev = 0
        self.path: list[Iteration] = []

    def evaluate(self, theta: np.ndarray) -> Pls:
        self.nfev += 1
        # Absurd theta overflow; the checks that follow turn what is not finite into an error.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return solve_pls(self.engine.problem, self.engine.factorize(self.layout.factors(theta)), self.reml)

    def evaluate_off_zero(self, theta: np.ndarray) -> tuple[np.ndarray, Pls]:
        theta = self.layout.positive(theta)
        theta = np.where(self.layout.is_diagonal, np.maximum(theta, _OFF_ZERO), theta)
        return theta, self.evaluate(theta)

    def note(self, pls: Pls, gradient: float, step: float) -> None:
        line = Iteration(len(self.path), self.nfev, pls.criterion, gradient, step)
        self.path.append(line)
        if self.progress is not None:
            self.progress(line)


def search(
    engine: Engine,
    reml: bool,
    *,
    start: np.ndarray | None = None,
    max_evals: int = 500,
    tolerance: float = 1e-10,
    progress: Progress | None = None,
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
    """
    began = time.perf_counter()
    walk = _Walk(engine, reml, progress)
    theta = moment_start(engine.problem) if start is None else np.asarray(start, dtype=float)
    theta, pls = _first_point(walk, theta)
    theta, pls, derivatives, step, stop = _newton(walk, theta, pls, max_evals, tolerance)
    if stop is Stop.NO_PROGRESS:
        theta, pls = _derivative_free(walk, theta, pls, max_evals)
        theta, pls, derivatives, step, stop = _newton(walk, theta, pls, max_evals, tolerance)
    if stop is Stop.CONVERGED and derivatives.kind == "exact":
        theta, pls = _closing_step(walk, theta, pls, step)
    theta, pls = _snap(walk, theta, pls)
    pls.factor.release()
    return Search(
        theta,
        pls,
        derivatives,
        step,
        stop,
        walk.nfev,
        len(walk.path) - 1,
        time.perf_counter() - began,
        tuple(walk.path),
    )


def _first_point(walk: _Walk, theta: np.ndarray) -> tuple[np.ndarray, Pls]:
    """Evaluate the start, scaled down while that helps: a start in the wrong units costs a few evaluations only."""
    theta = theta * min(1.0, _FURTHEST / max(float(np.abs(theta).max(initial=0.0)), 1e-300))
    best = None
    for _ in range(_FIRST_TRIES):
        trial = _try(walk, theta)
        if trial is not None and (best is None or trial[1].criterion < best[1].criterion):
            best = trial
        if float(np.abs(theta).max(initial=0.0)) <= _FAR:
            break
        theta = 0.1 * theta
    if best is None:
        raise NotPositiveDefiniteError("The criterion cannot be evaluated anywhere near the start.")
    return best


def _newton(
    walk: _Walk, theta: np.ndarray, pls: Pls, max_evals: int, tolerance: float
) -> tuple[np.ndarray, Pls, Derivatives, Step, Stop]:
    """Trust-region Newton from an evaluated point."""
    derivatives = differentiate(walk.engine, pls, exact=False)
    radius = _FIRST_RADIUS
    length = 0.0
    stop = Stop.CONVERGED
    fresh = True
    while True:
        # Steps are relative where the variance ratios are large: the criterion grows with their logarithm there.
        scale = np.maximum(1.0, walk.layout.row_norms(theta))
        step = trust_step(derivatives.gradient, _second(derivatives), radius, scale)
        if fresh:
            walk.note(pls, step.scaled_gradient, length)
        noise = _noise(walk, pls)
        # Tested first: a radius that shrank to nothing makes any promised fall small, which is no convergence.
        if step.limited and radius < _SMALLEST_RADIUS:
            stop = Stop.NO_PROGRESS
            break
        if step.predicted <= max(tolerance, noise):
            if derivatives.kind == "exact" or not affordable(walk.engine):
                break
            # Only the exact Hessian shows a saddle whose negative curvature average information leaves out.
            derivatives, fresh = differentiate(walk.engine, pls), False
            continue
        if walk.nfev >= max_evals:
            stop = Stop.MAX_EVALS
            break
        length = step.length
        trial = _try(walk, theta + step.move)
        gain = -np.inf if trial is None else pls.criterion - trial[1].criterion
        radius = _next_radius(radius, gain / step.predicted, length, step.limited)
        fresh = trial is not None and (gain > 0 or (step.predicted < 10 * noise and gain > -10 * noise))
        if fresh and trial is not None:
            theta, pls = trial
            derivatives = differentiate(walk.engine, pls, exact=step.scaled_gradient < _CLOSE)
            if not derivatives.finite:
                stop = Stop.NOT_FINITE
                break
    return theta, pls, derivatives, step, stop


def _try(walk: _Walk, theta: np.ndarray) -> tuple[np.ndarray, Pls] | None:
    try:
        return walk.evaluate_off_zero(theta)
    except NotPositiveDefiniteError:
        return None


def _second(derivatives: Derivatives) -> np.ndarray:
    assert derivatives.hessian is not None
    return derivatives.hessian


def _next_radius(radius: float, ratio: float, length: float, limited: bool) -> float:
    """Widen after a good step that the radius limited, narrow after a bad one (ratio of actual to predicted fall)."""
    if ratio < 0.25:
        return length / 4.0
    return 3.0 * radius if ratio > 0.75 and limited else radius


def _derivative_free(walk: _Walk, theta: np.ndarray, pls: Pls, max_evals: int) -> tuple[np.ndarray, Pls]:
    """Nelder-Mead from where Newton was stuck; returns the better point."""

    def value(at: np.ndarray) -> float:
        trial = _try(walk, at)
        return np.inf if trial is None else trial[1].criterion

    budget = max(1, min(200 * len(theta), max_evals - walk.nfev))
    found = minimize(value, theta, method="Nelder-Mead", options={"maxfev": budget, "adaptive": True, "fatol": 1e-8})
    if found.fun < pls.criterion:
        return walk.evaluate_off_zero(found.x)
    return theta, pls


def _closing_step(walk: _Walk, theta: np.ndarray, pls: Pls, step: Step) -> tuple[np.ndarray, Pls]:
    """Take the last Newton step, too short for the criterion to show: it squares the error that is left in theta."""
    trial = _try(walk, theta + step.move)
    if trial is not None and trial[1].criterion <= pls.criterion + 10 * _noise(walk, pls):
        return trial
    return theta, pls


def _noise(walk: _Walk, pls: Pls) -> float:
    """Return the rounding noise of the criterion: r^2 is what is left of the sum of squares of y.

    Capped, so that an absurd theta is not taken for an optimum because nothing can be told apart there.
    """
    problem = walk.engine.problem
    cancelled = float(problem.xy[-1, -1]) / pls.pwrss
    return min(_NOISE * (abs(pls.criterion) + problem.n * (1.0 + cancelled)), _LARGEST_NOISE)


def _snap(walk: _Walk, theta: np.ndarray, pls: Pls) -> tuple[np.ndarray, Pls]:
    """Set diagonal entries that are zero to working precision to 0, if the criterion does not rise."""
    layout = walk.layout
    zero = layout.is_diagonal & (np.abs(theta) < _ZERO)
    if not zero.any():
        return theta, pls
    snapped = layout.canonical(np.where(zero, 0.0, theta))
    at_zero = walk.evaluate(snapped)
    if at_zero.criterion <= pls.criterion + max(1e-9, 100 * _NOISE * abs(pls.criterion)):
        return snapped, at_zero
    return theta, pls
