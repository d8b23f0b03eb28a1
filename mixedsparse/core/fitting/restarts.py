"""Further starts after an end that may be a local optimum: one on the boundary, or where the data say little.

Likelihoods of small or singular models can have several optima (Henn & Hodges 2014, Int. Stat. Rev. 82, 436-458).
Starts are of three kinds: all standard deviations small, like sigma, or large, or those of one term large beside the
others; the first end with every entry changed at random; and the best of some that are random altogether. Small
models are searched from all of them in step (`batched.lockstep`), where sigma is a parameter of its own, so that
paths differ from those of the first search; others one after the other. What any of them finds is searched again from
there, so that the end is judged as ever. How many starts there are is decided by an estimate of their cost, not by a
clock: the same data give the same result.
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
from mixedsparse.core.batch.newton_batch import minimise
from mixedsparse.core.engines.criteria import make_criterion
from mixedsparse.core.fitting.optimize import search
from mixedsparse.core.fitting.outcome import Search, Stop
from mixedsparse.core.likelihood.interface import Engine
from mixedsparse.core.problem.problem import Problem
from mixedsparse.ground.errors import NotPositiveDefiniteError

__all__ = ["doubtful", "with_further_starts"]

# A diagonal entry of Lambda that is less than so many standard errors from 0 leaves room for an optimum there; up to so
# many it does where the criterion without that column of Lambda is hardly higher.
_FAR, _FURTHER, _HARDLY = 1.0, 2.5, 0.5
# Milliseconds, by estimate, that looking for this may take.
_TRIFLE = 5.0
# Standard deviations over sigma: all terms alike; one term and the others.
_ALIKE = (1.0, 0.1, 3.0, 10.0)
_UNLIKE = ((3.0, 0.1), (30.0, 0.3))
# Random starts that are evaluated for each parameter and in all, those of them that are searched from, and the seed.
_RANDOM, _MOST_RANDOM, _BEST, _SEED = 16, 64, 6, 20141003
# Entries of the first end: their number of changed copies, the spread of the powers of ten that they are multiplied
# by, the share that change their sign, and what stands for a variance of 0.
_CHANGED, _SPREAD, _FLIPPED, _LIFTED = 6, 0.5, 0.3, 0.3
# Changed copies and best random starts that there are beside one for each parameter.
_BESIDE = 1
# Points at which a single parameter is scanned, whitened: a standard deviation over sigma.
_SCAN = np.concatenate([[0.0], 10.0 ** np.linspace(-1.5, 2.5, 17)])
# Fewer starts than these are not worth their while.
_FEWEST = 4
# Powers of ten between which random deviations lie, and the share of them that is at the lower end.
_LEAST, _MOST = -2.0, 1.5
_ABSENT = 0.15
# Milliseconds of an evaluation with derivatives: a constant, and per million multiply-adds; evaluations of a search.
_CALL, _PER_MILLION, _EVALUATIONS = 0.4, 3.0, 12
# Ends of searches in step that did not converge from which the ordinary search goes on.
_GO_ON = 3
# A fall of the criterion that makes another optimum, and the difference up to which ends agree.
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
    if not len(near) or len(near) * _milliseconds(engine) > _TRIFLE:
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
    if len(found.theta) == 1:
        return _of_one_parameter(engine, reml, found, int(budget / _milliseconds(engine)), limits)
    batch, values = make_batch(engine), [found.pls.criterion]
    in_step = batch.together
    evaluations = _EVALUATIONS if in_step else max(_EVALUATIONS, found.nfev)
    starts = _starts(engine, reml, found, int(budget / (evaluations * _milliseconds(engine))))
    if not starts:
        return found
    if in_step:
        thetas, converged = _in_step(batch, reml, found, starts)
        reached = np.array(_values(engine, reml, thetas))
        lower = reached < found.pls.criterion - _LOWER
        # The lowest end, if it is lower than the first, and some of those that were on their way.
        order = [i for i in np.argsort(reached) if lower[i] or not converged[i]][: 1 if converged.all() else _GO_ON]
        values += [value for i, value in enumerate(reached) if i not in order]
        starts = [thetas[i] for i in order]
    best, count = found, len(values) + len(starts)
    for start in starts:
        again = _searched(engine, reml, start, limits)
        if again is not None:
            values.append(again.pls.criterion)
            best = again if _is_better(problem, again, best) else best
    same = _SAME + _RELATIVE * abs(best.pls.criterion)
    agreed = sum(abs(value - best.pls.criterion) <= same for value in values)
    return dataclasses.replace(best, starts=count, agreed=int(agreed))


def _of_one_parameter(engine: Engine, reml: bool, found: Search, affordable: int, limits: Any) -> Search:
    """See `with_further_starts`: a scan of the only parameter shows every valley, and each is searched from its bottom.

    Points of the scan from which the criterion falls to an end count as starts that lead there.
    """
    if affordable < len(_SCAN):
        return found
    at = np.unique(np.append(_SCAN, abs(found.theta)))
    values = np.array(_values(engine, reml, list(at[:, None])))
    # Going downhill from point to point leads each of them to its valley; the end itself is one of the points.
    valley = np.array([_downhill(values, point) for point in range(len(values))])
    own = chosen = valley[int(np.searchsorted(at, abs(found.theta[0])))]
    best = found
    for bottom in np.setdiff1d(valley, [own]):
        again = _searched(engine, reml, at[[bottom]], limits)
        if again is not None and _is_better(engine.problem, again, best):
            best, chosen = again, bottom
    return dataclasses.replace(best, starts=len(at), agreed=int((valley == chosen).sum()))


def _downhill(values: np.ndarray, point: int) -> int:
    """Lowest point of the valley of `point`, from neighbour to neighbour."""
    while True:
        around = np.arange(max(point - 1, 0), min(point + 2, len(values)))
        lowest = int(around[values[around].argmin()])
        if values[lowest] >= values[point]:
            return point
        point = lowest


def _milliseconds(engine: Engine) -> float:
    """Estimate what an evaluation with derivatives takes."""
    problem = engine.problem
    size = problem.layout.q + problem.p
    level = sum(n * (k + problem.p) ** 3 for k, n in zip(problem.layout.widths, problem.layout.n_levels, strict=True))
    work = min(engine.work, float(size) ** 3) + level
    return _CALL + _PER_MILLION * 1e-6 * work


def _starts(engine: Engine, reml: bool, found: Search, affordable: int) -> list[np.ndarray]:
    """Thetas (m,) of the whitened bases to start from: at most `affordable`, the best of the random ones among them."""
    problem, layout = engine.problem, engine.problem.layout
    terms, m = len(problem.terms), len(found.theta)
    best = min(_BEST, m + _BESIDE, affordable // 2)
    copies = min(_CHANGED, m + _BESIDE)
    if affordable < _FEWEST:
        return []
    sizes = [np.full(terms, alike) for alike in _ALIKE]
    if terms > 1:
        for large, small in _UNLIKE:
            sizes += [np.where(np.arange(terms) == t, large, small) for t in range(terms)]
    even = [_theta(problem, [np.full(len(w), s) for w, s in zip(layout.whiten, size, strict=True)]) for size in sizes]
    rng = np.random.default_rng(_SEED)
    lifted = np.where(layout.is_diagonal & (found.theta == 0.0), _LIFTED, found.theta)
    signs = np.where(rng.random((copies, m)) < _FLIPPED, -1.0, 1.0)
    changed = [layout.positive(theta) for theta in signs * lifted * 10.0 ** (_SPREAD * rng.normal(size=(copies, m)))]
    chosen = [start for pair in zip_longest(even, changed) for start in pair if start is not None][: affordable - best]
    drawn = []
    for _ in range(min(_RANDOM * m, _MOST_RANDOM)):
        spread = [10.0 ** rng.uniform(_LEAST, _MOST, len(w)) for w in layout.whiten]
        present = [np.where(rng.random(len(s)) < _ABSENT, 10.0**_LEAST, s) for s in spread]
        drawn.append(_theta(problem, present, rng))
    values = _values(engine, reml, drawn)
    return chosen + [drawn[i] for i in np.argsort(values)[:best]]


def _theta(problem: Problem, deviations: list[np.ndarray], rng: np.random.Generator | None = None) -> np.ndarray:
    """Theta of effects with the given SD over sigma, per term, whitened bases: uncorrelated, or anyhow by `rng`."""
    layout = problem.layout
    blocks = [np.zeros((k, k)) for k in layout.widths]
    for b, start, own in zip(layout.term_block, layout.term_start, deviations, strict=True):
        inside = slice(start, start + len(own))
        rows = np.eye(len(own)) if rng is None else np.tril(rng.normal(size=(len(own), len(own))))
        blocks[b][inside, inside] = own[:, None] * rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return layout.positive(layout.gather(blocks))


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
