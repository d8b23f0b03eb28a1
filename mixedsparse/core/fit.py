"""A fit as arrays: the optimum in the user's own units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular

from mixedsparse.core.certificate import Certificate, certify
from mixedsparse.core.engine import Engine
from mixedsparse.core.optimize import Progress, Search, search
from mixedsparse.core.pls import Pls
from mixedsparse.core.problem import Problem
from mixedsparse.core.threads import blas_threads

__all__ = ["Fit", "conditional_covariances", "fit_problem"]


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """The optimum of one criterion.

    Attributes
    ----------
    reml : bool
    theta : ndarray, shape (m,)
        Relative covariance parameters, terms in theta order, lower triangles column by column.
    templates : tuple of ndarray (k, k)
        Lambda_t of each term, theta order.
    beta : ndarray, shape (p,)
        Coefficients of the columns of X that were kept.
    cov_beta : ndarray, shape (p, p)
        sigma^2 (X'V_0^-1 X)^-1.
    sigma2 : float
        Residual variance, in y^2.
    modes : tuple of ndarray (levels, k)
        Conditional modes of b, theta order.
    criterion : float
        REML criterion or -2 log-likelihood.
    search : Search
        How it was found, in the whitened bases.
    certificate : Certificate
    """

    reml: bool
    theta: np.ndarray
    templates: tuple[np.ndarray, ...]
    beta: np.ndarray
    cov_beta: np.ndarray
    sigma2: float
    modes: tuple[np.ndarray, ...]
    criterion: float
    search: Search
    certificate: Certificate


def fit_problem(
    engine: Engine,
    reml: bool,
    *,
    start: np.ndarray | None = None,
    max_evals: int = 500,
    tolerance: float = 1e-10,
    progress: Progress | None = None,
) -> Fit:
    """Minimise the criterion and report the optimum in the user's units.

    Parameters
    ----------
    engine : Engine
        Of the problem.
    reml : bool
    start : ndarray, shape (m,), optional
        Theta to start from, in the user's units.
    max_evals, tolerance, progress
        See `mixedsparse.options.FitOptions` and `mixedsparse.core.optimize.search`.
    """
    with blas_threads(engine.work):
        inner = None if start is None else engine.problem.layout.to_block @ start
        found = search(engine, reml, start=inner, max_evals=max_evals, tolerance=tolerance, progress=progress)
        return _report(engine.problem, found, reml)


def _report(problem: Problem, found: Search, reml: bool) -> Fit:
    """Translate the end of a search into the user's units."""
    theta = problem.from_block @ found.theta
    sigma2 = found.pls.pwrss / problem.degrees(reml)
    return Fit(
        reml=reml,
        theta=theta,
        templates=tuple(problem.theta_layout.templates(theta)),
        beta=problem.basis.beta(found.pls.gamma),
        cov_beta=sigma2 * problem.basis.covariance(found.pls.K),
        sigma2=sigma2,
        modes=_modes(problem, found.pls),
        criterion=found.pls.criterion,
        search=found,
        certificate=certify(problem, found),
    )


def _modes(problem: Problem, pls: Pls) -> tuple[np.ndarray, ...]:
    """Conditional modes of each term in the user's basis."""
    blocks = pls.modes
    layout = problem.layout
    out = []
    for b, start, whiten in zip(layout.term_block, layout.term_start, layout.whiten, strict=True):
        mine = blocks[b][:, start : start + len(whiten)]
        out.append(np.asarray(solve_triangular(whiten, mine.T, lower=True)).T)
    return tuple(out)


def conditional_covariances(problem: Problem, fit: Fit) -> list[np.ndarray]:
    """Var(b_l | y) at the estimates, sigma^2 Lambda (M^-1)_ll Lambda': (levels, K, K) per block, user's basis.

    Terms on one grouping factor share a block, in theta order, so that their covariances are there too.
    """
    layout = problem.layout
    out = []
    for b, cov in enumerate(fit.search.pls.factor.conditional_covariances()):
        back = np.zeros((layout.widths[b], layout.widths[b]))
        for owner, start, whiten in zip(layout.term_block, layout.term_start, layout.whiten, strict=True):
            if owner == b:
                inside = slice(start, start + len(whiten))
                back[inside, inside] = solve_triangular(whiten, np.eye(len(whiten)), lower=True)
        out.append(fit.sigma2 * (back @ cov @ back.T))
    return out
