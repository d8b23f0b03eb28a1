"""Whether a random-effects term can stand in for the residual: then their variances are not told apart by any data."""

from __future__ import annotations

import numpy as np

from mixedsparse.core.problem.blocks import make_blocks
from mixedsparse.core.problem.crossproducts import level_grams
from mixedsparse.core.problem.problem import Problem
from mixedsparse.core.problem.terms import RandomTerm

__all__ = ["is_like_residual", "like_residual", "term_is_like_residual"]

# Eigenvalues of a level's cross-products below this share of the largest are rounding.
_RANK_TOL = 1e-9
# Slack, relative, of the equations that a term like the residual solves.
_SOLVED = 1e-6


def is_like_residual(grams: np.ndarray, n: int) -> bool:
    """Whether some covariance S of the effects gives Z S Z' = W^-1, the residual's own.

    That asks for Z_l S Z_l' = W_l^-1 at every level l, and so for levels whose rows are linearly independent, no more
    of them than effects, and for A_l S A_l = A_l with A_l = Z_l'W_l Z_l. Pairs of rows with ``(1 + x | g)`` have that
    when x takes the same two values in each; ``(1 | row)`` when weights are equal.

    Parameters
    ----------
    grams : ndarray, shape (levels, k, k)
        A_l of a basis that is near orthonormal on average.
    n : int
        Number of rows.
    """
    levels, k = grams.shape[:2]
    if levels * k < n:
        return False
    values = np.linalg.eigvalsh(grams)
    if int((values > _RANK_TOL * values.max()).sum()) < n:
        return False
    squares = (grams @ grams).reshape(levels, -1)
    # The normal equations of A S A = A over all levels.
    system = (squares.T @ squares).reshape(k, k, k, k).transpose(0, 3, 1, 2).reshape(k * k, k * k)
    known = (squares.reshape(grams.shape) @ grams).sum(axis=0)
    S = np.linalg.lstsq(system, known.ravel(), rcond=None)[0].reshape(k, k)
    return bool(np.abs(grams @ S @ grams - grams).max() <= _SOLVED * np.abs(grams).max())


def term_is_like_residual(term: RandomTerm, weights: np.ndarray | None) -> bool:
    """Whether one term, with its rows and their `weights` (n,), can stand in for the residual."""
    n = len(term.codes)
    if term.n_levels * term.k < n or not term.is_plain or _is_restricted(term):
        return False
    block = make_blocks([term], None if weights is None else np.sqrt(weights))[0][0]
    return is_like_residual(level_grams(block), n)


def like_residual(problem: Problem) -> RandomTerm | None:
    """Return the first term of a problem that can stand in for the residual, None if there is none."""
    layout = problem.layout
    for term, block, start in zip(problem.terms, layout.term_block, layout.term_start, strict=True):
        if block in problem.coupled:
            continue
        inside = slice(start, start + term.k)
        if term.n_levels * term.k < problem.n or _is_restricted(term):
            continue
        if is_like_residual(problem.grams[block][:, inside, inside], problem.n):
            return term
    return None


def _is_restricted(term: RandomTerm) -> bool:
    """Whether the covariance of several effects has a structure: a fit tells whether its parameters are identified."""
    return term.structure is not None and term.k > 1
