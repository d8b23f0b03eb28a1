"""Errors of the conditional modes of a generalized fit, and how the modes move with the parameters."""

from __future__ import annotations

import numpy as np
from scipy.linalg import block_diag

from mixedsparse.core.fitting.laplace.result import GeneralizedFit
from mixedsparse.core.likelihood.laplace.criterion import LaplaceCriterion
from mixedsparse.core.likelihood.laplace.data import Vectors

__all__ = [
    "conditional_blocks",
    "error_blocks",
    "level_covariances",
    "mode_motion",
    "motion_of_zeta",
    "parameter_covariance",
]


def motion_of_zeta(fit: GeneralizedFit) -> Vectors:
    """Return the derivatives of zeta in the parameters: (levels, K, r) per block, all in whitened bases."""
    assert fit.point is not None
    known = fit.point.mode.motion
    return LaplaceCriterion(fit.data).differentiate(fit.point).motion if known is None else known


def mode_motion(fit: GeneralizedFit) -> list[np.ndarray]:
    """Return the derivatives of the modes in theta, beta and psi: (levels, K, r) per block, in whitened bases.

    With b = Lambda Lambda' zeta, d b = (dLambda Lambda' + Lambda dLambda') zeta + Lambda Lambda' d zeta.
    """
    assert fit.point is not None
    point, problem, data = fit.point, fit.data.problem, fit.data
    layout, criterion = problem.layout, LaplaceCriterion(data)
    found = []
    for b, (lam, zeta, motion) in enumerate(zip(point.lams, point.mode.zeta, motion_of_zeta(fit), strict=True)):
        moved = np.einsum("ij,kj,lkr->lir", lam, lam, motion)
        u = zeta @ lam
        for i in layout.members[b]:
            row, col = layout.row[i], layout.col[i]
            moved[:, row, i] += u[:, col]
            moved[:, :, i] += zeta[:, row, None] * lam[:, col]
        found.append(moved)
    to_whitened = block_diag(problem.layout.to_block, data.root, np.eye(criterion.size - criterion.m - criterion.p))
    return [np.asarray(moved @ to_whitened) for moved in found]


def parameter_covariance(fit: GeneralizedFit) -> np.ndarray:
    """Covariance (r, r) of theta, beta and psi, 0 for what is held; of beta alone where there is no joint one."""
    m, p = len(fit.theta), len(fit.beta)
    if fit.covariance is not None:
        return np.nan_to_num(fit.covariance)
    size = m + p + int(fit.has_dispersion)
    out = np.zeros((size, size))
    out[m : m + p, m : m + p] = fit.conditional
    return out


def conditional_blocks(fit: GeneralizedFit) -> list[np.ndarray]:
    """Var(b_l | y) with the parameters known, (levels, K, K) per block, user's basis; NaN without an optimum."""
    if fit.point is None:
        return _unknown(fit)
    found = fit.point.mode.factor.conditional_covariances()
    return [_in_user_basis(fit, b, cov) for b, cov in enumerate(found)]


def level_covariances(fit: GeneralizedFit, block: int, codes: np.ndarray) -> np.ndarray:
    """Var(b_l | y) of chosen levels of one block, (len(codes), K, K); see `conditional_blocks`."""
    assert fit.point is not None
    return _in_user_basis(fit, block, fit.point.mode.factor.conditional_covariance_of(block, codes))


def error_blocks(fit: GeneralizedFit) -> list[np.ndarray]:
    """Var(b-hat_l - b_l) with the parameters estimated, (levels, K, K) per block, user's basis.

    By the delta method, as in TMB: the conditional covariance, and how the mode moves with the estimates. NaN without
    an optimum.
    """
    if fit.point is None:
        return _unknown(fit)
    cov = parameter_covariance(fit)
    known = fit.point.mode.factor.conditional_covariances()
    return [
        _in_user_basis(fit, b, own + np.einsum("lir,rs,ljs->lij", motion, cov, motion, optimize=True))
        for b, (own, motion) in enumerate(zip(known, mode_motion(fit), strict=True))
    ]


def _unknown(fit: GeneralizedFit) -> list[np.ndarray]:
    layout = fit.data.problem.layout
    return [np.full((n, k, k), np.nan) for n, k in zip(layout.n_levels, layout.widths, strict=True)]


def _in_user_basis(fit: GeneralizedFit, block: int, cov: np.ndarray) -> np.ndarray:
    layout = fit.data.problem.layout
    own = [w for w, b in zip(layout.whiten, layout.term_block, strict=True) if b == block]
    back = np.linalg.inv(block_diag(*own))
    return np.asarray(back @ cov @ back.T)
