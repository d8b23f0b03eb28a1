"""Problems made from another: with another response or weights, without some rows, with fewer columns or effects.

``with_response``, ``reweighted``, ``with_grams`` and ``subtraction.without`` stay on the pattern: whitening and the
basis Q of X are linear maps that stay as they were made, and so do the levels and the pattern of Z'Z. An engine takes
the new numbers on by `Engine.with_problem`, without a new analysis. ``rows`` and ``combined`` have a pattern of their
own.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import lapack

from mixedsparse.core.problem.absent_rows import ELSEWHERE
from mixedsparse.core.problem.crossproducts import Pairs, level_sums
from mixedsparse.core.problem.fixed import split_response
from mixedsparse.core.problem.known_columns import known_columns
from mixedsparse.core.problem.problem import Problem, make_problem
from mixedsparse.core.problem.reweighting import sum_of_logs
from mixedsparse.core.problem.sums import Aggregates, aggregated_problem, constant_column
from mixedsparse.core.problem.terms import RandomTerm, theta_order
from mixedsparse.core.problem.whitened import whitened_by
from mixedsparse.core.problem.whole import keep_whole
from mixedsparse.core.residual.interface import Residual, ResidualAt
from mixedsparse.ground.errors import DataError
from mixedsparse.ground.limits import LIMITS

__all__ = [
    "Rows",
    "check_rows",
    "combined",
    "for_factors",
    "keeps_digits",
    "on_rows",
    "reduced_term",
    "reweighted",
    "rows",
    "same_gram",
    "sums_only",
    "with_grams",
    "with_residual",
    "with_response",
    "with_sums",
]

# Share of the sums of squares of Q and of the residual that must be left: subtraction takes its root in digits.
_LEFT = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The observations of a problem as they came: y less offset (n,), X (n, P), weights (n,) or None."""

    y: np.ndarray
    X: np.ndarray
    weights: np.ndarray | None


def with_response(problem: Problem, y: np.ndarray) -> Problem:
    """Return `problem` for another response y (n,), offset already subtracted."""
    if problem.origin is not None:
        # Only at the weights of the origin is Q orthonormal.
        moved = with_response(problem.origin, y)
        assert problem.root_weights is not None
        weights = np.square(problem.root_weights)
        return reweighted(moved, weights) if problem.whitener is None else whitened_by(moved, problem.whitener, weights)
    check_rows(problem)
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


def reweighted(problem: Problem, weights: np.ndarray) -> Problem:
    """Return `problem` with other weights: Var(e_i) = sigma^2 / w_i.

    Parameters
    ----------
    problem : Problem
        With its rows in memory.
    weights : ndarray, shape (n,)
        In place of those that the problem has.
    """
    check_rows(problem)
    origin = problem if problem.origin is None else problem.origin
    change = weights if origin.root_weights is None else weights / np.square(origin.root_weights)
    made = known_columns(origin, LIMITS).weighted(change)
    new = replace(
        origin,
        origin=origin,
        grams=made.grams,
        pairs=made.pairs,
        Zxy=made.Zxy,
        xy=made.xy,
        basis=replace(origin.basis, q=made.scaled[:-1].T, residual=made.scaled[-1]),
        root_weights=np.sqrt(weights),
        sum_log_weights=sum_of_logs(weights),
    )
    if made.whole is not None:
        keep_whole(new, made.whole)
    return new


def for_factors(problem: Problem) -> Problem:
    """Return `problem` without what factorisations of M do not need, to be given other numbers by `with_grams`.

    What weighted sums of the columns would be is left empty, and whatever uses them stops.
    """
    return replace(
        problem,
        origin=problem,
        Zxy=(),
        xy=np.empty((0, 0)),
        basis=replace(problem.basis, q=ELSEWHERE, residual=ELSEWHERE),
        root_weights=ELSEWHERE,
        sum_log_weights=np.nan,
    )


def with_grams(bare: Problem, grams: tuple[np.ndarray, ...], pairs: dict[tuple[int, int], Pairs]) -> Problem:
    """Return a problem `for_factors` with numbers of Z'WZ, W of any sign."""
    out = copy.copy(bare)
    out.__dict__.update(grams=grams, pairs=pairs)
    return out


def with_residual(problem: Problem, residual: Residual, at: ResidualAt) -> Problem:
    """Return `problem` with residuals of the covariance sigma^2 W^-1/2 R W^-1/2, R that of `at`, W its own weights."""
    weights = 1.0 / at.variances()
    if problem.root_weights is not None:
        weights = weights * np.square(problem.root_weights)
    return reweighted(problem, weights) if residual.groups is None else whitened_by(problem, at, weights)


def check_rows(problem: Problem) -> None:
    """Refuse a problem whose rows in memory are more than it counts."""
    if len(problem.basis.residual) != problem.n:
        raise ValueError("A problem without some of its rows cannot be edited again: edit the whole one first.")


def same_gram(one: Problem, other: Problem) -> bool:
    """Whether two problems share Z'Z itself, as those do that differ in the response only."""
    return one.grams is other.grams and one.pairs is other.pairs


def keeps_digits(whole: Problem, part: Problem) -> bool:
    """Whether `part` is far from losing a column of X, or nearly all variation of y, with the rows that went."""
    if part.n <= part.p:
        return False
    root, info = lapack.dpotrf(part.xy, lower=0)
    if info != 0:
        return False
    left = np.square(np.diagonal(root))
    return bool((left > _LEFT * np.diagonal(whole.xy)).all())


def rows(problem: Problem, data: Rows, at: np.ndarray) -> Problem:
    """Make the problem of the rows `at` (r,) alone, from the observations: where subtraction would lose digits."""
    terms = [on_rows(term, at) for term in problem.terms]
    return make_problem(data.y[at], data.X[at], terms, None if data.weights is None else data.weights[at])


def on_rows(term: RandomTerm, at: np.ndarray, copy: np.ndarray | None = None) -> RandomTerm:
    """Return `term` on the rows `at` (r,), which may be there several times; levels are numbered without gaps.

    With `copy` (r,), the number of a copy of each row, the copies of a level are levels of their own.
    """
    if term.precision is not None:
        if copy is not None:
            raise DataError(f"Levels of {term.group!r} are related to one another: they cannot be drawn several times.")
        return RandomTerm(
            term.group, term.codes[at], term.z[at], term.columns, term.levels, None, term.covariance, term.precision
        )
    codes = term.codes[at]
    if copy is not None:
        codes = copy.reshape(-1, *[1] * (codes.ndim - 1)) * term.n_levels + codes
    _, numbered = np.unique(codes, return_inverse=True)
    return RandomTerm(term.group, numbered.reshape(codes.shape), term.z[at], term.columns, covariance=term.covariance)


def combined(
    problem: Problem,
    columns: np.ndarray | None,
    effects: Sequence[tuple[int, np.ndarray]],
    data: Rows | None = None,
) -> Problem:
    """Make the problem of a smaller model.

    Parameters
    ----------
    problem : Problem
    columns : ndarray, shape (p, r), or None
        Columns of X as combinations of those that were kept; None for X as it is.
    effects : sequence of (int, ndarray of shape (k, j))
        Terms in formula order: position among `problem.terms`, and effects as combinations of the term's own.
    data : Rows, optional
        The observations; without them the cross-products serve.
    """
    if data is None:
        return aggregated_problem(_part_of(problem, np.eye(problem.p) if columns is None else columns, effects))
    X = data.X if columns is None else data.X[:, problem.basis.kept] @ columns
    return make_problem(data.y, X, [reduced_term(problem.terms[at], kept) for at, kept in effects], data.weights)


def reduced_term(term: RandomTerm, kept: np.ndarray) -> RandomTerm:
    """Return `term` with the effects z @ kept, for `kept` (k, j)."""
    if len(kept) == kept.shape[1] and (kept == np.eye(len(kept))).all():
        return term
    return replace(term, z=term.z @ kept, columns=tuple(f"effect {j}" for j in range(kept.shape[1])))


def _part_of(problem: Problem, columns: np.ndarray, effects: Sequence[tuple[int, np.ndarray]]) -> Aggregates:
    """Make the sums of a smaller model from the cross-products of a problem; see `combined`."""
    layout, p = problem.layout, problem.p
    made = [
        RandomTerm.without_rows(
            problem.terms[at].group, tuple(map(str, range(kept.shape[1]))), problem.terms[at].levels
        )
        for at, kept in effects
    ]
    order = theta_order(made)
    blocks = list(dict.fromkeys(layout.term_block[effects[i][0]] for i in order))
    maps = []
    for at, kept in (effects[i] for i in order):
        place = np.zeros((layout.widths[layout.term_block[at]], problem.terms[at].k))
        place[layout.term_start[at] : layout.term_start[at] + problem.terms[at].k] = layout.whiten[at]
        maps.append(place @ kept)
    B = np.zeros((p + 1, columns.shape[1] + 1))
    B[:p, :-1], B[:p, -1], B[p, -1] = problem.basis.root @ columns, problem.basis.shift, 1.0
    return Aggregates(
        n=problem.n,
        terms=tuple(made[i] for i in order),
        order=tuple(order),
        owner=tuple(blocks.index(layout.term_block[effects[i][0]]) for i in order),
        maps=tuple(maps),
        products=problem.xy,
        columns=B,
        intercept=constant_column(B) if problem.basis.has_constant else -1,
        grams=tuple(problem.grams[b] for b in blocks),
        sums=tuple(problem.Zxy[b] for b in blocks),
        pairs={
            (s, t): problem.pairs[b, c] if (b, c) in problem.pairs else problem.pairs[c, b].transposed()
            for s, b in enumerate(blocks)
            for t, c in enumerate(blocks)
            if s < t
        },
        sum_log_weights=None if problem.root_weights is None else problem.sum_log_weights,
    )


def sums_only(problem: Problem, terms: Sequence[RandomTerm] | None = None) -> Problem:
    """Return `problem` without its rows; `terms`, in theta order, take the place of its own."""
    return replace(
        problem,
        terms=problem.terms if terms is None else tuple(terms),
        basis=replace(problem.basis, q=ELSEWHERE, residual=ELSEWHERE),
        root_weights=None if problem.root_weights is None else ELSEWHERE,
        origin=None,
    )
