"""Z'Z as an operator, and its Schur complement once the block with most effects is eliminated.

Vectors of the rest are stacked level-major, (q_rest, r): the effects of a level stand together, r columns side by side.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from mixedsparse.core.engines.kernels.krylov import add_product, sandwich
from mixedsparse.core.engines.krylov.one_way import OneWay
from mixedsparse.core.engines.level_blocks import apply_blocks
from mixedsparse.core.problem.crossproducts import Pairs
from mixedsparse.core.problem.problem import Problem
from mixedsparse.core.problem.unit_blocks import are_ones
from mixedsparse.ground.limits import LIMITS, Limits

__all__ = ["PairProduct", "System"]

Vectors = list[np.ndarray]


@dataclass(frozen=True, slots=True, eq=False)
class PairProduct:
    """Z_s'Z_t by the rows of s: `values` (nnz, K_s, K_t), or None when every block is a single 1.

    `threaded` is that of `Limits`.
    """

    indptr: np.ndarray
    indices: np.ndarray
    values: np.ndarray | None
    threaded: float = LIMITS.threaded

    @classmethod
    def of(cls, pairs: Pairs, threaded: float = LIMITS.threaded) -> PairProduct:
        """PairProduct of `pairs`; its arrays are shared where they can be."""
        # One type each, so that the loops are compiled once.
        indptr, indices = pairs.indptr.astype(np.int64, copy=False), pairs.indices.astype(np.int32, copy=False)
        return cls(indptr, indices, None if are_ones(pairs.data) else pairs.data, threaded)

    def transposed(self, n_columns: int) -> PairProduct:
        """Z_t'Z_s, for `n_columns` levels of t."""
        # The list of positions is sorted by column in time linear in its length, and is narrow where it can be.
        narrow = np.int32 if len(self.indices) < np.iinfo(np.int32).max else np.int64
        if self.values is None:
            payload = np.ones(len(self.indices), dtype=np.int8)
        elif self.values.shape[1:] == (1, 1):
            payload = self.values[:, 0, 0]
        else:
            payload = np.arange(len(self.indices), dtype=narrow)
        shape = (len(self.indptr) - 1, n_columns)
        flipped = sparse.csr_matrix((payload, self.indices, self.indptr.astype(narrow)), shape=shape).tocsc()
        values = None
        if self.values is not None:
            one = self.values.shape[1:] == (1, 1)
            values = flipped.data[:, None, None] if one else self.values[flipped.data].transpose(0, 2, 1).copy()
        indptr, indices = flipped.indptr.astype(np.int64), flipped.indices.astype(np.int32, copy=False)
        return PairProduct(indptr, indices, values, self.threaded)

    def order(self, n_columns: int) -> np.ndarray:
        """Position, in the list, of each block of the transposed one."""
        narrow = np.int32 if len(self.indices) < np.iinfo(np.int32).max else np.int64
        payload, shape = np.arange(len(self.indices), dtype=narrow), (len(self.indptr) - 1, n_columns)
        return np.asarray(
            sparse.csr_matrix((payload, self.indices, self.indptr.astype(narrow)), shape=shape).tocsc().data
        )

    def add_product(self, x: np.ndarray, out: np.ndarray) -> None:
        """Add Z_s'Z_t x to `out`."""
        add_product(self.indptr, self.indices, self.values, x, out, self.threaded)

    def sandwich(self, inner: np.ndarray) -> np.ndarray:
        """Diagonal blocks of Z_s'Z_t N Z_t'Z_s for a block diagonal N."""
        return sandwich(self.indptr, self.indices, self.values, inner, self.threaded)


class System:
    """Products with the blocks of Z'Z of one problem.

    Attributes
    ----------
    first : int
        The block that is eliminated: the one with most effects.
    rest : list of int
        The others.
    rows : dict block -> slice
        Their rows in the stack.
    size : int
        Length of the stack, q_rest.
    """

    def __init__(self, problem: Problem, limits: Limits = LIMITS) -> None:
        layout, threaded = problem.layout, limits.threaded
        sizes = [k * n for k, n in zip(layout.widths, layout.n_levels, strict=True)]
        self.problem = problem
        self._orders: dict[tuple[int, int], np.ndarray] = {}
        self.first = int(np.argmax(sizes))
        self.rest = [b for b in range(len(sizes)) if b != self.first]
        ends = np.cumsum([0, *(sizes[b] for b in self.rest)])
        self.rows = {b: slice(int(ends[i]), int(ends[i + 1])) for i, b in enumerate(self.rest)}
        self.size = int(ends[-1])
        self.couplings: dict[tuple[int, int], PairProduct] = {}
        # Two blocks of one effect each, the eliminated one first, as they nearly always stand: one list serves.
        self.one_way: OneWay | None = None
        if layout.widths == (1, 1) and self.first == 0:
            self.one_way = OneWay.of(problem.pairs[0, 1], threaded, limits.mapped)
            return
        for (s, t), pairs in problem.pairs.items():
            self.couplings[s, t] = PairProduct.of(pairs, threaded)
            self.couplings[t, s] = self.couplings[s, t].transposed(pairs.n_columns)

    def refilled(self, problem: Problem) -> System:
        """Return the system of a problem with other numbers on the same pattern."""
        out = copy.copy(self)
        out.problem, out.couplings = problem, dict(self.couplings)
        if self.one_way is not None:
            out.one_way = self.one_way.refilled(problem.pairs[0, 1])
            return out
        for (s, t), pairs in problem.pairs.items():
            if (s, t) not in self._orders:
                self._orders[s, t] = self.couplings[s, t].order(pairs.n_columns)
            back = pairs.data[self._orders[s, t]].transpose(0, 2, 1)
            out.couplings[s, t] = replace(self.couplings[s, t], values=pairs.data)
            out.couplings[t, s] = replace(self.couplings[t, s], values=np.ascontiguousarray(back))
        return out

    def view(self, stacked: np.ndarray, b: int) -> np.ndarray:
        """Rows of block b as (levels, K, r)."""
        layout = self.problem.layout
        return stacked[self.rows[b]].reshape(layout.n_levels[b], layout.widths[b], -1)

    def stack(self, vectors: Vectors) -> np.ndarray:
        """Rest of the block vectors (levels, K, r) as one array (q_rest, r)."""
        r = vectors[self.first].shape[2]
        return np.concatenate([np.empty((0, r)), *(vectors[b].reshape(-1, r) for b in self.rest)])

    def unstack(self, first: np.ndarray, stacked: np.ndarray) -> Vectors:
        """Block vectors of the eliminated block and of the stacked rest."""
        out: Vectors = [first] * len(self.problem.layout.widths)
        for b in self.rest:
            out[b] = self.view(stacked, b)
        return out

    def to_first(self, stacked: np.ndarray) -> np.ndarray:
        """A_12 x, (levels, K, r)."""
        if self.one_way is not None:
            return self.one_way.to_s(stacked)[:, None]
        layout, e = self.problem.layout, self.first
        out = np.zeros((layout.n_levels[e], layout.widths[e], stacked.shape[1]))
        for b in self.rest:
            self.couplings[e, b].add_product(self.view(stacked, b), out)
        return out

    def to_rest(self, vectors: np.ndarray) -> np.ndarray:
        """A_21 v, (q_rest, r)."""
        if self.one_way is not None:
            return self.one_way.to_t(vectors[:, 0])
        out = np.zeros((self.size, vectors.shape[2]))
        for b in self.rest:
            self.couplings[b, self.first].add_product(vectors, self.view(out, b))
        return out

    def within_rest(self, stacked: np.ndarray) -> np.ndarray:
        """A_22 x, (q_rest, r)."""
        out = self.mix(self.problem.grams, stacked)
        for b in self.rest:
            for c in self.rest:
                if b != c:
                    self.couplings[b, c].add_product(self.view(stacked, c), self.view(out, b))
        return out

    def mix(self, blocks: Sequence[np.ndarray] | dict[int, np.ndarray], stacked: np.ndarray) -> np.ndarray:
        """Level by level, blocks (K, K) or (levels, K, K) of each block of the rest times the stack."""
        out = np.empty_like(stacked)
        for b in self.rest:
            block = blocks[b]
            if block.shape[-1] == 1:
                np.multiply(block, self.view(stacked, b), out=self.view(out, b))
            else:
                np.matmul(block, self.view(stacked, b), out=self.view(out, b))
        return out

    def schur_times(self, cov: np.ndarray, stacked: np.ndarray) -> np.ndarray:
        """(A_22 - A_21 C A_12) x, C (levels, K, K) block diagonal on the eliminated block."""
        out = self.within_rest(stacked)
        if self.one_way is not None:
            out -= self.one_way.through(cov[:, 0, 0], stacked)
            return out
        out -= self.to_rest(apply_blocks(cov, self.to_first(stacked)))
        return out

    def schur_diagonal(self, cov: np.ndarray) -> dict[int, np.ndarray]:
        """Diagonal blocks of A_22 - A_21 C A_12, (levels, K, K) per block of the rest."""
        if self.one_way is not None:
            return {1: self.problem.grams[1] - self.one_way.squares_to_t(cov[:, 0, 0])[:, None, None]}
        return {b: self.problem.grams[b] - self.couplings[b, self.first].sandwich(cov) for b in self.rest}

    def first_diagonal(self, blocks: dict[int, np.ndarray]) -> np.ndarray:
        """Diagonal blocks of A_12 N A_21, (levels, K, K), N block diagonal on the rest."""
        if self.one_way is not None:
            return self.one_way.squares_to_s(blocks[1][:, 0, 0])[:, None, None]
        layout, e = self.problem.layout, self.first
        out = np.zeros((layout.n_levels[e], layout.widths[e], layout.widths[e]))
        for b in self.rest:
            out += self.couplings[e, b].sandwich(blocks[b])
        return out

    def times(self, vectors: Vectors) -> Vectors:
        """Z'Z times block vectors."""
        stacked = self.stack(vectors)
        mine = apply_blocks(self.problem.grams[self.first], vectors[self.first]) + self.to_first(stacked)
        return self.unstack(mine, self.within_rest(stacked) + self.to_rest(vectors[self.first]))
