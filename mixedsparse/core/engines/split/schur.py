"""Z_2'Z_2 of the blocks that are not eliminated, stacked effect-major (all levels of one effect together)."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from scipy import sparse

from mixedsparse.core.problem.crossproducts import Pairs
from mixedsparse.core.problem.edits import same_gram
from mixedsparse.core.problem.problem import Problem

__all__ = ["Rest", "symmetrized", "with_numbers"]

Vectors = list[np.ndarray]


class Rest:
    """The blocks other than `first`: their places in the stack, and products with Z_2'Z_2.

    Attributes
    ----------
    blocks : list of int
    slabs : dict (block, effect) -> slice
        Rows of the stack.
    rows : dict block -> slice
        Rows of all effects of a block.
    size : int
        Length of the stack, q_rest.
    """

    def __init__(self, problem: Problem, first: int | None) -> None:
        layout = problem.layout
        self.problem = problem
        self.first = first
        self.blocks = [b for b in range(len(layout.widths)) if b != first]
        self.slabs: dict[tuple[int, int], slice] = {}
        start = 0
        for b in self.blocks:
            for a in range(layout.widths[b]):
                self.slabs[b, a] = slice(start, start + layout.n_levels[b])
                start += layout.n_levels[b]
        self.size = start
        self.pairs = {key: pairs for key, pairs in problem.pairs.items() if first not in key}
        self.rows = {b: slice(self.slabs[b, 0].start, self.slabs[b, layout.widths[b] - 1].stop) for b in self.blocks}
        self.like: Rest | None = None
        found = ((b, problem.penalties[b]) for b in self.blocks)
        self._penalties = {b: penalty for b, penalty in found if penalty is not None}

    @property
    def shape_of_first(self) -> tuple[int, int]:
        """Levels and effects per level of the eliminated block."""
        layout, e = self.problem.layout, self.first
        return (0, 1) if e is None else (layout.n_levels[e], layout.widths[e])

    def refilled(self, problem: Problem) -> Rest:
        """Return the rest of a problem with other numbers on the same pattern."""
        if same_gram(problem, self.problem):
            return self
        out = copy.copy(self)
        out.__dict__.pop("gram", None)
        out.problem, out.like = problem, self if self.like is None else self.like
        out.pairs = {key: problem.pairs[key] for key in self.pairs}
        return out

    def couplings(self) -> dict[int, Pairs]:
        """Blocks of Z_1'Z_b, 1 being the eliminated block, for each block b of the rest."""
        pairs, e = self.problem.pairs, self.first
        if e is None:
            return {}
        return {b: pairs[e, b] if e < b else pairs[b, e].transposed() for b in self.blocks}

    @cached_property
    def gram(self) -> sparse.csr_matrix | None:
        """Z_2'Z_2, symmetric; None without blocks. Made when it is needed, which it is not where the rest is dense."""
        if not self.blocks:
            return None
        lower = [value for _, _, value in self._entries()]
        if self.like is None:
            return self._symmetric(lower)
        assert self.like.gram is not None
        return with_numbers(self.like.gram, np.concatenate(lower)[self.like._places])

    @cached_property
    def _places(self) -> np.ndarray:
        """Place of each number of `gram` among those of the lower triangle, piece by piece."""
        sizes = [len(row) for row, _, _ in self._entries()]
        stops = np.cumsum(sizes)
        return self._symmetric([np.arange(stop - size, stop) for size, stop in zip(sizes, stops, strict=True)]).data

    def _symmetric(self, lower: list[np.ndarray]) -> sparse.csr_matrix:
        """Matrix on the pattern of Z_2'Z_2 from the pieces of its lower triangle."""
        rows, columns, values = [], [], []
        for (row, column, _), value in zip(self._entries(), lower, strict=True):
            off = row != column
            rows += [row, column[off]]
            columns += [column, row[off]]
            values += [value, value[off]]
        entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
        return sparse.csr_matrix(entries, shape=(self.size, self.size))

    def _entries(self, lams: Sequence[np.ndarray] | None = None):  # type: ignore[no-untyped-def]
        """Rows, columns and values of the lower triangle of Lambda'Z_2'Z_2 Lambda, or of Z_2'Z_2, piece by piece."""
        for b in self.blocks:
            product = self.problem.grams[b] if lams is None else lams[b].T @ self.problem.grams[b] @ lams[b]
            index = np.arange(product.shape[0])
            for a in range(product.shape[1]):
                for c in range(a + 1):
                    yield self.slabs[b, a].start + index, self.slabs[b, c].start + index, product[:, a, c]
        for (s, t), pairs in self.pairs.items():
            product = pairs.data if lams is None else lams[s].T @ pairs.data @ lams[t]
            if s == t:
                yield from self._self_entries(s, pairs, product)
                continue
            low, high = sorted((s, t), key=lambda b: self.slabs[b, 0].start)
            at = {s: pairs.rows, t: pairs.indices}
            for a in range(product.shape[1]):
                for c in range(product.shape[2]):
                    effect = {s: a, t: c}
                    row = self.slabs[high, effect[high]].start + at[high]
                    yield row, self.slabs[low, effect[low]].start + at[low], product[:, a, c]

    def _self_entries(self, b: int, pairs: Pairs, product: np.ndarray):  # type: ignore[no-untyped-def]
        """Entries of the lower triangle between two levels of one block, blocks `product` (nnz, K, K)."""
        low, high = pairs.rows, pairs.indices
        for a in range(product.shape[1]):
            for c in range(product.shape[2]):
                one, other = self.slabs[b, a].start + low, self.slabs[b, c].start + high
                # Levels low < high: effect c of `high` stands below effect a of `low` unless a comes after c.
                yield (one, other, product[:, a, c]) if a > c else (other, one, product[:, a, c])

    def penalised_diagonal(self, lams: Sequence[np.ndarray]) -> np.ndarray:
        """Diagonal of Lambda_2'Z_2'Z_2 Lambda_2 + I, (q_rest,)."""
        grams = self.problem.grams
        pieces = []
        for b in self.blocks:
            penalty = self._penalties.get(b)
            one = 1.0 if penalty is None else penalty.diagonal
            pieces.append((one + np.einsum("ca,lcd,da->al", lams[b], grams[b], lams[b])).ravel())
        return np.concatenate(pieces)

    def add_penalty(self, lower: np.ndarray) -> None:
        """Add P, or I, to a C-ordered lower triangle in place."""
        if not self._penalties:
            lower.flat[:: len(lower) + 1] += 1.0
            return
        diagonal = np.einsum("ii->i", lower)
        for b in self.blocks:
            penalty = self._penalties.get(b)
            for a in range(self.problem.layout.widths[b]):
                slab = self.slabs[b, a]
                diagonal[slab] += 1.0 if penalty is None else penalty.diagonal
                if penalty is not None:
                    pairs = self.pairs[b, b]
                    lower[slab.start + pairs.indices, slab.start + pairs.rows] += penalty.pairs

    def times_penalty(self, stacked: np.ndarray) -> np.ndarray:
        """P x I times (q_rest, r)."""
        if not self._penalties:
            return stacked
        out = stacked.copy()
        for b, penalty in self._penalties.items():
            for a in range(self.problem.layout.widths[b]):
                out[self.slabs[b, a]] = penalty.relationship.times_precision(stacked[self.slabs[b, a]])
        return out

    def penalised_sums(self, lower: np.ndarray) -> dict[int, np.ndarray]:
        """Sum over levels of the diagonal blocks of P N, N symmetric by its C-ordered lower triangle."""
        out = self.block_sums(lower)
        for b, penalty in self._penalties.items():
            k, pairs = self.problem.layout.widths[b], self.pairs[b, b]
            for a in range(k):
                for c in range(a + 1):
                    one, other = self.slabs[b, a], self.slabs[b, c]
                    total = float(penalty.diagonal @ np.diagonal(lower[one, other]))
                    square = lower[one, other] if a > c else np.tril(lower[one, other])
                    total += float(penalty.pairs @ square[pairs.indices, pairs.rows])
                    total += float(penalty.pairs @ (square if a > c else square.T)[pairs.rows, pairs.indices])
                    out[b][a, c] = out[b][c, a] = total
        return out

    def penalised(self, lams: Sequence[np.ndarray]) -> np.ndarray:
        """Lambda_2'Z_2'Z_2 Lambda_2 + I as a C-ordered array, lower triangle only."""
        out = self.dense(lams)
        self.add_penalty(out)
        return out

    def dense(self, lams: Sequence[np.ndarray] | None = None) -> np.ndarray:
        """Lambda_2'Z_2'Z_2 Lambda_2, or Z_2'Z_2 without lams, as a C-ordered array, lower triangle only."""
        out = np.zeros((self.size, self.size))
        for row, column, value in self._entries(lams):
            out[row, column] = value
        return out

    def congruence(self, lams: Sequence[np.ndarray], lower: np.ndarray) -> np.ndarray:
        """Lower triangle of F'SF, F the block diagonal matrix of `lams`, S symmetric by its lower triangle."""
        layout = self.problem.layout
        if all(layout.widths[b] == 1 for b in self.blocks):
            scale = np.concatenate([np.full(layout.n_levels[b], lams[b][0, 0]) for b in self.blocks])
            out = lower * scale
            out *= scale[:, None]
            return out
        return self.right_times(lams, self.times_factor_t(lams, symmetrized(lower)))

    def right_times(self, lams: Sequence[np.ndarray], rows: np.ndarray) -> np.ndarray:
        """Return `rows` (m, q_rest) times the block diagonal matrix of `lams`."""
        out = np.empty(rows.shape)
        for b, mine in self.rows.items():
            lam = lams[b]
            if len(lam) == 1:
                np.multiply(rows[:, mine], lam[0, 0], out=out[:, mine])
            else:
                mixed = lam.T @ rows[:, mine].reshape(len(rows), len(lam), -1)
                out[:, mine] = mixed.reshape(len(rows), -1)
        return out

    def stack(self, vectors: Vectors) -> np.ndarray:
        """Block vectors (levels, K, r) as one array (q_rest, r)."""
        if not self.blocks:
            return np.empty((0, vectors[0].shape[2]))
        return np.concatenate([vectors[b].swapaxes(0, 1).reshape(-1, vectors[b].shape[2]) for b in self.blocks])

    def unstack(self, first: np.ndarray, rest: np.ndarray) -> Vectors:
        """Return the block vectors of the eliminated block and of the stacked rest, in block order."""
        layout = self.problem.layout
        out: Vectors = [first] * len(layout.widths)  # of the rest they are replaced below
        for b in self.blocks:
            k = layout.widths[b]
            out[b] = rest[self.rows[b]].reshape(k, layout.n_levels[b], -1).swapaxes(0, 1)
        return out

    def times_factor(self, lams: Sequence[np.ndarray], stacked: np.ndarray) -> np.ndarray:
        """Lambda_2 stacked."""
        return self._mix([lam.T for lam in lams], stacked)

    def times_factor_t(self, lams: Sequence[np.ndarray], stacked: np.ndarray) -> np.ndarray:
        """Lambda_2' stacked."""
        return self._mix(lams, stacked)

    def _mix(self, lams: Sequence[np.ndarray], stacked: np.ndarray) -> np.ndarray:
        """Slab c of the result is the sum over a of factor[a, c] times slab a."""
        out = np.empty(stacked.shape)
        for b, rows in self.rows.items():
            lam = lams[b]
            if len(lam) == 1:
                np.multiply(stacked[rows], lam[0, 0], out=out[rows])
            else:
                out[rows] = (lam.T @ stacked[rows].reshape(len(lam), -1)).reshape(out[rows].shape)
        return out

    def block_sums(self, lower: np.ndarray) -> dict[int, np.ndarray]:
        """Sum over levels of the diagonal blocks of a symmetric matrix given by its C-ordered lower triangle."""
        return {b: blocks.sum(axis=0) for b, blocks in self.diagonal_blocks(lower).items()}

    def diagonal_blocks(self, lower: np.ndarray) -> dict[int, np.ndarray]:
        """Return its diagonal blocks, (levels, K, K) per block."""
        out = {}
        for b in self.blocks:
            k, levels = self.problem.layout.widths[b], self.problem.layout.n_levels[b]
            blocks = np.empty((levels, k, k))
            for a in range(k):
                for c in range(a + 1):
                    blocks[:, a, c] = blocks[:, c, a] = np.diagonal(lower[self.slabs[b, a], self.slabs[b, c]])
            out[b] = blocks
        return out


# Side of the squares that are transposed at a time: two of them fit into the first level of a cache.
_TILE = 64
_ABOVE = ~np.tri(_TILE, dtype=bool)


def with_numbers(matrix: sparse.csr_matrix, numbers: np.ndarray) -> sparse.csr_matrix:
    """Return a matrix with other numbers on the same pattern, which is not checked again."""
    out = copy.copy(matrix)
    out.data = numbers
    return out


def symmetrized(lower: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Return the full symmetric matrix of a lower triangle; ``out=lower`` fills it in place."""
    out = lower.copy() if out is None else out
    for start in range(0, len(out), _TILE):
        stop = min(start + _TILE, len(out))
        square = out[start:stop, start:stop]
        np.copyto(square, square.T.copy(), where=_ABOVE[: stop - start, : stop - start])
        for column in range(stop, len(out), _TILE):
            out[start:stop, column : column + _TILE] = out[column : column + _TILE, start:stop].T
    return out
