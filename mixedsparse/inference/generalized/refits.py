"""A generalized model fitted anew from the optimum that is known: other responses, fewer columns, simpler effects."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mixedsparse.core.fitting.laplace import fit_data, make_criterion, without_effects
from mixedsparse.core.problem.edits import reduced_term
from mixedsparse.data.derived import terms_with_rows, with_columns, with_terms
from mixedsparse.fitted.generalized import GeneralizedFitted, GeneralizedModel
from mixedsparse.fitted.generalized_objective import laplace_data
from mixedsparse.ground.caller import user_level
from mixedsparse.ground.errors import ConvergenceWarning, OptionError
from mixedsparse.inference.refit import Likelihood, root_of

if TYPE_CHECKING:
    from mixedsparse.core.likelihood.interface import Engine

__all__ = [
    "check_maximum",
    "fit_design",
    "fit_fewer_columns",
    "fit_new_response",
    "fit_simpler_terms",
    "likelihood_of",
    "start_of",
]


def check_maximum(fitted: GeneralizedFitted, what: str = "A likelihood ratio") -> None:
    """Refuse what compares maxima of the likelihood where there is none."""
    fitted.needs_optimum(what)
    fitted.needs("factor", what, "Use wald_test: log-likelihoods of iterative fits have an error")
    if fitted.fit.nodes == 0:
        raise OptionError(
            f"{what} compares maxima of the likelihood, and nAGQ=0 does not go to the maximum: fit with nAGQ=1."
        )


def likelihood_of(fitted: GeneralizedFitted) -> Likelihood:
    """Likelihood and number of parameters of a fit."""
    return Likelihood(fitted.criterion, fitted.npar)


def start_of(fitted: GeneralizedFitted, beta: np.ndarray | None = None) -> np.ndarray:
    """Theta, beta and psi of the optimum to start from, theta off the boundary so that a search can leave it."""
    problem = fitted.problem
    covariances = [lam @ lam.T for lam in fitted.fit.templates]
    templates = [root_of(cov, whiten) for cov, whiten in zip(covariances, problem.layout.whiten, strict=True)]
    return _vector(fitted, problem.theta_layout.flatten(templates), fitted.fit.beta if beta is None else beta)


def _vector(fitted: GeneralizedFitted, theta: np.ndarray, beta: np.ndarray) -> np.ndarray:
    return np.concatenate([theta, beta, [fitted.fit.psi] if fitted.family.has_dispersion else []])


def with_response(model: GeneralizedModel, y: np.ndarray) -> GeneralizedModel:
    """Return `model` for another response (n,): counts of successes for a binomial one. Its engines are shared."""
    other = copy.copy(model)
    other.design = replace(model.design, y=y)
    other._engines = model.engines
    return other


def engine_of(model: GeneralizedModel) -> Engine:
    """Return the engine that is there already, which the user may have asked for; the automatic one otherwise."""
    return model.engine(next(iter(model.engines.made), "auto"))


def fit_design(
    fitted: GeneralizedFitted, model: GeneralizedModel, start: np.ndarray | None, errors: bool = True
) -> GeneralizedFitted:
    """Fit `model` by the nodes of `fitted`, from `start`; from nothing if the search from there does not end."""
    data, fit = laplace_data(model, engine_of(model)), None
    for begin in (start, None) if start is not None else (None,):
        fit = fit_data(data, nodes=fitted.fit.nodes, start=begin, errors=errors)
        if fit.certificate.converged:
            break
    assert fit is not None
    return GeneralizedFitted(model, fit)


def fit_new_response(
    fitted: GeneralizedFitted, y: np.ndarray, start: np.ndarray | None = None, errors: bool = True
) -> GeneralizedFitted:
    """Fit the same model to y (n,), counts of successes for a binomial one; pattern and analysis are kept."""
    return fit_design(fitted, with_response(fitted.model, y), start_of(fitted) if start is None else start, errors)


def fit_fewer_columns(fitted: GeneralizedFitted, columns: np.ndarray, what: str) -> Likelihood:
    """Fit with another fixed part; `columns` (p, r) says how it combines the columns of X that were kept."""
    design, kept = fitted.design, fitted.problem.basis.kept
    names = tuple(f"column {j}" for j in range(columns.shape[1]))
    every = np.zeros((len(design.x_names), columns.shape[1]))
    every[kept] = columns
    model = GeneralizedModel(with_columns(design, every, names), fitted.family)
    # The coefficients whose fixed part is nearest to that of the fit.
    root = design.observed.x_root[:, kept]
    left = model.problem.basis.kept
    beta = np.linalg.lstsq(root @ columns[:, left], root @ fitted.fit.beta, rcond=None)[0]
    return _checked(fit_design(fitted, model, start_of(fitted, beta), errors=False), what)


def fit_simpler_terms(
    fitted: GeneralizedFitted,
    effects: Sequence[tuple[int, np.ndarray]],
    covariances: Sequence[np.ndarray],
    what: str,
) -> Likelihood:
    """Fit with other random effects; arguments as those of `mixedsparse.inference.refit.fit_terms`."""
    if not effects:
        return _without_any(fitted, what)
    design = fitted.design
    terms = [reduced_term(terms_with_rows(design)[i], own) for i, own in effects]
    model = GeneralizedModel(with_terms(design, terms), fitted.family)
    problem = model.problem
    templates = [root_of(covariances[i], T) for i, T in zip(problem.order, problem.layout.whiten, strict=True)]
    theta = problem.theta_layout.flatten(templates)
    return _checked(fit_design(fitted, model, _vector(fitted, theta, fitted.fit.beta), errors=False), what)


def _without_any(fitted: GeneralizedFitted, what: str) -> Likelihood:
    model = fitted.model
    data = laplace_data(model, engine_of(model))
    criterion = make_criterion(data, 1)
    psi = np.array([fitted.fit.psi] if fitted.family.has_dispersion else [])
    least, minimal = without_effects(criterion, criterion.data.root @ fitted.fit.beta, psi)
    if not minimal:
        _warn(what, "the search stopped early.")
    return Likelihood(least if minimal else np.nan, fitted.npar - fitted.problem.n_theta)


def _checked(found: GeneralizedFitted, what: str) -> Likelihood:
    if not found.converged:
        _warn(what, found.fit.certificate.message)
    return likelihood_of(found)


def _warn(what: str, why: str) -> None:
    warnings.warn(f"Refit of {what}: {why}", ConvergenceWarning, stacklevel=user_level())
