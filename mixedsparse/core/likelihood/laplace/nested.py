"""Rows of nested factors in the order in which compiled loops visit them, and what these loops find.

One factor alone is nested too. There M is eliminated without new couplings, so that nothing of it is kept: a mode, or a
set of derivatives, is one pass over the levels, and derivatives are made where a mode is found. What asks for M itself
is served by the engine, as with other designs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from scipy.linalg import blas

from mixedsparse.core.likelihood.laplace.data import Data, Slopes, Terms, Vectors
from mixedsparse.core.likelihood.laplace.mode import Mode
from mixedsparse.ground.errors import NotPositiveDefiniteError

__all__ = ["Nested", "make_nested"]

# Effects that a row meets up to which loops are quicker than matrix products.
_MOST_EFFECTS = 12
# Diagonal entries of Lambda, over the largest of their columns, that can be divided by.
_SAFE_PIVOT = 1e-3


_Visit: TypeAlias = tuple[np.ndarray, np.ndarray, np.ndarray, tuple[float, float, float, float, int], Slopes | None]


@dataclass(frozen=True, eq=False)
class Nested:
    """Rows sorted by levels, the coarsest factor first, and the tree of the levels.

    Attributes
    ----------
    data : Data
    code : int
        Of the family, in `compiled.families`.
    order : ndarray of int, shape (n,)
        Rows as they are visited.
    y, m, offset : ndarray, shape (n,)
    Q : ndarray, shape (n, p)
    z : ndarray, shape (n, D)
        Of all blocks, the finest factor first.
    starts : ndarray of int, shape (blocks,)
        Where the effects of each block start among the D.
    nodes : list of ndarray (levels,)
        Node of each level, per block.
    parents, spans, clusters, rows : ndarray of int
        See `compiled.elimination`.
    """

    data: Data
    code: int
    order: np.ndarray
    y: np.ndarray
    m: np.ndarray
    offset: np.ndarray
    Q: np.ndarray
    z: np.ndarray
    starts: np.ndarray
    nodes: list[np.ndarray]
    parents: np.ndarray
    spans: np.ndarray
    clusters: np.ndarray
    rows: np.ndarray

    def find_mode(
        self, lams: Sequence[np.ndarray], gamma: np.ndarray, starts: Sequence[Vectors], curved: bool = True
    ) -> Mode:
        """Search the mode at Lambda and gamma from the best of the `starts` of zeta, cluster by cluster.

        Derivatives are made on the way, if they are to be `curved`.

        Raises
        ------
        NotPositiveDefiniteError
            The likelihood has no value, or no mode, at these parameters.
        """
        path, eta, terms, (h, penalty, logdet, decrement, count), slopes = self._visit(
            lams, gamma, starts, self.size + 1 if curved else 0
        )
        zeta = [path[nodes, effects, 0] for nodes, effects in zip(self.nodes, self.effects, strict=True)]
        b = [
            path[nodes, effects, 1] @ lam.T for nodes, effects, lam in zip(self.nodes, self.effects, lams, strict=True)
        ]
        if self.back is not None:
            eta, terms = eta[self.back], terms[:, self.back]
        here = Terms(0.5 * (penalty - h), *terms)
        return Mode(
            self.data, lams, zeta, b, eta, here, h, penalty, decrement, count, known_logdet=logdet, visited=slopes
        )

    def slopes_at(self, lams: Sequence[np.ndarray], gamma: np.ndarray, start: Vectors, curved: bool = False) -> Slopes:
        """Return the derivatives at the mode that is found from `start`, of which nothing else is wanted."""
        slopes = self._visit(lams, gamma, [start], self.size + 1 if curved else 1)[-1]
        assert slopes is not None
        return slopes

    def _visit(self, lams: Sequence[np.ndarray], gamma: np.ndarray, starts: Sequence[Vectors], r: int) -> _Visit:
        """Return path, eta and terms as visited; h, u'u, log|M|, decrement, factorisations; derivatives if r > 0."""
        n, levels, size = len(self.y), len(self.parents), self.z.shape[1]
        lam = self.factor(lams)
        begin = np.empty((len(starts), levels, size))
        for out, start in zip(begin, starts, strict=True):
            for nodes, effects, own, factor in zip(self.nodes, self.effects, start, lams, strict=True):
                out[nodes, effects] = own @ factor
        path, eta, terms, g = np.empty((levels, size, 2)), np.empty(n), np.empty((3, n)), np.empty(n if r else 0)
        sums, inner, motion = np.zeros((3, size, size)), np.zeros((self.size, self.size)), np.empty((levels, size, r))
        size_of = np.abs(lam)
        safe = size_of.diagonal() > _SAFE_PIVOT * size_of.max(axis=0)
        data = self.y, self.m, self.offset + self.Q @ gamma, self.z, self.code
        filled = path, eta, terms, g, sums, inner, motion
        ends = self.loop(self.tree, self.clusters, data, lam, safe, self.Q, self.places, begin, *filled)
        if not math.isfinite(ends[0] + ends[2]):
            raise NotPositiveDefiniteError("The penalised log-likelihood has no maximum at these parameters.")
        return path, eta, terms, ends, self._slopes(lam, terms, g, sums, inner, motion) if r else None

    def _slopes(
        self,
        lam: np.ndarray,
        terms: np.ndarray,
        g: np.ndarray,
        sums: np.ndarray,
        inner: np.ndarray,
        motion: np.ndarray,
    ) -> Slopes:
        traces, outer, mixed = sums
        slope = traces + (0.5 * (mixed + mixed.T) - outer) @ lam
        theta = 2.0 * slope[self.places[:, 0], self.places[:, 1]]
        moves = []
        if motion.shape[2] > 1:
            m = len(self.places)
            inner[m:, m:] += (self.Q * terms[1, :, None]).T @ self.Q
            inner += np.tril(inner, -1).T - np.triu(inner, 1)
            moves = [
                motion[nodes, effects, : self.size] for nodes, effects in zip(self.nodes, self.effects, strict=True)
            ]
        return Slopes(theta, (g - 2.0 * terms[0]) @ self.Q, traces, outer, inner, moves)

    def bend(self, lams: Sequence[np.ndarray], slopes: Slopes) -> np.ndarray:
        """Return what second derivatives of Sigma, times Gamma - zeta zeta', add to the Hessian in theta, (m, m)."""
        lam = self.factor(lams)
        scores = np.zeros_like(lam)
        for effects in self.effects:
            scores[effects, effects] = slopes.traces[effects, effects]
        scores = blas.dtrsm(1.0, lam, scores, side=1, lower=1)
        scores = 0.5 * (scores + scores.T) - slopes.outer
        rows = self.places[:, 0]
        return np.asarray(self.twice_same * scores[rows[:, None], rows])

    def factor(self, lams: Sequence[np.ndarray]) -> np.ndarray:
        """Lambda of all blocks, (D, D)."""
        out = np.zeros((self.z.shape[1], self.z.shape[1]))
        for effects, lam in zip(self.effects, lams, strict=True):
            out[effects, effects] = lam
        return out

    @cached_property
    def tree(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Tree as the loops take it."""
        return self.parents, self.spans, self.rows

    @cached_property
    def effects(self) -> list[slice]:
        """Effects of each block among the D."""
        return [slice(at, at + block.width) for at, block in zip(self.starts.tolist(), self.data.blocks, strict=True)]

    @property
    def size(self) -> int:
        """Number of entries of theta and gamma, m + p."""
        return len(self.places) + self.Q.shape[1]

    @cached_property
    def places(self) -> np.ndarray:
        """Row and column of each entry of theta in Lambda of all blocks, (m, 2)."""
        layout = self.data.problem.layout
        return np.column_stack([layout.row, layout.col]) + self.starts[layout.block][:, None]

    @cached_property
    def twice_same(self) -> np.ndarray:
        """2 for pairs of entries of theta that stand in the same column of Lambda, (m, m)."""
        column = self.places[:, 1]
        return 2.0 * (column[:, None] == column)

    @cached_property
    def back(self) -> np.ndarray | None:
        """Where each row of the data is among those that are visited, (n,); None where they are in order."""
        if (self.order[1:] > self.order[:-1]).all():
            return None
        out = np.empty_like(self.order)
        out[self.order] = np.arange(len(out))
        return out

    @cached_property
    def loop(self) -> Callable[..., tuple[float, float, float, float, int]]:
        """The compiled loop, imported late."""
        from mixedsparse.core.compiled.nested_slopes import visit

        return visit  # type: ignore[no-any-return]


def make_nested(data: Data) -> Nested | None:
    """Sort the rows of `data`; None where factors are crossed, a family is not compiled, or effects are many."""
    blocks, code = data.blocks, data.compiled_family
    if code is None or not data.has_single_levels or sum(block.width for block in blocks) > _MOST_EFFECTS:
        return None
    finest_first = sorted(range(len(blocks)), key=lambda b: -blocks[b].n_levels)
    above = {}
    for fine, coarse in pairwise(finest_first):
        found = _parents(blocks[fine].codes, blocks[coarse].codes, blocks[fine].n_levels)
        if found is None:
            return None
        above[fine] = found
    order = np.lexsort([blocks[b].codes for b in finest_first])
    ends = [_ends(blocks[b].codes[order]) for b in finest_first]
    if [len(own) for own in ends] != [blocks[b].n_levels for b in finest_first]:
        return None
    sizes, widths = [len(own) for own in ends], [blocks[b].width for b in finest_first]
    end, place = np.concatenate(ends), np.repeat(np.arange(len(ends)), sizes)
    # A level comes right after the last of those inside it.
    sequence = np.lexsort([place, end])
    node = np.empty(len(sequence), dtype=np.int64)
    node[sequence] = np.arange(len(sequence))
    nodes, starts, stops = [node] * len(blocks), np.zeros(len(blocks), dtype=np.int64), np.cumsum(widths)
    for b, own, stop, mine in zip(finest_first, ends, stops, np.split(node, np.cumsum(sizes)[:-1]), strict=True):
        nodes[b] = np.empty_like(mine)
        nodes[b][blocks[b].codes[order][own - 1]] = mine
        starts[b] = stop - blocks[b].width
    parents = np.full(len(node), -1, dtype=np.int64)
    for fine, coarse in pairwise(finest_first):
        parents[nodes[fine]] = nodes[coarse][above[fine]]
    return Nested(
        data=data,
        code=code,
        order=order,
        y=data.y[order],
        m=data.m[order],
        offset=data.offset[order],
        Q=np.ascontiguousarray(data.Q[order]),
        z=np.ascontiguousarray(np.hstack([blocks[b].z for b in finest_first])[order]),
        starts=starts,
        nodes=nodes,
        parents=parents,
        spans=np.column_stack([stops - widths, stops])[place[sequence]],
        clusters=np.append(0, np.flatnonzero(parents < 0) + 1),
        rows=np.append(0, end[sequence]),
    )


def _ends(codes: np.ndarray) -> np.ndarray:
    """Where the rows of each level end, codes sorted."""
    return np.append(np.flatnonzero(codes[1:] != codes[:-1]) + 1, len(codes))


def _parents(fine: np.ndarray, coarse: np.ndarray, n_levels: int) -> np.ndarray | None:
    """Level of the coarse factor that each of the fine one lies in, (levels,); None where one lies in several."""
    out = np.zeros(n_levels, dtype=np.int64)
    out[fine] = coarse
    return out if (out[fine] == coarse).all() else None
