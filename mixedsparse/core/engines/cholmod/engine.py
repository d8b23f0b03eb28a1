"""The whole sparse system by CHOLMOD: any design, the fill-reducing order chosen by CHOLMOD.

M = Lambda'Z'Z Lambda + I has the block pattern of Z'Z whatever theta is. It is analysed once; every theta refills
the numbers. Derivatives need M^-1 on the pattern of Z'Z only: the selected inverse (`selinv`).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from scipy import sparse

from mixedsparse.core.engines.cholmod.cholmod import SparseCholesky
from mixedsparse.core.engines.cholmod.selinv import SelectedInverse
from mixedsparse.core.engines.level_blocks import is_safe, unrotate
from mixedsparse.core.likelihood.interface import Pattern
from mixedsparse.core.problem.edits import same_gram
from mixedsparse.core.problem.problem import Problem
from mixedsparse.ground.limits import LIMITS, Limits

__all__ = ["CholmodEngine", "CholmodFactored"]

Vectors = list[np.ndarray]


class CholmodEngine:
    """Factorises M(theta) of one `problem` with CHOLMOD."""

    name = "cholmod"
    yields_to_dense = writes_projection = keeps_projection = False
    stochastic = None

    def __init__(self, problem: Problem, limits: Limits = LIMITS) -> None:
        self.problem, self.limits = problem, limits
        layout = problem.layout
        sizes = [k * n for k, n in zip(layout.widths, layout.n_levels, strict=True)]
        self.starts = np.concatenate([[0], np.cumsum(sizes)])
        self.triangles = [np.tril_indices(k) for k in layout.widths]
        rows, columns = self._pattern()
        # Position of each entry in the CSC order of the lower triangle.
        self.order = np.lexsort((rows, columns))
        self.rows, self.columns = rows, columns
        q = int(self.starts[-1])
        pointer = np.concatenate([[0], np.cumsum(np.bincount(columns, minlength=q))])
        index = (rows[self.order].astype(np.int32), pointer.astype(np.int32))
        values = self._values(problem.grams, {key: pairs.data for key, pairs in problem.pairs.items()})
        lower = sparse.csc_matrix((values[self.order], *index), shape=(q, q))
        self.gram = _symmetric(lower)
        self.cholesky = SparseCholesky(lower)
        self.work = float("inf")
        # Engines of one pattern share this list.
        self._selected: list[tuple[SelectedInverse, np.ndarray]] = []

    def _pattern(self) -> tuple[np.ndarray, np.ndarray]:
        """Row and column of every entry of the lower triangle: diagonal blocks, then pairs of blocks."""
        layout = self.problem.layout
        rows, columns = [], []
        for b, (k, n) in enumerate(zip(layout.widths, layout.n_levels, strict=True)):
            base = self.starts[b] + k * np.arange(n)[:, None]
            rows.append((base + self.triangles[b][0]).ravel())
            columns.append((base + self.triangles[b][1]).ravel())
        for (s, t), pairs in self.problem.pairs.items():
            shape = pairs.data.shape
            column = (self.starts[s] + layout.widths[s] * pairs.rows)[:, None, None] + np.arange(shape[1])[:, None]
            row = (self.starts[t] + layout.widths[t] * pairs.indices)[:, None, None] + np.arange(shape[2])
            columns.append(np.broadcast_to(column, shape).ravel())
            rows.append(np.broadcast_to(row, shape).ravel())
        return np.concatenate(rows), np.concatenate(columns)

    def _values(self, diagonal: Sequence[np.ndarray], pairs: dict[tuple[int, int], np.ndarray]) -> np.ndarray:
        """Entries in the order of `_pattern`."""
        lower = [blocks[:, r, c].ravel() for blocks, (r, c) in zip(diagonal, self.triangles, strict=True)]
        return np.concatenate([*lower, *(data.ravel() for data in pairs.values())])

    def _unpack(self, values: np.ndarray) -> tuple[list[np.ndarray], dict[tuple[int, int], np.ndarray]]:
        """Inverse of `_values`: full diagonal blocks (levels, K, K) and pair blocks (nnz, K_s, K_t)."""
        layout, position = self.problem.layout, 0
        diagonal = []
        for (r, c), k, n in zip(self.triangles, layout.widths, layout.n_levels, strict=True):
            full = np.empty((n, k, k))
            full[:, r, c] = full[:, c, r] = values[position : position + n * len(r)].reshape(n, -1)
            position += n * len(r)
            diagonal.append(full)
        pairs = {}
        for key, block in self.problem.pairs.items():
            pairs[key] = values[position : position + block.data.size].reshape(block.data.shape)
            position += block.data.size
        return diagonal, pairs

    def flat(self, vectors: Vectors) -> np.ndarray:
        """Block vectors (levels, K, r) as one array (q, r), level-major."""
        return np.concatenate([v.reshape(-1, v.shape[2]) for v in vectors])

    def blocks(self, flat: np.ndarray) -> Vectors:
        """Inverse of `flat`."""
        layout = self.problem.layout
        pieces = np.split(flat, self.starts[1:-1])
        return [p.reshape(n, k, -1) for p, n, k in zip(pieces, layout.n_levels, layout.widths, strict=True)]

    def times(self, vectors: Vectors) -> Vectors:
        """Z'Z times block vectors."""
        return self.blocks(self.gram @ self.flat(vectors))

    def factorize(self, lams: Sequence[np.ndarray]) -> CholmodFactored:
        """Factorise M at Lambda_b (K, K) of each block."""
        return CholmodFactored(self, lams)

    def with_problem(self, problem: Problem) -> CholmodEngine:
        """Engine for other numbers on the same pattern: the analysis is shared."""
        places = None if same_gram(problem, self.problem) else self._places
        out = copy.copy(self)
        out.problem = problem
        if places is not None:
            values = self._values(problem.grams, {key: pairs.data for key, pairs in problem.pairs.items()})[self.order]
            out.gram = sparse.csr_matrix((values[places.data], places.indices, places.indptr), shape=places.shape)
        return out

    @cached_property
    def _places(self) -> sparse.csr_matrix:
        """Place of each number of Z'Z among those of its lower triangle."""
        pointer = np.concatenate([[0], np.cumsum(np.bincount(self.columns, minlength=self.gram.shape[0]))])
        # Counted from 1, since a sum leaves zeros out.
        numbers = np.arange(1, len(self.order) + 1), self.rows[self.order], pointer
        places = _symmetric(sparse.csc_matrix(numbers, shape=self.gram.shape))
        places.data -= 1
        return places

    def refill(self, lams: Sequence[np.ndarray]) -> int:
        """Factorise M in place; returns the stamp of this factorisation."""
        diagonal = []
        for gram, lam, penalty in zip(self.problem.grams, lams, self.problem.penalties, strict=True):
            block = lam.T @ gram @ lam
            index = np.arange(len(lam))
            block[:, index, index] += 1.0 if penalty is None else penalty.diagonal[:, None]
            diagonal.append(block)
        pairs = {(s, t): lams[s].T @ p.data @ lams[t] for (s, t), p in self.problem.pairs.items()}
        for b, penalty in enumerate(self.problem.penalties):
            if penalty is not None:
                index = np.arange(len(lams[b]))
                pairs[b, b][:, index, index] += penalty.pairs[:, None]
        self.cholesky.factorize(self._values(diagonal, pairs)[self.order])
        return self.cholesky.stamp

    def column_counts(self) -> np.ndarray:
        """Numbers in each column of L (q,): of a factor in blocks where that is small, else from the pattern alone."""
        size, largest = int(self.starts[-1]), int(np.diff(self.starts).max())
        if self.cholesky.in_blocks and size - largest <= self.limits.counted:
            self.refill([np.eye(k) for k in self.problem.layout.widths])
            return np.diff(self.cholesky.lower_factor().indptr)
        return self.cholesky.counts

    def _eliminated(self, index: np.ndarray) -> np.ndarray:
        """Places in the order of elimination."""
        inverse = np.empty_like(self.cholesky.permutation)
        inverse[self.cholesky.permutation] = np.arange(len(inverse))
        return inverse[index]

    def selected_inverse(self) -> tuple[list[np.ndarray], dict[tuple[int, int], np.ndarray]]:
        """Blocks of M^-1 on the pattern of Z'Z, for the factorisation in place."""
        factor = self.cholesky.lower_factor()
        if not self._selected:
            i, j = self._eliminated(self.rows), self._eliminated(self.columns)
            selected = SelectedInverse(factor.indptr, factor.indices)
            self._selected.append((selected, selected.positions(np.maximum(i, j), np.minimum(i, j))))
        selected, positions = self._selected[0]
        return self._unpack(selected.compute(factor.data)[positions])


class CholmodFactored:
    """M(theta) factorised by CHOLMOD; factorises again when the engine has moved on to another theta."""

    knows_all_levels = True

    def __init__(self, engine: CholmodEngine, lams: Sequence[np.ndarray]) -> None:
        self.engine = engine
        self.lams = lams
        self._stamp = engine.refill(lams)
        self.logdet = engine.cholesky.logdet

    def _restore(self) -> None:
        if self.engine.cholesky.stamp != self._stamp:
            self._stamp = self.engine.refill(self.lams)

    def solve(self, vectors: Vectors) -> tuple[Vectors, Vectors]:
        """Lambda M^-1 Lambda'Z'Y and Z'V_0^-1 Y from Z'Y, block vectors (levels, K, r)."""
        self._restore()
        engine = self.engine
        rotated = [lam.T @ v for lam, v in zip(self.lams, vectors, strict=True)]
        solved = engine.blocks(engine.cholesky.solve(engine.flat(rotated)))
        modes = [lam @ v for lam, v in zip(self.lams, solved, strict=True)]
        if engine.problem.is_penalised:
            pieces = zip(engine.problem.penalties, solved, strict=True)
            solved = [v if penalty is None else penalty.relationship.times_precision(v) for penalty, v in pieces]
        plain: Vectors | list[None] = [None] * len(self.lams)
        if not all(is_safe(lam).all() for lam in self.lams):
            plain = [v - w for v, w in zip(vectors, engine.times(modes), strict=True)]
        return modes, [unrotate(lam, r, v) for lam, r, v in zip(self.lams, solved, plain, strict=True)]

    def project(self, vectors: Vectors) -> Vectors:
        """Z'V_0^-1 Y from Z'Y."""
        return self.solve(vectors)[1]

    def forms(self, vectors: Vectors) -> np.ndarray:
        """Return v'Lambda M^-1 Lambda'v (r,) of block vectors (levels, K, r)."""
        self._restore()
        rotated = self.engine.flat([lam.T @ v for lam, v in zip(self.lams, vectors, strict=True)])
        return np.asarray((rotated * self.engine.cholesky.solve(rotated)).sum(axis=0))

    def traces(self) -> list[np.ndarray]:
        """Sum over levels of the diagonal blocks of Z'V_0^-1 Z Lambda = Z'Z Lambda M^-1, (K, K) per block."""
        self._restore()
        diagonal, pairs = self.engine.selected_inverse()
        problem, lams = self.engine.problem, self.lams
        out = [
            np.tensordot(gram @ lam, inverse, axes=((0, 2), (0, 1)))
            for gram, lam, inverse in zip(problem.grams, lams, diagonal, strict=True)
        ]
        for (s, t), block in problem.pairs.items():
            out[s] = out[s] + np.tensordot(block.data @ lams[t], pairs[s, t], axes=((0, 2), (0, 2)))
            other = block.data.swapaxes(1, 2) @ lams[s]
            out[t] = out[t] + np.tensordot(other, pairs[s, t], axes=((0, 2), (0, 1)))
        return out

    def loss(self) -> float:
        """Sum over random effects of the diagonal entries of M over the pivots of L."""
        self._restore()
        return self.engine.cholesky.loss()

    def release(self) -> None:
        """Do nothing: the one factor belongs to the engine."""

    def conditional_covariances(self) -> list[np.ndarray]:
        """Return the diagonal blocks of Lambda M^-1 Lambda', (levels, K, K) per block."""
        self._restore()
        diagonal, _ = self.engine.selected_inverse()
        return [lam @ inverse @ lam.T for lam, inverse in zip(self.lams, diagonal, strict=True)]

    def conditional_covariance_of(self, block: int, levels: np.ndarray) -> np.ndarray:
        """Return those of chosen `levels` of one block, (len(levels), K, K)."""
        return self.conditional_covariances()[block][levels]

    def pattern_covariances(self) -> Pattern:
        """Return the blocks of Lambda M^-1 Lambda' on the pattern of Z'Z."""
        self._restore()
        lams = self.lams
        diagonal, pairs = self.engine.selected_inverse()
        return (
            [lam @ inverse @ lam.T for lam, inverse in zip(lams, diagonal, strict=True)],
            {(s, t): lams[s] @ inverse @ lams[t].T for (s, t), inverse in pairs.items()},
        )

    def projection(self) -> None:
        """W is never written out."""

    def scaled_projection(self, less: Vectors) -> None:
        """Nothing dense is at hand."""


def _symmetric(lower: sparse.csc_matrix) -> sparse.csr_matrix:
    """Matrix whose lower triangle is given."""
    return (lower + sparse.tril(lower, -1).T).tocsr()
