"""Z'WZ, Z'WC and C'WC of the columns C = [Q r] of one problem for any weights: what a reweighting costs.

Every row has to be passed over, so the passes are few and in order. Rows that are equal but for the response become one
with the sum of their weights, where there are many. Sums over the pairs of levels that occur come first where these are
few, and the sums of levels follow from them; effects of busy levels are multiplied level by level. Of a small problem
all is one dense product.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse

from mixedsparse.core.problem.agreeing import agreeing_rows
from mixedsparse.core.problem.blocks import Block
from mixedsparse.core.problem.crossproducts import Pairs, stable_order
from mixedsparse.core.problem.problem import Problem
from mixedsparse.core.problem.reweighting import Key, RowSums
from mixedsparse.core.problem.whole import WholeColumns
from mixedsparse.ground.limits import Limits

__all__ = ["KnownColumns", "Weighted", "known_columns"]

# Rows per pair of levels from which on sums over pairs come first.
_SHARED = 2
# Rows per level from which on a level has a product of its own, and cells per row of levels filled up to the longest.
_BUSY, _FILLED = 8, 1.5
# Columns of Q up to which their products by weights are taken one by one: dense kernels are for more.
_FEW = 3


class Weighted(NamedTuple):
    """Cross-products by weights; columns times the roots of the weights, (p + 1, n); all in one matrix, if it is so."""

    grams: tuple[np.ndarray, ...]
    pairs: dict[Key, Pairs]
    Zxy: tuple[np.ndarray, ...]
    xy: np.ndarray
    scaled: np.ndarray
    whole: np.ndarray | None = None


class KnownColumns:
    """What is known of the rows of `problem` before their weights change."""

    def __init__(self, problem: Problem, limits: Limits) -> None:
        self.columns = np.ascontiguousarray(problem.columns.T)
        self.whole = WholeColumns.of(problem, limits.whole)
        self.joined = None if self.whole is not None else _Joined.of(problem, limits.collapsed)
        blocks, q = problem.blocks, self.columns[:-1]
        if self.joined is not None:
            blocks, q = self.joined.blocks, np.ascontiguousarray(q[:, self.joined.first])
        self.blocks, self.q, kept = blocks, q, limits.kept
        self.sums = problem.row_sums if self.joined is None else RowSums(blocks, problem.pairs, kept=kept)
        unit = [b for b, block in enumerate(blocks) if block.unit]
        # Pairs of related levels of one block are no pairs that rows have.
        known = {key: p for key, p in problem.pairs.items() if key in self.sums.slots and {*key} <= {*unit}}
        shared = {key: p for key, p in known.items() if _SHARED * len(p.indices) <= len(q.T)}
        self.cells: dict[int, tuple[Key, np.ndarray]] = {}
        self.levels: dict[int, _Levels] = {}
        self.counts: dict[int, _Counts] = {}
        for b, block in enumerate(blocks):
            own = [key for key in shared if b in key]
            if own:
                key = min(own, key=lambda key: len(shared[key].indices))
                self.cells[b] = key, shared[key].rows if key[0] == b else shared[key].indices
            elif block.unit:
                self.counts[b] = _Counts(block.codes, block.n_levels, q, kept)
            elif (length := _length(block)) and block.n_levels * length * (block.width + len(q)) <= kept:
                self.levels[b] = _Levels(block, q, length)
        self.by_pair = {
            key: _Counts(self.sums.slots[key], len(shared[key].indices), q, kept)
            for key in {key for key, _ in self.cells.values()}
        }

    def weighted(self, weights: np.ndarray) -> Weighted:
        """Cross-products for `weights` (n,)."""
        root = np.sqrt(weights)
        if self.whole is not None:
            return Weighted(*self.whole.products(root))
        scaled = self.columns * root
        residual = weights * self.columns[-1]
        square = float(residual @ self.columns[-1])
        if self.joined is not None:
            weights, residual = self.joined.sums @ weights, self.joined.sums @ residual
        found = {key: counts.sums(weights, residual) for key, counts in self.by_pair.items()}
        pairs = {
            key: Pairs(old.indptr, old.indices, found[key][0][:, None, None], old.n_columns)
            if key in found
            else Pairs(old.indptr, old.indices, self.sums.pair(key, weights), old.n_columns)
            for key, old in self.sums.old.items()
        }
        grams, Zxy = [], []
        for b, block in enumerate(self.blocks):
            if b in self.cells:
                key, levels = self.cells[b]
                summed = np.stack([np.bincount(levels, own, minlength=block.n_levels) for own in found[key]])
                gram, own = _of_intercepts(summed)
            elif b in self.counts:
                gram, own = _of_intercepts(self.counts[b].sums(weights, residual))
            elif b in self.levels:
                gram, own = self.levels[b].products(weights, residual)
            else:
                columns = np.column_stack([*(weights * self.q), residual])
                gram, own = self.sums.gram(b, weights), self.sums.columns_of(b, columns)
            grams.append(gram)
            Zxy.append(own)
        return Weighted(tuple(grams), pairs, tuple(Zxy), self._of_columns(weights, residual, square), scaled)

    def _of_columns(self, weights: np.ndarray, residual: np.ndarray, square: float) -> np.ndarray:
        """[Q r]'W[Q r], (p + 1, p + 1)."""
        p = len(self.q)
        out = np.empty((p + 1, p + 1))
        scaled = self.q * weights
        if p > _FEW:
            out[:p, :p] = scaled @ self.q.T
        else:
            for i in range(p):
                for j in range(i + 1):
                    out[i, j] = out[j, i] = scaled[i] @ self.q[j]
        out[p, :p] = out[:p, p] = self.q @ residual
        out[p, p] = square
        return out


def known_columns(problem: Problem, limits: Limits) -> KnownColumns:
    """Return those of `problem`, made once."""
    found: KnownColumns | None = problem.__dict__.get("_known_columns")
    if found is None:
        found = problem.__dict__["_known_columns"] = KnownColumns(problem, limits)
    return found


class _Joined(NamedTuple):
    """Rows that are equal but for the response, as one: the blocks, the `first` row of each, and `sums` over them."""

    blocks: list[Block]
    first: np.ndarray
    sums: sparse.csr_matrix

    @classmethod
    def of(cls, problem: Problem, least: int) -> _Joined | None:
        """Join rows of a problem with at `least` so many, where it is worth while."""
        n, blocks = len(problem.basis.residual), problem.blocks
        if n < least or not blocks:
            return None
        arrays = [problem.basis.q, *(array for block in blocks for array in (block.codes, block.z))]
        found = agreeing_rows(arrays, max((len(pairs.indices) for pairs in problem.pairs.values()), default=0))
        if found is None:
            return None
        inverse, first = found
        own = [Block(b.codes[first], b.z[first], b.n_levels, b.unit) for b in blocks]
        return cls(own, first, _summing(inverse, len(first), np.ones((1, n))))


def _of_intercepts(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gram (levels, 1, 1) and products with the columns (levels, 1, r) from sums (1 + r, levels)."""
    return sums[0][:, None, None], np.ascontiguousarray(sums[1:].T)[:, None, :]


def _summing(slots: np.ndarray, count: int, columns: np.ndarray) -> sparse.csr_matrix:
    """Matrix (r count, n) of the sums over slots of columns (r, n) times what it is multiplied with."""
    order, r = stable_order(slots, count), len(columns)
    ends = np.cumsum(np.bincount(slots, minlength=count))
    starts = np.concatenate([[0], *(ends + j * len(order) for j in range(r))])
    values = np.ascontiguousarray(columns[:, order]).ravel()
    return sparse.csr_matrix((values, np.tile(order, r), starts), shape=(r * count, len(order)))


class _Counts:
    """Sums over the rows of each slot where effects are intercepts: of weights, of Q and of the residual."""

    def __init__(self, slots: np.ndarray, count: int, q: np.ndarray, kept: int) -> None:
        self.slots, self.count, self.q = slots, count, q
        self.table: sparse.csr_matrix | None = None
        if q.size + 2 * len(slots) <= kept:
            self.table = _summing(slots, count, np.vstack([np.ones(len(slots)), q]))
            stop = self.table.indptr[count]
            parts = self.table.data[:stop], self.table.indices[:stop], self.table.indptr[: count + 1]
            self.plain = sparse.csr_matrix(parts, shape=(count, len(slots)))

    def sums(self, weights: np.ndarray, residual: np.ndarray) -> np.ndarray:
        """Return sums (p + 2, count) of weights, of these times Q, and of residuals that are times weights already."""
        out = np.empty((len(self.q) + 2, self.count))
        if self.table is not None:
            out[:-1] = (self.table @ weights).reshape(-1, self.count)
            out[-1] = self.plain @ residual
            return out
        for row, own in zip(out, (weights, *(self.q * weights), residual), strict=True):
            row[:] = np.bincount(self.slots, own, minlength=self.count)
        return out


def _length(block: Block) -> int:
    """Rows of the largest level, where levels of several effects are busy and alike enough to be filled up; else 0."""
    n = len(block.codes)
    if block.codes.ndim == 2 or block.width == 1 or n < _BUSY * block.n_levels:
        return 0
    length = int(np.bincount(block.codes, minlength=block.n_levels).max())
    return length if block.n_levels * length <= _FILLED * n else 0


class _Levels:
    """Effects and Q of the rows of each level side by side, (levels, K + p, length), filled up by zeros."""

    def __init__(self, block: Block, q: np.ndarray, length: int) -> None:
        n, self.width = len(block.codes), block.width
        order = stable_order(block.codes, block.n_levels)
        codes = block.codes[order]
        place = np.arange(n) - np.searchsorted(codes, codes)
        self.row = np.zeros((block.n_levels, length), dtype=np.intp)  # any row will do where there is none
        self.row[codes, place] = order
        self.values = np.zeros((block.n_levels, block.width + len(q), length))
        for j, column in enumerate([*block.z.T, *q]):
            self.values[codes, j, place] = column[order]

    def products(self, weights: np.ndarray, residual: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Z'WZ (levels, K, K) and Z'W[Q r] (levels, K, p + 1) for residuals that are times weights already."""
        k = self.width
        effects = self.values[:, :k]
        found = (effects * weights.take(self.row)[:, None, :]) @ self.values.swapaxes(1, 2)
        grams = found[:, :, :k]
        last = effects @ residual.take(self.row)[:, :, None]
        return 0.5 * (grams + grams.swapaxes(1, 2)), np.concatenate([found[:, :, k:], last], axis=2)
