"""Other numbers on the pattern of a problem: another response, other weights.

Whitening and the basis Q of X are linear maps that stay as they were made; so do the numbers of levels and the pattern
of Z'Z. An engine takes the new numbers on by `Engine.with_problem`, without a new analysis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mixedsparse.core.problem.absent_rows import ELSEWHERE
from mixedsparse.core.problem.crossproducts import level_sums
from mixedsparse.core.problem.fixed import split_response
from mixedsparse.core.problem.problem import Problem

__all__ = ["reweighted", "same_gram", "with_response", "with_sums"]


def with_response(problem: Problem, y: np.ndarray) -> Problem:
    """Return `problem` for another response y (n,), offset already subtracted."""
    if problem.origin is not None:
        # Only at the weights of the origin is Q orthonormal.
        moved = with_response(problem.origin, y)
        assert problem.root_weights is not None
        return reweighted(moved, np.square(problem.root_weights))
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


def reweighted(problem: Problem, weights: np.ndarray, columns: bool = True) -> Problem:
    """Return `problem` with other weights: Var(e_i) = sigma^2 / w_i.

    Parameters
    ----------
    problem : Problem
        With its rows in memory.
    weights : ndarray, shape (n,)
        In place of those that the problem has; positive, but of any sign without `columns`.
    columns : bool
        Whether sums with [Q r] are made too. Without them the result serves factorisations of M only: `Zxy` and `xy`
        are empty, and whatever uses them stops.
    """
    origin = problem if problem.origin is None else problem.origin
    change = weights if origin.root_weights is None else weights / np.square(origin.root_weights)
    sums = origin.row_sums
    new = replace(
        origin,
        origin=origin,
        grams=sums.grams(change),
        pairs=sums.pairs(change),
        Zxy=(),
        xy=np.empty((0, 0)),
        sum_log_weights=np.nan,
    )
    if not columns:
        return replace(new, basis=replace(origin.basis, q=ELSEWHERE, residual=ELSEWHERE), root_weights=ELSEWHERE)
    root = np.sqrt(change)[:, None]
    scaled = origin.columns * root
    return replace(
        new,
        Zxy=sums.columns(scaled * root),
        xy=scaled.T @ scaled,
        basis=replace(origin.basis, q=scaled[:, :-1], residual=scaled[:, -1]),
        root_weights=np.sqrt(weights),
        sum_log_weights=float(np.log(weights).sum()),
    )


def same_gram(one: Problem, other: Problem) -> bool:
    """Whether two problems share Z'Z itself, as those do that differ in the response only."""
    return one.grams is other.grams and one.pairs is other.pairs
