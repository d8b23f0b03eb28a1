"""The sparse forms of A_12: lists of its entries level by level; see `coupling` for what each method computes."""
# ruff: noqa: D102

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np
from scipy import sparse

from mixedsparse.core.engines.level_blocks import Eliminated
from mixedsparse.core.engines.split.schur import Rest, symmetrized, with_numbers
from mixedsparse.core.problem.crossproducts import Pairs, stable_order

__all__ = ["Lams", "ListedCoupling", "PairedCoupling", "Products", "SparseCoupling"]

Lams = Sequence[np.ndarray] | None
# Pairs of entries that are multiplied at a time, and from which on compiled loops are worth their import where numbers
# change again and again.
_TOGETHER = 16384
_MANY = 200_000


class Products(NamedTuple):
    """A_12 Lambda_2 N where levels meet.

    Attributes
    ----------
    beside : dict b -> ndarray (nnz, K, K_b)
        In the order of the pairs Z_1'Z_b.
    quadratic : ndarray, shape (levels, K, K)
        Diagonal blocks of A_12 Lambda_2 N Lambda_2'A_21.
    """

    beside: dict[int, np.ndarray]
    quadratic: np.ndarray


class ListedCoupling:
    """A_12 by compressed rows of levels: entry i couples level l with column `indices[i]` by K numbers `values[i]`."""

    is_dense = gives_schur = False

    def __init__(self, rest: Rest, oriented: dict[int, Pairs]) -> None:
        layout = rest.problem.layout
        levels, k = rest.shape_of_first
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

    def refilled(self, rest: Rest) -> ListedCoupling:
        return self if rest is self.rest else self._of(rest)

    def _of(self, rest: Rest) -> Self:
        """Return the same form with the numbers of `rest`."""
        places = self._places
        out = copy.copy(self)
        out.rest, out.pieces = rest, rest.couplings()
        values = out.scaled(None)
        out.matrix = with_numbers(self.matrix, values.ravel()) if self.shape[1] == 1 else out._matrix(values)
        out.transposed = with_numbers(self.transposed, out.matrix.data[places])
        return out

    @cached_property
    def _places(self) -> np.ndarray:
        """Place of each number of `transposed` in `matrix`."""
        numbers = np.arange(len(self.matrix.data), dtype=np.int32)
        pattern = self.matrix.indices, self.matrix.indptr
        return np.asarray(sparse.csr_matrix((numbers, *pattern), shape=self.matrix.shape).T.tocsr().data)

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

    def scaled(self, lams: Lams) -> np.ndarray:
        """Entries of A_12 Lambda_2, (nnz, K)."""
        pieces = []
        for b, pairs in self.pieces.items():
            mixed = pairs.data
            if lams is not None:
                lam = lams[b]
                mixed = mixed * lam[0, 0] if len(lam) == 1 else mixed @ lam
            pieces += [mixed[:, :, a] for a in range(mixed.shape[2])]
        # Blocks that are one number in memory are written out for the compiled loops.
        return np.ascontiguousarray(self._sorted(pieces[0] if len(pieces) == 1 else np.concatenate(pieces)))

    def subtract(self, matrix: np.ndarray, block: Eliminated, lams: Lams = None) -> None:
        values = weighted = self.scaled(lams)
        if block.half is None:
            weighted = values * block.cov[self.level, 0]
        else:
            values = weighted = (block.half[self.level] @ values[:, :, None])[:, :, 0]
        matrix -= (self._matrix(values).T @ self._matrix(weighted)).toarray()

    def quadratic(self, lower: np.ndarray, lams: Lams = None) -> np.ndarray:
        values = self.scaled(lams)
        left = (self._matrix(values) @ symmetrized(lower)).reshape(self.shape)[self.level, :, self.indices]
        out = np.zeros((self.shape[0], self.shape[1], self.shape[1]))
        np.add.at(out, self.level, left[:, :, None] * values[:, None, :])
        return out

    def dense(self) -> np.ndarray:
        return self.matrix.toarray().reshape(self.shape)

    def products(self, lower: np.ndarray, lams: Lams = None) -> Products | None:
        return None


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
        index = np.int32 if size**2 < 2**31 else np.int64
        pointer = np.concatenate([[0], np.cumsum((counts * (counts + 1) // 2)[self.by_count])]).astype(index)
        high, low = self._ends()
        cells = self.indices[high].astype(index) * size + self.indices[low]
        values = _products(self.matrix.data, high, low)
        self.listed = sparse.csr_matrix((values, cells, pointer), shape=(levels, size**2))
        self.squares = self.matrix.power(2)

    def refilled(self, rest: Rest) -> ListedCoupling:
        listed = rest is self.rest or len(self.listed.data) <= _MANY
        return super().refilled(rest) if listed else self._visited.refilled(rest)

    def _of(self, rest: Rest) -> Self:
        high, low = self._kept_ends
        out = super()._of(rest)
        out.listed = with_numbers(self.listed, _products(out.matrix.data, high, low))
        out.squares = with_numbers(out.matrix, np.square(out.matrix.data))
        return out

    @cached_property
    def _visited(self) -> SparseCoupling:
        """The form that lists no products, which would be made again for all other numbers."""
        return SparseCoupling(self.rest, self.pieces)

    @cached_property
    def _kept_ends(self) -> tuple[np.ndarray, np.ndarray]:
        """Kept once the numbers change: they may do so again."""
        return self._ends()

    def _ends(self) -> tuple[np.ndarray, np.ndarray]:
        """Entry of the higher and of the lower column of each pair."""
        counts = np.diff(self.indptr)[self.by_count]
        high, low = [], []
        for mine in np.split(self.by_count, np.flatnonzero(np.diff(counts)) + 1):
            first = self.indptr[mine, None].astype(np.int32)
            above, below = np.tril_indices(self.indptr[mine[0] + 1] - self.indptr[mine[0]])
            high.append((first + above.astype(np.int32)).ravel())
            low.append((first + below.astype(np.int32)).ravel())
        return np.concatenate(high), np.concatenate(low)

    def subtract(self, matrix: np.ndarray, block: Eliminated, lams: Lams = None) -> None:
        product = (self.listed.T @ block.cov[self.by_count, 0, 0]).reshape(matrix.shape)
        matrix -= product if lams is None else self.rest.congruence(lams, product)

    def quadratic(self, lower: np.ndarray, lams: Lams = None) -> np.ndarray:
        if lams is not None:
            lower = self.rest.congruence([lam.T for lam in lams], lower)
        sums = np.empty(self.shape[0])
        sums[self.by_count] = self.listed @ lower.ravel()
        # Pairs of different entries count twice, those of an entry with itself once.
        return (2.0 * sums - self.squares @ np.diagonal(lower))[:, None, None]


def _products(entries: np.ndarray, high: np.ndarray, low: np.ndarray) -> np.ndarray:
    """Return entries[high] * entries[low], a few at a time, so that they stay in the cache."""
    out = np.empty(len(high))
    room = np.empty(_TOGETHER)
    for start in range(0, len(high), _TOGETHER):
        part = slice(start, start + _TOGETHER)
        mine, other = out[part], room[: len(high[part])]
        # Of the ways to take entries, only the one that clips numbers which are out of range needs no copy.
        entries.take(high[part], out=mine, mode="clip")
        entries.take(low[part], out=other, mode="clip")
        mine *= other
    return out


class SparseCoupling(ListedCoupling):
    """The same lists, visited by compiled loops that touch the lower triangle only."""

    def __init__(self, rest: Rest, oriented: dict[int, Pairs]) -> None:
        super().__init__(rest, oriented)
        self.by_column = stable_order(self.indices, rest.size)
        self.columns = np.concatenate([[0], np.cumsum(np.bincount(self.indices, minlength=rest.size))])

    def subtract(self, matrix: np.ndarray, block: Eliminated, lams: Lams = None) -> None:
        from mixedsparse.core.engines.kernels import direct as kernels

        kernels.subtract(matrix, self.indptr, self.indices, self.scaled(lams), np.ascontiguousarray(block.cov))

    def quadratic(self, lower: np.ndarray, lams: Lams = None) -> np.ndarray:
        from mixedsparse.core.engines.kernels import direct as kernels

        by_column = kernels.ByColumn(self.columns, self.by_column, self.level)
        return kernels.quadratic(lower, self.indptr, self.indices, self.scaled(lams), by_column)

    def products(self, lower: np.ndarray, lams: Lams = None) -> Products:
        from mixedsparse.core.engines.kernels import pairs

        values = self.scaled(lams)
        found = pairs.products(lower, self.indptr, self.indices, values)
        quadratic = np.empty((len(self.indptr) - 1, values.shape[1], values.shape[1]))
        for a, b in np.ndindex(quadratic.shape[1:]):
            quadratic[:, a, b] = np.bincount(self.level, found[:, a] * values[:, b], minlength=len(quadratic))
        if self.order is not None:
            back = np.empty_like(found)
            back[self.order] = found
            found = back
        out, start = {}, 0
        for b, own in self.pieces.items():
            count, k, width = own.data.shape
            out[b] = found[start : start + count * width].reshape(width, count, k).transpose(1, 2, 0)
            start += count * width
        return Products(out, quadratic)
