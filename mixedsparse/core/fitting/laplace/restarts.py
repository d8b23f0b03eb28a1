"""Further starts where the first end may not be the only optimum: on the boundary, and with large variances."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from mixedsparse.core.fitting.laplace.search import Found, search
from mixedsparse.core.fitting.outcome import Stop
from mixedsparse.core.likelihood.laplace.criterion import LaplaceCriterion
from mixedsparse.ground.errors import NotPositiveDefiniteError
from mixedsparse.ground.options import FitOptions

__all__ = ["search_again"]

# Standard deviations, per standard deviation of the basis, from which on the likelihood is often flat.
_LARGE = 3.0
# Milliseconds of an evaluation, and of a thousand products of two effects of a row, where the budget is measured.
_PER_EVALUATION, _PER_THOUSAND = 1.0, 0.3
# Criteria this close are one optimum.
_SAME = 1e-6


def search_again(criterion: LaplaceCriterion, first: Found, start: np.ndarray, options: FitOptions) -> Found:
    """Return the best end of further searches, or the first one; one that agrees with it is the last."""
    if first.stop is not Stop.CONVERGED or not _doubtful(criterion, first):
        return first
    best, nfev, factorisations = first, first.nfev, first.factorisations
    products = sum(criterion.layout.widths) ** 2
    cost = _PER_EVALUATION + _PER_THOUSAND * products * criterion.data.n / 1000.0
    for vector in _starts(criterion, first, start):
        if nfev * cost > options.restart_budget:
            break
        try:
            found = search(criterion, vector, max_evals=options.max_evals, tolerance=options.tolerance, watch=False)
        except NotPositiveDefiniteError:
            continue
        nfev, factorisations = nfev + found.nfev, factorisations + found.factorisations
        ended = found.stop is Stop.CONVERGED and not len(found.runaway)
        if not ended:
            continue
        gain = best.point.criterion - found.point.criterion
        if gain > _SAME:
            best = found
        elif gain > -_SAME:
            break
    return replace(best, nfev=nfev, factorisations=factorisations) if best is not first else first


def _doubtful(criterion: LaplaceCriterion, found: Found) -> bool:
    """Whether there may be another optimum."""
    theta = found.point.parameters.theta
    pivots = theta[criterion.layout.is_diagonal]
    return bool((pivots == 0.0).any() or (np.abs(pivots) > _LARGE).any())


def _starts(criterion: LaplaceCriterion, first: Found, start: np.ndarray) -> Iterator[np.ndarray]:
    """Yield starts with larger standard deviations, and with more of the dispersion in them."""
    layout, m = criterion.layout, criterion.m
    for sd in (1.5, 2.0 * max(2.0, float(np.abs(first.point.parameters.theta).max(initial=0.0)))):
        vector = start.copy()
        vector[:m] = np.where(layout.is_diagonal, sd, 0.0)
        if criterion.size > m + criterion.p:
            vector[-1] += 1.0
        yield vector
