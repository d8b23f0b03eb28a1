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
    from mixedsparse.api.results import MixedResults
    from mixedsparse.core.problem.problem import Problem

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


def relative_parameters(mixed: MixedResults, owners: Sequence[int], n_re: int) -> np.ndarray:
    """Covariance parameters over scale (P,).

    The first `n_re` terms of the formula are the groups' random effects, the others belong to the components `owners`.
    """
    places = _Places(mixed.model.problem, owners, n_re)
    return np.sum([places.of(t, lam @ lam.T) for t, lam in enumerate(mixed.fit.templates)], axis=0)


def covariance_errors(
    mixed: MixedResults, owners: Sequence[int], n_re: int, shared: np.ndarray | None = None
) -> CovarianceErrors:
    """Compute standard errors by the delta method from the observed Hessian in theta, 4 m gradients.

    Terms without variance in some direction are held where they are. Entries of theta that are
    one parameter have the same number in `shared` (m,).
    """
    problem, fit = mixed.model.problem, mixed.fit
    layout, places = problem.theta_layout, _Places(problem, owners, n_re)
    A = np.eye(layout.size) if shared is None else np.eye(shared.max() + 1)[shared]
    flat = [t for t, lam in enumerate(fit.templates) if _is_flat(problem.layout.whiten[t] @ lam)]
    active = ~A[np.isin(layout.term, flat)].any(axis=0)
    hessian = (A.T @ mixed.model.hessian(fit.theta, fit.reml) @ A)[np.ix_(active, active)]
    V = 2.0 * np.linalg.inv(hessian)
    values = relative_parameters(mixed, owners, n_re)
    J = (_jacobian(places, fit.templates) @ A)[:, active]
    df = problem.degrees(fit.reml)
    total = J + np.outer(values, (_log_residual_gradient(mixed) @ A)[active])
    relative = J @ V @ J.T
    absolute = mixed.scale * np.sqrt(np.diagonal(total @ V @ total.T) + values**2 * 2.0 / df)
    absolute = np.where((J != 0).any(axis=1), absolute, 0.0)
    for t in flat:
        touched = places.of(t, np.ones_like(fit.templates[t])) != 0
        relative[touched], relative[:, touched], absolute[touched] = np.nan, np.nan, np.nan
    return CovarianceErrors(relative, absolute)


def _is_flat(lam: np.ndarray) -> bool:
    spread = np.linalg.svd(lam, compute_uv=False)
    return bool(spread[-1] <= _NO_VARIANCE * max(1.0, spread[0]))


@dataclass(frozen=True, slots=True, eq=False)
class _Places:
    """Where the entries of Lambda Lambda' of each term stand among the parameters."""

    problem: Problem
    owners: Sequence[int]
    n_re: int

    def of(self, t: int, square: np.ndarray) -> np.ndarray:
        """Parameters (P,) of the matrix `square` (k, k) of term `t`, zeros elsewhere.

        Of the terms of one component the first stands for all.
        """
        problem, owners, n_re = self.problem, list(self.owners), self.n_re
        widths = [problem.terms[problem.order.index(position)].k for position in range(len(problem.terms))]
        position = problem.order[t]
        k_re = sum(widths[:n_re])
        cov, components = np.zeros((k_re, k_re)), np.zeros(len(set(owners)))
        if position < n_re:
            start = sum(widths[:position])
            cov[start : start + len(square), start : start + len(square)] = square
        elif position - n_re == owners.index(owners[position - n_re]):
            components[owners[position - n_re]] = square[0, 0]
        return np.concatenate([cov[np.tril_indices(k_re)], components])


def _jacobian(places: _Places, templates: Sequence[np.ndarray]) -> np.ndarray:
    """Differentiate the relative parameters (P,) in theta (m,)."""
    layout = places.problem.theta_layout
    columns = []
    for t, row, col in zip(layout.term, layout.row, layout.col, strict=True):
        half = np.zeros_like(templates[t])
        half[row] = templates[t][:, col]
        columns.append(places.of(t, half + half.T))
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
