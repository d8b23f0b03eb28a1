# ruff: noqa: D102 - the module docstring says what each method of the interface computes
"""A_12 = Z_1'Z_2 between the eliminated block and the rest, dense or sparse, behind one small interface.

``to_rest(x)``                A_21 x, x (levels, K, r) -> (q_rest, r)
``to_first(x)``               A_12 x, x (q_rest, r) -> (levels, K, r)
``subtract(M, E, factors)``   lower triangle of M - Lambda_2'A_21 C A_12 Lambda_2 in place, C = H'H block diagonal, of
                              the eliminated block E; without factors Lambda_2 = I
``quadratic(N, factors)``     diagonal blocks of A_12 Lambda_2 N Lambda_2'A_21, (levels, K, K), N symmetric by its
                              lower triangle
``dense()``                   A_12 as an array (levels, K, q_rest)

Where the dense algebra of the rest is cheap, Lambda_2 is multiplied on there, and A_12 never changes; where it is not,
Lambda_2 goes into the entries of A_12.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from scipy import sparse

from mixedsparse.core.engines.level_blocks import Eliminated
from mixedsparse.core.engines.split.schur import Rest, symmetrized
from mixedsparse.core.problem.crossproducts import Pairs, stable_order

__all__ = [
    "Coupling",
    "DenseCoupling",
    "ListedCoupling",
    "PairedCoupling",
    "SparseCoupling",
    "choose_form",
    "make_coupling",
]

# The dense form multiplies with BLAS, the sparse ones visit pairs of entries: one visit costs about as much
# as this many multiply-adds, and below `_SMALL` multiply-adds the dense form is as good as any.
_FLOPS_PER_VISIT = 25.0
_SMALL = 1e6
# Up to this many visits, pairs of entries are listed once, as a sparse matrix.
_MANY_PAIRS = 4e6
# Up to this many visits, and numbers in A_12 written out, scipy's sparse products do without the compiled kernels.
_FEW_VISITS = 2e5
_FEW_NUMBERS = 2e6
# Columns of the rest that are multiplied at a time, so that little of the upper triangle is computed.
_PANEL = 128

Factors = Sequence[np.ndarray] | None


class Coupling(Protocol):
    """What the split needs of A_12.

    Attributes
    ----------
    is_dense : bool
        Whether A_12 is one array.
    gives_schur : bool
        Whether A_21 C A_12 is as cheap without Lambda_2 as with it.
    """

    is_dense: bool
    gives_schur: bool

    def to_rest(self, first: np.ndarray) -> np.ndarray: ...
    def to_first(self, rest: np.ndarray) -> np.ndarray: ...
    def subtract(self, matrix: np.ndarray, block: Eliminated, factors: Factors = None) -> None: ...
    def quadratic(self, lower: np.ndarray, factors: Factors = None) -> np.ndarray: ...
    def dense(self) -> np.ndarray: ...


def make_coupling(rest: Rest, form: type[DenseCoupling] | type[ListedCoupling] | None = None) -> Coupling:
    """Make A_12 in the given form, or in the one that costs fewer operations per evaluation."""
    layout, e = rest.problem.layout, rest.first
    shape = (layout.n_levels[e], layout.widths[e], rest.size)
    oriented = {b: _oriented(rest, b) for b in rest.blocks}
    if form is not None:
        return form(rest, oriented)
    per_level = sum(np.diff(oriented[b].indptr) * layout.widths[b] for b in rest.blocks)
    return choose_form(shape, float(np.square(per_level, dtype=float).sum()))(rest, oriented)


def choose_form(shape: tuple[int, int, int], visits: float) -> type[DenseCoupling] | type[ListedCoupling]:
    """Form of A_12 of `shape` (levels, K, q_rest) whose levels make `visits` pairs of entries."""
    visits = visits * shape[1]
    flops = float(shape[0] * shape[1]) * shape[2] ** 2
    if flops < max(_FLOPS_PER_VISIT * visits, _SMALL):
        return DenseCoupling
    if shape[1] == 1 and visits < _MANY_PAIRS:
        return PairedCoupling
    few = visits < _FEW_VISITS and np.prod(shape, dtype=float) < _FEW_NUMBERS
    return ListedCoupling if few else SparseCoupling


def _oriented(rest: Rest, b: int) -> Pairs:
    """Blocks of Z_1'Z_b."""
    pairs = rest.problem.pairs
    return pairs[rest.first, b] if rest.first < b else pairs[b, rest.first].transposed()


class DenseCoupling:
    """A_12 as one array (levels, K, q_rest): BLAS does the work."""

    is_dense = gives_schur = True

    def __init__(self, rest: Rest, oriented: dict[int, Pairs]) -> None:
        layout, e = rest.problem.layout, rest.first
        self.rest = rest
        self.values = np.zeros((layout.n_levels[e], layout.widths[e], rest.size))
        for b, pairs in oriented.items():
            for a in range(layout.widths[b]):
                self.values[pairs.rows, :, rest.slabs[b, a].start + pairs.indices] = pairs.data[:, :, a]
        self.flat = self.values.reshape(-1, rest.size)

    def to_rest(self, first: np.ndarray) -> np.ndarray:
        return self.flat.T @ first.reshape(len(self.flat), -1)

    def to_first(self, rest: np.ndarray) -> np.ndarray:
        return (self.flat @ rest).reshape(*self.values.shape[:2], -1)

    def scaled(self, factors: Factors) -> np.ndarray:
        """A_12 Lambda_2, (levels, K, q_rest)."""
        if factors is None:
            return self.values
        flat = np.ascontiguousarray(self.rest.times_factor_t(factors, self.flat.T).T)
        return flat.reshape(self.values.shape)

    def subtract(self, matrix: np.ndarray, block: Eliminated, factors: Factors = None) -> None:
        right = self.scaled(factors)
        left = right = right if block.half is None else block.half @ right
        left = (block.cov * left if block.half is None else left).reshape(self.flat.shape)
        right = right.reshape(self.flat.shape)
        for start in range(0, len(matrix), _PANEL):
            panel = slice(start, start + _PANEL)
            matrix[start:, panel] -= right[:, start:].T @ left[:, panel]

    def quadratic(self, lower: np.ndarray, factors: Factors = None) -> np.ndarray:
        right = self.scaled(factors)
        left = (right.reshape(self.flat.shape) @ symmetrized(lower)).reshape(right.shape)
        return left @ right.swapaxes(1, 2)

    def dense(self) -> np.ndarray:
        return self.values


class ListedCoupling:
    """A_12 by compressed rows of levels: entry i couples level l with column `indices[i]` by K numbers `values[i]`."""

    is_dense = gives_schur = False

    def __init__(self, rest: Rest, oriented: dict[int, Pairs]) -> None:
        layout, e = rest.problem.layout, rest.first
        levels, k = layout.n_levels[e], layout.widths[e]
        self.rest, self.pieces, self.shape = rest, oriented, (levels, k, rest.size)
        entries = [(pairs, rest.slabs[b, a].start) for b, pairs in oriented.items() for a in range(layout.widths[b])]
        rows = np.concatenate([pairs.rows for pairs, _ in entries]).astype(np.int32)
        columns = np.concatenate([start + pairs.indices for pairs, start in entries]).astype(np.int32)
        # Columns increase from piece to piece and inside a row of one piece, so a stable sort by rows is enough.
        self.order = None if len(entries) == 1 else stable_order(rows, levels)
        self.level, self.indices = self._sorted(rows), self._sorted(columns)
        self.indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=levels))])
        self.matrix = self._matrix(self.scaled(None))
        self.transposed = self.matrix.T.tocsr()

    def _sorted(self, entries: np.ndarray) -> np.ndarray:
        """Entries of the pieces one after the other, in the order of the levels."""
        return entries if self.order is None else entries[self.order]

    def _matrix(self, values: np.ndarray) -> sparse.csr_matrix:
        """Rows (level, effect) and columns of the rest, from one row of K `values` per entry."""
        levels, k, size = self.shape
        if k == 1:
            return sparse.csr_matrix((values.ravel(), self.indices, self.indptr), shape=(levels, size))
        rows = self.level[:, None] * k + np.arange(k)
        return sparse.csr_matrix((values.ravel(), (rows.ravel(), np.repeat(self.indices, k))), shape=(levels * k, size))

    def to_rest(self, first: np.ndarray) -> np.ndarray:
        return np.asarray(self.transposed @ first.reshape(self.matrix.shape[0], -1))

    def to_first(self, rest: np.ndarray) -> np.ndarray:
        return np.asarray(self.matrix @ rest).reshape(*self.shape[:2], -1)

    def scaled(self, factors: Factors) -> np.ndarray:
        """Entries of A_12 Lambda_2, (nnz, K)."""
        pieces = []
        for b, pairs in self.pieces.items():
            mixed = pairs.data
            if factors is not None:
                lam = factors[b]
                mixed = mixed * lam[0, 0] if len(lam) == 1 else mixed @ lam
            pieces += [mixed[:, :, a] for a in range(mixed.shape[2])]
        return self._sorted(pieces[0] if len(pieces) == 1 else np.concatenate(pieces))

    def subtract(self, matrix: np.ndarray, block: Eliminated, factors: Factors = None) -> None:
        values = weighted = self.scaled(factors)
        if block.half is None:
            weighted = values * block.cov[self.level, 0]
        else:
            values = weighted = (block.half[self.level] @ values[:, :, None])[:, :, 0]
        matrix -= (self._matrix(values).T @ self._matrix(weighted)).toarray()

    def quadratic(self, lower: np.ndarray, factors: Factors = None) -> np.ndarray:
        values = self.scaled(factors)
        left = (self._matrix(values) @ symmetrized(lower)).reshape(self.shape)[self.level, :, self.indices]
        out = np.zeros((self.shape[0], self.shape[1], self.shape[1]))
        np.add.at(out, self.level, left[:, :, None] * values[:, None, :])
        return out

    def dense(self) -> np.ndarray:
        return self.matrix.toarray().reshape(self.shape)


class PairedCoupling(ListedCoupling):
    """The same lists for one effect per level, with every pair of entries of a level listed beforehand.

    A_21 C A_12 is linear in C, and the diagonal of A_12 N A_21 in N: both are products with one sparse matrix, one row
    per level and one column per entry of the lower triangle of the rest. No compiled kernel, whose import takes longer
    than a fit of this size.
    """

    gives_schur = True

    def __init__(self, rest: Rest, oriented: dict[int, Pairs]) -> None:
        super().__init__(rest, oriented)
        levels, _, size = self.shape
        counts = np.diff(self.indptr)
        # Levels with equally many entries are listed together; the matrix has its rows in that order.
        self.by_count = np.argsort(counts, kind="stable")
        pairs = counts * (counts + 1) // 2
        pointer = np.concatenate([[0], np.cumsum(pairs[self.by_count])])
        cells = np.empty(pointer[-1], dtype=np.int32 if size**2 < 2**31 else np.int64)
        values = np.empty(pointer[-1])
        entries = self.matrix.data
        start = 0
        for count in np.unique(counts):
            mine = np.flatnonzero(counts == count)
            own = self.indptr[mine, None] + np.arange(count)
            high, low = np.tril_indices(count)
            part = slice(start, start + len(mine) * len(high))
            columns, data = self.indices[own].astype(cells.dtype), entries[own]
            cells[part] = (columns[:, high] * size + columns[:, low]).ravel()
            values[part] = (data[:, high] * data[:, low]).ravel()
            start = part.stop
        self.listed = sparse.csr_matrix((values, cells, pointer.astype(cells.dtype)), shape=(levels, size**2))
        self.squares = self.matrix.power(2)

    def subtract(self, matrix: np.ndarray, block: Eliminated, factors: Factors = None) -> None:
        product = (self.listed.T @ block.cov[self.by_count, 0, 0]).reshape(matrix.shape)
        matrix -= product if factors is None else self.rest.congruence(factors, product)

    def quadratic(self, lower: np.ndarray, factors: Factors = None) -> np.ndarray:
        if factors is not None:
            lower = self.rest.congruence([lam.T for lam in factors], lower)
        sums = np.empty(self.shape[0])
        sums[self.by_count] = self.listed @ lower.ravel()
        # Pairs of different entries count twice, those of an entry with itself once.
        return (2.0 * sums - self.squares @ np.diagonal(lower))[:, None, None]


class SparseCoupling(ListedCoupling):
    """The same lists, visited by compiled loops that touch the lower triangle only."""

    def __init__(self, rest: Rest, oriented: dict[int, Pairs]) -> None:
        super().__init__(rest, oriented)
        self.by_column = stable_order(self.indices, rest.size)
        self.columns = np.concatenate([[0], np.cumsum(np.bincount(self.indices, minlength=rest.size))])

    def subtract(self, matrix: np.ndarray, block: Eliminated, factors: Factors = None) -> None:
        from mixedsparse.core.engines.kernels import direct as kernels

        kernels.subtract(matrix, self.indptr, self.indices, self.scaled(factors), np.ascontiguousarray(block.cov))

    def quadratic(self, lower: np.ndarray, factors: Factors = None) -> np.ndarray:
        from mixedsparse.core.engines.kernels import direct as kernels

        by_column = kernels.ByColumn(self.columns, self.by_column, self.level)
        return kernels.quadratic(lower, self.indptr, self.indices, self.scaled(factors), by_column)
