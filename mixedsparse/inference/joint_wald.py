"""Wald limits of variances and correlations where the residual covariance has parameters too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from mixedsparse.core.problem.chart import chart_of
from mixedsparse.inference.parameters import Parameter, identified
from mixedsparse.inference.residual_moves import joint_covariance, joint_moves

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["wald_joint"]

_STEP = 1e-6
# A standard deviation over sigma, or a distance of a correlation from 1, below which there are no limits.
_BOUNDARY = 1e-6


def wald_joint(fitted: Fitted, alpha: float, chosen: Sequence[Parameter]) -> np.ndarray:
    """Limits (r, 2) of deviations on the log scale, and of correlations on Fisher's; NaN on the boundary."""
    moves = joint_moves(fitted)
    covariance = joint_covariance(moves, fitted.problem.degrees(fitted.reml))
    x, active = moves.point.x, np.flatnonzero(moves.active)
    values = _scaled(fitted, x, chosen)
    slopes = np.zeros((len(chosen), len(active) + 1))
    for place, i in enumerate(active):
        step = np.zeros(len(x))
        step[i] = _STEP * max(1.0, abs(float(x[i])))
        slopes[:, place] = (_scaled(fitted, x + step, chosen) - _scaled(fitted, x - step, chosen)) / (2.0 * step[i])
    slopes[:, -1] = [0.0 if parameter.kind == "cor" else 0.5 for parameter in chosen]
    error = np.sqrt(np.maximum(np.einsum("ri,ij,rj->r", slopes, covariance, slopes), 0.0))
    place = values[:, None] + float(ndtri(1.0 - 0.5 * alpha)) * error[:, None] * [-1.0, 1.0]
    is_cor = np.array([parameter.kind == "cor" for parameter in chosen])[:, None]
    with np.errstate(over="ignore"):
        out = np.where(is_cor, np.tanh(place), fitted.sigma * np.exp(place))
    out[~np.isfinite(values) | ~identified(fitted, chosen)] = np.nan
    return out


def _scaled(fitted: Fitted, x: np.ndarray, chosen: Sequence[Parameter]) -> np.ndarray:
    """Logarithms of deviations over sigma, and Fisher's z of correlations, at x; NaN on the boundary."""
    problem = fitted.model.white
    chart = chart_of(problem)
    m = problem.n_theta if chart is None else chart.size
    theta = x[:m] if chart is None else chart.theta(x[:m])
    templates = problem.theta_layout.templates(problem.from_block @ theta)
    out = np.zeros(len(chosen))
    for i, parameter in enumerate(chosen):
        if parameter.kind == "sigma":
            continue
        sigma = templates[parameter.term] @ templates[parameter.term].T
        first, second = parameter.places[0], parameter.places[-1]
        sizes = np.sqrt(sigma[first, first]), np.sqrt(sigma[second, second])
        if min(sizes) < _BOUNDARY:
            out[i] = np.nan
        elif parameter.kind == "sd":
            out[i] = np.log(sizes[0])
        else:
            correlation = sigma[first, second] / (sizes[0] * sizes[1])
            out[i] = np.arctanh(correlation) if 1.0 - abs(correlation) > _BOUNDARY else np.nan
    return out
