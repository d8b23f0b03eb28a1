"""Further starts after an end that may be a local optimum: one on the boundary, or where the data say little.

Likelihoods of small or singular models can have several optima (Henn & Hodges 2014, Int. Stat. Rev. 82, 436-458).
Starts are of the kinds of `starts`. Small models are searched from nearly all of them in step (`newton.batched`), where
sigma is a parameter of its own, so that paths differ from those of the first search; what they find is searched again
from there, so that the end is judged as ever. For others the criterion is evaluated at all starts, which costs little
beside a search, and searches set out from the lowest, one after the other. How many starts there are is decided by an
estimate of their cost, not by a clock: the same data give the same result.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

import numpy as np

from mixedsparse.core.batch.batch import Batch, Responses
from mixedsparse.core.batch.coordinates import plain_chart
from mixedsparse.core.batch.general import make_batch
from mixedsparse.core.batch.joint_likelihood import JointCriterion
from mixedsparse.core.fitting.effort import milliseconds, rows_per_effect
from mixedsparse.core.fitting.outcome import Search, Stop
from mixedsparse.core.fitting.rivals import has_rivals
from mixedsparse.core.fitting.scan import scan
from mixedsparse.core.fitting.starts import (
    changed_copies,
    even_starts,
    far_copies,
    random_starts,
    starts_of_light_rows,
    without_or_scaled,
)
from mixedsparse.core.fitting.trials import LOWER, SAME, Ends, criteria_at, searched
from mixedsparse.core.likelihood.interface import Engine
from mixedsparse.core.newton.batched import minimise
from mixedsparse.core.problem.problem import Problem

__all__ = ["doubtful", "with_further_starts"]

# A diagonal entry of Lambda that is less than so many standard errors from 0 leaves room for an optimum there; up to so
# many it does where the criterion without that column of Lambda is hardly higher.
_FAR, _FURTHER, _HARDLY = 1.0, 2.5, 0.5
# Milliseconds, by estimate, that looking for this may take.
_TRIFLE = 5.0
# Random starts that are evaluated for each parameter and in all, those of them that are searched from, and the seed.
_RANDOM, _MOST_RANDOM, _BEST, _SEED = 16, 64, 6, 20141003
# Changed copies of the first end.
_CHANGED = 6
# Changed copies and best random starts that there are beside one for each parameter.
_BESIDE = 1
# Further rounds, as long as each finds a lower end.
_ROUNDS = 3
# Fewer starts than these are not worth their while.
_FEWEST = 4
# Where searches are one after the other: share of an evaluation with derivatives that one without them takes, and the
# most searches.
_VALUE, _PROMISING = 0.3, 12
# Evaluations after which a search that goes nowhere is given up.
_LONGEST = 120
# Rows that count per effect: up to the first, all can be reproduced; up to the second, any optimum of some parameters
# is doubtful; up to the third the budget is at least what the first search took, within milliseconds, and multiplied.
_SATURATED, _HARDLY_MORE, _FEW = 1.0, 1.25, 2.0
_AS_THE_FIRST, _PATIENCE = 1700.0, 4.0
# Evaluations of a search.
_EVALUATIONS = 12
# Ends of searches in step that did not converge from which the ordinary search goes on, at the least.
_GO_ON = 3


def doubtful(engine: Engine, reml: bool, found: Search) -> bool:
    """Whether another optimum may lie elsewhere.

    Lambda is singular, or nearly so by its own standard errors; there are hardly more rows than effects; or terms
    without a correlation stand for nearly the same columns.
    """
    # Where the criterion itself is noise, lower ones mean nothing.
    if found.stop not in (Stop.CONVERGED, Stop.NO_PROGRESS) or found.noise > SAME:
        return False
    layout, hessian = engine.problem.layout, found.derivatives.hessian
    diagonal = layout.is_diagonal
    if rows_per_effect(engine.problem) <= (_HARDLY_MORE if len(found.theta) > 1 else _SATURATED):
        return True
    if hessian is None or found.stop is Stop.NO_PROGRESS or (found.theta[diagonal] == 0.0).any():
        return True
    if has_rivals(engine.problem):
        return True
    values, vectors = np.linalg.eigh(hessian)
    if values[0] <= 0.0:
        return True
    variances = 2.0 * (np.square(vectors) / values).sum(axis=1)
    distances = np.where(diagonal, found.theta**2 / variances, np.inf)
    if distances.min() < _FAR**2:
        return True
    near = np.flatnonzero(distances < _FURTHER**2)
    if not len(near) or len(near) * milliseconds(engine) > _TRIFLE:
        return False
    same_column = (layout.block[near][:, None] == layout.block) & (layout.col[near][:, None] == layout.col)
    without = [layout.positive(np.where(gone, 0.0, found.theta)) for gone in same_column]
    return min(criteria_at(engine, reml, without)) < found.pls.criterion + _HARDLY


def with_further_starts(engine: Engine, reml: bool, found: Search, budget: float, **limits: Any) -> Search:
    """Return `found`, or the end of a search that found a lower criterion, with the number of starts that agree.

    Parameters
    ----------
    engine : Engine
    reml : bool
    found : Search
        First end.
    budget : float
        Milliseconds that the starts may take, by estimate.
    **limits
        Of `search`.
    """
    problem = engine.problem
    limits["max_evals"] = min(limits.get("max_evals", _LONGEST), _LONGEST)
    if budget > 0 and rows_per_effect(problem) <= _FEW:
        budget = _PATIENCE * max(budget, min(found.nfev * milliseconds(engine), _AS_THE_FIRST))
    if len(found.theta) == 1:
        return scan(engine, reml, found, int(budget / milliseconds(engine)), limits)
    batch = make_batch(engine)
    in_step = batch.together
    affordable = int(budget / (_EVALUATIONS * milliseconds(engine)))
    starts = _starts(engine, reml, found, affordable) if in_step else _promising(engine, reml, found, budget)
    if not starts:
        return found
    # In step, where sigma is a parameter, these hardly move.
    ends = Ends(engine, found)
    room = rows_per_effect(problem) <= _SATURATED and not ends.best_vanishes
    far = _far_starts(problem, found.theta, affordable - len(starts)) if room else []
    if in_step:
        spare = max(_GO_ON, affordable - len(starts) - len(far))
        _add_in_step(ends, batch, reml, found, starts, spare, limits)
    for start in far if in_step else starts + far:
        ends.add(searched(engine, reml, start, limits))
    count = 1 + len(starts) + len(far)
    rng = np.random.default_rng(_SEED)
    before = found
    for _ in range(_ROUNDS):
        if ends.best is before:
            break
        # Where one lower optimum was found there may be others, beside it first of all.
        before, best = ends.best, ends.best.theta
        copies = _in_turn(without_or_scaled(problem, best), changed_copies(problem, best, _CHANGED, rng))
        for start in copies[: max(_FEWEST, affordable)]:
            ends.add(searched(engine, reml, start, limits))
            count += 1
    return ends.judged(count)


def _add_in_step(
    ends: Ends, batch: Batch, reml: bool, found: Search, starts: list[np.ndarray], spare: int, limits: Any
) -> None:
    """Add the ends of searches in step, the lowest searched again: those lower than the first, and those on their way.

    At most `spare` are searched again.
    """
    thetas, converged = _in_step(batch, reml, found, starts)
    reached = np.array(criteria_at(ends.engine, reml, thetas))
    lower = reached < found.pls.criterion - LOWER
    order = [i for i in np.argsort(reached) if lower[i] or not converged[i]]
    for i in order[:spare]:
        if converged.all() and ends.best is not found:
            break
        ends.add(searched(ends.engine, reml, thetas[i], limits))
        reached[i] = np.nan
    ends.values += [value for value in reached if not np.isnan(value)]


def _far_starts(problem: Problem, theta: np.ndarray, affordable: int) -> list[np.ndarray]:
    light = starts_of_light_rows(problem, np.random.default_rng(_SEED))
    return far_copies(problem, theta) + light[: max(affordable, 0)]


def _starts(engine: Engine, reml: bool, found: Search, affordable: int) -> list[np.ndarray]:
    """Thetas (m,) of the whitened bases to search from in step, the best of random ones among them."""
    problem, m = engine.problem, len(found.theta)
    best = min(_BEST, m + _BESIDE, affordable // 2)
    if affordable < _FEWEST:
        return []
    rng = np.random.default_rng(_SEED)
    changed = without_or_scaled(problem, found.theta)
    changed += changed_copies(problem, found.theta, min(_CHANGED, m + _BESIDE), rng)
    chosen = _in_turn(even_starts(problem, found.pls.pwrss), changed)[: affordable - best]
    drawn = random_starts(problem, min(_RANDOM * m, _MOST_RANDOM), rng)
    return chosen + _lowest(engine, reml, drawn, best)


def _in_turn(one: list[np.ndarray], other: list[np.ndarray]) -> list[np.ndarray]:
    return [start for pair in zip_longest(one, other) for start in pair if start is not None]


def _promising(engine: Engine, reml: bool, found: Search, budget: float) -> list[np.ndarray]:
    """Thetas (m,) to search from one after the other, as many as can be afforded: the lowest ones, and copies."""
    problem, each = engine.problem, milliseconds(engine)
    drawn = even_starts(problem, found.pls.pwrss)
    drawn += random_starts(problem, len(found.theta) + _BESIDE, np.random.default_rng(_SEED))
    affordable = int((budget - _VALUE * each * len(drawn)) / (_EVALUATIONS * each))
    count = min(affordable, _PROMISING)
    if count <= 0:
        return []
    # Copies of the first end are low wherever they lead, so that they are not judged by that.
    return _in_turn(_lowest(engine, reml, drawn, count), without_or_scaled(problem, found.theta))[:count]


def _lowest(engine: Engine, reml: bool, thetas: list[np.ndarray], count: int) -> list[np.ndarray]:
    return [thetas[i] for i in np.argsort(criteria_at(engine, reml, thetas))[:count]]


def _in_step(batch: Batch, reml: bool, found: Search, starts: list[np.ndarray]) -> tuple[list[np.ndarray], np.ndarray]:
    """Thetas at which searches in step from `starts` end, and whether each converged."""
    problem, count = batch.problem, len(starts)
    unit = float(np.sqrt(found.pls.pwrss / problem.degrees(reml)))
    chart = plain_chart(problem)
    criterion = JointCriterion(batch, [chart] * count, Responses.of(problem, count), unit, reml)
    templates = [problem.theta_layout.templates(problem.from_block @ start) for start in starts]
    x = np.array([chart.coordinates(lams) for lams in templates])
    held = np.zeros(x.shape, dtype=bool)
    held[:, -1] = True
    solved = minimise(criterion, x, held, np.full(x.shape, -np.inf))
    # Coordinates are triangles of the whitened bases in units of sigma at the first end.
    thetas = solved.x[:, : problem.n_theta] * np.exp(-solved.x[:, -2:-1])
    return [problem.layout.positive(theta) for theta in thetas], solved.converged
