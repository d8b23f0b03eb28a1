"""The same model for another response."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedsparse.core.fitting.fit import fit_problem
from mixedsparse.core.problem.edits import with_response
from mixedsparse.data.formula import checks
from mixedsparse.data.formula.alignment import aligned_part
from mixedsparse.data.sizes import checked_sizes
from mixedsparse.fitted.again import fit_again
from mixedsparse.fitted.fit import fit_model
from mixedsparse.fitted.fitted import Fitted
from mixedsparse.fitted.model import response_of
from mixedsparse.fitted.parameters import Parameters
from mixedsparse.fitted.refusals import check_estimable, is_perfect, perfect_fit
from mixedsparse.fitted.warnings import warn_of_search
from mixedsparse.ground.checks import as_array
from mixedsparse.ground.errors import BackendError, DataError

if TYPE_CHECKING:
    from mixedsparse.data.formula.design import Design

__all__ = ["fit_response", "refit_criterion", "refit_response", "response_from"]


def refit_response(parameters: Parameters, y: Any, seed: int | None = None) -> Fitted:
    """Fit the model of `parameters` to another response; see `MixedResults.refit`. With a `seed` it is iterative."""
    out = fit_response(parameters, _response(parameters.design, y), seed=seed)
    warn_of_search(out.fit)
    return out


def refit_criterion(fitted: Fitted, reml: bool) -> Fitted:
    """Fit the model of `fitted` by REML or by ML, as a first fit does."""
    if fitted.reml == bool(reml):
        return fitted
    return fit_model(fitted.model, reml, method="auto" if fitted.seed is None else "iterative")


def fit_response(
    parameters: Parameters, y: np.ndarray, start: np.ndarray | None = None, seed: int | None = None
) -> Fitted:
    """Fit y (n,), already checked, from theta `start`; the analysis and all cross-products without y are shared.

    With a `seed` the fit is iterative.
    """
    old = parameters.model
    design = replace(old.design, y=y)
    if old.residual is not None:
        return _with_residual(parameters, design)
    problem = with_response(old.problem, response_of(design))
    check_estimable(problem, design, checked_sizes(design))
    # The engine that is there already, which the user may have asked for; the one for "auto" after unpickling.
    iterative = seed is not None
    key = "iterative" if iterative else next((made for made in old.engines.made if made != "iterative"), "auto")
    engines = old.engines.again(problem)
    engines.made[key] = engine = (old.engine(method=key) if iterative else old.engine(key)).with_problem(problem)
    fit = fit_problem(engine, parameters.reml, start=start, seed=seed or 0)
    if is_perfect(fit, problem):
        raise perfect_fit(design, fit)
    return Fitted(type(old).of_design(design, problem, engines), fit)


def _with_residual(parameters: Parameters, design: Design) -> Fitted:
    """Fit the response of `design` where the residual covariance has parameters too, from the estimates."""
    if not isinstance(parameters, Fitted):
        raise BackendError("Models with residual= or dispersion= are refitted from a fit: give the fit itself.")
    old = parameters.model
    problem = with_response(old.white, response_of(design))
    check_estimable(problem, design, checked_sizes(design))
    model = type(old).of_design(design, problem, old.engines.again(problem))
    found = fit_again(parameters, parameters.reml, problem, model)
    if is_perfect(found.fit, problem, old.residual):
        raise perfect_fit(design, found.fit)
    return found


def response_from(parameters: Parameters, moved: np.ndarray) -> np.ndarray:
    """Response (n,) whose distance from the population means of the fit is `moved`."""
    design = parameters.design
    y = parameters.X @ parameters.beta + moved
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
