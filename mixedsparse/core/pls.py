"""Penalised least squares at one theta: the criterion, and all that its derivatives start from.

Source: Bates, Maechler, Bolker & Walker (2015), J. Stat. Softw. 67(1), section 3, in the projected form
V_0^-1 = I - Z Lambda M^-1 Lambda' Z', V_0 = I + Z Lambda Lambda' Z'.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import lapack

from mixedsparse.core.engine import Engine, Factor
from mixedsparse.core.problem import Problem
from mixedsparse.errors import NotPositiveDefiniteError

__all__ = ["Pls", "criterion_value", "solve_pls"]

Vectors = list[np.ndarray]


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
    factors : sequence of ndarray (K, K)
        Lambda of each block.
    reml : bool
        Which criterion.
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
    factors: Sequence[np.ndarray]
    reml: bool
    made: Factor | None = None
    engine: Engine | None = None

    @cached_property
    def factor(self) -> Factor:
        """M(theta), factorised."""
        if self.made is not None:
            return self.made
        assert self.engine is not None
        return self.engine.factorize(self.factors)


def solve_pls(problem: Problem, factor: Factor, reml: bool) -> Pls:
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
        factors=factor.factors,
        reml=reml,
        made=factor,
    )


def criterion_value(problem: Problem, logdet: float, log_det_x: float, pwrss: float, reml: bool) -> float:
    """-2 log-likelihood or REML criterion, with lme4's constants."""
    df = problem.degrees(reml)
    value = logdet + df * (1.0 + math.log(2.0 * math.pi * pwrss / df)) - problem.sum_log_weights
    return value + log_det_x + problem.basis.log_det if reml else value
