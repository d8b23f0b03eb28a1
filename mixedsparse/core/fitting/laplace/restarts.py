"""Further starts where the first end may not be the only optimum: on the boundary, and with large variances."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from mixedsparse.core.fitting.laplace.search import ABSURD, Found, search
from mixedsparse.core.fitting.outcome import Stop
from mixedsparse.core.fitting.rivals import has_rivals
from mixedsparse.core.likelihood.laplace.criterion import LaplaceCriterion
from mixedsparse.ground.errors import NotPositiveDefiniteError
from mixedsparse.ground.options import FitOptions

__all__ = ["search_again"]

# Standard deviations, per standard deviation of the basis, from which on the likelihood is often flat.
_LARGE = 3.0
# Milliseconds of an evaluation, and of a thousand products of two effects of a row, where the budget is measured.
_PER_EVALUATION, _PER_THOUSAND = 1.0, 0.3
# How far beyond the standard deviations that are absurd a search may go and come back.
_BEYOND = 10.0
# Step in the log dispersion to where next to nothing is left of the variance, and standard deviations there.
_TIGHT, _BESIDE = 6.0, 0.5
# How much larger than a lower end with large standard deviations the next start is, and how often there is one.
_LARGER = 1.5
_MOST_ROUNDS = 3
# Standard deviations of starts where large ones may cancel.
_CANCELLING = (12.0, 4.0)
# Criteria this close are one optimum; on the way to the end, where a search is left, they may be further apart.
_SAME, _ALIKE = 1e-6, 1e-3


def search_again(criterion: LaplaceCriterion, first: Found, start: np.ndarray, options: FitOptions) -> Found:
    """Return the best end of further searches, or the first one.

    One that agrees with it is the last, unless variances are so large, or compete with a dispersion, that several
    optima are likely. A lower criterion where variances are absurd is an end too, whose `runaway` says so. Where a
    lower end is found, with large variances, there may be others beside it: it has a budget of its own.
    """
    if first.stop is not Stop.CONVERGED or not _doubtful(criterion, first):
        return first
    best, nfev, factorisations, spent = first, first.nfev, first.factorisations, first.nfev
    products = sum(criterion.layout.widths) ** 2
    cost = _PER_EVALUATION + _PER_THOUSAND * products * criterion.data.n / 1000.0
    limits = {"max_evals": options.max_evals, "tolerance": options.tolerance, "furthest": _BEYOND * ABSURD}
    many = criterion.m + criterion.p
    large = _largest(criterion, first) > _LARGE or has_rivals(criterion.data.problem)
    every = large or criterion.size > criterion.m + criterion.p
    starts, rounds = list(_starts(criterion, first, start)), 0
    while starts and spent * cost <= options.restart_budget:
        vector = starts.pop(0)
        # Where variances are large the likelihood is flat, and no model of it says where a search will end.
        known = np.inf if large or rounds else best.point.criterion
        try:
            found = search(criterion, vector, watch=False, known=known, **limits)  # type: ignore[arg-type]
        except NotPositiveDefiniteError:
            continue
        nfev, spent, factorisations = nfev + found.nfev, spent + found.nfev, factorisations + found.factorisations
        gain = best.point.criterion - found.point.criterion
        converged = found.stop is Stop.CONVERGED
        if gain > _SAME and (converged or len(found.runaway)):
            best = found
            if _largest(criterion, found) > _LARGE and not len(found.runaway) and rounds < _MOST_ROUNDS:
                spent, rounds = 0, rounds + 1
                starts.insert(0, np.append(_LARGER * found.point.vector[:many], found.point.vector[many:]))
        elif abs(gain) <= (_SAME if converged else _ALIKE) and not every:
            break
    return replace(best, nfev=nfev, factorisations=factorisations) if best is not first else first


def _doubtful(criterion: LaplaceCriterion, found: Found) -> bool:
    """Whether there may be another optimum."""
    pivots = found.point.parameters.theta[criterion.layout.is_diagonal]
    data = criterion.data
    # Fewer binary outcomes than effects, which can reproduce them.
    saturated = data.family.name == "binomial" and data.m.sum() <= criterion.p + criterion.layout.q
    if saturated or has_rivals(data.problem) or _competes(criterion):
        return True
    return bool((pivots == 0.0).any()) or _largest(criterion, found) > _LARGE


def _competes(criterion: LaplaceCriterion) -> bool:
    """Whether random effects of single rows compete with a dispersion: either may take all of the variance."""
    alone = max(criterion.layout.n_levels, default=0) == criterion.data.n
    return alone and criterion.size > criterion.m + criterion.p


def _largest(criterion: LaplaceCriterion, found: Found) -> float:
    """Largest pivot of Lambda."""
    theta = found.point.parameters.theta
    return float(np.abs(theta[criterion.layout.is_diagonal]).max(initial=0.0))


def _starts(criterion: LaplaceCriterion, first: Found, start: np.ndarray) -> Iterator[np.ndarray]:
    """Yield starts with larger standard deviations, first of all in place of the dispersion."""
    layout, m = criterion.layout, criterion.m
    if criterion.size > m + criterion.p:
        vector = start.copy()
        vector[:m] = np.where(layout.is_diagonal, _BESIDE if _competes(criterion) else 2.0 * _BESIDE, 0.0)
        vector[-1] += -_TIGHT if criterion.data.family.name == "nb1" else _TIGHT
        yield vector
    for sd in _CANCELLING if has_rivals(criterion.data.problem) else ():
        vector = start.copy()
        vector[:m] = np.where(layout.is_diagonal, sd, 0.0)
        yield vector
    for sd in (1.5, 2.0 * max(2.0, float(np.abs(first.point.parameters.theta).max(initial=0.0)))):
        vector = start.copy()
        vector[:m] = np.where(layout.is_diagonal, sd, 0.0)
        if criterion.size > m + criterion.p:
            vector[-1] += 1.0
        yield vector
