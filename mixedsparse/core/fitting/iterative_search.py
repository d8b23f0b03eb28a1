"""The search for theta without criterion values: Newton's method on the score that a fixed set of probes gives.

The score is that of `derivatives`, its traces estimated by the same random signs at every theta, so that it is a smooth
function of theta. Its zero is off the true one by a Monte-Carlo error that the spread over probes tells, and which
more probes make as small as is asked. A step is judged by the fall of the criterion along it, the integral of the
score by the trapezoidal rule. Variances of zero are those of `newton.boundary`.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

import numpy as np

from mixedsparse.core.fitting.outcome import Search, Stop
from mixedsparse.core.fitting.probe_error import ProbeError, probe_error
from mixedsparse.core.fitting.start import moment_start
from mixedsparse.core.likelihood.derivatives import Derivatives, differentiate
from mixedsparse.core.likelihood.interface import StochasticEngine, StochasticFactored
from mixedsparse.core.likelihood.pls import Pls, rounding, solve_pls
from mixedsparse.core.newton.boundary import FIRST_TRIES, ZERO, off_zero, relative_step, with_zeros, within
from mixedsparse.core.newton.single import minimise
from mixedsparse.core.newton.trust import Step
from mixedsparse.ground.errors import NotPositiveDefiniteError
from mixedsparse.ground.progress import Iteration, Progress

__all__ = ["FEWEST", "Goals", "enough_of", "refine", "search"]

# Probes to begin with, and to add at least.
FEWEST = 4
# Share of the Monte-Carlo error allowed that unsolved residuals may add to it, and the loosest of them.
_UNSOLVED, _LOOSEST = 0.05, 1e-3

# A start further out than this (in whitened theta) is cut to it.
_FURTHEST = 10.0
# Fall of the criterion left from which on the number of probes is decided on: 0.03 standard errors in theta.
_CLOSE = 1e-3
# The search ends when the error that is left is `_BELOW` times the Monte-Carlo error, which counts as `_NEGLIGIBLE`
# times the one that is allowed if it is less. The last step shrinks what is left at least as much as the step before it
# did, which counts as `_SHRINKS` at best.
_BELOW, _NEGLIGIBLE, _SHRINKS = 0.1, 0.01, 0.01
# Probes are added by at most this factor at once, and by this much more than the error found asks for.
_GROWTH = 8.0
_MARGIN = 1.15
# Iterations of the estimates' own equations, or probes, from which on the coarse space is enriched.
_SLOW, _MANY = 40, 96


@dataclass(frozen=True, slots=True)
class Goals:
    """When the search ends: evaluations, fall of the criterion that is left, worst Monte-Carlo share, probes."""

    max_evals: int
    tolerance: float
    mc_share: float
    max_probes: int


@dataclass(slots=True, eq=False)
class _ProbedPoint:
    """One theta, evaluated; `signs` (m,) times it is the theta that was asked for."""

    theta: np.ndarray
    pls: Pls
    factor: StochasticFactored
    signs: np.ndarray
    derivatives: Derivatives
    error: ProbeError

    @property
    def finite(self) -> bool:
        return self.derivatives.finite


class _ScoreObjective:
    """The score as `newton.single` follows it, and a record of the search."""

    def __init__(self, engine: StochasticEngine, reml: bool, goals: Goals, progress: Progress | None) -> None:
        self.engine, self.reml, self.goals, self.progress = engine, reml, goals, progress
        self.layout = engine.problem.layout
        self.nfev = 0
        self.rate = 1.0
        # A coarse space that is everything solves exactly.
        self.unsolved = 0.0 if engine.enriched else _UNSOLVED * goals.mc_share
        self.path: list[Iteration] = []

    def solve(self, theta: np.ndarray) -> tuple[Pls, StochasticFactored]:
        factor = self.engine.factorize(self.layout.lams(theta))
        return solve_pls(self.engine.problem, factor, self.reml), factor

    def evaluate(self, theta: np.ndarray) -> _ProbedPoint:
        self.nfev += 1
        negative = np.where(self.layout.is_diagonal & (theta < 0), -1.0, 1.0)
        signs = negative * self.layout.positive(negative)
        theta = off_zero(self.layout, signs * theta)
        pls, factor = self.solve(theta)
        if not self.engine.enriched and self.engine.effort.worst > _SLOW:
            factor.enrich()
        return _ProbedPoint(theta, pls, factor, signs, *self.differentiate(theta, pls, factor))

    def differentiate(self, theta: np.ndarray, pls: Pls, factor: StochasticFactored) -> tuple[Derivatives, ProbeError]:
        """Score and Hessian by the probes that are in use, and what error these leave."""
        derivatives = differentiate(self.engine, pls, exact=False)
        if not derivatives.finite:
            raise NotPositiveDefiniteError("The score is not finite at this theta.")
        drawn = factor.estimate()
        return derivatives, probe_error(self.engine.problem, pls, drawn, derivatives, theta < ZERO, self.unsolved)

    def step(self, at: _ProbedPoint, radius: float) -> Step:
        """See `Objective.step`."""
        assert at.derivatives.hessian is not None
        return relative_step(self.layout, at.theta, at.derivatives.gradient, at.derivatives.hessian, radius)

    def note(self, at: _ProbedPoint, step: Step, length: float) -> None:
        """See `Objective.note`."""
        if self.path:
            before = max(self.path[-1].gradient, step.scaled_gradient, 1e-300)
            self.rate = max(step.scaled_gradient / before, _SHRINKS)
        line = Iteration(len(self.path), self.nfev, math.nan, step.scaled_gradient, length)
        self.path.append(line)
        if self.progress is not None:
            self.progress(line)

    def accuracy(self, at: _ProbedPoint) -> tuple[float, float]:
        """See `Objective.accuracy`; the trapezoidal rule has no rounding to speak of."""
        return min(_CLOSE, enough_of(at.error.share, self.goals) / self.rate**2), 0.0

    def is_lost(self, at: _ProbedPoint) -> bool:
        """See `Objective.is_lost`."""
        return False

    def refined(self, at: _ProbedPoint, step: Step, stop: Stop | None) -> _ProbedPoint | None:
        """Know the same point by more probes once the search has converged on too few."""
        if stop is Stop.NO_PROGRESS or step.predicted > _CLOSE:
            return None
        if not refine(self.engine, at.factor, at.error.share, self.goals):
            return None
        derivatives, error = self.differentiate(at.theta, at.pls, at.factor)
        return replace(at, derivatives=derivatives, error=error)

    def attempt(self, at: _ProbedPoint, step: Step) -> _ProbedPoint | None:
        """See `Objective.attempt`."""
        try:
            return self.evaluate(at.theta + step.move)
        except NotPositiveDefiniteError:
            return None

    def gain(self, at: _ProbedPoint, trial: _ProbedPoint, step: Step) -> float:
        """Fall of the criterion along a step, by the trapezoidal rule."""
        return -0.5 * float((at.derivatives.gradient + trial.signs * trial.derivatives.gradient) @ step.move)

    def accept(self, at: _ProbedPoint, trial: _ProbedPoint, step: Step) -> _ProbedPoint:
        """See `Objective.accept`."""
        return trial


# Absurd theta overflow; the checks inside turn what is not finite into an error.
@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def search(
    engine: StochasticEngine,
    reml: bool,
    goals: Goals,
    *,
    start: np.ndarray | None = None,
    progress: Progress | None = None,
    interruptible: bool = False,
) -> tuple[Search, StochasticFactored, ProbeError]:
    """Find the zero of the score over theta of the whitened bases; see `mixedsparse.core.fitting.optimize.search`.

    Returns
    -------
    Search
        Its criterion is NaN.
    StochasticFactored
        Of M there.
    ProbeError
        What error the probes leave.
    """
    began = time.perf_counter()
    objective = _ScoreObjective(engine, reml, goals, progress)
    exact = _loosen(engine, objective.unsolved)
    theta = moment_start(engine.problem) if start is None else np.asarray(start, dtype=float)
    first = _first_point(objective, theta)
    at, step, stop = minimise(objective, first, goals.max_evals, interruptible=interruptible)
    theta, pls, factor = at.theta, at.pls, at.factor
    engine.tolerance, engine.projection_tolerance, engine.probe_tolerance = exact
    try:
        theta, pls, factor = _close(objective, at, step, stop)
    except KeyboardInterrupt:
        if not interruptible:
            raise
        stop = Stop.INTERRUPTED
    outcome = Search(
        theta=theta,
        pls=pls,
        derivatives=at.derivatives,
        step=step,
        stop=stop,
        nfev=objective.nfev,
        nit=len(objective.path) - 1,
        seconds=time.perf_counter() - began,
        path=tuple(objective.path),
        noise=rounding(engine.problem, pls.factor.loss(), pls.losses, reml),
    )
    return outcome, factor, at.error


def _loosen(engine: StochasticEngine, unsolved: float) -> tuple[float, float, float]:
    """Set the tolerances of the search by the share of the standard errors that they may add; return the old ones.

    Quadratic forms of q numbers have a relative standard deviation of sqrt(2 / q). The error of a solution enters
    zeta'zeta as it is, and traces and information by its square.
    """
    exact = engine.tolerance, engine.projection_tolerance, engine.probe_tolerance
    allowed = unsolved * math.sqrt(2.0 / max(engine.problem.layout.q, 2))
    squared = min(math.sqrt(allowed), _LOOSEST)
    engine.tolerance = max(min(allowed, _LOOSEST**2), exact[0])
    engine.projection_tolerance, engine.probe_tolerance = max(squared, exact[1]), max(squared, exact[2])
    return exact


def _first_point(objective: _ScoreObjective, theta: np.ndarray) -> _ProbedPoint:
    """Evaluate the start, cut to a sensible length and scaled down until it can be."""
    theta = within(theta, _FURTHEST)
    for _ in range(FIRST_TRIES):
        try:
            return objective.evaluate(theta)
        except NotPositiveDefiniteError:
            theta = 0.1 * theta
    raise NotPositiveDefiniteError("The score cannot be evaluated anywhere near the start.")


def enough_of(share: float, goals: Goals) -> float:
    """Fall of the criterion that is not worth a step, where probes leave a `share` of the standard errors."""
    return max((_BELOW * max(share, _NEGLIGIBLE * goals.mc_share)) ** 2, goals.tolerance)


def refine(engine: StochasticEngine, factor: StochasticFactored, share: float, goals: Goals) -> bool:
    """Enrich the coarse space or add probes where the Monte-Carlo `share` asks for it; return whether that was done."""
    if share <= goals.mc_share:
        return False
    probes, growth = engine.probes, _MARGIN * (share / goals.mc_share) ** 2
    if not engine.enriched and probes.number * growth > _MANY:
        factor.enrich()
        return True
    before = probes.batches
    probes.batches = max(
        before, math.ceil(min(probes.number * min(growth, _GROWTH), goals.max_probes) / probes.per_batch)
    )
    return probes.batches > before


def _close(
    objective: _ScoreObjective, at: _ProbedPoint, step: Step, stop: Stop
) -> tuple[np.ndarray, Pls, StochasticFactored]:
    """Take the last step, whose length is within the tolerance, and set what is zero to working precision to 0."""
    layout, theta = objective.layout, at.theta
    if stop is Stop.INTERRUPTED:
        return theta, at.pls, at.factor
    if stop is Stop.CONVERGED:
        theta = layout.positive(theta + step.move)
    snapped = with_zeros(layout, theta)
    theta = theta if snapped is None else snapped
    return theta, *objective.solve(theta)
