"""Covariance parameters as statsmodels counts them, and their standard errors.

With f(theta) the lower triangle of Lambda Lambda' and the relative variances of the components, cov_re and vcomp are
sigma^2 f. The criterion D(theta, sigma^2) = df log sigma^2 + r^2(theta) / sigma^2 + h(theta) has the inverse Hessian

    Var(theta) = V = 2 D_p''^-1,   Cov(theta, log sigma^2) = V g,   Var(log sigma^2) = 2 / df + g'V g,

D_p the criterion with sigma^2 profiled out and g the gradient of log r^2; the delta method does the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mixedsparse.core.problem import Problem
    from mixedsparse.results import MixedResults

__all__ = ["CovarianceErrors", "covariance_errors", "relative_parameters"]

# A direction whose relative standard deviation, in the whitened basis, is below this has no variance.
_NO_VARIANCE = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class CovarianceErrors:
    """Sampling covariance of covariance parameters, NaN where a variance is zero.

    Attributes
    ----------
    relative : ndarray, shape (P, P)
        Of the parameters over scale.
    absolute : ndarray, shape (P,)
        Standard errors of the parameters themselves, in y^2.
    """

    relative: np.ndarray
    absolute: np.ndarray


def relative_parameters(mixed: MixedResults, n_re: int) -> np.ndarray:
    """Covariance parameters over scale (P,); the first `n_re` terms of the formula are the groups' random effects."""
    problem = mixed.model.problem
    outer = [lam @ lam.T for lam in mixed.fit.templates]
    return np.sum([_place(problem, t, n_re, square) for t, square in enumerate(outer)], axis=0)


def covariance_errors(mixed: MixedResults, n_re: int) -> CovarianceErrors:
    """Compute standard errors by the delta method from the observed Hessian in theta, 4 m gradients.

    Terms without variance in some direction are held where they are.
    """
    problem, fit = mixed.model.problem, mixed.fit
    layout = problem.theta_layout
    flat = [t for t, lam in enumerate(fit.templates) if _is_flat(problem.layout.whiten[t] @ lam)]
    active = ~np.isin(layout.term, flat)
    hessian = mixed.model.hessian(fit.theta, fit.reml)[np.ix_(active, active)]
    V = 2.0 * np.linalg.inv(hessian)
    values = relative_parameters(mixed, n_re)
    J = _jacobian(problem, fit.templates, n_re)[:, active]
    df = problem.degrees(fit.reml)
    A = J + np.outer(values, _log_residual_gradient(mixed)[active])
    relative = J @ V @ J.T
    absolute = mixed.scale * np.sqrt(np.diagonal(A @ V @ A.T) + values**2 * 2.0 / df)
    absolute = np.where((J != 0).any(axis=1), absolute, 0.0)
    for t in flat:
        touched = _place(problem, t, n_re, np.ones_like(fit.templates[t])) != 0
        relative[touched], relative[:, touched], absolute[touched] = np.nan, np.nan, np.nan
    return CovarianceErrors(relative, absolute)


def _is_flat(lam: np.ndarray) -> bool:
    spread = np.linalg.svd(lam, compute_uv=False)
    return bool(spread[-1] <= _NO_VARIANCE * max(1.0, spread[0]))


def _widths(problem: Problem) -> list[int]:
    """Columns of each term, in the order of the formula."""
    return [problem.terms[problem.order.index(position)].k for position in range(len(problem.terms))]


def _place(problem: Problem, t: int, n_re: int, square: np.ndarray) -> np.ndarray:
    """Parameters (P,) of the matrix `square` (k, k) of term `t`, zeros elsewhere."""
    widths, position = _widths(problem), problem.order[t]
    k_re, n_vc = sum(widths[:n_re]), len(widths) - n_re
    cov, components = np.zeros((k_re, k_re)), np.zeros(n_vc)
    if position < n_re:
        start = sum(widths[:position])
        cov[start : start + len(square), start : start + len(square)] = square
    else:
        components[position - n_re] = square[0, 0]
    return np.concatenate([cov[np.tril_indices(k_re)], components])


def _jacobian(problem: Problem, templates: Sequence[np.ndarray], n_re: int) -> np.ndarray:
    """Differentiate the relative parameters (P,) in theta (m,)."""
    layout = problem.theta_layout
    columns = []
    for t, row, col in zip(layout.term, layout.row, layout.col, strict=True):
        half = np.zeros_like(templates[t])
        half[row] = templates[t][:, col]
        columns.append(_place(problem, t, n_re, half + half.T))
    return np.column_stack(columns)


def _log_residual_gradient(mixed: MixedResults) -> np.ndarray:
    """Gradient (m,) of log r^2 in theta: -2 sum_l zeta_l u_l' / r^2 with zeta = Z'V_0^-1 (y - X beta) = Z' resid."""
    problem = mixed.model.problem
    zeta, u = mixed.get("Z").T @ mixed.resid.to_numpy(), mixed.get("u")
    out, start = [], 0
    for term in problem.terms:
        stop = start + term.n_levels * term.k
        product = zeta[start:stop].reshape(-1, term.k).T @ u[start:stop].reshape(-1, term.k)
        out.append(product[np.triu_indices(term.k)[::-1]])
        start = stop
    return -2.0 * np.concatenate(out) / (mixed.scale * problem.degrees(mixed.reml))
