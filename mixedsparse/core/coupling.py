# ruff: noqa: D102 - the module docstring says what each method of the interface computes
"""A_12 = Z_1'Z_2 between the eliminated block and the rest, dense or sparse, behind one small interface.

``to_rest(x)``           A_21 x, x (levels, K, r) -> (q_rest, r)
``to_first(x)``          A_12 x, x (q_rest, r) -> (levels, K, r)
``scaled(factors)``      G = A_12 Lambda_2, in the form that the next two take
``subtract(M, G, C)``    lower triangle of M - G'C G in place, C (levels, K, K) block diagonal
``quadratic(N, G)``      diagonal blocks of G N G', (levels, K, K), N symmetric by its lower triangle
``dense()``              A_12 as an array (levels, K, q_rest)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from scipy import sparse

from mixedsparse.core.crossproducts import Pairs
from mixedsparse.core.rest import Rest

__all__ = [
    "Coupling",
    "DenseCoupling",
    "ListedCoupling",
    "PairedCoupling",
    "SparseCoupling",
    "make_coupling",
    "symmetrized",
]

# The dense form multiplies with BLAS, the sparse ones visit pairs of entries: one visit costs about as much
# as this many multiply-adds, and below `_SMALL` multiply-adds the dense form is as good as any.
_FLOPS_PER_VISIT = 25.0
_SMALL = 1e6
# Up to this many visits, pairs of entries are listed once and NumPy sums over the lists.
_MANY_PAIRS = 4e6
# Up to this many visits, and numbers in A_12 written out, scipy's sparse products do without the compiled kernels.
_FEW_VISITS = 2e5
_FEW_NUMBERS = 2e6


class Coupling(Protocol):
    """What the split needs of A_12."""

    def to_rest(self, first: np.ndarray) -> np.ndarray: ...
    def to_first(self, rest: np.ndarray) -> np.ndarray: ...
    def scaled(self, factors: Sequence[np.ndarray]) -> np.ndarray: ...
    def subtract(self, matrix: np.ndarray, scaled: np.ndarray, cov: np.ndarray) -> None: ...
    def quadratic(self, lower: np.ndarray, scaled: np.ndarray) -> np.ndarray: ...
    def dense(self) -> np.ndarray: ...


def make_coupling(rest: Rest, form: type[DenseCoupling] | type[ListedCoupling] | None = None) -> Coupling:
    """Make A_12 in the given form, or in the one that costs fewer operations per evaluation."""
    layout, e = rest.problem.layout, rest.first
    shape = (layout.n_levels[e], layout.widths[e], rest.size)
    oriented = {b: _oriented(rest, b) for b in rest.blocks}
    if form is not None:
        return form(rest, oriented)
    per_level = sum(np.diff(oriented[b].indptr) * layout.widths[b] for b in rest.blocks)
    visits = float(np.square(per_level, dtype=float).sum()) * shape[1]
    flops = float(shape[0] * shape[1]) * shape[2] ** 2
    if flops < max(_FLOPS_PER_VISIT * visits, _SMALL):
        return DenseCoupling(rest, oriented)
    if shape[1] == 1 and visits < _MANY_PAIRS:
        return PairedCoupling(rest, oriented)
    few = visits < _FEW_VISITS and np.prod(shape, dtype=float) < _FEW_NUMBERS
    return ListedCoupling(rest, oriented) if few else SparseCoupling(rest, oriented)


def _oriented(rest: Rest, b: int) -> Pairs:
    """Blocks of Z_1'Z_b."""
    pairs = rest.problem.pairs
    return pairs[rest.first, b] if rest.first < b else pairs[b, rest.first].transposed()


class DenseCoupling:
    """A_12 as one array (levels, K, q_rest): BLAS does the work."""

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

    def scaled(self, factors: Sequence[np.ndarray]) -> np.ndarray:
        return np.ascontiguousarray(self.rest.times_factor_t(factors, self.flat.T).T)

    def subtract(self, matrix: np.ndarray, scaled: np.ndarray, cov: np.ndarray) -> None:
        left = scaled.reshape(self.values.shape)
        left = cov * left if cov.shape[1] == 1 else cov @ left
        matrix -= scaled.T @ left.reshape(scaled.shape)

    def quadratic(self, lower: np.ndarray, scaled: np.ndarray) -> np.ndarray:
        left = (scaled @ symmetrized(lower)).reshape(self.values.shape)
        return left @ scaled.reshape(self.values.shape).swapaxes(1, 2)

    def dense(self) -> np.ndarray:
        return self.values


class ListedCoupling:
    """A_12 by compressed rows of levels: entry i couples level l with column `indices[i]` by K numbers `values[i]`."""

    def __init__(self, rest: Rest, oriented: dict[int, Pairs]) -> None:
        layout, e = rest.problem.layout, rest.first
        levels, k = layout.n_levels[e], layout.widths[e]
        self.rest, self.pieces, self.shape = rest, oriented, (levels, k, rest.size)
        entries = [(pairs, rest.slabs[b, a].start) for b, pairs in oriented.items() for a in range(layout.widths[b])]
        rows = np.concatenate([pairs.rows for pairs, _ in entries])
        columns = np.concatenate([start + pairs.indices for pairs, start in entries])
        self.order = np.lexsort((columns, rows))
        self.level = rows[self.order]
        self.indices = columns[self.order].astype(np.int32)
        self.indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=levels))])
        self.matrix = self._matrix(self.scaled([np.eye(width) for width in layout.widths]))
        self.transposed = self.matrix.T.tocsr()

    def _matrix(self, values: np.ndarray) -> sparse.csr_matrix:
        """Rows (level, effect) and columns of the rest, from one row of K `values` per entry."""
        levels, k, size = self.shape
        rows = self.level[:, None] * k + np.arange(k)
        return sparse.csr_matrix((values.ravel(), (rows.ravel(), np.repeat(self.indices, k))), shape=(levels * k, size))

    def to_rest(self, first: np.ndarray) -> np.ndarray:
        return np.asarray(self.transposed @ first.reshape(self.matrix.shape[0], -1))

    def to_first(self, rest: np.ndarray) -> np.ndarray:
        return np.asarray(self.matrix @ rest).reshape(*self.shape[:2], -1)

    def scaled(self, factors: Sequence[np.ndarray]) -> np.ndarray:
        pieces = []
        for b, pairs in self.pieces.items():
            lam = factors[b]
            mixed = pairs.data * lam[0, 0] if len(lam) == 1 else pairs.data @ lam
            pieces += [mixed[:, :, a] for a in range(len(lam))]
        return np.concatenate(pieces)[self.order]

    def subtract(self, matrix: np.ndarray, scaled: np.ndarray, cov: np.ndarray) -> None:
        weighted = scaled * cov[self.level, 0] if self.shape[1] == 1 else (scaled[:, None] @ cov[self.level])[:, 0]
        matrix -= (self._matrix(scaled).T @ self._matrix(weighted)).toarray()

    def quadratic(self, lower: np.ndarray, scaled: np.ndarray) -> np.ndarray:
        left = (self._matrix(scaled) @ symmetrized(lower)).reshape(self.shape)[self.level, :, self.indices]
        out = np.zeros((self.shape[0], self.shape[1], self.shape[1]))
        np.add.at(out, self.level, left[:, :, None] * scaled[:, None, :])
        return out

    def dense(self) -> np.ndarray:
        return self.matrix.toarray().reshape(self.shape)


class PairedCoupling(ListedCoupling):
    """The same lists for one effect per level, with every pair of entries of a level listed beforehand.

    NumPy's sums over the list take about twice as long as the compiled loops, whose import takes longer than a fit.
    """

    def __init__(self, rest: Rest, oriented: dict[int, Pairs]) -> None:
        super().__init__(rest, oriented)
        counts = np.diff(self.indptr)
        # Entry i meets the entries of its level up to and including itself.
        before = np.arange(len(self.level)) - np.repeat(self.indptr[:-1], counts) + 1
        self.high = np.repeat(np.arange(len(self.level), dtype=np.int32), before)
        starts = np.concatenate([[0], np.cumsum(before)[:-1]])
        offset = np.arange(len(self.high)) - np.repeat(starts, before)
        self.low = (np.repeat(np.repeat(self.indptr[:-1], counts), before) + offset).astype(np.int32)
        self.cell = self.indices[self.high].astype(np.int64) * rest.size + self.indices[self.low]
        # First pair of each level that has entries.
        self.present = np.flatnonzero(counts)
        self.first = starts[self.indptr[self.present]]

    def subtract(self, matrix: np.ndarray, scaled: np.ndarray, cov: np.ndarray) -> None:
        values = scaled[:, 0]
        products = (values * cov[self.level, 0, 0])[self.high] * values[self.low]
        matrix -= np.bincount(self.cell, products, minlength=matrix.size).reshape(matrix.shape)

    def quadratic(self, lower: np.ndarray, scaled: np.ndarray) -> np.ndarray:
        values = scaled[:, 0]
        products = lower.ravel()[self.cell] * values[self.high] * values[self.low]
        diagonal = np.square(values) * np.diagonal(lower)[self.indices]
        out = np.zeros((self.shape[0], 1, 1))
        own = np.add.reduceat(diagonal, self.indptr[self.present])
        out[self.present, 0, 0] = 2.0 * np.add.reduceat(products, self.first) - own
        return out


class SparseCoupling(ListedCoupling):
    """The same lists, visited by compiled loops that touch the lower triangle only."""

    def subtract(self, matrix: np.ndarray, scaled: np.ndarray, cov: np.ndarray) -> None:
        from mixedsparse.core import kernels

        kernels.subtract(matrix, self.indptr, self.indices, scaled, np.ascontiguousarray(cov))

    def quadratic(self, lower: np.ndarray, scaled: np.ndarray) -> np.ndarray:
        from mixedsparse.core import kernels

        return kernels.quadratic(lower, self.indptr, self.indices, scaled)


def symmetrized(lower: np.ndarray) -> np.ndarray:
    """Return the full symmetric matrix of a lower triangle."""
    out = np.tril(lower)
    out += np.tril(lower, -1).T
    return out
