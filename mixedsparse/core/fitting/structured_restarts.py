"""Further starts where terms have structured covariances, whose likelihoods can have several optima.

Standard deviations and correlations of few parameters are no convex set of covariances: a search can end at a deviation
of 0 that another sign of the correlations would not ask for, or at correlations that oscillate. Such ends, those of
structures that are known for it, and those of a start that was given, are compared with the ends of other starts: the
moment estimates, the end itself with its shapes turned or without correlations, and random ones. How many there are is
decided by an estimate of their cost, not by a clock.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from mixedsparse.core.engines.criteria import make_criterion
from mixedsparse.core.fitting.effort import milliseconds
from mixedsparse.core.fitting.optimize import search
from mixedsparse.core.fitting.outcome import Search, Stop
from mixedsparse.core.fitting.rivals import has_rivals
from mixedsparse.core.fitting.start import moment_start
from mixedsparse.core.likelihood.charted import ChartedCriterion
from mixedsparse.core.likelihood.interface import Engine
from mixedsparse.core.problem.chart import Chart, chart_of
from mixedsparse.ground.errors import NotPositiveDefiniteError

__all__ = ["with_structured_starts"]

# Most searches, and those where nothing but the structure leaves room for another optimum; evaluations of one, the most
# that it may take, and milliseconds for a million numbers of its second derivatives.
_MOST, _FEW, _EVALUATIONS, _LONGEST, _PER_MILLION = 6, 2, 12, 60, 3.0
# Random starts that are evaluated, the spread of the powers of ten of their scales, and the seed.
_RANDOM, _SPREAD, _SEED = 12, 0.5, 20141003
# What stands for a scale of 0, over the largest of the term, or over sigma where all are.
_LIFTED = 0.3
# Deviations of a start with rivals, over sigma; and shares of those of the end in further ones.
_CANCELLING, _ELSEWHERE = 0.3, (0.04, 25.0)
# Distance from a boundary that counts as none, and a fall of the criterion that makes another optimum.
_AT_BOUNDARY, _LOWER, _SAME = 1e-5, 1e-6, 1e-4


def with_structured_starts(
    engine: Engine, reml: bool, found: Search, given: bool, budget: float, **limits: Any
) -> Search:
    """Return `found`, or the end of a search that found a lower criterion, with the number of starts that agree.

    Parameters
    ----------
    engine : Engine
    reml : bool
    found : Search
        First end.
    given : bool
        Whether it set out from a start that the user gave.
    budget : float
        Milliseconds that further starts may take, by estimate.
    **limits
        Of `search`.
    """
    chart = chart_of(engine.problem)
    if chart is None or found.phi is None:
        return found
    x = chart.x_of(found.phi)
    boundary = chart.settled(x, _AT_BOUNDARY) is not None
    rugged = any(getattr(structure, "is_rugged", False) for structure in chart.structures)
    rivals = has_rivals(engine.problem)
    doubtful = given or boundary or rivals or found.stop is not Stop.CONVERGED
    if not (doubtful or rugged):
        return found
    second = _PER_MILLION * 1e-6 * engine.problem.layout.q * engine.problem.n_theta**2
    count = min(_MOST if doubtful else _FEW, int(budget / (_EVALUATIONS * (milliseconds(engine) + second))))
    ends = [found]
    limits["max_evals"] = min(limits.get("max_evals", _LONGEST), _LONGEST)
    starts = _starts(engine, reml, chart, x)
    if rivals:
        starts[1:1] = _of_rivals(engine, chart, x)
    for start in starts[:count]:
        try:
            ends.append(search(engine, reml, start=start, **limits))
        except NotPositiveDefiniteError:
            continue
    best = found
    for end in ends[1:]:
        lower = end.pls.criterion < best.pls.criterion - _LOWER
        if lower and end.stop is Stop.CONVERGED:
            best = end
    agreed = sum(abs(end.pls.criterion - best.pls.criterion) <= _SAME for end in ends)
    return dataclasses.replace(best, starts=len(ends), agreed=int(agreed))


def _starts(engine: Engine, reml: bool, chart: Chart, x: np.ndarray) -> list[np.ndarray]:
    """Thetas (m,) of the whitened bases: moment estimates, then the others from the lowest criterion on."""
    rng = np.random.default_rng(_SEED)
    shape, low, high = chart.is_shape, chart.low, chart.high
    base = _lifted(chart, x)
    drawn = [chart.positive(np.where(shape, turn * base, base)) for turn in (-1.0, 0.0)]
    for _ in range(_RANDOM):
        scales = base * 10.0 ** (_SPREAD * rng.normal(size=len(x)))
        inside = rng.uniform(np.where(shape, low, 0.0), np.where(shape, high, 1.0))
        drawn.append(chart.positive(np.where(shape, inside, scales)))
    criterion = ChartedCriterion(make_criterion(engine, reml), chart)
    values = []
    for at in drawn:
        try:
            value = float(criterion.evaluate(at).criterion)
        except NotPositiveDefiniteError:
            value = np.inf
        values.append(value if np.isfinite(value) else np.inf)
    return [moment_start(engine.problem), *(chart.theta(drawn[i]) for i in np.argsort(values))]


def _of_rivals(engine: Engine, chart: Chart, x: np.ndarray) -> list[np.ndarray]:
    """Thetas (m,) with large deviations that cancel within the data, and the end with far smaller or larger ones.

    Deviations that are alike in columns without overlap are large, and cancel, in those of the user.
    """
    base = _lifted(chart, x)
    scaled = [chart.positive(np.where(chart.is_shape, base, share * base)) for share in _ELSEWHERE]
    return [np.where(engine.problem.layout.is_diagonal, _CANCELLING, 0.0), *(chart.theta(at) for at in scaled)]


def _lifted(chart: Chart, x: np.ndarray) -> np.ndarray:
    """Coordinates with scales that are 0, or nearly so, beside the others of their term away from 0."""
    out = x.copy()
    for place in chart.places:
        own, scale = x[place], ~chart.is_shape[place]
        largest = float(np.abs(own[scale]).max(initial=0.0))
        floor = _LIFTED * (largest if largest > _AT_BOUNDARY else 1.0)
        out[place] = np.where(scale & chart.is_diagonal[place] & (np.abs(own) < floor), floor, own)
    return out
