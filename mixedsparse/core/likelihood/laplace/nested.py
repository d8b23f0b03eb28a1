"""Rows of nested factors in the order in which compiled loops visit them, and what these loops find.

One factor alone is nested too. There M is eliminated without new couplings, so that nothing of it is kept: a mode, or a
set of derivatives, is one pass over the levels. What asks for M itself is served by the engine, as with other designs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import numpy as np

from mixedsparse.core.likelihood.laplace.data import Data, Terms, Vectors
from mixedsparse.core.likelihood.laplace.mode import Mode
from mixedsparse.ground.errors import NotPositiveDefiniteError

__all__ = ["Nested", "Slopes", "make_nested"]

# Effects that a row meets up to which loops are quicker than matrix products.
_MOST_EFFECTS = 12
# Nodes whose derivatives are worked on at a time.
_TOGETHER = 50_000
# Diagonal entries of Lambda, over the largest of their columns, that can be divided by.
_SAFE_PIVOT = 1e-3


_Visit: TypeAlias = tuple[np.ndarray, np.ndarray, tuple[float, float, float, float, int]]


class Slopes(NamedTuple):
    """Sums of which gradient and curvature are made; see `LaplaceCriterion`.

    Attributes
    ----------
    traces, outer, mixed : list of ndarray (K, K)
        Sums over levels of Z'V_0^-1 Z Lambda, zeta zeta' and alpha zeta', one per block.
    gamma : ndarray, shape (p,)
        Q't - Q'WZ c - 2 Q's.
    inner : ndarray, shape (m + p, m + p)
        F'V_0^-1 F, F the directions of theta and gamma; 0 where only a gradient was asked for.
    projected : list of ndarray (levels, K, m + p)
        Z'V_0^-1 F; empty likewise.
    """

    traces: Vectors
    outer: Vectors
    mixed: Vectors
    gamma: np.ndarray
    inner: np.ndarray
    projected: Vectors


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

    def find_mode(self, lams: Sequence[np.ndarray], gamma: np.ndarray, starts: Sequence[Vectors]) -> Mode:
        """Search the mode at Lambda and gamma from the best of the `starts` of zeta, cluster by cluster.

        Raises
        ------
        NotPositiveDefiniteError
            The likelihood has no value, or no mode, at these parameters.
        """
        path, found, (h, penalty, logdet, decrement, count) = self._search(lams, gamma, starts)
        zeta = [path[nodes, effects, 0] for nodes, effects in zip(self.nodes, self.effects, strict=True)]
        b = [
            path[nodes, effects, 1] @ lam.T for nodes, effects, lam in zip(self.nodes, self.effects, lams, strict=True)
        ]
        value, s, w, kappa, eta = found.take(self.back, axis=1)
        terms = Terms(float(value.sum()), s, w, kappa)
        visited = path, found[:4]
        return Mode(
            self.data, lams, zeta, b, eta, terms, h, penalty, decrement, count, known_logdet=logdet, visited=visited
        )

    def slopes_at(self, lams: Sequence[np.ndarray], gamma: np.ndarray, start: Vectors, entries: np.ndarray) -> Slopes:
        """Return the sums of the gradient at the mode that is found from `start`, of which nothing else is wanted."""
        path, found, _ = self._search(lams, gamma, [start])
        return self._slopes(lams, path, found[:4], entries, curved=False)

    def _search(self, lams: Sequence[np.ndarray], gamma: np.ndarray, starts: Sequence[Vectors]) -> _Visit:
        """Return path, terms and linear predictors (5, n) as visited; h, u'u, log|M|, decrement, factorisations."""
        n, shape = len(self.y), (len(self.parents), self.z.shape[1])
        begin = np.zeros((len(starts), *shape))
        for out, start in zip(begin, starts, strict=True):
            for nodes, effects, own, lam in zip(self.nodes, self.effects, start, lams, strict=True):
                out[nodes, effects] = own @ lam
        path, found = np.zeros((*shape, 2)), np.empty((5, n))
        data = self.y, self.m, self.offset + self.Q @ gamma, self.z, self.code
        ends = self.loops.find_modes(
            self.tree, self.clusters, data, self.factor(lams), begin, path, found[4], found[:4]
        )
        h, _, logdet, _, _ = ends
        if not math.isfinite(h + logdet):
            raise NotPositiveDefiniteError("The penalised log-likelihood has no maximum at these parameters.")
        return path, found, ends

    def differentiate(self, mode: Mode, entries: np.ndarray, curved: bool) -> Slopes:
        """Return the sums at a mode that was found here; `entries` (m, 3): block, row and column of those of theta."""
        assert mode.visited is not None
        return self._slopes(mode.lams, *mode.visited, entries, curved)

    def _slopes(
        self, lams: Sequence[np.ndarray], path: np.ndarray, terms: np.ndarray, entries: np.ndarray, curved: bool
    ) -> Slopes:
        size, both = self.z.shape[1], len(entries) + self.Q.shape[1]
        places = entries[:, 1:] + self.starts[entries[:, :1]]
        lam = self.factor(lams)
        safe = np.abs(lam.diagonal()) > _SAFE_PIVOT * np.abs(lam).max(axis=0)
        sums, inner, g = np.zeros((3, size, size)), np.zeros((both, both)), np.empty(len(self.y))
        motion = np.zeros((len(self.parents), size, both + 1 if curved else 1))
        for first, last in pairwise(self.batches):
            inside = slice(first, last)
            nodes, count = (first, last, self.tree), last - first
            own, moved = path[inside].copy(), motion[inside]
            front, raw, inverse, x = *np.empty((3, count, size, size)), np.zeros(moved.shape)
            self.loops.prepare(*nodes, self.z, lam, terms, own, front, raw, inverse)
            self.loops.over_rows(*nodes, self.z, lam, terms, self.Q, places, raw, inverse, own, x, g, sums, inner)
            plain = np.empty((0, *x.shape[1:])) if safe.all() else x.copy()
            self.loops.solve(*nodes, lam, front, x, inner)
            self.loops.finish(*nodes, self.z, lam, safe, terms, raw, own, x, plain, g, sums, moved)
        traces, outer, mixed = ([one[effects, effects] for effects in self.effects] for one in sums)
        projected = []
        if curved:
            inner += np.tril(inner, -1).T
            projected = [motion[nodes, effects, :both] for nodes, effects in zip(self.nodes, self.effects, strict=True)]
        return Slopes(traces, outer, mixed, (g - 2.0 * terms[1]) @ self.Q, inner, projected)

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

    @cached_property
    def back(self) -> np.ndarray:
        """Where each row of the data is among those that are visited, (n,)."""
        out = np.empty_like(self.order)
        out[self.order] = np.arange(len(out))
        return out

    @cached_property
    def loops(self) -> _Loops:
        """The compiled loops, imported late."""
        from mixedsparse.core.compiled import nested_modes, nested_slopes

        of_slopes = nested_slopes.prepare, nested_slopes.over_rows, nested_slopes.solve, nested_slopes.finish
        return _Loops(nested_modes.find_modes, *of_slopes)

    @cached_property
    def batches(self) -> list[int]:
        """Where to part the nodes, between clusters, so that not too many are worked on at a time."""
        ends = self.clusters[1:]
        wanted = np.arange(_TOGETHER, ends[-1], _TOGETHER)
        inner = ends[np.searchsorted(ends, wanted)]
        return [0, *np.unique(np.append(inner, ends[-1])).tolist()]


class _Loops(NamedTuple):
    """Compiled functions of `nested_modes` and `nested_slopes`."""

    find_modes: Callable[..., tuple[float, float, float, float, int]]
    prepare: Callable[..., None]
    over_rows: Callable[..., None]
    solve: Callable[..., None]
    finish: Callable[..., None]


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
