"""What the random effects take of the columns of X, at one theta."""

from __future__ import annotations

import numpy as np

from mixedsparse.core.likelihood.pls import Pls
from mixedsparse.core.problem.problem import Problem

__all__ = ["projected_columns"]


def projected_columns(problem: Problem, pls: Pls) -> list[np.ndarray]:
    """Modes C Z'R^-1 Q of the columns of Q, (levels, K, p) per block, C = Lambda M^-1 Lambda'."""
    return [lam @ (lam.T @ own) for lam, own in zip(pls.lams, problem.related(pls.Hx), strict=True)]
