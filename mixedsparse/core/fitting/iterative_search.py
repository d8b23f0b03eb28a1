"""The search for theta without criterion values: Newton's method on the score that a fixed set of probes gives.

The score is that of `derivatives`, its traces estimated by the same random signs at every theta, so that it is a smooth
function of theta. Its zero is off the true one by a Monte-Carlo error that the spread over probes tells, and which
more probes make as small as is asked. A step is judged by the fall of the criterion along it, the integral of the
score by the trapezoidal rule. As in `optimize`, diagonal entries are kept 1e-7 off zero and set to 0 at the end.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np

from mixedsparse.core.fitting.outcome import Search, Stop
from mixedsparse.core.fitting.probe_error import ProbeError, probe_error
from mixedsparse.core.fitting.start import moment_start
from mixedsparse.core.fitting.trust import Step, trust_step
from mixedsparse.core.likelihood.derivatives import Derivatives, differentiate
from mixedsparse.core.likelihood.interface import StochasticEngine, StochasticFactor
from mixedsparse.core.likelihood.pls import Pls, rounding, solve_pls
from mixedsparse.ground.errors import NotPositiveDefiniteError
from mixedsparse.ground.progress import Iteration, Progress

__all__ = ["Goals", "search"]

# As in `optimize`.
_OFF_ZERO = 1e-7
_ZERO = 1e-5
_FIRST_RADIUS = 0.5
_SMALLEST_RADIUS = 1e-6
_FURTHEST = 10.0
_FIRST_TRIES = 8
# Fall of the criterion left from which on the number of probes is decided on: 0.03 standard errors in theta.
_CLOSE = 1e-3
# The search ends when the error that is left is `_BELOW` times the Monte-Carlo error, which counts as `_NEGLIGIBLE`
# times the one that is allowed if it is less; the last step squares what is left.
_BELOW, _NEGLIGIBLE = 0.1, 0.01
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
class _Point:
    """One theta, evaluated; `signs` (m,) times it is the theta that was asked for."""

    theta: np.ndarray
    pls: Pls
    factor: StochasticFactor
    signs: np.ndarray
    derivatives: Derivatives
    error: ProbeError


class _Walk:
    """The engine, and a record of the search."""

    def __init__(self, engine: StochasticEngine, reml: bool, progress: Progress | None) -> None:
        self.engine, self.reml, self.progress = engine, reml, progress
        self.layout = engine.problem.layout
        self.nfev = 0
        self.path: list[Iteration] = []

    def solve(self, theta: np.ndarray) -> tuple[Pls, StochasticFactor]:
        factor = self.engine.factorize(self.layout.factors(theta))
        return solve_pls(self.engine.problem, factor, self.reml), factor

    def evaluate(self, theta: np.ndarray) -> _Point:
        self.nfev += 1
        negative = np.where(self.layout.is_diagonal & (theta < 0), -1.0, 1.0)
        signs = negative * self.layout.positive(negative)
        theta = signs * theta
        theta = np.where(self.layout.is_diagonal, np.maximum(theta, _OFF_ZERO), theta)
        pls, factor = self.solve(theta)
        if not self.engine.enriched and self.engine.effort.worst > _SLOW:
            factor.enrich()
        return _Point(theta, pls, factor, signs, *self.differentiate(theta, pls, factor))

    def differentiate(self, theta: np.ndarray, pls: Pls, factor: StochasticFactor) -> tuple[Derivatives, ProbeError]:
        """Score and Hessian by the probes that are in use, and what error these leave."""
        derivatives = differentiate(self.engine, pls, exact=False)
        if not derivatives.finite:
            raise NotPositiveDefiniteError("The score is not finite at this theta.")
        return derivatives, probe_error(self.engine.problem, pls, factor.estimate(), derivatives, theta < _ZERO)

    def note(self, step: Step, length: float) -> None:
        line = Iteration(len(self.path), self.nfev, math.nan, step.scaled_gradient, length)
        self.path.append(line)
        if self.progress is not None:
            self.progress(line)


def search(
    engine: StochasticEngine,
    reml: bool,
    goals: Goals,
    *,
    start: np.ndarray | None = None,
    progress: Progress | None = None,
    interruptible: bool = False,
) -> tuple[Search, StochasticFactor, ProbeError]:
    """Find the zero of the score over theta of the whitened bases; see `mixedsparse.core.fitting.optimize.search`.

    Returns
    -------
    Search
        Its criterion is NaN.
    StochasticFactor
        Of M there.
    ProbeError
        What error the probes leave.
    """
    began = time.perf_counter()
    walk = _Walk(engine, reml, progress)
    theta = moment_start(engine.problem) if start is None else np.asarray(start, dtype=float)
    at = _first_point(walk, theta)
    at, step, stop = _newton(walk, at, goals, interruptible)
    theta, pls, factor = at.theta, at.pls, at.factor
    try:
        theta, pls, factor = _close(walk, at, step, stop)
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
        nfev=walk.nfev,
        nit=len(walk.path) - 1,
        seconds=time.perf_counter() - began,
        path=tuple(walk.path),
        noise=rounding(engine.problem, pls.factor.loss(), pls.losses, reml),
    )
    return outcome, factor, at.error


def _first_point(walk: _Walk, theta: np.ndarray) -> _Point:
    """Evaluate the start, cut to a sensible length and scaled down until it can be."""
    theta = theta * min(1.0, _FURTHEST / max(float(np.abs(theta).max(initial=0.0)), 1e-300))
    for _ in range(_FIRST_TRIES):
        try:
            return walk.evaluate(theta)
        except NotPositiveDefiniteError:
            theta = 0.1 * theta
    raise NotPositiveDefiniteError("The score cannot be evaluated anywhere near the start.")


def _newton(walk: _Walk, at: _Point, goals: Goals, interruptible: bool) -> tuple[_Point, Step, Stop]:
    """Trust-region Newton from an evaluated point, with more probes once it has converged on too few."""
    radius, length, fresh = _FIRST_RADIUS, 0.0, True
    try:
        while True:
            step = _trust_step(walk, at, radius)
            if fresh:
                walk.note(step, length)
            if step.limited and radius < _SMALLEST_RADIUS:
                return at, step, Stop.NO_PROGRESS
            if step.predicted <= _CLOSE:
                if _refine(walk.engine, at, goals):
                    at.derivatives, at.error = walk.differentiate(at.theta, at.pls, at.factor)
                    fresh = False
                    continue
                enough = _BELOW * max(at.error.share, _NEGLIGIBLE * goals.mc_share)
                if step.predicted <= max(enough**2, goals.tolerance):
                    return at, step, Stop.CONVERGED
            if walk.nfev >= goals.max_evals:
                return at, step, Stop.MAX_EVALS
            length = step.length
            trial = _try(walk, at.theta + step.move)
            fall = -math.inf if trial is None else _fall(at, trial, step)
            ratio = fall / step.predicted
            radius = length / 4.0 if ratio < 0.25 else 3.0 * radius if ratio > 0.75 and step.limited else radius
            fresh = trial is not None and fall > 0
            if fresh and trial is not None:
                at = trial
    except KeyboardInterrupt:
        if not interruptible:
            raise
        return at, _trust_step(walk, at, radius), Stop.INTERRUPTED


def _trust_step(walk: _Walk, at: _Point, radius: float) -> Step:
    assert at.derivatives.hessian is not None
    scale = np.maximum(1.0, walk.layout.row_norms(at.theta))
    return trust_step(at.derivatives.gradient, at.derivatives.hessian, radius, scale)


def _try(walk: _Walk, theta: np.ndarray) -> _Point | None:
    try:
        return walk.evaluate(theta)
    except NotPositiveDefiniteError:
        return None


def _fall(at: _Point, trial: _Point, step: Step) -> float:
    """Fall of the criterion along a step, by the trapezoidal rule."""
    return -0.5 * float((at.derivatives.gradient + trial.signs * trial.derivatives.gradient) @ step.move)


def _refine(engine: StochasticEngine, at: _Point, goals: Goals) -> bool:
    """Enrich the coarse space or add probes where the Monte-Carlo error asks for it; return whether that was done."""
    if at.error.share <= goals.mc_share:
        return False
    probes, growth = engine.probes, _MARGIN * (at.error.share / goals.mc_share) ** 2
    if not engine.enriched and probes.number * growth > _MANY:
        at.factor.enrich()
        return True
    before = probes.batches
    probes.batches = max(
        before, math.ceil(min(probes.number * min(growth, _GROWTH), goals.max_probes) / probes.per_batch)
    )
    return probes.batches > before


def _close(walk: _Walk, at: _Point, step: Step, stop: Stop) -> tuple[np.ndarray, Pls, StochasticFactor]:
    """Take the last step, whose length is within the tolerance, and set what is zero to working precision to 0."""
    layout, theta = walk.layout, at.theta
    if stop is Stop.INTERRUPTED:
        return theta, at.pls, at.factor
    if stop is Stop.CONVERGED:
        theta = layout.positive(theta + step.move)
    zero = layout.is_diagonal & (np.abs(theta) < _ZERO)
    if zero.any():
        theta = layout.canonical(np.where(zero, 0.0, theta))
    return (theta, at.pls, at.factor) if theta is at.theta else (theta, *walk.solve(theta))
