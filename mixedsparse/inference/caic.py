"""Conditional Akaike information: the criterion for predictions of the levels that were observed.

Source: Greven & Kneib (2010), Biometrika 97, 773-789; Saefken et al. (2014) and R's cAIC4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, get_args

import numpy as np
import pandas as pd
from scipy import sparse

from mixedsparse.core.likelihood.pls import Pls
from mixedsparse.core.problem.entries import times_slopes, times_units
from mixedsparse.core.problem.problem import Problem
from mixedsparse.ground.checks import one_of
from mixedsparse.ground.choices import CaicMethod
from mixedsparse.inference.curvature import Curvature, curvature
from mixedsparse.inference.matrices import indicator

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["METHODS", "caic", "effective_df"]

METHODS = get_args(CaicMethod)
# A direction of theta that moves the mean by less than this share of the residuals does not move it (a variance at 0).
_MOVES = 1e-8
# Eigenvalues of the Hessian below this share of the largest belong to directions that theta does not identify.
_FLAT = 1e-10


def caic(fitted: Fitted, method: str = "greven-kneib") -> pd.Series:
    """Conditional AIC; see `MixedResults.caic`."""
    one_of("method", method, METHODS)
    fitted.needs_plain("The conditional AIC", "Compare aic.")
    fitted.needs("factor", "The conditional AIC", "Compare aic")
    df = effective_df(fitted) + 1.0
    if method != "vaida-blanchard":
        # cAIC4 1.1 halves the term of the profiled sigma (eWje * e / (2 * tye) in calculateGaussianBc.R); refits
        # with one response moved at a time confirm it whole: that is the default.
        df += _estimation_bias(fitted, 0.5 if method == "cAIC4" else 1.0)
    problem = fitted.problem
    squares = float(np.square(_weighted_residuals(fitted)).sum())
    loglik = -0.5 * (problem.n * math.log(2 * math.pi * fitted.sigma2) + squares / fitted.sigma2)
    loglik += 0.5 * problem.sum_log_weights
    return pd.Series({"caic": -2.0 * loglik + 2.0 * df, "df": df, "loglik": loglik}, name="caic")


def effective_df(fitted: Fitted) -> float:
    """Trace of the hat matrix at known theta, n - tr(P_0) (no units).

    V_0 theta-derivatives give tr(P_0 Z Lambda Lambda' Z') = theta' grad / 2 of the log-determinants of the REML
    criterion, and tr(P_0 V_0) = n - p; what REML's gradient has besides is (n - p) u'u / r^2.
    """
    model, problem, pls = fitted.model, fitted.problem, fitted.fit.search.pls
    df = problem.n - problem.p
    gradient = float(model.gradient(fitted.fit.theta, reml=True) @ fitted.fit.theta)
    pieces = zip(pls.zeta, problem.related(pls.zeta), pls.lams, strict=True)
    spherical = sum(float(((zeta @ lam) * (related @ lam)).sum()) for zeta, related, lam in pieces)
    return problem.n - df * (1.0 - spherical / pls.pwrss) + 0.5 * gradient


def _estimation_bias(fitted: Fitted, share: float) -> float:
    """Add up what the estimation of theta costs, in degrees of freedom: sum_j (d theta_j / dy)' P_0 dV_0/dtheta_j e.

    e = P_0 y are the residuals. The derivative of theta is that of the root of the gradient of the fitted criterion,
    H^-1 (2 df / r^2) [P_0 E - e (e'E) / r^2] with E_j = dV_0/dtheta_j e, so that no n x n matrix is formed; `share`
    multiplies the last term. A theta that is at 0 does not move the mean and drops out, as the boundary does in cAIC4.
    """
    problem, pls = fitted.problem, fitted.fit.search.pls
    bases = _whitened(problem)
    e = _weighted_residuals(fitted)
    moved, found = _moved(fitted)
    E = sum(base @ c.reshape(base.shape[1], -1) for base, c in zip(bases, moved, strict=True))
    E = E @ (problem.layout.to_block if found is None else found.moves[:, found.active])
    PE = _project(problem, pls, bases, E)
    score = PE - share * np.outer(e, E.T @ e) / pls.pwrss
    kept = np.linalg.norm(PE, axis=0) > _MOVES * np.linalg.norm(e)
    if not kept.any():
        return 0.0
    whole = fitted.model.hessian(fitted.fit.theta, reml=fitted.reml) if found is None else found.hessian
    hessian = whole[np.ix_(kept, kept)]
    values, vectors = np.linalg.eigh(hessian)
    stiff = values > _FLAT * values[-1]
    inner = vectors[:, stiff].T @ (score[:, kept].T @ PE[:, kept]) @ vectors[:, stiff]
    return 2.0 * problem.degrees(fitted.reml) / pls.pwrss * float((np.diagonal(inner) / values[stiff]).sum())


def _moved(fitted: Fitted) -> tuple[list[np.ndarray], Curvature | None]:
    """Return D_j zeta (levels, K, m) per block; of entries of Sigma where terms have structures, and the curvature."""
    layout, pls = fitted.problem.layout, fitted.fit.search.pls
    zeta = fitted.problem.related(pls.zeta)
    if not fitted.problem.is_structured:
        return times_slopes(layout, pls.lams, zeta), None
    return times_units(layout, zeta), curvature(fitted.model.engine(), fitted.fit.search, fitted.reml)


def _weighted_residuals(fitted: Fitted) -> np.ndarray:
    """Residuals times the root weights, (n,): V_0^-1 (y - X beta)."""
    root, resid = fitted.problem.root_weights, fitted.residuals
    return resid if root is None else resid * root


def _whitened(problem: Problem) -> list[sparse.csr_array]:
    """Z of each block in its whitened basis, (n, levels K), root weights multiplied in."""
    return [indicator(block.codes, block.z, block.n_levels) for block in problem.blocks]


def _project(problem: Problem, pls: Pls, bases: Sequence[sparse.csr_array], V: np.ndarray) -> np.ndarray:
    """P_0 V for V (n, r): conditional residuals of V as responses at the theta of the fit."""
    Q = problem.basis.q
    solved = _solve_v0(problem, pls, bases, np.hstack([V, Q]))
    of_v, of_q = np.hsplit(solved, [V.shape[1]])
    return of_v - of_q @ (pls.K @ (Q.T @ of_v))


def _solve_v0(problem: Problem, pls: Pls, bases: Sequence[sparse.csr_array], Y: np.ndarray) -> np.ndarray:
    """V_0^-1 Y = Y - Z Lambda M^-1 Lambda'Z'Y, for Y (n, r)."""
    layout = problem.layout
    shapes = zip(bases, layout.n_levels, layout.widths, strict=True)
    modes, _ = pls.factor.solve([(base.T @ Y).reshape(levels, k, -1) for base, levels, k in shapes])
    return Y - sum(base @ mode.reshape(base.shape[1], -1) for base, mode in zip(bases, modes, strict=True))
