"""Z_s'Z_t of two blocks of one effect each, its pairs listed once: half the memory of lists both ways.

Levels of t are numbered by how often they are met, so that the rows of vectors that are read most stand together and
stay in the cache; vectors come and go in the old order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from mixedsparse.core.engines.kernels.one_way import COLUMNS, gather, scatter, through
from mixedsparse.core.problem.crossproducts import Pairs
from mixedsparse.core.problem.unit_blocks import are_ones
from mixedsparse.ground.limits import LIMITS
from mixedsparse.ground.mapped import roomy

__all__ = ["OneWay"]

# Pairs that are renumbered at a time.
_AT_ONCE = 4_000_000


@dataclass(frozen=True, slots=True, eq=False)
class OneWay:
    """A = Z_s'Z_t by the levels of s.

    Attributes
    ----------
    indptr : ndarray of int64, shape (levels_s + 1,)
    indices : ndarray of int32, shape (nnz,)
        Levels of t, in the new numbers.
    values : ndarray, shape (nnz,), or None
        None where each is 1.
    order : ndarray of int, shape (levels_t,)
        Old number of each new one.
    threaded : float
        See `Limits`.
    """

    indptr: np.ndarray
    indices: np.ndarray
    values: np.ndarray | None
    order: np.ndarray
    threaded: float = LIMITS.threaded

    @classmethod
    def of(cls, pairs: Pairs, threaded: float = LIMITS.threaded, mapped: float = LIMITS.mapped) -> OneWay:
        """List `pairs` of blocks of one effect each; see `Limits` for the numbers."""
        order = np.argsort(-pairs.counts, kind="stable")
        rank = np.empty(len(order), dtype=np.int32)
        rank[order] = np.arange(len(order), dtype=np.int32)
        indptr = pairs.indptr.astype(np.int64, copy=False)
        indices = roomy(pairs.indices.shape, np.int32, mapped)
        for start in range(0, len(indices), _AT_ONCE):
            piece = slice(start, start + _AT_ONCE)
            np.take(rank, pairs.indices[piece], out=indices[piece])
        return cls(indptr, indices, _values(pairs), order, threaded)

    def refilled(self, pairs: Pairs) -> OneWay:
        """Return the list with other numbers on the same pattern."""
        return replace(self, values=_values(pairs))

    def to_s(self, x: np.ndarray) -> np.ndarray:
        """Return A x, (levels_s, r)."""
        lists = self.indptr, self.indices, self.values
        return _by_columns(lambda few: gather(*lists, few, self.threaded), x[self.order], len(self.indptr) - 1)

    def to_t(self, x: np.ndarray) -> np.ndarray:
        """A'x, (levels_t, r)."""
        lists, size = (self.indptr, self.indices, self.values), len(self.order)
        return self._back(_by_columns(lambda few: scatter(*lists, few, size, self.threaded), x, size))

    def through(self, weights: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Return A' diag(weights) A x, (levels_t, r)."""
        lists, size = (self.indptr, self.indices, self.values), len(self.order)
        return self._back(_by_columns(lambda few: through(*lists, weights, few, self.threaded), x[self.order], size))

    def squares_to_s(self, x: np.ndarray) -> np.ndarray:
        """Diagonal of A diag(x) A', (levels_s,)."""
        return self._squared().to_s(x[:, None])[:, 0]

    def squares_to_t(self, x: np.ndarray) -> np.ndarray:
        """Diagonal of A' diag(x) A, (levels_t,)."""
        return self._squared().to_t(x[:, None])[:, 0]

    def _squared(self) -> OneWay:
        return self if self.values is None else replace(self, values=np.square(self.values))

    def _back(self, renumbered: np.ndarray) -> np.ndarray:
        out = np.empty_like(renumbered)
        out[self.order] = renumbered
        return out


def _values(pairs: Pairs) -> np.ndarray | None:
    return None if are_ones(pairs.data) else pairs.data[:, 0, 0]


def _by_columns(product: Callable[[np.ndarray], np.ndarray], x: np.ndarray, size: int) -> np.ndarray:
    """Apply `product` to as many columns at a time as the loops take, the last ones filled up with zeros."""
    out = np.empty((size, x.shape[1]))
    for start in range(0, x.shape[1], COLUMNS):
        some = slice(start, min(start + COLUMNS, x.shape[1]))
        count = some.stop - start
        few = np.zeros((len(x), 2 if count <= 2 else COLUMNS))
        few[:, :count] = x[:, some]
        out[:, some] = product(few)[:, :count]
    return out
