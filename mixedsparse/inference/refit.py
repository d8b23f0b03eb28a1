"""Refits for likelihood ratios: by the other criterion, with fewer columns of X, or with fewer random effects."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mixedsparse.caller import user_level
from mixedsparse.core.engine import make_engine
from mixedsparse.core.fit import Fit, fit_problem
from mixedsparse.core.problem import make_problem
from mixedsparse.core.terms import RandomTerm
from mixedsparse.errors import ConvergenceWarning

if TYPE_CHECKING:
    from mixedsparse.results import MixedResults

__all__ = ["Likelihood", "fit_columns", "fit_terms", "independent_columns", "of_fit", "refit"]

# Share of its length that a column must have beyond the columns before it.
_NEW = 1e-8


@dataclass(frozen=True, slots=True)
class Likelihood:
    """A maximised criterion, -2 log L or REML, and the number of parameters: fixed, covariance, sigma."""

    criterion: float
    npar: int

    @property
    def logLik(self) -> float:
        """Log-likelihood."""
        return -0.5 * self.criterion

    @property
    def aic(self) -> float:
        """Akaike's criterion."""
        return self.criterion + 2.0 * self.npar


def of_fit(results: MixedResults, fit: Fit) -> Likelihood:
    """Likelihood of a fit of the model of `results`."""
    return Likelihood(fit.criterion, results.df_model)


def refit(results: MixedResults, reml: bool) -> Fit:
    """Fit the model of `results` by the criterion wanted, from the estimates that there are."""
    if results.reml == reml:
        return results.fit
    return _checked(fit_problem(results.model.engine(), reml, start=results.fit.theta), "the model itself")


def fit_columns(results: MixedResults, X: np.ndarray, reml: bool, start: np.ndarray, what: str) -> Likelihood:
    """Fit with another fixed part X (n, r), from theta `start`; `what` names the model in warnings."""
    design = results.model.design
    problem = make_problem(_response(results), X, design.terms, design.weights)
    fit = _checked(fit_problem(make_engine(problem), reml, start=start), what)
    return Likelihood(fit.criterion, problem.p + problem.n_theta + 1)


def fit_terms(
    results: MixedResults, terms: Sequence[RandomTerm], covariances: Sequence[np.ndarray], what: str
) -> Likelihood:
    """Fit by the criterion of `results` with other random effects.

    Parameters
    ----------
    results : MixedResults
    terms : sequence of RandomTerm
        None at all: a linear model.
    covariances : sequence of ndarray (k, k)
        Of each term relative to sigma^2, to start from.
    what : str
        Name of the model in warnings.
    """
    design, full = results.model.design, results.model.problem
    if not terms:
        return Likelihood(results.model.objective(np.zeros(full.n_theta), results.reml), full.p + 1)
    problem = make_problem(_response(results), design.X, terms, design.weights)
    templates = [_root(covariances[i]) for i in problem.order]
    start = problem.theta_layout.flatten(templates)
    fit = _checked(fit_problem(make_engine(problem), results.reml, start=start), what)
    return Likelihood(fit.criterion, problem.p + problem.n_theta + 1)


def independent_columns(columns: np.ndarray) -> np.ndarray:
    """Leave out the columns of a small matrix (r, c) that depend on earlier ones."""
    basis = np.empty((len(columns), 0))
    kept = []
    for j in range(columns.shape[1]):
        new = columns[:, j] - basis @ (basis.T @ columns[:, j])
        length = np.linalg.norm(new)
        if length > _NEW * np.linalg.norm(columns[:, j]):
            basis = np.column_stack([basis, new / length])
            kept.append(j)
    return columns[:, kept]


def reduced(term: RandomTerm, columns: np.ndarray) -> RandomTerm:
    """Return `term` with the effects z @ columns, for columns (k, r)."""
    return replace(term, z=term.z @ columns, columns=tuple(f"effect {j}" for j in range(columns.shape[1])))


def _response(results: MixedResults) -> np.ndarray:
    design = results.model.design
    return design.y if design.offset is None else design.y - design.offset


def _root(covariance: np.ndarray) -> np.ndarray:
    """Lower-triangular root of a covariance, kept off the boundary so that the search can leave it."""
    size = np.diagonal(covariance)
    lift = 1e-4 * np.where(size > 0, size, 1.0)
    return np.linalg.cholesky(covariance + np.diag(lift))


def _checked(fit: Fit, what: str) -> Fit:
    if not fit.certificate.converged:
        warnings.warn(f"Refit of {what}: {fit.certificate.message}", ConvergenceWarning, stacklevel=user_level())
    return fit
