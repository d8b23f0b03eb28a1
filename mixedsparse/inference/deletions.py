"""Estimates without groups of rows: the arrays behind influence and the jackknife."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixedsparse.core.choose.make import make_engine
from mixedsparse.core.deletion.deletion import Deleter, Deletions
from mixedsparse.core.problem.edits import Rows
from mixedsparse.fitted.model import response_of
from mixedsparse.ground.progress import CountOption, counter
from mixedsparse.ground.threads import blas_threads
from mixedsparse.inference.parameters import parameter_values, parameters

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["delete_groups", "estimates_without", "parameters_without"]


def delete_groups(
    fitted: Fitted, codes: np.ndarray, count: int, refit: bool, progress: CountOption = None
) -> Deletions:
    """Delete the rows of each of `count` codes in turn; `refit` says whether theta is estimated anew."""
    fitted.needs("factor", "Influence")
    fitted.needs("rows", "Influence")
    design, engine = fitted.design, fitted.model.engine()
    data, residual = Rows(response_of(design), fitted.X, design.weights), fitted.model.residual
    deleter = Deleter(engine, fitted.fit, data, refit, make_engine, residual)
    out = Deletions.empty(fitted.problem, count)
    parts = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes, minlength=count))[:-1])
    with blas_threads(engine.work), counter(progress, "influence") as tell:
        for i, rows in enumerate(parts):
            deleter(rows, out, i)
            tell(i + 1, count)
    return out


def estimates_without(fitted: Fitted, codes: np.ndarray, count: int) -> np.ndarray:
    """Values of all parameters (count, parameters) without the rows of each of `count` codes (n,)."""
    return parameters_without(fitted, delete_groups(fitted, codes, count, refit=True, progress=False))


def parameters_without(fitted: Fitted, found: Deletions) -> np.ndarray:
    """Values of all parameters (B, parameters) in each of B deletions."""
    covariances = [found.sigma2[:, None, None] * (lam @ lam.swapaxes(1, 2)) for lam in found.templates]
    return parameter_values(parameters(fitted), found.beta, covariances, np.sqrt(found.sigma2))
