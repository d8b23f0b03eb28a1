"""Sums over the rows of a database, grouped there and added up here batch by batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import sparse

from mixedsparse.core.problem.crossproducts import Pairs
from mixedsparse.core.problem.shelves import ShelvedPairs
from mixedsparse.data.sources.coded import Product
from mixedsparse.data.sources.levels import has_changed
from mixedsparse.data.sources.working import Working
from mixedsparse.ground.limits import LIMITS

__all__ = ["CrossSums", "LevelSums", "PairSums", "Together"]

Codes = Mapping[int | str, np.ndarray]
Sums = Mapping[Product, np.ndarray]
_ROWS = Product((), False)


def _by_numbers(working: Working, weighted: bool) -> dict[Product, list[int]]:
    """Positions of the working columns that have the same numbers."""
    out: dict[Product, list[int]] = {}
    for column, position in working.columns.items():
        out.setdefault(Product(column.numbers, weighted), []).append(position)
    return out


def _needed(weighted: bool, *pairs: tuple[Working, Working]) -> list[Product]:
    """Products of numbers that cross-products of these working columns need."""
    both = [(_by_numbers(left, weighted), _by_numbers(right, weighted)) for left, right in pairs]
    return list(dict.fromkeys(a * b for left, right in both for a in left for b in right))


class CrossSums:
    """U'U (u, u) of working columns.

    Rows are grouped by the levels of a `block` too: few large sums would lose digits that many small ones keep.
    """

    def __init__(self, working: Working, block: int, weighted: bool) -> None:
        self.working, self.blocks, self.sources = working, (block,), working.sources
        self.products = _needed(weighted, (working, working))
        self._parts = list(_by_numbers(working, weighted).items())
        self.found = np.zeros((len(working.columns), len(working.columns)))

    def add(self, codes: Codes, sums: Sums) -> None:
        """See `Sink`."""
        matrices = [self.working.matrix(codes, positions, len(codes[self.blocks[0]])) for _, positions in self._parts]
        for i, (a, rows) in enumerate(self._parts):
            for (b, columns), right in zip(self._parts[: i + 1], matrices, strict=False):
                found = _product(matrices[i], sums[a * b], right)
                self.found[np.ix_(rows, columns)] += found
                if a != b:
                    self.found[np.ix_(columns, rows)] += found.T


class _Counting:
    """Counts the rows of each level too, which tells whether the source was still between two readings."""

    def __init__(self, blocks: tuple[int, ...], n_levels: tuple[int, ...]) -> None:
        self.blocks, self.n_levels = blocks, n_levels
        self.counts = {b: np.zeros(size, dtype=np.int64) for b, size in zip(blocks, n_levels, strict=True)}

    def count(self, codes: Codes, sums: Sums) -> None:
        """Add the rows of a batch."""
        rows = sums[_ROWS]
        single = bool((rows == 1).all())
        for b, counts in self.counts.items():
            counts += np.bincount(codes[b], None if single else rows, len(counts)).astype(np.int64, copy=False)


class LevelSums(_Counting):
    """Z_l'U of each level l of a block, (levels, U_b, u), for the working columns `left` and each of `rights`."""

    def __init__(self, block: int, n_levels: int, left: Working, rights: Sequence[Working]) -> None:
        super().__init__((block,), (n_levels,))
        self.left, self.rights = left, rights
        self.sources = tuple(dict.fromkeys([*left.sources, *(name for right in rights for name in right.sources)]))
        self.products = [*_needed(True, *((left, right) for right in rights)), _ROWS]
        self.found = [np.zeros((n_levels, len(left.columns), len(right.columns))) for right in rights]

    def add(self, codes: Codes, sums: Sums) -> None:
        """See `Sink`."""
        self.count(codes, sums)
        level, n_levels = codes[self.blocks[0]], self.n_levels[0]
        m, values = len(level), self.left.values(codes)
        for out, right in zip(self.found, self.rights, strict=True):
            parts = _by_numbers(right, True)
            matrices = [(b, columns, right.matrix(codes, columns, m)) for b, columns in parts.items()]
            for column, row in self.left.columns.items():
                for b, columns, matrix in matrices:
                    weight = sums[Product(column.numbers, True) * b].astype(float, copy=False)
                    weight = weight if values[row] is None else weight * values[row]
                    onehot = sparse.csr_matrix((weight, level, np.arange(m + 1)), shape=(m, n_levels))
                    found = onehot.T @ matrix
                    out[:, row, columns] += found.toarray() if sparse.issparse(found) else found


class PairSums(_Counting):
    """Z_l'Z_k of each pair of levels of two blocks that occurs.

    `room` is the most groups that there can be of each level of the first block, or in all; `ones` says that they are
    single rows without weights or numbers. `mapped` is that of `Limits`.
    """

    def __init__(
        self,
        blocks: tuple[int, int],
        n_levels: tuple[int, int],
        working: tuple[Working, Working],
        room: np.ndarray | int,
        ones: bool,
        mapped: float = LIMITS.mapped,
    ) -> None:
        super().__init__(blocks, n_levels)
        self.left, self.right = left, right = working
        self.sources = tuple(dict.fromkeys([*left.sources, *right.sources]))
        self.products = [*_needed(True, (left, right)), _ROWS]
        self._widths = None if ones else (len(left.columns), len(right.columns))
        self._shelves = ShelvedPairs(room, n_levels, self._widths, mapped)

    def add(self, codes: Codes, sums: Sums) -> None:
        """See `Sink`."""
        self.count(codes, sums)
        s, t = self.blocks
        data = None if self._widths is None else np.empty((len(codes[s]), *self._widths))
        if data is not None:
            lefts, rights = self.left.values(codes), self.right.values(codes)
            for a, i in self.left.columns.items():
                for b, j in self.right.columns.items():
                    data[:, i, j] = sums[Product(a.numbers, True) * Product(b.numbers, True)]
                    for value in (lefts[i], rights[j]):
                        if value is not None:
                            data[:, i, j] *= value
        if not self._shelves.add(codes[s], codes[t], data):
            raise has_changed("has levels of other sizes than at first")

    def pairs(self) -> Pairs:
        """All pairs, once every group was added; there is nothing left here afterwards."""
        return self._shelves.pairs()


class Together:
    """Sinks of the same grouping factors as one, whose groups are read once."""

    def __init__(self, sinks: Sequence[CrossSums | LevelSums]) -> None:
        self.sinks, self.blocks = sinks, sinks[0].blocks
        self.sources = tuple(dict.fromkeys(name for sink in sinks for name in sink.sources))
        self.products = list(dict.fromkeys(product for sink in sinks for product in sink.products))

    def add(self, codes: Codes, sums: Sums) -> None:
        """See `Sink`."""
        for sink in self.sinks:
            sink.add(codes, sums)


def _product(left: np.ndarray, weights: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Multiply left' diag(weights) right, for matrices (m, k) either of which may be sparse."""
    if not (sparse.issparse(left) or sparse.issparse(right)):
        return np.asarray((left * weights[:, None]).T @ right)
    found = sparse.csr_matrix(left).T @ (sparse.diags(weights.astype(float)) @ sparse.csr_matrix(right))
    return np.asarray(found.toarray())
