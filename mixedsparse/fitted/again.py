"""Fit a model again, from estimates that there are."""

from __future__ import annotations

import numpy as np

from mixedsparse.core.fitting.fit import fit_problem
from mixedsparse.core.fitting.residual import engine_of
from mixedsparse.core.problem.problem import Problem
from mixedsparse.fitted.fitted import Fitted
from mixedsparse.fitted.model import Model, whitened_model

__all__ = ["fit_again", "start_of"]


def fit_again(fitted: Fitted, reml: bool, problem: Problem | None = None, model: Model | None = None) -> Fitted:
    """Fit the model of `fitted` by the criterion wanted, from its estimates.

    Parameters
    ----------
    fitted : Fitted
    reml : bool
    problem : Problem, optional
        With another response in place of that of the model, residuals independent with one variance.
    model : Model, optional
        That the new fit belongs to, in place of the model of `fitted`.
    """
    old = fitted.model
    residual = old.residual
    if residual is None:
        engine = old.engine() if problem is None else old.engine().with_problem(problem)
        return Fitted(old if model is None else model, fit_problem(engine, reml, start=fitted.fit.theta))
    engine = old.engine().with_problem(old.white if problem is None else problem)
    fit = fit_problem(engine, reml, start=start_of(fitted), residual=residual)
    return Fitted(whitened_model(old if model is None else model, engine_of(fit)), fit)


def start_of(fitted: Fitted) -> np.ndarray:
    """Theta, and after it the parameters of the residual covariance where there are any."""
    fit = fitted.fit
    return fit.theta if fit.residual is None else np.concatenate([fit.theta, fit.residual])
