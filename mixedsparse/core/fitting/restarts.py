"""Further starts after an end that may be a local optimum: one on the boundary, or where the data say little.

Likelihoods of small or singular models can have several optima (Henn & Hodges 2014, Int. Stat. Rev. 82, 436-458).
Starts are of the kinds of `starts`. Small models are searched from nearly all of them in step (`newton.batched`), where
sigma is a parameter of its own, so that paths differ from those of the first search; what they find is searched again
from there, so that the end is judged as ever. For others the criterion is evaluated at all starts, which costs little
beside a search, and searches set out from the lowest, one after the other. How many starts there are is decided by an
estimate of their cost, not by a clock: the same data give the same result.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

import numpy as np

from mixedsparse.core.batch.batch import Batch, Responses
from mixedsparse.core.batch.coordinates import plain_chart
from mixedsparse.core.batch.general import make_batch
from mixedsparse.core.batch.joint_likelihood import JointCriterion
from mixedsparse.core.engines.criteria import make_criterion
from mixedsparse.core.engines.dense.scan import downhill, scanned
from mixedsparse.core.fitting.optimize import search
from mixedsparse.core.fitting.outcome import Search, Stop
from mixedsparse.core.fitting.starts import changed_copies, even_starts, far_copies, random_starts
from mixedsparse.core.fitting.unbounded import vanishes
from mixedsparse.core.likelihood.interface import Engine
from mixedsparse.core.newton.batched import minimise
from mixedsparse.core.problem.absent_rows import are_here
from mixedsparse.core.problem.problem import Problem
from mixedsparse.ground.errors import NotPositiveDefiniteError

__all__ = ["doubtful", "milliseconds", "rows_per_effect", "with_further_starts"]

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
# Points at which a single parameter is scanned, whitened: a standard deviation over sigma.
_SCAN = np.concatenate([[0.0], 10.0 ** np.linspace(-1.5, 2.5, 17)])
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
# Milliseconds of an evaluation with derivatives: a constant, and per million multiply-adds; evaluations of a search.
_CALL, _PER_MILLION, _EVALUATIONS = 0.4, 3.0, 12
# Ends of searches in step that did not converge from which the ordinary search goes on.
_GO_ON = 3
# A fall that makes another optimum, and the difference up to which ends agree.
_LOWER, _SAME, _RELATIVE = 1e-6, 1e-4, 1e-9
# A share of the sum of squares that the residual keeps at least: below, the model fits perfectly, which is refused.
_PERFECT = 1e-11


def doubtful(engine: Engine, reml: bool, found: Search) -> bool:
    """Whether another optimum may lie elsewhere: Lambda is singular, or nearly so by its own standard errors."""
    # Where the criterion itself is noise, lower ones mean nothing.
    if found.stop not in (Stop.CONVERGED, Stop.NO_PROGRESS) or found.noise > _SAME:
        return False
    layout, hessian = engine.problem.layout, found.derivatives.hessian
    diagonal = layout.is_diagonal
    if rows_per_effect(engine.problem) <= (_HARDLY_MORE if len(found.theta) > 1 else _SATURATED):
        return True
    if hessian is None or found.stop is Stop.NO_PROGRESS or (found.theta[diagonal] == 0.0).any():
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
    return min(_values(engine, reml, without)) < found.pls.criterion + _HARDLY


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
        return _of_one_parameter(engine, reml, found, int(budget / milliseconds(engine)), limits)
    batch = make_batch(engine)
    in_step = batch.together
    if in_step:
        starts = _starts(engine, reml, found, int(budget / (_EVALUATIONS * milliseconds(engine))))
    else:
        starts = _promising(engine, reml, found, budget)
    if not starts:
        return found
    ends = _Ends(engine, found)
    # In step, where sigma is a parameter, these hardly move.
    room = rows_per_effect(problem) <= _SATURATED and not ends.best_vanishes
    far = far_copies(problem, found.theta) if room else []
    if in_step:
        thetas, converged = _in_step(batch, reml, found, starts)
        reached = np.array(_values(engine, reml, thetas))
        lower = reached < found.pls.criterion - _LOWER
        # The lowest ends, if they are lower than the first, and those that were on their way.
        order = [i for i in np.argsort(reached) if lower[i] or not converged[i]]
        for i in order[:_GO_ON]:
            if converged.all() and ends.best is not found:
                break
            ends.add(_searched(engine, reml, thetas[i], limits))
            reached[i] = np.nan
        ends.values += [value for value in reached if not np.isnan(value)]
    for start in far if in_step else starts + far:
        ends.add(_searched(engine, reml, start, limits))
    return ends.judged(1 + len(starts) + len(far))


class _Ends:
    """Ends of searches: the best that is an optimum, and the lowest on its way to no residual variance."""

    def __init__(self, engine: Engine, first: Search) -> None:
        self.engine, self.best, self.values = engine, first, [first.pls.criterion]
        self.best_vanishes = vanishes(engine, first)
        self.limit = first.pls.criterion if self.best_vanishes else np.inf

    def add(self, end: Search | None) -> None:
        """Take note of an end; None where the criterion could not be evaluated."""
        if end is None:
            return
        value = end.pls.criterion
        self.values.append(value)
        perfect = end.pls.pwrss <= _PERFECT * float(self.engine.problem.xy[-1, -1])
        gone = perfect or vanishes(self.engine, end)
        if gone and end.noise <= _SAME:
            self.limit = min(self.limit, value)
        # An optimum is better than a limit that is hardly lower; a limit is reported only if there is nothing else.
        lower = value < self.best.pls.criterion + (_SAME if self.best_vanishes and not gone else -_LOWER)
        if lower and not perfect and end.stop is Stop.CONVERGED and (self.best_vanishes or not gone):
            self.best, self.best_vanishes = end, gone

    def judged(self, starts: int) -> Search:
        """Return the best, with the number of `starts` and of those that ended at its criterion."""
        value = self.best.pls.criterion
        same = _SAME + _RELATIVE * abs(value)
        agreed = int(sum(abs(other - value) <= same for other in self.values))
        lower = self.best_vanishes or self.limit < value - same
        return dataclasses.replace(self.best, starts=starts, agreed=agreed, lower_at_zero=lower)


def _of_one_parameter(engine: Engine, reml: bool, found: Search, affordable: int, limits: Any) -> Search:
    """See `with_further_starts`: a scan of the only parameter shows every valley, and each is searched from its bottom.

    Points of the scan from which the criterion falls to an end count as starts that lead there.
    """
    if affordable < len(_SCAN):
        return found
    at = np.unique(np.append(_SCAN, abs(found.theta)))
    values = scanned(engine.problem, reml, at)
    if values is None:
        values = np.array(_values(engine, reml, list(at[:, None])))
    valley = downhill(values)
    own = chosen = valley[int(np.searchsorted(at, abs(found.theta[0])))]  # the end itself is one of the points
    best = found
    for bottom in sorted({*valley.tolist()} - {own}):
        again = _searched(engine, reml, at[[bottom]], limits)
        if again is not None and _is_better(engine.problem, again, best):
            best, chosen = again, bottom
    return dataclasses.replace(best, starts=len(at), agreed=int((valley == chosen).sum()))


def milliseconds(engine: Engine) -> float:
    """Estimate what an evaluation with derivatives takes, the same for all engines: that of the split."""
    problem, layout = engine.problem, engine.problem.layout
    sizes = list(zip(layout.widths, layout.n_levels, strict=True))
    first = problem.eliminable
    rest = layout.q - (0 if first is None else layout.widths[first] * layout.n_levels[first])
    level = sum(n * (k + problem.p) ** 3 for k, n in sizes)
    return _CALL + _PER_MILLION * 1e-6 * (float(rest) ** 3 + level)


def _starts(engine: Engine, reml: bool, found: Search, affordable: int) -> list[np.ndarray]:
    """Thetas (m,) of the whitened bases to search from in step, the best of random ones among them."""
    problem, m = engine.problem, len(found.theta)
    best = min(_BEST, m + _BESIDE, affordable // 2)
    if affordable < _FEWEST:
        return []
    rng = np.random.default_rng(_SEED)
    changed = changed_copies(problem, found.theta, min(_CHANGED, m + _BESIDE), rng)
    pairs = zip_longest(even_starts(problem, found.pls.pwrss), changed)
    chosen = [start for pair in pairs for start in pair if start is not None][: affordable - best]
    drawn = random_starts(problem, min(_RANDOM * m, _MOST_RANDOM), rng)
    return chosen + _lowest(engine, reml, drawn, best)


def _promising(engine: Engine, reml: bool, found: Search, budget: float) -> list[np.ndarray]:
    """Thetas (m,) to search from one after the other: those with the lowest criterion, as many as can be afforded."""
    problem, each = engine.problem, milliseconds(engine)
    drawn = even_starts(problem, found.pls.pwrss)
    drawn += random_starts(problem, len(found.theta) + _BESIDE, np.random.default_rng(_SEED))
    affordable = int((budget - _VALUE * each * len(drawn)) / (_EVALUATIONS * each))
    return _lowest(engine, reml, drawn, min(affordable, _PROMISING)) if affordable > 0 else []


def _lowest(engine: Engine, reml: bool, thetas: list[np.ndarray], count: int) -> list[np.ndarray]:
    return [thetas[i] for i in np.argsort(_values(engine, reml, thetas))[:count]]


def rows_per_effect(problem: Problem) -> float:
    """Rows per fixed or random effect; of weights that differ, only the large ones count, and no levels without rows.

    Weights that stay where the source is are not at hand: there all rows count.
    """
    weights = problem.root_weights
    rows = float(problem.n)
    if weights is not None and are_here(weights):
        rows = float((weights**2).sum() ** 2 / (weights**4).sum())
    return rows / (problem.p + problem.layout.q - problem.effects_without_rows)


# Absurd theta overflow, as in `optimize.search`.
@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def _values(engine: Engine, reml: bool, thetas: Sequence[np.ndarray]) -> list[float]:
    """Criterion at each theta, infinite where there is none."""
    criterion = make_criterion(engine, reml)
    out = []
    for theta in thetas:
        try:
            value = float(criterion.evaluate(theta).criterion)
        except NotPositiveDefiniteError:
            value = np.inf
        out.append(value if np.isfinite(value) else np.inf)
    return out


def _searched(engine: Engine, reml: bool, start: np.ndarray, limits: Any) -> Search | None:
    try:
        return search(engine, reml, start=start, **limits)
    except NotPositiveDefiniteError:
        return None


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


def _is_better(problem: Problem, again: Search, found: Search) -> bool:
    """Whether the second end is an optimum, and lower than the first."""
    perfect = again.pls.pwrss <= _PERFECT * float(problem.xy[-1, -1])
    lower = again.pls.criterion < found.pls.criterion - _LOWER
    return lower and not perfect and again.stop is Stop.CONVERGED
