"""Curvature of the likelihood in one parameter after an iterative fit, from the average information.

Before sigma is profiled out the criterion is d(theta, s) = log-determinants + 2 df s + r^2(theta) exp(-2 s), s = log
sigma. With H the Hessian of the profiled criterion and a_i = -d(log r^2)/dtheta_i df, the inverse by blocks gives

    Var(theta) = 2 H^-1,    Cov(s, theta) = -(1 / df) a'H^-1,    Var(s) = 1 / (2 df) + a'H^-1 a / (2 df^2)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mixedsparse.core.batch.coordinates import ProfileChart
from mixedsparse.core.fitting.estimates import Fit
from mixedsparse.core.problem.problem import Problem
from mixedsparse.inference.curvature import curvature_of_search
from mixedsparse.inference.residual_moves import scores_of

__all__ = ["information_curvatures"]

# Step of the differences of the coordinates, which are smooth in theta and log sigma.
_STEP = 1e-5


def information_curvatures(problem: Problem, fit: Fit, charts: Sequence[ProfileChart]) -> np.ndarray:
    """Return d2F / du2 (C,) at the optimum, F minimised over all but the coordinate u of each chart."""
    covariance = _covariance(problem, fit)
    theta = np.append(fit.search.theta, 0.0)
    steps = np.diag(_STEP * np.maximum(1.0, np.abs(theta)))
    moved = [(_places(problem, charts, theta + s), _places(problem, charts, theta - s)) for s in steps]
    slopes = np.array([high - low for high, low in moved]) / (2.0 * np.diagonal(steps))[:, None]
    variances = np.einsum("ic,ij,jc->c", slopes, covariance, slopes)
    with np.errstate(divide="ignore"):
        return 2.0 / variances


def _covariance(problem: Problem, fit: Fit) -> np.ndarray:
    """Covariance (m + 1, m + 1) of theta of the whitened bases and log sigma; zero for columns of Lambda that are."""
    df = problem.degrees(fit.reml)
    found = curvature_of_search(fit.search, problem.layout)
    inverse = np.linalg.pinv(found.hessian, hermitian=True)
    scores = df * scores_of(problem, found.pls, found.moves)[found.active] / found.pls.pwrss
    m = len(found.active)
    out = np.zeros((m + 1, m + 1))
    at = np.flatnonzero(found.active)
    out[at[:, None], at] = 2.0 * inverse
    out[at, m] = out[m, at] = -(inverse @ scores) / df
    out[m, m] = 0.5 / df + 0.5 * float(scores @ inverse @ scores) / df**2
    return out


def _places(problem: Problem, charts: Sequence[ProfileChart], at: np.ndarray) -> np.ndarray:
    """Coordinate of interest of each chart (C,) at theta and log sigma relative to the estimate, `at` (m + 1,)."""
    templates = [np.exp(at[-1]) * lam for lam in problem.theta_layout.templates(problem.from_block @ at[:-1])]
    return np.array([chart.coordinates(templates, float(at[-1]))[chart.position] for chart in charts])
