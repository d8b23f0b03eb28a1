"""The problem at given residual variances and correlations: rows are whitened, on the pattern that there is.

Whitening of the bases and the basis Q of X stay as they were made: they are fixed linear maps, whatever R is. Rows that
are correlated and in one level of a block still belong to that level when they are whitened. Where they are in several,
whitened rows have no level of their own: the pattern of Z'R^-1 Z is that of `correlated_rows`, made once before an
engine analyses it, and its numbers are sums of entries of R^-1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from mixedsparse.core.problem.blocks import Block, white_blocks
from mixedsparse.core.problem.correlated_rows import CorrelatedRows, crossing_blocks
from mixedsparse.core.problem.crossproducts import Pairs, level_products, level_sums, placed, refilled, spread_levels
from mixedsparse.core.problem.problem import Problem
from mixedsparse.core.residual.interface import Residual, ResidualAt

__all__ = ["joined_by", "white_spread", "white_sums", "whitened_by"]


def joined_by(problem: Problem, residual: Residual | None) -> Problem:
    """Return `problem` on the pattern of all pairs of levels that its `residual` covariance may bring together."""
    if residual is None or residual.groups is None or problem.correlated is not None:
        return problem
    crossing = crossing_blocks(problem.blocks, residual.groups)
    if not crossing:
        return problem
    rows = CorrelatedRows(problem.blocks, problem.pairs, crossing, residual.joined)
    return replace(problem, pairs=dict(problem.pairs) | rows.patterns, correlated=rows)


def whitened_by(problem: Problem, at: ResidualAt, weights: np.ndarray) -> Problem:
    """Return `problem` with its rows whitened; `weights` (n,) are the reciprocal variances over sigma^2."""
    columns = at.whiten(problem.columns)
    grams, pairs, Zxy = _crossing_products(problem, at)
    nested = [b for b in range(len(problem.grams)) if b not in grams]
    blocks = dict(zip(nested, white_blocks([problem.blocks[b] for b in nested], at), strict=True))
    for b, block in blocks.items():
        grams[b], Zxy[b] = level_products(block, columns)
    for (s, t), old in problem.pairs.items():
        if s in blocks and t in blocks:
            pairs[s, t] = _filled(problem, (s, t), old, blocks)
    return replace(
        problem,
        basis=replace(problem.basis, q=columns[:, :-1], residual=columns[:, -1]),
        grams=tuple(grams[b] for b in range(len(grams))),
        pairs={key: pairs[key] for key in problem.pairs},
        Zxy=tuple(Zxy[b] for b in range(len(Zxy))),
        xy=columns.T @ columns,
        sum_log_weights=problem.sum_log_weights - at.logdet,
        root_weights=np.sqrt(weights),
        origin=problem,
        whitener=at,
    )


def _crossing_products(
    problem: Problem, at: ResidualAt
) -> tuple[dict[int, np.ndarray], dict[tuple[int, int], Pairs], dict[int, np.ndarray]]:
    """Diagonal blocks of Z'R^-1 Z, the others, and Z'R^-1 [Q r], of the blocks whose levels share groups of rows."""
    correlated = problem.correlated
    if correlated is None:
        return {}, {}, {}
    grams, pairs = correlated.sums(at.inverse())
    columns = at.precision(problem.columns)
    Zxy = {b: level_sums(problem.blocks[b], columns) for b in correlated.crossing}
    for (s, t), old in problem.pairs.items():
        if (s in grams) == (t in grams):
            continue
        # R^-1 Z of the block whose levels keep to themselves has a level in every row.
        nested = s if t in grams else t
        own = problem.blocks[nested]
        blocks = {s: problem.blocks[s], t: problem.blocks[t]} | {
            nested: replace(own, z=at.precision(own.z), unit=False)
        }
        pairs[s, t] = _filled(problem, (s, t), old, blocks)
    return grams, pairs, Zxy


def _filled(problem: Problem, key: tuple[int, int], old: Pairs, blocks: Mapping[int, Block]) -> Pairs:
    """Z_s'Z_t of `blocks` on the pattern of `old`."""
    s, t = blocks[key[0]], blocks[key[1]]
    return refilled(old, s, t, problem.slots[key]) if key in problem.slots else placed(old, s, t)


def white_sums(problem: Problem, columns: np.ndarray) -> list[np.ndarray]:
    """Z'columns (levels, K, r) per block for the Z of `problem`, whitened where it is."""
    if problem.correlated is None or problem.whitener is None or problem.origin is None:
        return [level_sums(block, columns) for block in problem.blocks]
    turned = problem.whitener.precision(problem.whitener.colour(columns))
    return [level_sums(block, turned) for block in problem.origin.blocks]


def white_spread(problem: Problem, effects: Sequence[np.ndarray]) -> np.ndarray:
    """Z b, (n, r), for effects b (levels, K, r) per block and the Z of `problem`, whitened where it is."""
    mixed = problem.correlated is not None and problem.whitener is not None
    blocks = problem.origin.blocks if mixed and problem.origin is not None else problem.blocks
    out = spread_levels(blocks, effects, problem.n)
    return problem.whitener.whiten(out) if mixed and problem.whitener is not None else out
