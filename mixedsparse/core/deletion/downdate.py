"""Cross-products without some of the rows, by subtraction: bases, patterns and numbers of levels stay as they are.

Levels that lose all of their rows keep their place with sums of exactly 0; M is the identity there, so that they add
nothing to the criterion or its derivatives.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.linalg import lapack

from mixedsparse.core.problem.blocks import make_blocks
from mixedsparse.core.problem.crossproducts import Pairs, row_slots
from mixedsparse.core.problem.problem import Problem

__all__ = ["Downdater", "keeps_digits"]

# Share of the sums of squares of Q and of the residual that must be left: subtraction takes its root in digits.
_LEFT = 1e-6


class Downdater:
    """Makes `problem` without some rows, for any number of choices of rows."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.blocks, _ = make_blocks(problem.terms, problem.root_weights)
        self.columns = np.column_stack([problem.basis.q, problem.basis.residual])
        self.counts = [np.bincount(block.codes, minlength=block.n_levels) for block in self.blocks]
        self.slots = {
            (s, t): row_slots(pairs, self.blocks[s].codes, self.blocks[t].codes)
            for (s, t), pairs in problem.pairs.items()
        }

    def __call__(self, rows: np.ndarray) -> Problem:
        """Return the problem without `rows` (r,), positions."""
        problem = self.problem
        columns = self.columns[rows]
        empty = [
            (self.counts[b] > 0) & (np.bincount(block.codes[rows], minlength=block.n_levels) == self.counts[b])
            for b, block in enumerate(self.blocks)
        ]
        z = [block.z[rows] for block in self.blocks]
        codes = [block.codes[rows] for block in self.blocks]
        weights = None if problem.root_weights is None else problem.root_weights[rows]
        return replace(
            problem,
            n=problem.n - len(rows),
            grams=tuple(
                _subtract(gram, at, left, left, gone)
                for gram, at, left, gone in zip(problem.grams, codes, z, empty, strict=True)
            ),
            pairs={
                (s, t): self._pairs(pairs, self.slots[s, t][rows], z[s], z[t], empty[s], empty[t])
                for (s, t), pairs in problem.pairs.items()
            },
            Zxy=tuple(
                _subtract(own, at, left, columns, gone)
                for own, at, left, gone in zip(problem.Zxy, codes, z, empty, strict=True)
            ),
            xy=problem.xy - columns.T @ columns,
            sum_log_weights=problem.sum_log_weights - (0.0 if weights is None else 2.0 * float(np.log(weights).sum())),
        )

    def _pairs(self, pairs: Pairs, slots: np.ndarray, left: np.ndarray, right: np.ndarray, *empty: np.ndarray) -> Pairs:
        """Blocks of Z_s'Z_t; those of an empty level are 0."""
        gone = empty[0][pairs.rows] | empty[1][pairs.indices]
        return replace(pairs, data=_subtract(pairs.data, slots, left, right, gone))


def _subtract(whole: np.ndarray, at: np.ndarray, left: np.ndarray, right: np.ndarray, gone: np.ndarray) -> np.ndarray:
    """Subtract from whole[at] the products of rows of left (r, K) and right (r, c); 0 where `gone`."""
    out = whole.copy()
    np.subtract.at(out, at, left[:, :, None] * right[:, None, :])
    out[gone] = 0.0
    return out


def keeps_digits(whole: Problem, part: Problem) -> bool:
    """Whether `part` is far from losing a column of X, or nearly all variation of y, with the rows that went."""
    if part.n <= part.p:
        return False
    root, info = lapack.dpotrf(part.xy, lower=0)
    if info != 0:
        return False
    left = np.square(np.diagonal(root))
    return bool((left > _LEFT * np.diagonal(whole.xy)).all())
