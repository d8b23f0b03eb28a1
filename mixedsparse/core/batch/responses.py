"""Another response for the same design: X, Z, their cross-products and the analysis stay, sums with y are new."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.linalg import solve_triangular

from mixedsparse.core.batch.batch import Responses
from mixedsparse.core.likelihood.interface import Engine
from mixedsparse.core.problem.blocks import Block
from mixedsparse.core.problem.crossproducts import level_sums
from mixedsparse.core.problem.fixed import split_response
from mixedsparse.core.problem.problem import Problem

__all__ = ["Projector", "rebind", "with_response", "with_sums"]


def with_response(problem: Problem, y: np.ndarray) -> Problem:
    """Return `problem` for another response y (n,), offset already subtracted."""
    basis = problem.basis
    shift, residual = split_response(basis.q, y, basis.has_constant, problem.root_weights)
    Zy = [level_sums(block, residual[:, None])[:, :, 0] for block in problem.blocks]
    rotated = basis.q.T @ residual
    changed = with_sums(problem, Zy, float(residual @ residual), rotated)
    return replace(changed, basis=replace(basis, shift=shift, residual=residual))


def with_sums(problem: Problem, Zy: Sequence[np.ndarray], yy: float, Qy: np.ndarray | None = None) -> Problem:
    """Return `problem` with the sums Z'r (levels, K) per block, r'r and Q'r of another residual r."""
    xy = problem.xy.copy()
    xy[-1, :-1] = xy[:-1, -1] = 0.0 if Qy is None else Qy
    xy[-1, -1] = yy
    Zxy = tuple(old.copy() for old in problem.Zxy)
    for mine, new in zip(Zxy, Zy, strict=True):
        mine[:, :, -1] = new
    return replace(problem, Zxy=Zxy, xy=xy)


def rebind(engine: Engine, problem: Problem) -> Engine:
    """Return `engine` for a problem that differs in the response only: the analysis is shared."""
    out = copy.copy(engine)
    out.problem = problem
    return out


class Projector:
    """Cross-products of many responses with one design."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.blocks: list[Block] = problem.blocks

    def __call__(self, y: np.ndarray) -> tuple[Responses, np.ndarray]:
        """Responses of y (B, n), and their coefficients on Q (B, p)."""
        basis, root = self.problem.basis, self.problem.root_weights
        y = y if root is None else y * root
        Qy = y @ basis.q
        residual = y - Qy @ basis.q.T
        columns = np.ascontiguousarray(residual.T)
        Zy = tuple(np.ascontiguousarray(np.moveaxis(level_sums(block, columns), 2, 0)) for block in self.blocks)
        return Responses(Zy, np.einsum("ij,ij->i", residual, residual)), Qy

    def coefficients(self, gamma: np.ndarray) -> np.ndarray:
        """Coefficients (B, p) of the kept columns of X from those of Q (B, p)."""
        if not gamma.shape[1]:
            return gamma
        # Responses that could not be fitted are NaN, each in a column of its own.
        return np.asarray(solve_triangular(self.problem.basis.root, gamma.T, check_finite=False)).T
