"""What elimination does to the pattern of Z'Z: which factor goes first, how far the others fill in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from mixedsparse.core.engines.split.coupling import DenseCoupling, SparseCoupling, choose_form
from mixedsparse.core.problem.crossproducts import Pairs
from mixedsparse.core.problem.problem import Problem
from mixedsparse.ground.limits import Limits

__all__ = ["Elimination", "counts_by_size", "coupling_memory", "density", "iterative_lists", "totals"]

# Bytes for each entry of Z'Z that is listed, of levels of one effect and of several; for the compiled loops when they
# are loaded. Dense arrays of the size of A_12.
_ENTRY_BYTES, _WIDE_ENTRY_BYTES, _LOOPS_BYTES, _DENSE_ARRAYS = 40, 60, 7e7, 3

_INDEX_BYTES = 4
# Levels of the rest at which the fill of the Schur complement is measured.
_SAMPLE = 64


@dataclass(frozen=True, slots=True)
class Elimination:
    """Sizes of the blocks, and what is left when the largest is eliminated.

    Attributes
    ----------
    sizes : tuple of int
        Random effects of each block.
    first : int or None
        The largest block whose levels do not meet one another.
    rest : int
        Random effects of the others.
    """

    sizes: tuple[int, ...]
    first: int | None
    rest: int

    @classmethod
    def of(cls, problem: Problem) -> Elimination:
        """Sizes of the blocks of `problem`."""
        sizes = tuple(k * n for k, n in zip(problem.layout.widths, problem.layout.n_levels, strict=True))
        first = problem.eliminable
        return cls(sizes, first, sum(sizes) - (0 if first is None else sizes[first]))

    @property
    def filling(self) -> int | None:
        """The largest block of the rest; None without a rest."""
        others = [b for b in range(len(self.sizes)) if b != self.first]
        return max(others, key=self.sizes.__getitem__) if others else None

    def visits(self, problem: Problem) -> float:
        """Entries of the Schur complement that elimination of the largest block touches, counted with repetition."""
        widths, levels = problem.layout.widths, problem.layout.n_levels
        met = np.zeros(0 if self.first is None else levels[self.first])
        for (s, t), pairs in problem.pairs.items():
            if s == self.first:
                met += np.diff(pairs.indptr) * widths[t]
            elif t == self.first:
                met += pairs.counts * widths[s]
        return float(np.square(met).sum())


def coupling_memory(problem: Problem, elimination: Elimination, visits: float, nnz: float) -> float:
    """Bytes that the split takes for what couples the eliminated block and the rest; see `Elimination.visits`."""
    if not elimination.rest:
        return 0.0
    layout, first = problem.layout, elimination.first
    if first is None:
        return 0.0
    form = choose_form((layout.n_levels[first], layout.widths[first], elimination.rest), visits)
    if form is DenseCoupling:
        return _DENSE_ARRAYS * 8.0 * elimination.sizes[first] * elimination.rest
    listed = (_ENTRY_BYTES if layout.widths[first] == 1 else _WIDE_ENTRY_BYTES) * nnz
    return listed + (_LOOPS_BYTES if form is SparseCoupling else 0.0)


def iterative_lists(problem: Problem, limits: Limits) -> tuple[float, float]:
    """Bytes, in memory and on disk, of the lists of pairs that the iterative method makes for itself.

    Two blocks of one effect each are listed one way, in four bytes a pair.
    """
    pairs = problem.pairs.values()
    if problem.layout.widths != (1, 1):
        return limits.entry_bytes * sum(one.data.size for one in pairs), 0.0
    size = float(sum(_INDEX_BYTES * len(one.indices) for one in pairs))
    return (size, 0.0) if size <= limits.mapped else (0.0, size)


def density(problem: Problem, first: int | None) -> float:
    """Share of the Schur complement that elimination of block `first` fills, measured at evenly spaced levels."""
    if first is None:
        return 0.0
    rest = [b for b in range(len(problem.layout.widths)) if b != first]
    met = {b: _pattern(problem, first, b) for b in rest}
    widths, levels = problem.layout.widths, problem.layout.n_levels
    filled = seen = 0.0
    for b in rest:
        chosen = np.unique(np.linspace(0, levels[b] - 1, _SAMPLE).astype(np.intp))
        mine = met[b][:, chosen].T.tocsr()
        share = widths[b] * levels[b] / len(chosen)
        for c in rest:
            filled += share * widths[c] * (mine @ met[c]).nnz
            seen += share * widths[c] * len(chosen) * levels[c]
    return filled / seen if seen else 0.0


def _pattern(problem: Problem, first: int, b: int) -> sparse.csr_matrix:
    """Where levels of block `first` meet levels of block b, as truth values: those are narrow."""
    pairs: Pairs = problem.pairs[min(first, b), max(first, b)]
    ones = np.ones(len(pairs.indices), dtype=bool)
    shape = len(pairs.indptr) - 1, pairs.n_columns
    found = sparse.csr_matrix((ones, pairs.indices, pairs.indptr), shape=shape)
    return found if first < b else found.T.tocsr()


def counts_by_size(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Column counts of L when blocks are eliminated from the largest on, in each the levels that meet fewest first.

    Returns
    -------
    counts, weights : ndarray of int, shape (levels of all blocks,)
        Numbers in the first column of each level, and its effects. An upper bound: CHOLMOD looks for a better order.
    """
    from mixedsparse.core.engines.kernels.columns import column_counts

    widths, levels = problem.layout.widths, problem.layout.n_levels
    met = [np.zeros(n, dtype=np.int64) for n in levels]
    for (s, t), pairs in problem.pairs.items():
        met[s] += np.diff(pairs.indptr)
        met[t] += pairs.counts
    place, start = {}, 0
    for b in sorted(range(len(levels)), key=lambda b: -widths[b] * levels[b]):
        place[b] = np.empty(levels[b], dtype=np.int32)
        place[b][np.argsort(met[b], kind="stable")] = np.arange(start, start + levels[b], dtype=np.int32)
        start += levels[b]
    rows, columns = [np.empty(0, np.int32)], [np.empty(0, np.int32)]
    for (s, t), pairs in problem.pairs.items():
        one, other = place[s][pairs.rows], place[t][pairs.indices]
        rows.append(np.maximum(one, other))
        columns.append(np.minimum(one, other))
    weights = np.empty(start, dtype=np.int64)
    for b, at in place.items():
        weights[at] = widths[b]
    return column_counts(np.concatenate(rows), np.concatenate(columns), start, weights), weights


def totals(counts: np.ndarray, weights: np.ndarray | None = None) -> tuple[float, float]:
    """Numbers in L, and multiply-adds of its factorisation, from its column counts.

    With `weights`, a column stands for that many, each one number shorter than the one before.
    """
    first = counts.astype(float)
    if weights is None:
        return float(first.sum()), float(np.square(first).sum())
    w = weights.astype(float)
    # Sums of c - i and (c - i)^2 over i = 0 .. w - 1.
    nnz = w * first - w * (w - 1.0) / 2.0
    squares = w * first**2 - first * w * (w - 1.0) + (w - 1.0) * w * (2.0 * w - 1.0) / 6.0
    return float(nnz.sum()), float(squares.sum())
