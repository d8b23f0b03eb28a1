"""Pairs of levels that come in any order, batch by batch, and may be more than fit into memory.

Each is put on the shelf of its level of s, a range of levels that meet some millions of pairs at most; at the end each
shelf is sorted on its own, and its levels of t take the place of the keys that came: 8 bytes a pair, and 4 in the end.
"""

from __future__ import annotations

import numpy as np

from mixedsparse.core.problem.crossproducts import Pairs
from mixedsparse.core.problem.unit_blocks import ones
from mixedsparse.ground.limits import LIMITS
from mixedsparse.ground.mapped import roomy, shortened

__all__ = ["ShelvedPairs"]

# Pairs of a shelf, unless one level has more.
_SHELF = 4_000_000
# A key is the level of s, shifted by so many bits, and that of t.
_BITS = 32
_COLUMN = (1 << _BITS) - 1


class ShelvedPairs:
    """Room for the blocks of Z_s'Z_t.

    Parameters
    ----------
    most : ndarray of int, shape (levels_s,), or int
        The most blocks that come for each level of s, or in all: these are sorted at once.
    n_levels : tuple of int
        Numbers of levels of s and t.
    widths : tuple of int, or None
        K_s and K_t; None where each block is a single 1.
    mapped : float
        Of `Limits`.
    shelf : int
        Blocks of a shelf.
    """

    def __init__(
        self,
        most: np.ndarray | int,
        n_levels: tuple[int, int],
        widths: tuple[int, int] | None,
        mapped: float = LIMITS.mapped,
        shelf: int = _SHELF,
    ) -> None:
        self._n_rows, self._n_columns = n_levels
        self._mapped = mapped
        if isinstance(most, int):
            rows, starts = np.array([0, self._n_rows]), np.array([0, most])
        else:
            ends = np.concatenate([[0], np.cumsum(most)])
            first = np.searchsorted(ends[:-1], np.arange(0, max(int(ends[-1]), 1), shelf))
            rows = np.append(np.unique(first), self._n_rows)
            starts = ends[rows]
        # Numbers of shelves are narrow, since numpy sorts those in linear time.
        self._shelf_of = np.repeat(np.arange(len(rows) - 1, dtype=np.uint16), np.diff(rows))
        self._rows, self._starts, self._ends = rows, starts, starts[:-1].copy()
        self._keys = roomy((int(starts[-1]),), np.int64, mapped)
        self._values = None if widths is None else roomy((int(starts[-1]), *widths), np.float64, mapped)

    def add(self, rows: np.ndarray, columns: np.ndarray, data: np.ndarray | None = None) -> bool:
        """Take blocks (m, K_s, K_t) of the pairs of levels (rows[i], columns[i]); return whether there was room."""
        keys = (rows.astype(np.int64) << _BITS) | columns
        shelves = self._shelf_of[rows]
        sizes = np.bincount(shelves, minlength=len(self._ends))
        if (self._ends + sizes > self._starts[1:]).any():
            return False
        met = np.flatnonzero(sizes)
        if len(met) > 1:
            order = np.argsort(shelves, kind="stable")
            keys, data = keys[order], None if data is None else data[order]
        done = 0
        for shelf, size in zip(met, sizes[met], strict=True):
            at, own = slice(self._ends[shelf], self._ends[shelf] + size), slice(done, done + size)
            self._keys[at] = keys[own]
            if data is not None and self._values is not None:
                self._values[at] = data[own]
            self._ends[shelf] += size
            done += size
        return True

    def pairs(self) -> Pairs:
        """All pairs, once every block was added; those of the same pair of levels are added up in the order they came.

        There is nothing left here afterwards.
        """
        keys, given = self._keys, self._values
        values = given
        # What is written here was read before: an index is half as long as a key.
        indices, met = keys.view(np.int32), np.zeros(self._n_rows + 1, dtype=np.int64)
        done = 0
        for shelf, (start, end) in enumerate(zip(self._starts[:-1], self._ends, strict=True)):
            own, sums = _merged(keys[start:end], None if given is None else given[start:end])
            stop = done + len(own)
            if sums is not None and values is None:
                values = roomy((len(keys), 1, 1), np.float64, self._mapped)
                values[:done] = 1.0
            indices[done:stop] = own & _COLUMN
            if values is not None:
                values[done:stop] = 1.0 if sums is None else sums
            low, high = self._rows[shelf : shelf + 2]
            met[low + 1 : high + 1] = np.bincount((own >> _BITS) - low, minlength=high - low)
            done = stop
        del indices, given, self._keys, self._values
        indices = shortened(keys, -(-done // 2)).view(np.int32)[:done]
        data = ones(done) if values is None else shortened(values, done)
        return Pairs(np.cumsum(met), indices, data, self._n_columns)


def _merged(keys: np.ndarray, values: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Keys in order, each once, and the sums of their values; of ones if they have none, None if each is 1."""
    if values is None:
        keys = np.sort(keys)
    else:
        order = np.argsort(keys, kind="stable")
        keys, values = keys[order], values[order]
    new = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]])) if len(keys) else np.empty(0, np.intp)
    if len(new) == len(keys):
        return keys, values
    sums = np.diff(new, append=len(keys))[:, None, None] if values is None else np.add.reduceat(values, new)
    return keys[new], sums
