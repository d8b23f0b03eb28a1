"""Z'R^-1 Z where a group of correlated rows has several levels of a block: sums over pairs of rows.

Levels l and m meet wherever R^-1 has an entry between a row of l and a row of m. The pairs of rows at which it may have
one are the same for all parameters of R, so that the pattern of Z'R^-1 Z is known before any of them: sums over

    r_ij z_i z_j'

fill it. The blocks whose levels never share a group are whitened row by row instead; see `whitened`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np
from scipy import sparse

from mixedsparse.core.problem.blocks import Block
from mixedsparse.core.problem.crossproducts import Pairs, row_slots, with_places
from mixedsparse.core.problem.slot_products import slot_columns
from mixedsparse.core.residual.interface import Entries

__all__ = ["CorrelatedRows", "crosses", "crossing_blocks"]

Key = tuple[int, int]
# Products of pairs of rows, and the pairs (of `left` and `right`) that they belong to.
Piece = tuple[np.ndarray, sparse.csc_matrix]


def crossing_blocks(blocks: Sequence[Block], groups: np.ndarray) -> frozenset[int]:
    """Return the blocks of which some group (n,) of correlated rows has, or may have, several levels."""
    return frozenset(b for b, block in enumerate(blocks) if crosses(block.codes, groups))


def crosses(codes: np.ndarray, groups: np.ndarray) -> bool:
    """Whether some group (n,) of rows has, or may have, several levels: `codes` (n,), or (n, slots)."""
    if codes.ndim == 2:
        return True
    last = np.empty(int(groups.max()) + 1, dtype=np.intp)
    last[groups] = codes
    return bool((last[groups] != codes).any())


class CorrelatedRows:
    """Pairs of rows that R^-1 may join, and what they add to the blocks of Z'R^-1 Z that are `crossing`.

    Parameters
    ----------
    blocks : sequence of Block
        All blocks of a problem whose residuals are independent.
    pairs : dict (s, t) -> Pairs
        Its off-diagonal blocks of Z'Z.
    crossing : frozenset of int
        Those whose levels meet one another.
    joined : (ndarray, ndarray), shape (pairs,) each
        See `Residual.joined`.

    Attributes
    ----------
    patterns : dict (s, t) -> Pairs
        Those of two crossing blocks, or of one, with places for all pairs of levels that may meet.
    """

    def __init__(
        self,
        blocks: Sequence[Block],
        pairs: Mapping[Key, Pairs],
        crossing: frozenset[int],
        joined: tuple[np.ndarray, np.ndarray],
    ) -> None:
        self.blocks, self.crossing = blocks, crossing
        every = np.arange(len(blocks[0].codes))
        # Each row with itself, then each pair both ways round.
        self.left = np.concatenate([every, joined[0], joined[1]])
        self.right = np.concatenate([every, joined[1], joined[0]])
        self.n, self.count = len(every), len(joined[0])
        self.patterns = {(s, t): self._widened(s, t, pairs.get((s, t))) for s in crossing for t in crossing if s <= t}

    def _widened(self, s: int, t: int, old: Pairs | None) -> Pairs:
        one, other = self.blocks[s], self.blocks[t]
        keys = [np.empty(0, dtype=np.intp)]
        for rows, columns, _, _ in self._levels(s, t):
            kept = rows < columns if s == t else np.ones(len(rows), dtype=bool)
            keys.append(np.unique(rows[kept] * other.n_levels + columns[kept]))
        shape = one.width, other.width
        empty = Pairs(np.zeros(one.n_levels + 1, dtype=np.intp), keys[0], np.empty((0, *shape)), other.n_levels)
        return with_places(empty if old is None else old, *np.divmod(np.concatenate(keys), other.n_levels))

    def _levels(self, s: int, t: int) -> Iterator[tuple[np.ndarray, np.ndarray, Block, Block]]:
        """Yield the levels of the two rows of all pairs, slot by slot."""
        for one in self.blocks[s].slots:
            for other in self.blocks[t].slots:
                yield one.codes[self.left], other.codes[self.right], one, other

    @cached_property
    def _grams(self) -> dict[int, list[Piece]]:
        """Products of rows of the same level."""
        return {
            b: [
                self._piece(rows == columns, rows, one, other, one.n_levels)
                for rows, columns, one, other in self._levels(b, b)
            ]
            for b in sorted(self.crossing)
        }

    @cached_property
    def _pairs(self) -> dict[Key, list[Piece]]:
        """Products of rows of two levels."""
        out: dict[Key, list[Piece]] = {}
        for (s, t), pattern in self.patterns.items():
            out[s, t] = []
            for rows, columns, one, other in self._levels(s, t):
                kept = rows < columns if s == t else np.ones(len(rows), dtype=bool)
                places = np.zeros(len(rows), dtype=np.intp)
                places[kept] = row_slots(pattern, rows[kept], columns[kept])
                out[s, t].append(self._piece(kept, places, one, other, len(pattern.indices)))
        return out

    def _piece(self, kept: np.ndarray, places: np.ndarray, one: Block, other: Block, count: int) -> Piece:
        at = np.flatnonzero(kept)
        products = one.z[self.left[at]][:, :, None] * other.z[self.right[at]][:, None, :]
        return at, slot_columns(products.reshape(len(at), -1), places[at], count)

    def sums(self, inverse: Entries) -> tuple[dict[int, np.ndarray], dict[Key, Pairs]]:
        """Diagonal blocks (levels, K, K) of Z'R^-1 Z by block, and the others, for the entries of R^-1."""
        weights = np.concatenate([inverse.diagonal, inverse.pairs, inverse.pairs])

        def total(pieces: Sequence[Piece], s: int, t: int) -> np.ndarray:
            flat = sum(products @ weights[at] for at, products in pieces)
            return np.asarray(flat).reshape(-1, self.blocks[s].width, self.blocks[t].width)

        grams = {b: total(pieces, b, b) for b, pieces in self._grams.items()}
        return {b: 0.5 * (own + own.swapaxes(1, 2)) for b, own in grams.items()}, {
            (s, t): Pairs(old.indptr, old.indices, total(self._pairs[s, t], s, t), old.n_columns)
            for (s, t), old in self.patterns.items()
        }

    def entries(self, diagonal: Sequence[np.ndarray], pairs: Mapping[Key, np.ndarray]) -> Entries:
        """Z C Z' between the rows of each pair, for the crossing blocks of C on the pattern of Z'R^-1 Z."""
        out = np.zeros(len(self.left))
        for b, pieces in self._grams.items():
            for at, products in pieces:
                out[at] += products.T @ diagonal[b].reshape(-1)
        for key, pieces in self._pairs.items():
            for at, products in pieces:
                out[at] += 2.0 * (products.T @ pairs[key].reshape(-1))
        both = out[self.n :].reshape(2, self.count)
        return Entries(out[: self.n], 0.5 * both.sum(axis=0))
