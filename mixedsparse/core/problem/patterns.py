"""Rows of a generalized model that stay elsewhere: here is one for all that agree in every column of the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mixedsparse.core.problem.blocks import Block
from mixedsparse.core.problem.edits import sums_only
from mixedsparse.core.problem.problem import Problem, counted_problem
from mixedsparse.core.problem.terms import RandomTerm

__all__ = ["Patterns", "pattern_problem"]


@dataclass(frozen=True, slots=True, eq=False)
class Patterns:
    """Rows that differ, and how many observations each of them stands for.

    Attributes
    ----------
    y : ndarray, shape (r,)
        Response as the family has it: the proportion of successes of a binomial one.
    m : ndarray, shape (r,)
        Trials or prior weight of one observation.
    offset : ndarray, shape (r,)
    X : ndarray, shape (r, P)
    terms : sequence of RandomTerm
        In the order of the formula.
    counts : ndarray, shape (r,)
        Numbers of observations.
    """

    y: np.ndarray
    m: np.ndarray
    offset: np.ndarray
    X: np.ndarray
    terms: Sequence[RandomTerm]
    counts: np.ndarray

    @property
    def n(self) -> int:
        """Number of observations."""
        return int(self.counts.sum())

    @property
    def single(self) -> bool:
        """Whether every row stands for one observation."""
        return bool((self.counts == 1).all())


def pattern_problem(patterns: Patterns) -> tuple[Problem, tuple[np.ndarray, list[Block]]]:
    """Problem of all observations, without rows; and Q and the blocks of the patterns."""
    full = counted_problem(patterns.X, patterns.terms, None if patterns.single else patterns.counts)
    Q, blocks = full.basis.q * np.sqrt(full.n), full.blocks
    if full.root_weights is not None:
        Q /= full.root_weights[:, None]
        blocks = [_unweighted(block, full.root_weights) for block in blocks]
    absent = [RandomTerm.without_rows(term.group, term.columns, term.levels) for term in full.terms]
    problem = replace(sums_only(full, absent), root_weights=None, sum_log_weights=0.0)
    return problem, (Q, blocks)


def _unweighted(block: Block, roots: np.ndarray) -> Block:
    z = block.z / roots.reshape(-1, *[1] * (block.z.ndim - 1))
    return Block(block.codes, z, block.n_levels, z.shape[1:] == (1,) and bool((z == 1.0).all()))
