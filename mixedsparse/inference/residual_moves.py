"""How the criterion and the covariance of beta move with the parameters of random effects and residuals together.

The Hessian is observed: central differences of the exact gradient at the optimum, in steps that are small beside the
standard errors. With S = X'V_0^-1 X and the notation of `mixedsparse.core.likelihood.residual.family`,

    dS / dphi_i = -X~'R^-1 R_i R^-1 X~,    d r^2 / dphi_i = -e'R^-1 R_i R^-1 e.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mixedsparse.core.likelihood.pls import Pls
from mixedsparse.core.likelihood.residual.criterion import ResidualCriterion, ResidualPoint
from mixedsparse.core.likelihood.residual.family import RowFamily
from mixedsparse.core.newton.boundary import Coordinates, off_zero
from mixedsparse.core.problem.blocks import BlockLayout
from mixedsparse.core.problem.chart import Chart, chart_of
from mixedsparse.core.problem.entries import entry_products, jacobian
from mixedsparse.core.problem.problem import Problem
from mixedsparse.ground.threads import blas_threads

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = [
    "JointMoves",
    "entry_scores",
    "entry_slopes",
    "joint_covariance",
    "joint_moves",
    "moves_at",
    "scores_of",
    "with_log_variance",
]

# Step of the differences over a standard error at fixed other parameters: its square is the error, relative.
_STEP = 2e-3
# Where a parameter of the random effects is 0, derivatives are taken this far away.
_OFF_ZERO = 1e-7
# Eigenvalues of the Hessian below this share of the largest are taken as 0.
_SINGULAR = 1e-10


@dataclass(frozen=True, slots=True, eq=False)
class JointMoves:
    """Derivatives at the optimum in the parameters x = (of random effects, of residuals), those at 0 left out.

    Attributes
    ----------
    criterion : ResidualCriterion
    point : ResidualPoint
        Where they are taken, every parameter off 0.
    pls : Pls
    active : ndarray of bool, shape (count,)
        Parameters that are not in a column of zeros.
    hessian : ndarray, shape (active, active)
        Observed, of the profiled criterion.
    sizes : ndarray, shape (active,)
        Of the effects that the parameters scale; 0 for others.
    slopes : ndarray, shape (active, p, p)
        -dS / dx_i in the basis Q.
    scores : ndarray, shape (active,)
        -d r^2 / dx_i.
    by_entry : ndarray, shape (m, count)
        Derivative of the entries of the random effects' covariances in x.
    """

    criterion: ResidualCriterion
    point: ResidualPoint
    pls: Pls
    active: np.ndarray
    hessian: np.ndarray
    sizes: np.ndarray
    slopes: np.ndarray
    scores: np.ndarray
    by_entry: np.ndarray


def joint_moves(fitted: Fitted) -> JointMoves:
    """Differentiate at the optimum of `fitted`, made once; two gradients for each parameter."""
    chart = chart_of(fitted.model.white)
    phi = fitted.fit.search.phi
    x = fitted.fit.search.theta if chart is None or phi is None else chart.x_of(phi)
    return fitted.once("joint moves", lambda own: moves_at(own, chart, x))


def moves_at(fitted: Fitted, chart: Chart | None, inner: np.ndarray) -> JointMoves:
    """Differentiate in the coordinates of `chart`, or in theta of the whitened bases, which are `inner` (count,)."""
    model, fit = fitted.model, fitted.fit
    white, residual = model.white, model.residual
    assert residual is not None
    assert fit.residual is not None
    engine = model.engine().with_problem(white)
    layout = white.layout
    coordinates: Coordinates = layout if chart is None else chart
    used = _in_use(layout, inner) if chart is None else chart.moving(inner)
    active = np.append(used, np.ones(residual.size, dtype=bool))
    at = np.where(coordinates.is_diagonal & (inner == 0.0), _OFF_ZERO, inner)
    at = at if chart is None else off_zero(chart, chart.positive(inner))
    x = np.concatenate([at, fit.residual])
    criterion = ResidualCriterion(engine, fit.reml, RowFamily(white, residual), chart)
    with blas_threads(engine.work):
        hessian = _observed(criterion, x, active)
        point = criterion.evaluate(x)
        pls = point.pls
        J = jacobian(layout, pls.lams) if chart is None else chart.slopes(at)
        slopes = np.concatenate([np.tensordot(J.T, entry_slopes(white, pls), axes=1), _residual_slopes(point)])
        scores = np.concatenate([J.T @ entry_scores(white, pls), point.data.forms(pls)[1]])
        pls = criterion.pls(point)
    sizes = np.append(coordinates.row_norms(at), np.zeros(residual.size))
    by_entry = np.hstack([J, np.zeros((len(J), residual.size))])
    return JointMoves(criterion, point, pls, active, hessian, sizes[active], slopes[active], scores[active], by_entry)


def _observed(criterion: ResidualCriterion, x: np.ndarray, active: np.ndarray) -> np.ndarray:
    """Hessian (active, active) by differences of the gradient."""
    about = criterion.differentiate(criterion.evaluate(x), False).hessian
    assert about is not None
    curvature = np.maximum(np.diagonal(about), 1e-8 * float(np.abs(about).max()))
    rows = []
    for i in np.flatnonzero(active):
        step = np.zeros(len(x))
        step[i] = _STEP / np.sqrt(curvature[i])
        high, low = (criterion.gradient(criterion.evaluate(x + s)) for s in (step, -step))
        rows.append((high - low)[active] / (2.0 * step[i]))
    hessian = np.array(rows)
    return 0.5 * (hessian + hessian.T)


def _in_use(layout: BlockLayout, theta: np.ndarray) -> np.ndarray:
    """Mask (m,) of the parameters whose column of Lambda is not zero."""
    filled = {(b, c) for b, c, value in zip(layout.block, layout.col, theta, strict=True) if value != 0.0}
    return np.array([key in filled for key in zip(layout.block, layout.col, strict=True)], dtype=bool)


def _residual_slopes(point: ResidualPoint) -> np.ndarray:
    """X~'R^-1 R_i R^-1 X~, (size, p, p), in the basis Q."""
    data, pls = point.data, point.pls
    columns = data.projected(pls)
    white, size = data.at.whiten(columns), len(data.at.phi)
    out = np.array([white.T @ data.at.moved(columns, unit) for unit in np.eye(size)])
    return 0.5 * (out + out.swapaxes(1, 2))


def joint_covariance(moves: JointMoves, df: float) -> np.ndarray:
    """Covariance of (x, log sigma^2), (active + 1, active + 1)."""
    return with_log_variance(moves.hessian, moves.scores / moves.pls.pwrss, df)


def with_log_variance(hessian: np.ndarray, relative: np.ndarray, df: float) -> np.ndarray:
    """Covariance of (x, log sigma^2) by blocks of the Hessian of the criterion in which sigma is profiled out.

    `relative` are -d log r^2 / dx; see `information`.
    """
    inverse = np.linalg.pinv(hessian, rcond=_SINGULAR, hermitian=True)
    pull = inverse @ relative
    last = 2.0 / df + 2.0 * float(relative @ pull)
    return np.block([[2.0 * inverse, -2.0 * pull[:, None]], [-2.0 * pull[None], np.array([[last]])]])


def entry_slopes(problem: Problem, pls: Pls) -> np.ndarray:
    """H_x'(I x S_i)H_x of the entries of Sigma, (m, p, p); a relationship among levels in the place of I."""
    if not pls.Hx:
        return np.empty((0, *pls.K.shape))
    return entry_products(problem.layout, pls.Hx, problem.related(pls.Hx))


def entry_scores(problem: Problem, pls: Pls) -> np.ndarray:
    """zeta'(I x S_i)zeta of the entries of Sigma, (m,); a relationship among levels in the place of I."""
    layout, pairs = problem.layout, zip(pls.zeta, problem.related(pls.zeta), strict=True)
    return layout.gather([zeta.T @ related for zeta, related in pairs]) * layout.multiplicity


def scores_of(problem: Problem, pls: Pls, moves: np.ndarray) -> np.ndarray:
    """Return zeta'(I x D_i)zeta of all parameters: -d r^2 / dtheta, for their `moves` of the entries of Sigma."""
    return np.asarray(moves.T @ entry_scores(problem, pls))
