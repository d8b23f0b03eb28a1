"""The search for theta: trust-region Newton on exact gradients, without bounds.

Variances of zero are those of `newton.boundary`: at the end, entries that are zero to working precision are set to 0 in
the open, and kept there only if the criterion does not rise.
"""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np

from mixedsparse.core.fitting.objective import NOISE, CriterionObjective, Place
from mixedsparse.core.fitting.outcome import Search, Stop, is_saddle
from mixedsparse.core.fitting.residual_start import joint_start
from mixedsparse.core.likelihood.criterion import Criterion, Evaluated
from mixedsparse.core.likelihood.derivatives import Derivatives
from mixedsparse.core.likelihood.interface import Engine
from mixedsparse.core.likelihood.residual.family import Family
from mixedsparse.core.newton.boundary import FIRST_TRIES, within
from mixedsparse.core.newton.control import FIRST_RADIUS
from mixedsparse.core.newton.single import minimise
from mixedsparse.core.newton.trust import Step
from mixedsparse.core.problem.chart import Chart
from mixedsparse.ground.errors import NotPositiveDefiniteError
from mixedsparse.ground.progress import Progress

__all__ = ["search"]

# A start further out than `_FURTHEST` (in whitened theta) is cut to it, then tried at tenths down to `_FAR`.
_FURTHEST = 1e5
_FAR = 10.0
# Scaled gradient below which theta is as good as the criterion can tell, and no closing step is taken.
_CLOSED = 1e-7
# Closing steps of a search that has no exact Hessian.
_POLISHING = 4


# Absurd theta overflow; the checks inside turn what is not finite into an error.
@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def search(
    engine: Engine,
    reml: bool,
    *,
    start: np.ndarray | None = None,
    chart: Chart | None = None,
    max_evals: int = 500,
    tolerance: float = 1e-10,
    progress: Progress | None = None,
    interruptible: bool = False,
    family: Family | None = None,
) -> Search:
    """Minimise the criterion over theta, and over the parameters of the residual covariance where there are any.

    Parameters
    ----------
    engine : Engine
        Of the problem.
    reml : bool
        REML criterion or -2 log-likelihood.
    start : ndarray, shape (m,), optional
        Theta of the whitened bases; moment estimates when not given.
    chart : Chart, optional
        Coordinates to search in, in place of those of the problem.
    max_evals, tolerance
        See `FitOptions`.
    progress : callable, optional
        Called with an `Iteration` after each accepted step.
    interruptible : bool
        Whether a KeyboardInterrupt, once there is a point with derivatives, ends the search there instead of being
        raised.
    family : Family, optional
        The data as a function of the parameters of the residual covariance; a `start` has these behind theta.
    """
    began = time.perf_counter()
    objective = CriterionObjective(engine, reml, tolerance, progress, chart, family)
    chart, size = objective.chart, 0 if family is None else family.residual.size
    given = joint_start(engine, family) if start is None else np.asarray(start, dtype=float)
    m = len(given) - size
    theta = given[:m] if chart is None else chart.coordinates(given[:m])
    first = _first_point(objective, np.concatenate([theta, given[m:]]) if size else theta)
    end = _newton(objective, first, max_evals, interruptible)
    if end.stop is not Stop.INTERRUPTED:
        try:
            end = _finish(objective, first[0], end, max_evals, interruptible)
        except KeyboardInterrupt:
            if not interruptible:
                raise
            end = end._replace(stop=Stop.INTERRUPTED)
    m = len(end.theta) - size
    return Search(
        end.theta[:m] if chart is None else chart.theta(end.theta[:m]),
        end.criterion.pls(end.at),
        end.derivatives,
        end.step,
        end.stop,
        objective.nfev,
        len(objective.path) - 1,
        time.perf_counter() - began,
        tuple(objective.path),
        end.criterion.noise(end.at),
        phi=None if chart is None else tuple(chart.phi(end.theta[:m])),
        residual=end.theta[m:] if size else None,
    )


def _first_point(objective: CriterionObjective, theta: np.ndarray) -> tuple[np.ndarray, Evaluated]:
    """Evaluate the start, scaled down while that helps: a start in the wrong units costs a few evaluations only."""
    theta = within(theta, _FURTHEST)
    best, given = None, theta
    for _ in range(FIRST_TRIES):
        trial = objective.attempt_at(theta)
        if trial is not None and (best is None or trial[1].criterion < best[1].criterion):
            best = trial
        if float(np.abs(theta).max(initial=0.0)) <= _FAR:
            break
        theta = 0.1 * theta
    if best is not None:
        return best
    if objective.use_orthogonal():
        return _first_point(objective, given)
    raise NotPositiveDefiniteError("The criterion cannot be evaluated anywhere near the start.")


class _End(NamedTuple):
    """Where Newton's method ended."""

    theta: np.ndarray
    at: Evaluated
    derivatives: Derivatives
    step: Step
    stop: Stop
    criterion: Criterion


def _finish(objective: CriterionObjective, start: np.ndarray, end: _End, max_evals: int, interruptible: bool) -> _End:
    """Try with more digits or without derivatives where that may help, take the closing step, put zeros in place."""
    if (end.stop is Stop.NO_PROGRESS or objective.criterion.needs_digits(end.at)) and objective.use_orthogonal():
        # What few digits showed may have led astray: from the better of both ends.
        ends = (objective.evaluate_off_zero(theta) for theta in (start, end.theta))
        end = _newton(objective, min(ends, key=lambda found: found[1].criterion), max_evals, interruptible)
    if end.stop is Stop.NO_PROGRESS:
        better = _derivative_free(objective, end.theta, end.at, max_evals)
        end = _newton(objective, better, max_evals, interruptible)
    theta, at = end.theta, end.at
    if end.stop is Stop.INTERRUPTED:
        return end
    if end.stop is Stop.CONVERGED and end.derivatives.kind == "exact" and end.step.scaled_gradient > _CLOSED:
        theta, at = _closing_step(objective, theta, at, end.step)
    theta, at = _snap(objective, theta, at)
    return end._replace(theta=theta, at=at)


def _newton(
    objective: CriterionObjective, start: tuple[np.ndarray, Evaluated], max_evals: int, interruptible: bool
) -> _End:
    """Trust-region Newton from an evaluated point."""
    place, step, stop = minimise(objective, objective.place(*start), max_evals, interruptible=interruptible)
    if stop is Stop.NO_PROGRESS:
        objective.refuse_thin(place)
    if objective.family is not None and stop is Stop.CONVERGED:
        place, step = _polished(objective, place, step)
    misled = stop is Stop.NO_PROGRESS and objective.family is not None
    doubtful = misled or (stop is Stop.CONVERGED and _is_doubtful(objective, place, step))
    if doubtful and (known := objective.differenced(place)) is not None:
        # What secants of such small steps have learnt may be rounding; where it is not, the way leads on.
        place, step, stop = minimise(objective, known, max_evals, interruptible=interruptible)
    return _End(place.theta, place.at, place.derivatives, step, stop, objective.criterion)


def _is_doubtful(objective: CriterionObjective, place: Place, step: Step) -> bool:
    """Whether an approximate Hessian shows no optimum at the end of a search."""
    if objective.family is not None:
        return step.lowest <= 0.0
    problem, derivatives = objective.engine.problem, place.derivatives
    return derivatives.kind != "exact" and is_saddle(step.lowest, derivatives.hessian, place.theta, problem.n)


def _polished(objective: CriterionObjective, place: Place, step: Step) -> tuple[Place, Step]:
    """Go on from where the criterion shows no fall any more while the gradient shrinks: average information is slow."""
    for _ in range(_POLISHING):
        if step.scaled_gradient <= _CLOSED:
            break
        trial = objective.attempt_at(place.theta + step.move)
        if trial is None or trial[1].criterion > place.at.criterion + 10 * objective.noise(place.at):
            break
        better = objective.accept(place, trial, step)
        onward = objective.step(better, FIRST_RADIUS)
        if not onward.scaled_gradient < step.scaled_gradient:
            break
        place, step = better, onward
    return place, step


def _derivative_free(
    objective: CriterionObjective, theta: np.ndarray, at: Evaluated, max_evals: int
) -> tuple[np.ndarray, Evaluated]:
    """Nelder-Mead from where Newton was stuck; returns the better point."""
    from scipy import optimize  # a sixth of the memory of a small fit, and hardly ever needed

    def value(x: np.ndarray) -> float:
        trial = objective.attempt_at(x)
        return np.inf if trial is None else trial[1].criterion

    budget = max(1, min(200 * len(theta), max_evals - objective.nfev))
    found = optimize.minimize(
        value, theta, method="Nelder-Mead", options={"maxfev": budget, "adaptive": True, "fatol": 1e-8}
    )
    if found.fun < at.criterion:
        return objective.evaluate_off_zero(found.x)
    return theta, at


def _closing_step(
    objective: CriterionObjective, theta: np.ndarray, at: Evaluated, step: Step
) -> tuple[np.ndarray, Evaluated]:
    """Take the last Newton step, too short for the criterion to show: it squares the error that is left in theta."""
    trial = objective.attempt_at(theta + step.move)
    if trial is not None and trial[1].criterion <= at.criterion + 10 * objective.noise(at):
        return trial
    return theta, at


def _snap(objective: CriterionObjective, theta: np.ndarray, at: Evaluated) -> tuple[np.ndarray, Evaluated]:
    """Put entries that are on the boundary to working precision there, if the criterion does not rise."""
    snapped = objective.snapped(theta)
    if snapped is None:
        return theta, at
    at_zero = objective.evaluate(snapped)
    if at_zero.criterion <= at.criterion + max(1e-9, 100 * NOISE * abs(at.criterion)):
        return snapped, at_zero
    return theta, at
