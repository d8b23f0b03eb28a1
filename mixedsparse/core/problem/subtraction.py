"""A problem without some of its rows, by subtraction of their products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mixedsparse.core.problem.blocks import Block
from mixedsparse.core.problem.crossproducts import level_grams, level_sums, placed
from mixedsparse.core.problem.edits import check_rows
from mixedsparse.core.problem.problem import Problem

__all__ = ["without"]


def without(problem: Problem, at: np.ndarray) -> Problem:
    """Return `problem` without the rows `at` (r,), by subtraction of their products.

    Levels that lose all of their rows keep their place with sums of exactly 0; M is the identity there, so that they
    add nothing to the criterion or its derivatives. Rows are not to be had of the result.
    """
    check_rows(problem)
    columns = problem.columns[at]
    part = [Block(block.codes[at], block.z[at], block.n_levels, False) for block in problem.blocks]
    gone = [
        (count > 0) & (np.bincount(block.codes.ravel(), minlength=len(count)) == count)
        for block, count in zip(part, problem.level_sizes, strict=True)
    ]
    weights = None if problem.root_weights is None else problem.root_weights[at]
    pairs = {
        (s, t): replace(old, data=_pairs_without(problem, part, gone, (s, t), at))
        for (s, t), old in problem.pairs.items()
    }
    return replace(
        problem,
        n=problem.n - len(at),
        grams=tuple(map(_grams_without, problem.grams, part, gone)),
        pairs=pairs,
        Zxy=tuple(
            _sums_without(own, block, columns, lost) for own, block, lost in zip(problem.Zxy, part, gone, strict=True)
        ),
        xy=problem.xy - columns.T @ columns,
        sum_log_weights=problem.sum_log_weights - (0.0 if weights is None else 2.0 * float(np.log(weights).sum())),
    )


def _grams_without(whole: np.ndarray, part: Block, gone: np.ndarray) -> np.ndarray:
    """Diagonal blocks of Z'Z without the rows of `part`."""
    if part.codes.ndim == 1:
        return _subtracted(whole, part.codes, part.z, part.z, gone)
    return np.where(gone[:, None, None], 0.0, whole - level_grams(part))


def _sums_without(whole: np.ndarray, part: Block, columns: np.ndarray, gone: np.ndarray) -> np.ndarray:
    """Z'columns without the rows of `part`, whose columns are given."""
    if part.codes.ndim == 1:
        return _subtracted(whole, part.codes, part.z, columns, gone)
    return np.where(gone[:, None, None], 0.0, whole - level_sums(part, columns))


def _pairs_without(
    problem: Problem, part: Sequence[Block], gone: Sequence[np.ndarray], key: tuple[int, int], at: np.ndarray
) -> np.ndarray:
    """Off-diagonal blocks of Z'Z of a pair of blocks without the rows `at`."""
    (s, t), old = key, problem.pairs[key]
    lost = gone[s][old.rows] | gone[t][old.indices]
    if key in problem.slots:
        return _subtracted(old.data, problem.slots[key][at], part[s].z, part[t].z, lost)
    return np.where(lost[:, None, None], 0.0, old.data - placed(old, part[s], part[t]).data)


def _subtracted(whole: np.ndarray, at: np.ndarray, left: np.ndarray, right: np.ndarray, gone: np.ndarray) -> np.ndarray:
    """Subtract from whole[at] the products of rows of left (r, K) and right (r, c); 0 where `gone`."""
    out = whole.copy()
    np.subtract.at(out, at, left[:, :, None] * right[:, None, :])
    out[gone] = 0.0
    return out
