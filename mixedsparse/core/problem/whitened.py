"""The problem at given residual variances and correlations: rows are whitened, on the pattern that there is.

Whitening of the bases and the basis Q of X stay as they were made: they are fixed linear maps, whatever R is. Rows that
are correlated must lie in one level of every term, so that whitened rows of Z still belong to one level each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mixedsparse.core.problem.crossproducts import level_products, placed, refilled
from mixedsparse.core.problem.problem import Problem, white_blocks
from mixedsparse.core.problem.terms import RandomTerm
from mixedsparse.core.residual.interface import ResidualAt

__all__ = ["crossing_terms", "whitened_by"]


def whitened_by(problem: Problem, at: ResidualAt, weights: np.ndarray) -> Problem:
    """Return `problem` with its rows whitened; `weights` (n,) are the reciprocal variances over sigma^2."""
    blocks = white_blocks(problem.blocks, at)
    columns = at.whiten(problem.columns)
    products = [level_products(block, columns) for block in blocks]
    return replace(
        problem,
        basis=replace(problem.basis, q=columns[:, :-1], residual=columns[:, -1]),
        grams=tuple(grams for grams, _ in products),
        pairs={
            (s, t): refilled(p, blocks[s], blocks[t], problem.slots[s, t])
            if (s, t) in problem.slots
            else placed(p, blocks[s], blocks[t])
            for (s, t), p in problem.pairs.items()
        },
        Zxy=tuple(sums for _, sums in products),
        xy=columns.T @ columns,
        sum_log_weights=problem.sum_log_weights - at.logdet,
        root_weights=np.sqrt(weights),
        origin=problem,
        whitener=at,
    )


def crossing_terms(terms: Sequence[RandomTerm], groups: np.ndarray) -> list[str]:
    """Return the grouping factors of which some group (n,) of correlated rows has several levels."""
    out = []
    for term in terms:
        for codes in term.codes.T if term.codes.ndim == 2 else [term.codes]:
            first = np.full(int(groups.max()) + 1, -1)
            first[groups] = codes
            if (first[groups] != codes).any() or term.codes.ndim == 2:
                out.append(term.group)
    return list(dict.fromkeys(out))
