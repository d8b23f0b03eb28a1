"""Where the search starts: moments of the random effects, and of the residuals that these leave."""

from __future__ import annotations

import numpy as np

from mixedsparse.core.fitting.start import moment_start
from mixedsparse.core.likelihood.interface import Engine
from mixedsparse.core.likelihood.residual.family import Family
from mixedsparse.core.problem.slots import spread_rows

__all__ = ["joint_start"]


def joint_start(engine: Engine, family: Family | None) -> np.ndarray:
    """Theta (m,) of the whitened bases, and after it the parameters of the residual covariance where there are any.

    These are taken from the least-squares residuals less the conditional modes at the moment estimate.
    """
    problem = engine.problem
    theta = moment_start(problem) if problem.terms else np.empty(0)
    if family is None:
        return theta
    e = problem.basis.residual
    if problem.terms:
        modes, _ = engine.factorize(problem.layout.lams(theta)).solve([own[:, :, -1:] for own in problem.Zxy])
        for block, own in zip(problem.blocks, modes, strict=True):
            e = e - spread_rows(block.codes, block.z, own[:, :, 0])
    return np.concatenate([theta, family.residual.start(e)])
