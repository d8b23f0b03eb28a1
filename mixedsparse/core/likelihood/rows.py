"""[Q r]'V_0^-1 [Q r] from the observations, where sums over levels have lost its digits.

The cross-products give it as a small difference of large numbers when the random effects take up nearly all of r or of
a column of Q: a response far from 0 without an intercept, a nearly perfect fit. With C = [Q r] and spherical U,

    S = E'E + U'U,    E = C - Z Lambda U,    0 = Lambda'Z'E - U

is a sum of squares, off by the square of the error of U only, and its root comes from [E; U] without squaring. One
step of iterative refinement makes up for what an ill-conditioned factor leaves of U.
"""

from __future__ import annotations

import numpy as np

from mixedsparse.core.likelihood.interface import Factored
from mixedsparse.core.problem.absent_rows import are_here
from mixedsparse.core.problem.crossproducts import level_sums, spread_levels
from mixedsparse.core.problem.problem import Problem
from mixedsparse.core.problem.sparse_columns import is_implicit

__all__ = ["can_use_rows", "perfect_share", "root_from_rows"]

Vectors = list[np.ndarray]
# A residual sum of squares below this share of that of y is rounding noise: cross-products keep 16 digits, from which
# it is a difference, and rows give it as a sum of squares.
_PERFECT, _PERFECT_OF_ROWS = 1e-12, 1e-20


def can_use_rows(problem: Problem) -> bool:
    """Whether the observations, and the response to which the sums belong, are in memory.

    Sums from which the rows of a level were taken out have fewer rows than those in memory. Rows with several levels,
    related levels, and columns that are not written out are left to the sums.
    """
    here = problem.has_rows and are_here(problem.basis.residual) and not problem.coupled
    here = here and not is_implicit(problem.basis.q)
    return here and bool(problem.terms) and len(problem.basis.residual) == problem.n


def perfect_share(problem: Problem) -> float:
    """Return the share of the sum of squares of y below which a residual sum of squares is rounding noise."""
    return _PERFECT_OF_ROWS if can_use_rows(problem) else _PERFECT


def root_from_rows(problem: Problem, factor: Factored, projected: Vectors) -> np.ndarray:
    """Upper triangular root of S, shape (p + 1, p + 1), its diagonal not negative.

    Parameters
    ----------
    problem : Problem
    factor : Factor
    projected : list of ndarray (levels, K, p + 1)
        Z'V_0^-1 [Q r] as sums over levels give it.
    """
    columns = np.column_stack([problem.basis.q, problem.basis.residual])
    lams = factor.lams
    left = columns - spread_levels(
        problem.blocks, [lam @ (lam.T @ v) for lam, v in zip(lams, projected, strict=True)], problem.n
    )
    gap = [own - v for own, v in zip(_sums(problem, left), projected, strict=True)]
    step = factor.solve(gap)[1]
    spherical = [lam.T @ (v + s) for lam, v, s in zip(lams, projected, step, strict=True)]
    left = columns - spread_levels(problem.blocks, [lam @ u for lam, u in zip(lams, spherical, strict=True)], problem.n)
    root = np.linalg.qr(np.concatenate([left, *(u.reshape(-1, columns.shape[1]) for u in spherical)]), mode="r")
    return np.asarray(root * np.where(np.diagonal(root) < 0, -1.0, 1.0)[:, None])


def _sums(problem: Problem, columns: np.ndarray) -> Vectors:
    """Z'columns, block vectors (levels, K, r)."""
    return [level_sums(block, columns) for block in problem.blocks]
