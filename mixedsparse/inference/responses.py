"""The same model for another response."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedsparse.core.batch.responses import rebind, with_response
from mixedsparse.core.choose.engines import Engines
from mixedsparse.core.fitting.fit import fit_problem
from mixedsparse.data.formula import checks
from mixedsparse.data.formula.alignment import aligned_part
from mixedsparse.fitted.refusals import check_estimable, checked_sizes, is_perfect, perfect_fit
from mixedsparse.fitted.warnings import warn_of_search
from mixedsparse.ground.checks import as_array
from mixedsparse.ground.errors import DataError

if TYPE_CHECKING:
    from mixedsparse.api.results import MixedResults
    from mixedsparse.data.formula.design import Design

__all__ = ["fit_response", "refit_response", "response_from"]


def refit_response(results: MixedResults, y: Any) -> MixedResults:
    """Fit the model of `results` to another response; see `MixedResults.refit`."""
    out = fit_response(results, _response(results.model.design, y))
    warn_of_search(out.fit)
    return out


def fit_response(results: MixedResults, y: np.ndarray, start: np.ndarray | None = None) -> MixedResults:
    """Fit y (n,), already checked, from theta `start`; the analysis and all cross-products without y are shared."""
    old = results.model
    model = copy.copy(old)
    model.design = replace(old.design, y=y)
    model.problem = with_response(old.problem, y if old.design.offset is None else y - old.design.offset)
    check_estimable(model.problem, model.design, checked_sizes(model.design))
    # The engine that is there already, which the user may have asked for; the one for "auto" after unpickling.
    iterative = results.solver == "iterative"
    key = "iterative" if iterative else next((made for made in old._engines.made if made != "iterative"), "auto")
    engine = rebind(old.engine(method=key) if iterative else old.engine(key), model.problem)
    model._engines = Engines(model.problem, old._engines.cost)
    model._engines.made[key] = engine
    seed = results.fit.monte_carlo.seed if iterative else 0
    fit = fit_problem(engine, results.fit.reml, start=start, seed=seed)
    if is_perfect(fit, model.problem):
        raise perfect_fit(model.design, fit)
    return type(results)(model, fit)


def response_from(results: MixedResults, moved: np.ndarray) -> np.ndarray:
    """Response (n,) whose distance from the population means of the fit is `moved`."""
    design = results.model.design
    y = design.X[:, results.model.problem.basis.kept] @ results.fit.beta + moved
    return y if design.offset is None else y + design.offset


def _response(design: Design, y: Any) -> np.ndarray:
    """Y as (n,) in the order of the fitted rows, checked."""
    n, label = len(design.y), str(getattr(y, "name", None) or "y")
    if isinstance(y, Mapping) or not hasattr(y, "__len__") or isinstance(y, str | bytes):
        raise DataError(f"The new response must be one column of {n} numbers, not {type(y).__name__}.")
    what = f"the new response {label!r}"
    values = as_array(aligned_part(y, design.index, what), what)
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    if values.ndim != 1 or len(values) != n:
        left_out = f" ({design.nmissing} rows with missing values were left out)" if design.nmissing else ""
        raise DataError(
            f"The new response {label!r} has shape {values.shape}, but {n} rows were fitted{left_out}: give one number "
            "per fitted row, or a Series on the index of the data."
        )
    return checks.response(values, label)
