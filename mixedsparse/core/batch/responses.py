"""Sums of many responses with one design."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.linalg import solve_triangular

from mixedsparse.core.batch.batch import Responses
from mixedsparse.core.problem.blocks import Block
from mixedsparse.core.problem.crossproducts import level_sums
from mixedsparse.core.problem.fixed import split_response
from mixedsparse.core.problem.problem import Problem

__all__ = ["Projector", "residual_sums"]


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
        return _sums(self.blocks, np.ascontiguousarray(residual.T)), Qy

    def coefficients(self, gamma: np.ndarray) -> np.ndarray:
        """Coefficients (B, p) of the kept columns of X from those of Q (B, p)."""
        if not gamma.shape[1]:
            return gamma
        # Responses that could not be fitted are NaN, each in a column of its own.
        return np.asarray(solve_triangular(self.problem.basis.root, gamma.T, check_finite=False)).T


def residual_sums(problem: Problem, y: np.ndarray) -> tuple[Responses, np.ndarray]:
    """Return responses of y (n, B), offset subtracted, whose means may be large; and their coefficients on Q (B, p)."""
    shift, residual = split_response(problem.basis.q, y, problem.basis.has_constant, problem.root_weights)
    return _sums(problem.blocks, residual), shift.T


def _sums(blocks: Sequence[Block], residual: np.ndarray) -> Responses:
    """Sum residuals (n, B) over levels."""
    Zy = tuple(np.ascontiguousarray(np.moveaxis(level_sums(block, residual), 2, 0)) for block in blocks)
    return Responses(Zy, np.einsum("ij,ij->j", residual, residual))
