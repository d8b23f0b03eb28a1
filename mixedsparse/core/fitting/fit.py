"""A fit from start to end: the search that suits the engine, further starts where they may help, the report."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mixedsparse.core.fitting.estimates import Fit, report
from mixedsparse.core.fitting.iterative import fit_iterative
from mixedsparse.core.fitting.optimize import search
from mixedsparse.core.fitting.outcome import Search
from mixedsparse.core.fitting.residual import fit_residual
from mixedsparse.core.fitting.restarts import doubtful, with_further_starts
from mixedsparse.core.fitting.structured_restarts import with_structured_starts
from mixedsparse.core.likelihood.interface import Engine
from mixedsparse.core.likelihood.pls import widened
from mixedsparse.core.likelihood.rows import can_use_rows
from mixedsparse.core.problem.chart import Chart
from mixedsparse.core.problem.narrowed import narrowed
from mixedsparse.core.residual.interface import Residual
from mixedsparse.ground.progress import Progress
from mixedsparse.ground.threads import lapack_threads

__all__ = ["fit_problem"]


def fit_problem(
    engine: Engine,
    reml: bool,
    *,
    start: np.ndarray | None = None,
    chart: Chart | None = None,
    max_evals: int = 500,
    tolerance: float = 1e-10,
    progress: Progress | None = None,
    interruptible: bool = False,
    restart_budget: float = 0.0,
    seed: int = 0,
    mc_share: float = 0.01,
    residual: Residual | None = None,
) -> Fit:
    """Minimise the criterion and report the optimum in the user's units.

    Parameters
    ----------
    engine : Engine
        Of the problem.
    reml : bool
    start : ndarray, shape (m,), optional
        Theta to start from, in the user's units.
    chart : Chart, optional
        Coordinates to search in by a direct engine, in place of those of the problem.
    max_evals, tolerance, progress, interruptible, restart_budget
        See `mixedsparse.ground.options.FitOptions` and `mixedsparse.core.fitting.optimize.search`.
    seed, mc_share
        Of the iterative engine, see `mixedsparse.ground.options.FitOptions`.
    residual : Residual, optional
        Covariance of the residuals as a function of further parameters, for the problem of `engine`, where R = I. They
        may stand behind theta in `start`.
    """
    limits: dict[str, Any] = {"max_evals": max_evals, "tolerance": tolerance}
    limits |= {"progress": progress, "interruptible": interruptible}
    if (stochastic := engine.stochastic) is not None:
        return fit_iterative(stochastic, reml, start=start, seed=seed, mc_share=mc_share, **limits)
    if residual is not None:
        return fit_residual(engine, reml, residual, start, **limits)
    narrow = narrowed(engine.problem, engine.limits.narrowed)
    whole, engine = engine, engine if narrow is None else engine.with_problem(narrow.problem)
    with lapack_threads(engine.work):
        inner = None if start is None else engine.problem.layout.to_block @ start
        found = search(engine, reml, start=inner, chart=chart, **limits)
        if restart_budget and start is None and found.phi is None:
            found = _from_further_starts(engine, reml, found, restart_budget, max_evals, tolerance, interruptible)
        elif restart_budget and chart is None and engine.problem.is_structured:
            further = {"max_evals": max_evals, "tolerance": tolerance}
            found = with_structured_starts(engine, reml, found, start is not None, restart_budget, **further)
        if narrow is not None and can_use_rows(whole.problem):
            # Products of columns have lost digits that the rows have.
            end = search(whole, reml, start=found.theta, chart=chart, **limits)
            found = replace(end, starts=found.starts, agreed=found.agreed, nfev=found.nfev + end.nfev)
        elif narrow is not None:
            found = replace(found, pls=widened(found.pls, narrow, whole))
        return report(whole, found, reml, chart)


def _from_further_starts(
    engine: Engine, reml: bool, found: Search, budget: float, max_evals: int, tolerance: float, interruptible: bool
) -> Search:
    """Search from further starts if the first end leaves room for another optimum."""
    if not doubtful(engine, reml, found):
        return found
    try:
        return with_further_starts(engine, reml, found, budget, max_evals=max_evals, tolerance=tolerance)
    except KeyboardInterrupt:
        if not interruptible:
            raise
        return found
