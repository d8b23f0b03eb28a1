"""Penalised least squares at one theta: the criterion, and all that its derivatives start from.

Source: Bates, Maechler, Bolker & Walker (2015), J. Stat. Softw. 67(1), section 3, in the projected form
V_0^-1 = I - Z Lambda M^-1 Lambda' Z', V_0 = I + Z Lambda Lambda' Z'.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from scipy.linalg import lapack

from mixedsparse.core.likelihood.interface import Engine, Factored
from mixedsparse.core.likelihood.rows import can_use_rows, root_from_rows
from mixedsparse.core.problem.narrowed import Narrowed
from mixedsparse.core.problem.problem import Problem
from mixedsparse.ground.errors import NotPositiveDefiniteError

__all__ = ["Pls", "criterion_value", "rounding", "solve_pls", "widened"]

Vectors = list[np.ndarray]
# Rounding error of one pivot, relative to the number that it is left of (measured against 40 digits).
_ROUNDING = 4e-16
# Rounding error of the criterion from which on the observations are used, where they are in memory.
_LOSSY = 1e-8


@dataclass(frozen=True, eq=False)
class Pls:
    """Penalised least squares at one theta (of the whitened bases).

    Attributes
    ----------
    criterion : float
        REML criterion or -2 log-likelihood, profiled over beta and sigma.
    gamma : ndarray, shape (p,)
        Coefficients of the orthonormal basis Q of X.
    K : ndarray, shape (p, p)
        (Q'V_0^-1 Q)^-1.
    pwrss : float
        Penalised weighted residual sum of squares r^2, in y^2.
    Hx : list of ndarray (levels, K, p)
        Z'V_0^-1 Q.
    zeta : list of ndarray (levels, K)
        Z'V_0^-1 (y - X beta).
    modes : list of ndarray (levels, K)
        Conditional modes b of the whitened bases.
    lams : sequence of ndarray (K, K)
        Lambda of each block.
    reml : bool
        Which criterion.
    losses : ndarray, shape (p + 1,)
        Diagonal entries of [Q r]'[Q r] over what elimination leaves of them (their roots, if rows were used).
    lossy : bool
        Whether sums over levels have lost so much of it that rows were used, if they were at hand.
    made : Factor or None
        M(theta) factorised, if it was.
    engine : Engine or None
        Factorises M(theta) otherwise, when something first asks for `factor`.
    """

    criterion: float
    gamma: np.ndarray
    K: np.ndarray
    pwrss: float
    Hx: Vectors
    zeta: Vectors
    modes: Vectors
    lams: Sequence[np.ndarray]
    reml: bool
    losses: np.ndarray = field(default_factory=lambda: np.empty(0))
    lossy: bool = False
    made: Factored | None = None
    engine: Engine | None = None

    @cached_property
    def factor(self) -> Factored:
        """M(theta), factorised."""
        if self.made is not None:
            return self.made
        assert self.engine is not None
        return self.engine.factorize(self.lams)


def solve_pls(problem: Problem, factor: Factored, reml: bool) -> Pls:
    """Profile beta and sigma out at the factorised theta.

    Raises
    ------
    NotPositiveDefiniteError
        The residual sum of squares or Q'V_0^-1 Q is not positive (a perfect fit, or an absurd theta).
    """
    p = problem.p
    modes, projected = factor.solve(list(problem.Zxy))
    inner = problem.xy.copy()
    for own, mode in zip(problem.Zxy, modes, strict=True):
        inner -= own.reshape(-1, p + 1).T @ mode.reshape(-1, p + 1)
    root, info = lapack.dpotrf(inner, lower=0)
    losses = np.diagonal(problem.xy) / np.square(np.diagonal(root))
    lossy = info != 0 or rounding(problem, 0.0, losses, True) > _LOSSY
    if lossy and can_use_rows(problem):
        root = root_from_rows(problem, factor, projected)
        info = int(not (np.diagonal(root) > 0).all())
        losses = np.diagonal(problem.xy) / np.square(np.diagonal(root))
        losses = np.sqrt(losses) + (_ROUNDING * losses) ** 4 / _ROUNDING
    if info != 0:
        raise NotPositiveDefiniteError("The residual sum of squares is not positive at this theta.")
    diagonal = np.diagonal(root)
    inverse, _ = lapack.dtrtri(root[:p, :p], lower=0) if p else (np.empty((0, 0)), 0)
    gamma = inverse @ root[:p, p]
    pwrss = float(root[p, p]) ** 2
    log_det_x = 2.0 * float(np.log(diagonal[:p]).sum())
    return Pls(
        criterion=criterion_value(problem, factor.logdet, log_det_x, pwrss, reml),
        gamma=gamma,
        K=inverse @ inverse.T,
        pwrss=pwrss,
        Hx=[h[:, :, :p] for h in projected],
        zeta=[h[:, :, p] - h[:, :, :p] @ gamma for h in projected],
        modes=[m[:, :, p] - m[:, :, :p] @ gamma for m in modes],
        lams=factor.lams,
        reml=reml,
        losses=losses,
        lossy=lossy,
        made=factor,
    )


def widened(pls: Pls, narrow: Narrowed, engine: Engine) -> Pls:
    """Return `pls` of a smaller problem in all columns of the problem of `engine`, from which it was made."""
    rotation = narrow.rotation
    return replace(
        pls,
        gamma=narrow.coefficients(pls.gamma),
        K=narrow.covariance(pls.K),
        Hx=[hx @ rotation.T for hx in pls.Hx],
        losses=np.concatenate([pls.losses[:-1], np.ones(narrow.problem.apart), pls.losses[-1:]]),
        made=None,
        engine=engine,
    )


def rounding(problem: Problem, loss: float, losses: np.ndarray, reml: bool) -> float:
    """Estimate the rounding error of the criterion from what elimination leaves, relative to what there was.

    Parameters
    ----------
    problem : Problem
    loss : float
        Sum over random effects of the diagonal entries of M over the pivots.
    losses : ndarray, shape (p + 1,)
        The same of [Q r]'[Q r], one by one.
    reml : bool
    """
    columns = float(losses[:-1].sum()) if reml else 0.0
    return _ROUNDING * (loss + columns + problem.degrees(reml) * float(losses[-1]))


def criterion_value(problem: Problem, logdet: float, log_det_x: float, pwrss: float, reml: bool) -> float:
    """-2 log-likelihood or REML criterion, with lme4's constants."""
    df = problem.degrees(reml)
    value = logdet + df * (1.0 + math.log(2.0 * math.pi * pwrss / df)) - problem.sum_log_weights
    value -= problem.log_det_penalty
    return value + log_det_x + problem.basis.log_det if reml else value
