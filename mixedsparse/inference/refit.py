"""Refits for likelihood ratios: by the other criterion, with fewer columns of X, or with fewer random effects."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import solve_triangular

from mixedsparse.core.choose.make import make_engine
from mixedsparse.core.fitting.estimates import Fit
from mixedsparse.core.fitting.fit import fit_problem
from mixedsparse.core.problem.whitened import joined_by
from mixedsparse.fitted.again import fit_again
from mixedsparse.ground.caller import user_level
from mixedsparse.ground.errors import ConvergenceWarning

if TYPE_CHECKING:
    from mixedsparse.core.problem.problem import Problem
    from mixedsparse.fitted.fitted import Fitted

__all__ = [
    "Likelihood",
    "check_exact",
    "fit_columns",
    "fit_terms",
    "independent_columns",
    "of_fit",
    "refit",
    "root_of",
]

# Share of its length that a column must have beyond the columns before it.
_NEW = 1e-8
# Eigenvalue of a covariance, relative to its largest, from which a search starts at least.
_LIFT = 1e-4


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


def of_fit(fitted: Fitted, fit: Fit) -> Likelihood:
    """Likelihood of a fit of the model of `fitted`."""
    return Likelihood(fit.criterion, fitted.npar)


def refit(fitted: Fitted, reml: bool) -> Fit:
    """Fit the model of `fitted` by the criterion wanted, from the estimates that there are."""
    check_exact(fitted)
    if fitted.reml == reml:
        return fitted.fit
    return _checked(fit_again(fitted, reml).fit, "the model itself")


def check_exact(fitted: Fitted) -> None:
    """Refuse likelihood ratios of iterative fits."""
    fitted.needs("factor", "A likelihood ratio", "Use wald_test: log-likelihoods of iterative fits have an error")


def fit_columns(fitted: Fitted, columns: np.ndarray, reml: bool, start: np.ndarray, what: str) -> Likelihood:
    """Fit with another fixed part, from theta `start`; `what` names the model in warnings.

    `columns` (p, r) says how the fixed part combines the columns of X that were kept.
    """
    full = fitted.problem
    effects = [(full.order.index(i), np.eye(term.k)) for i, term in enumerate(fitted.design.terms)]
    problem = fitted.design.observed.combined(full, columns, effects)
    return _fitted(fitted, problem, reml, start, what)


def fit_terms(
    fitted: Fitted, effects: Sequence[tuple[int, np.ndarray]], covariances: Sequence[np.ndarray], what: str
) -> Likelihood:
    """Fit by the criterion of `fitted` with other random effects.

    Parameters
    ----------
    fitted : Fitted
    effects : sequence of (int, ndarray of shape (k, r))
        Terms by position in the formula, and how their effects combine those of the model. None at all: a linear model.
    covariances : sequence of ndarray (k, k)
        Of each term relative to sigma^2, to start from.
    what : str
        Name of the model in warnings.
    """
    full = fitted.problem
    if not effects and fitted.model.residual is None:
        return Likelihood(fitted.model.objective(np.zeros(full.n_theta), fitted.reml), full.p + 1)
    places = [(full.order.index(i), columns) for i, columns in effects]
    problem = fitted.design.observed.combined(full, None, places)
    templates = [root_of(covariances[i], T) for i, T in zip(problem.order, problem.layout.whiten, strict=True)]
    start = problem.theta_layout.flatten(templates)
    return _fitted(fitted, problem, fitted.reml, start, what)


def _fitted(fitted: Fitted, problem: Problem, reml: bool, start: np.ndarray, what: str) -> Likelihood:
    """Fit a smaller model of the same rows and residual covariance, from theta `start`."""
    residual, size = fitted.model.residual, 0
    if residual is not None and fitted.fit.residual is not None:
        start, size = np.concatenate([start, fitted.fit.residual]), residual.size
    problem = joined_by(problem, residual)
    fit = _checked(fit_problem(make_engine(problem), reml, start=start, residual=residual), what)
    return Likelihood(fit.criterion, problem.p + problem.n_covariance + 1 + size)


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


def root_of(covariance: np.ndarray, whiten: np.ndarray) -> np.ndarray:
    """Lower-triangular root of a covariance, kept off the boundary so that the search can leave it.

    How far is judged where effects have no units, in the basis b -> `whiten` b.
    """
    values, vectors = np.linalg.eigh(whiten @ covariance @ whiten.T)
    floor = _LIFT * max(float(values[-1]), _LIFT)
    root = np.linalg.cholesky((vectors * np.maximum(values, floor)) @ vectors.T)
    return np.asarray(solve_triangular(whiten, root, lower=True))


def _checked(fit: Fit, what: str) -> Fit:
    if not fit.certificate.converged or fit.certificate.unbounded:
        warnings.warn(f"Refit of {what}: {fit.certificate.message}", ConvergenceWarning, stacklevel=user_level())
    return fit
