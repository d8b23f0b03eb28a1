"""Fit a model: the search, and what is said of it."""

from __future__ import annotations

from typing import Any

from mixedsparse.core.fitting.fit import fit_problem
from mixedsparse.core.fitting.residual import engine_of
from mixedsparse.core.problem.chart import Chart
from mixedsparse.fitted.fitted import Fitted
from mixedsparse.fitted.model import Model, whitened_model
from mixedsparse.fitted.refusals import is_perfect, perfect_fit
from mixedsparse.fitted.starts import start_theta
from mixedsparse.fitted.warnings import warn_of_data, warn_of_response, warn_of_search
from mixedsparse.ground.errors import BackendError
from mixedsparse.ground.logs import log_fit
from mixedsparse.ground.options import FitOptions, check_method, check_options
from mixedsparse.ground.progress import ProgressOption, reporter

__all__ = ["fit_model"]


def fit_model(
    model: Model,
    reml: bool = True,
    *,
    start: Any = None,
    chart: Chart | None = None,
    method: str = "auto",
    options: FitOptions | None = None,
    progress: ProgressOption = None,
) -> Fitted:
    """Fit `model`, by a search in `chart` if one is given; see `mixedsparse.LinearMixedModel.fit`."""
    options = check_options(options)
    check_method(method, options)
    start = None if start is None else start_theta(model.problem, start, model.residual)
    if model.residual is not None and method == "iterative":
        raise BackendError(
            "Residual covariances need exact derivatives, which method='iterative' does without: fit with "
            "method='direct', or leave out residual= and dispersion=."
        )
    engine = model.engine(options.backend, "direct" if model.residual is not None else method)
    if model.white is not model.problem:
        # The model of a fit has its rows whitened at the estimates; a search starts from the rows as they came.
        engine = engine.with_problem(model.white)
    with reporter(progress, *model.engines.expectations(engine)) as note:
        fit = fit_problem(
            engine,
            bool(reml),
            start=start,
            chart=chart,
            max_evals=options.max_evals,
            tolerance=options.tolerance,
            progress=note,
            interruptible=True,
            restart_budget=options.restart_budget,
            seed=options.seed,
            mc_share=options.mc_share,
            residual=model.residual,
        )
    search, by = fit.search, "REML" if reml else "ML"
    log_fit(model.formula, by, fit, search.nfev, search.seconds, rows=model.problem.n)
    if is_perfect(fit, model.white, model.residual):
        raise perfect_fit(model.design, fit)
    warn_of_data(model.design, model.problem, model.dropped_columns)
    warn_of_response(model.design)
    warn_of_search(fit)
    if fit.residual is not None:
        model = whitened_model(model, engine_of(fit))
    return Fitted(model, fit)
