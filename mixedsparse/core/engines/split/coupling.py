# ruff: noqa: D102 - the module docstring says what each method of the interface computes
"""A_12 = Z_1'Z_2 between the eliminated block and the rest, dense or sparse, behind one small interface.

``to_rest(x)``                A_21 x, x (levels, K, r) -> (q_rest, r)
``to_first(x)``               A_12 x, x (q_rest, r) -> (levels, K, r)
``subtract(M, E, lams)``      lower triangle of M - Lambda_2'A_21 C A_12 Lambda_2 in place, C = H'H block diagonal, of
                              the eliminated block E; without lams Lambda_2 = I
``quadratic(N, lams)``        diagonal blocks of A_12 Lambda_2 N Lambda_2'A_21, (levels, K, K), N symmetric by its
                              lower triangle
``dense()``                   A_12 as an array (levels, K, q_rest)
``refilled(rest)``            A_12 of a problem with other numbers on the same pattern
``products(N, lams)``         A_12 Lambda_2 N where levels meet, and the quadratic forms that follow; None from forms
                              for which products with parts of N cost no more

Where the dense algebra of the rest is cheap, Lambda_2 is multiplied on there, and A_12 never changes; where it is not,
Lambda_2 goes into the entries of A_12.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from mixedsparse.core.engines.level_blocks import Eliminated
from mixedsparse.core.engines.split.listed import Lams, ListedCoupling, PairedCoupling, Products, SparseCoupling
from mixedsparse.core.engines.split.schur import Rest, symmetrized
from mixedsparse.core.problem.crossproducts import Pairs

__all__ = [
    "Coupling",
    "DenseCoupling",
    "ListedCoupling",
    "PairedCoupling",
    "Products",
    "SparseCoupling",
    "choose_form",
    "make_coupling",
]

# The dense form multiplies with BLAS, the sparse ones visit pairs of entries: one visit costs about as much
# as this many multiply-adds, and below `_SMALL` multiply-adds the dense form is as good as any.
_FLOPS_PER_VISIT = 25.0
_SMALL = 1e6
# Up to this many visits, pairs of entries are listed once, as a sparse matrix.
_MANY_PAIRS = 4e6
# Up to this many visits, and numbers in A_12 written out, scipy's sparse products do without the compiled kernels.
_FEW_VISITS = 2e5
_FEW_NUMBERS = 2e6
# Columns of the rest that are multiplied at a time, so that little of the upper triangle is computed.
_PANEL = 128


class Coupling(Protocol):
    """What the split needs of A_12.

    Attributes
    ----------
    is_dense : bool
        Whether A_12 is one array.
    gives_schur : bool
        Whether A_21 C A_12 is as cheap without Lambda_2 as with it.
    """

    is_dense: bool
    gives_schur: bool

    def to_rest(self, first: np.ndarray) -> np.ndarray: ...
    def to_first(self, rest: np.ndarray) -> np.ndarray: ...
    def subtract(self, matrix: np.ndarray, block: Eliminated, lams: Lams = None) -> None: ...
    def quadratic(self, lower: np.ndarray, lams: Lams = None) -> np.ndarray: ...
    def dense(self) -> np.ndarray: ...
    def refilled(self, rest: Rest) -> Coupling: ...
    def products(self, lower: np.ndarray, lams: Lams = None) -> Products | None: ...


def make_coupling(rest: Rest, form: type[DenseCoupling] | type[ListedCoupling] | None = None) -> Coupling:
    """Make A_12 in the given form, or in the one that costs fewer operations per evaluation."""
    layout = rest.problem.layout
    shape = (*rest.shape_of_first, rest.size)
    oriented = rest.couplings()
    if form is not None:
        return form(rest, oriented)
    per_level = sum((np.diff(pairs.indptr) * layout.widths[b] for b, pairs in oriented.items()), np.zeros(shape[0]))
    return choose_form(shape, float(np.square(per_level, dtype=float).sum()))(rest, oriented)


def choose_form(shape: tuple[int, int, int], visits: float) -> type[DenseCoupling] | type[ListedCoupling]:
    """Form of A_12 of `shape` (levels, K, q_rest) whose levels make `visits` pairs of entries."""
    visits = visits * shape[1]
    flops = float(shape[0] * shape[1]) * shape[2] ** 2
    if flops < max(_FLOPS_PER_VISIT * visits, _SMALL):
        return DenseCoupling
    if shape[1] == 1 and visits < _MANY_PAIRS:
        return PairedCoupling
    few = visits < _FEW_VISITS and np.prod(shape, dtype=float) < _FEW_NUMBERS
    return ListedCoupling if few else SparseCoupling


class DenseCoupling:
    """A_12 as one array (levels, K, q_rest): BLAS does the work."""

    is_dense = gives_schur = True

    def __init__(self, rest: Rest, oriented: dict[int, Pairs]) -> None:
        layout = rest.problem.layout
        self.rest, self.oriented = rest, oriented
        self.values = np.zeros((*rest.shape_of_first, rest.size))
        for b, pairs in oriented.items():
            rows, complete = pairs.rows, len(pairs.indices) == len(self.values) * pairs.n_columns
            for a in range(layout.widths[b]):
                slab, numbers = rest.slabs[b, a], pairs.data[:, :, a]
                if complete:
                    self.values[:, :, slab] = numbers.reshape(len(self.values), -1, numbers.shape[1]).swapaxes(1, 2)
                else:
                    self.values[rows, :, slab.start + pairs.indices] = numbers
        self.flat = self.values.reshape(-1, rest.size)

    def to_rest(self, first: np.ndarray) -> np.ndarray:
        return self.flat.T @ first.reshape(len(self.flat), first.shape[2])

    def to_first(self, rest: np.ndarray) -> np.ndarray:
        return (self.flat @ rest).reshape(*self.values.shape[:2], rest.shape[1])

    def scaled(self, lams: Lams) -> np.ndarray:
        """A_12 Lambda_2, (levels, K, q_rest)."""
        if lams is None:
            return self.values
        flat = np.ascontiguousarray(self.rest.times_factor_t(lams, self.flat.T).T)
        return flat.reshape(self.values.shape)

    def subtract(self, matrix: np.ndarray, block: Eliminated, lams: Lams = None) -> None:
        right = self.scaled(lams)
        left = right = right if block.half is None else block.half @ right
        left = (block.cov * left if block.half is None else left).reshape(self.flat.shape)
        right = right.reshape(self.flat.shape)
        for start in range(0, len(matrix), _PANEL):
            panel = slice(start, start + _PANEL)
            matrix[start:, panel] -= right[:, start:].T @ left[:, panel]

    def quadratic(self, lower: np.ndarray, lams: Lams = None) -> np.ndarray:
        right = self.scaled(lams)
        left = (right.reshape(self.flat.shape) @ symmetrized(lower)).reshape(right.shape)
        return left @ right.swapaxes(1, 2)

    def dense(self) -> np.ndarray:
        return self.values

    def refilled(self, rest: Rest) -> DenseCoupling:
        return self if rest is self.rest else type(self)(rest, rest.couplings())

    def products(self, lower: np.ndarray, lams: Lams = None) -> Products:
        right = self.scaled(lams)
        left = (right.reshape(self.flat.shape) @ symmetrized(lower)).reshape(right.shape)
        layout, slabs, beside = self.rest.problem.layout, self.rest.slabs, {}
        for b, pairs in self.oriented.items():
            rows, out = pairs.rows, np.empty(pairs.data.shape)
            for a in range(layout.widths[b]):
                out[:, :, a] = left[rows, :, slabs[b, a].start + pairs.indices]
            beside[b] = out
        return Products(beside, left @ right.swapaxes(1, 2))
