# ruff: noqa: D102 - the module docstring says what each method of the interface computes
"""A_12 = Z_1'Z_2 between the eliminated block and the rest, dense or sparse, behind one small interface.

``to_rest(x)``      A_21 x          x (levels, K, r) -> (q_rest, r)
``to_first(x)``     A_12 x          x (q_rest, r) -> (levels, K, r)
``schur(S, C)``     S - A_21 C A_12, C (levels, K, K) block diagonal, as a new array
``quadratic(P)``    the diagonal blocks of A_12 P A_21, shape (levels, K, K), for symmetric P
``rows(first)``     A_12 as a dense array (levels, K, q_rest)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from scipy import sparse

from mixedsparse.core.crossproducts import Pairs
from mixedsparse.core.problem import Problem

if TYPE_CHECKING:
    from mixedsparse.core.split import SplitEngine

__all__ = ["Coupling", "DenseCoupling", "SparseCoupling", "make_coupling"]

# The dense form multiplies with BLAS, the sparse ones visit pairs of entries: one visit costs about as much
# as this many multiply-adds, and below `_SMALL` multiply-adds the dense form is as good as any.
_FLOPS_PER_VISIT = 25.0
_SMALL = 1e6
# Up to this many visits, and numbers in A_12 written out, scipy's sparse products do without the compiled kernels.
_FEW_VISITS = 2e5
_FEW_NUMBERS = 2e6


class Coupling(Protocol):
    """What the split needs of A_12."""

    def to_rest(self, first: np.ndarray) -> np.ndarray: ...
    def to_first(self, rest: np.ndarray) -> np.ndarray: ...
    def schur(self, inner: np.ndarray, cov: np.ndarray) -> np.ndarray: ...
    def quadratic(self, matrix: np.ndarray) -> np.ndarray: ...
    def dense(self) -> np.ndarray: ...


def make_coupling(engine: SplitEngine, problem: Problem) -> Coupling:
    """Choose the form that costs fewer operations per evaluation."""
    layout, e = problem.layout, engine.first
    shape = (layout.n_levels[e], layout.widths[e], engine.q_rest)
    oriented = {b: _oriented(problem, e, b) for b in engine.rest}
    per_level = sum(np.diff(oriented[b].indptr) * layout.widths[b] for b in engine.rest)
    visits = float(np.square(per_level, dtype=float).sum()) * shape[1]
    flops = float(shape[0] * shape[1]) * shape[2] ** 2
    entries = [(engine.slabs[b, a], oriented[b], a) for b in engine.rest for a in range(layout.widths[b])]
    if flops < max(_FLOPS_PER_VISIT * visits, _SMALL):
        dense = np.zeros(shape)
        for slab, pairs, a in entries:
            dense[pairs.rows, :, slab.start + pairs.indices] = pairs.data[:, :, a]
        return DenseCoupling(dense)
    rows = np.concatenate([pairs.rows for _, pairs, _ in entries])
    columns = np.concatenate([slab.start + pairs.indices for slab, pairs, _ in entries])
    values = np.concatenate([pairs.data[:, :, a] for _, pairs, a in entries])
    form = ListedCoupling if visits < _FEW_VISITS and np.prod(shape, dtype=float) < _FEW_NUMBERS else SparseCoupling
    return form.of(rows, columns, values, shape)


def _oriented(problem: Problem, e: int, b: int) -> Pairs:
    """Blocks of Z_e'Z_b."""
    return problem.pairs[e, b] if e < b else problem.pairs[b, e].transposed()


class DenseCoupling:
    """A_12 as one array (levels, K, q_rest): BLAS does the work."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values
        self.flat = values.reshape(-1, values.shape[2])

    def to_rest(self, first: np.ndarray) -> np.ndarray:
        return self.flat.T @ first.reshape(len(self.flat), -1)

    def to_first(self, rest: np.ndarray) -> np.ndarray:
        return (self.flat @ rest).reshape(*self.values.shape[:2], -1)

    def schur(self, inner: np.ndarray, cov: np.ndarray) -> np.ndarray:
        scaled = cov * self.values if cov.shape[1] == 1 else cov @ self.values
        return inner - self.flat.T @ scaled.reshape(self.flat.shape)

    def quadratic(self, matrix: np.ndarray) -> np.ndarray:
        left = (self.flat @ matrix).reshape(self.values.shape)
        return left @ self.values.swapaxes(1, 2)

    def dense(self) -> np.ndarray:
        return self.values


class ListedCoupling:
    """A_12 by compressed rows of levels: entry i couples level l with column `indices[i]` by K numbers `values[i]`."""

    def __init__(
        self, indptr: np.ndarray, indices: np.ndarray, values: np.ndarray, shape: tuple[int, int, int]
    ) -> None:
        self.indptr, self.indices, self.values, self.shape = indptr, indices, values, shape
        levels, k, q_rest = shape
        self.level = np.repeat(np.arange(levels), np.diff(indptr))
        columns = self.level[:, None] * k + np.arange(k)
        positions = (columns.ravel(), np.repeat(indices, k))
        self.matrix = sparse.csr_matrix((values.ravel(), positions), shape=(levels * k, q_rest))
        self.transposed = self.matrix.T.tocsr()

    @classmethod
    def of(
        cls, rows: np.ndarray, columns: np.ndarray, values: np.ndarray, shape: tuple[int, int, int]
    ) -> ListedCoupling:
        """Sort the entries by level and column."""
        order = np.lexsort((columns, rows))
        indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=shape[0]))])
        return cls(indptr, columns[order].astype(np.int32), np.ascontiguousarray(values[order]), shape)

    def to_rest(self, first: np.ndarray) -> np.ndarray:
        return np.asarray(self.transposed @ first.reshape(self.matrix.shape[0], -1))

    def to_first(self, rest: np.ndarray) -> np.ndarray:
        return np.asarray(self.matrix @ rest).reshape(*self.shape[:2], -1)

    def schur(self, inner: np.ndarray, cov: np.ndarray) -> np.ndarray:
        scaled = (
            self.values * cov[self.level, 0] if self.shape[1] == 1 else (self.values[:, None] @ cov[self.level])[:, 0]
        )
        columns = self.level[:, None] * self.shape[1] + np.arange(self.shape[1])
        positions = (np.repeat(self.indices, self.shape[1]), columns.ravel())
        weighted = sparse.csr_matrix((scaled.ravel(), positions), shape=self.transposed.shape)
        return inner - (weighted @ self.matrix).toarray()

    def quadratic(self, matrix: np.ndarray) -> np.ndarray:
        left = (self.matrix @ matrix).reshape(self.shape)[self.level, :, self.indices]
        out = np.zeros((self.shape[0], self.shape[1], self.shape[1]))
        np.add.at(out, self.level, left[:, :, None] * self.values[:, None, :])
        return out

    def dense(self) -> np.ndarray:
        return self.matrix.toarray().reshape(self.shape)


class SparseCoupling(ListedCoupling):
    """The same lists, visited by compiled loops."""

    def schur(self, inner: np.ndarray, cov: np.ndarray) -> np.ndarray:
        from mixedsparse.core import kernels

        return kernels.schur(inner, self.indptr, self.indices, self.values, np.ascontiguousarray(cov))

    def quadratic(self, matrix: np.ndarray) -> np.ndarray:
        from mixedsparse.core import kernels

        return kernels.quadratic(matrix, self.indptr, self.indices, self.values)
