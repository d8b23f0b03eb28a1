"""Where a search starts: values by position, or those of other parameters of the same random effects."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixedsparse.core.fitting.start import check_theta
from mixedsparse.core.problem.problem import Problem
from mixedsparse.core.residual.interface import Residual
from mixedsparse.fitted.model import Model
from mixedsparse.fitted.parameters import Parameters
from mixedsparse.ground.checks import shown
from mixedsparse.ground.errors import OptionError

__all__ = ["start_theta", "start_vector"]


def start_theta(problem: Problem, start: Any, residual: Residual | None = None) -> np.ndarray:
    """Theta (m,) of `problem` to start from: an array, or `Parameters` whose terms have the same names.

    The parameters of a `residual` covariance may stand behind theta in an array.

    Raises
    ------
    OptionError
        It is not such an array, or a term is missing.
    """
    if not isinstance(start, Parameters):
        return check_theta(problem, start, "start", 0 if residual is None else residual.size)
    pairs = zip(start.problem.terms, start.templates, strict=True)
    known = {(term.group, term.columns): lam for term, lam in pairs}
    absent = [term for term in problem.terms if (term.group, term.columns) not in known]
    if absent:
        shown = ", ".join(f"({' + '.join(term.columns)} | {term.group})" for term in absent)
        raise OptionError(f"start has no random effects {shown}: give results of a model that has them, or theta.")
    templates = [known[term.group, term.columns] for term in problem.terms]
    return check_theta(problem, problem.theta_layout.flatten(templates), "start")


def start_vector(model: Model, has_dispersion: bool, start: Any) -> np.ndarray:
    """Theta, coefficients and log dispersion of a generalized `model`: an array, or `Parameters` of one with the same.

    Raises
    ------
    OptionError
    """
    problem = model.problem
    if isinstance(start, Parameters) and not start.has_residual:
        if start.x_names != [model.design.x_names[i] for i in problem.basis.kept]:
            raise OptionError("start has other coefficients than the model: give results with the same, or values.")
        known = start.scale_parameter
        extra = [] if not has_dispersion else [0.0 if known is None else np.log(known[1])]
        start = np.concatenate([start_theta(problem, start), start.beta, extra])
    try:
        values = np.asarray(start, dtype=float)
    except (TypeError, ValueError) as err:
        raise OptionError(f"start={shown(start)} is not an array of numbers.") from err
    size = problem.n_theta + problem.p + int(has_dispersion)
    if values.shape != (size,) or not np.isfinite(values).all():
        parts = f"{problem.n_theta} of theta, {problem.p} coefficients"
        more = ", log dispersion" if has_dispersion else ""
        raise OptionError(f"start has shape {values.shape}: give {size} finite numbers ({parts}{more}).")
    return values
