"""The problem: every cross-product that the criterion needs, built once and never changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from scipy.linalg import lapack

from mixedsparse.core.problem.absent_rows import are_here
from mixedsparse.core.problem.blocks import Block, BlockLayout, make_blocks, white_blocks
from mixedsparse.core.problem.correlated_rows import CorrelatedRows
from mixedsparse.core.problem.crossproducts import Pairs, cross_pairs, level_products, self_pairs
from mixedsparse.core.problem.fixed import FixedBasis, make_basis, spreads_of, spreads_of_rows
from mixedsparse.core.problem.penalty import Penalty, joined_levels, penalty_of
from mixedsparse.core.problem.reweighting import RowSums, slots_of, sum_of_logs
from mixedsparse.core.problem.sparse_basis import make_sparse_basis, products_with_basis
from mixedsparse.core.problem.sparse_columns import SparseColumns
from mixedsparse.core.problem.terms import RandomTerm, ThetaLayout, theta_order
from mixedsparse.core.residual.interface import ResidualAt
from mixedsparse.ground.threads import blas_threads

__all__ = ["Problem", "counted_problem", "make_problem"]


@dataclass(frozen=True, eq=False)
class Problem:
    """Cross-products of the whitened Z, the orthonormal basis Q of X and the residual of y on it.

    Attributes
    ----------
    terms : tuple of RandomTerm
        In theta order; `order` gives the position of each in the formula.
    basis : FixedBasis
        Q, the residual of y, and the way back to X.
    layout : BlockLayout
        Where theta stands in the blocks.
    grams : tuple of ndarray (levels, K, K)
        Diagonal blocks of Z'Z.
    pairs : dict (s, t) -> Pairs, s <= t
        Off-diagonal blocks of Z'Z. Keys (t, t) are there where levels of one block meet, in a row with several slots or
        by a known relationship, or in a group of correlated rows: pairs of levels, the first before the second.
    Zxy : tuple of ndarray (levels, K, p + 1)
        Z'[Q r].
    xy : ndarray, shape (p + 1, p + 1)
        [Q r]'[Q r].
    sum_log_weights : float
        Sum of log w, which enters the likelihood.
    root_weights : ndarray, shape (n,), or None
        Square roots of the prior weights.
    origin : Problem or None
        Of a problem with other weights: the one at whose weights whitening and Q were made; see `edits`.
    whitener : ResidualAt or None
        Of a problem with residuals that are correlated: what the rows of `origin` were whitened by; see `whitened`.
    correlated : CorrelatedRows or None
        Makes the blocks of Z'R^-1 Z whose levels share groups of correlated rows: whitened, these rows have no level.
    apart : int
        Number of columns of Q, beyond those that are here, that are orthogonal to Z and r; see `narrowed`.
    """

    n: int
    terms: tuple[RandomTerm, ...]
    order: tuple[int, ...]
    theta_layout: ThetaLayout
    basis: FixedBasis
    layout: BlockLayout
    grams: tuple[np.ndarray, ...]
    pairs: dict[tuple[int, int], Pairs]
    Zxy: tuple[np.ndarray, ...]
    xy: np.ndarray
    sum_log_weights: float
    root_weights: np.ndarray | None = field(repr=False, default=None)
    origin: Problem | None = field(repr=False, default=None)
    whitener: ResidualAt | None = field(repr=False, default=None)
    correlated: CorrelatedRows | None = field(repr=False, default=None)
    apart: int = 0

    @cached_property
    def coupled(self) -> frozenset[int]:
        """Blocks whose levels meet one another: M has more there than a block per level."""
        return frozenset(s for s, t in self.pairs if s == t)

    @property
    def effects_without_rows(self) -> int:
        """Number of random effects of levels that are there by their relationship with others only."""
        bare = {b: int((~self.grams[b].any(axis=(1, 2))).sum()) for b in self.coupled}
        return sum(self.layout.widths[b] * count for b, count in bare.items())

    @property
    def eliminable(self) -> int | None:
        """The block with most effects among those whose part of M is block diagonal; None if there is none."""
        sizes = {b: k * n for b, (k, n) in enumerate(zip(self.layout.widths, self.layout.n_levels, strict=True))}
        free = [b for b in sizes if b not in self.coupled]
        return max(free, key=sizes.__getitem__) if free else None

    @cached_property
    def penalties(self) -> tuple[Penalty | None, ...]:
        """P of each block in the place of I in M; None where levels are independent."""
        if not self.is_penalised:
            return (None,) * len(self.grams)
        owners = [self.layout.term_block.index(b) for b in range(len(self.grams))]
        return tuple(penalty_of(self.terms[t], self.pairs.get((b, b))) for b, t in enumerate(owners))

    @cached_property
    def is_penalised(self) -> bool:
        """Whether some block has a P that is not I."""
        return bool(self.coupled) and any(term.precision is not None for term in self.terms)

    @cached_property
    def log_det_penalty(self) -> float:
        """Sum of log|P x I| over the terms that have a P."""
        if not self.is_penalised:
            return 0.0
        return sum((t.k * t.precision.log_det for t in self.terms if t.precision is not None), 0.0)

    def related(self, vectors: list[np.ndarray]) -> list[np.ndarray]:
        """P^-1 times block vectors (levels, K, ...); the vectors themselves where P is I."""
        if not self.is_penalised:
            return vectors
        pairs = zip(self.penalties, vectors, strict=True)
        return [v if penalty is None else penalty.relationship.times(v) for penalty, v in pairs]

    @property
    def p(self) -> int:
        """Number of fixed effects that are estimated."""
        return len(self.basis.kept)

    @property
    def has_rows(self) -> bool:
        """Whether the observations are in memory; a problem that was aggregated from a source has their sums only."""
        return are_here(self.basis.q)

    @property
    def n_theta(self) -> int:
        """Number of entries of theta."""
        return self.theta_layout.size

    @property
    def n_covariance(self) -> int:
        """Number of covariance parameters: fewer than entries of theta where terms have structures."""
        return sum(term.n_theta if term.structure is None else term.structure.size for term in self.terms)

    @property
    def is_structured(self) -> bool:
        """Whether the covariance of some term has a structure."""
        return any(term.structure is not None for term in self.terms)

    def degrees(self, reml: bool) -> int:
        """Divisor of the residual sum of squares: n - p for REML, n for ML."""
        return self.n - self.p - self.apart if reml else self.n

    @cached_property
    def blocks(self) -> list[Block]:
        """Whitened bases of the blocks times the root weights, row by row."""
        if self.origin is None:
            return make_blocks(self.terms, self.root_weights, self.n)[0]
        if self.whitener is not None:
            assert self.correlated is None, "whitened rows have no level of their own"
            return white_blocks(self.origin.blocks, self.whitener)
        change = root_change(self)
        return [replace(b, z=b.z * _beside(change, b.z), unit=False) for b in self.origin.blocks]

    @cached_property
    def columns(self) -> np.ndarray:
        """[Q r] times the root weights, row by row, (n, p + 1)."""
        return np.column_stack([self.basis.q, self.basis.residual])

    @cached_property
    def slots(self) -> dict[tuple[int, int], np.ndarray]:
        """Position of each row, (n,), among the blocks of each pair."""
        return slots_of(self.blocks, self.pairs)

    @cached_property
    def level_sizes(self) -> list[np.ndarray]:
        """Number of rows of each level, (levels,) per block."""
        return [np.bincount(block.codes.ravel(), minlength=block.n_levels) for block in self.blocks]

    @cached_property
    def row_sums(self) -> RowSums:
        """Makes sums over the rows of `blocks` with further weights."""
        return RowSums(self.blocks, self.pairs, self.slots)

    @cached_property
    def spreads(self) -> tuple[np.ndarray, ...]:
        """Standard deviation over mean of the columns of X that are kept, and of each term in theta order.

        In X, and in a term with an intercept, the first column counts as the constant, and has none: infinity.
        """
        random = [
            spreads_of_rows(term.z)
            if self.has_rows and term.columns[0] != "Intercept" and term.z.ndim == 2
            else spreads_of(root)
            for term, root in zip(self.terms, self.layout.whiten, strict=True)
        ]
        return (spreads_of(self.basis.root), *random)

    @cached_property
    def from_block(self) -> np.ndarray:
        """Inverse of the whitening of theta, shape (m, m)."""
        return np.asarray(lapack.dtrtri(self.layout.to_block, lower=1)[0]) if self.terms else np.empty((0, 0))


def make_problem(
    y: np.ndarray, X: np.ndarray | SparseColumns, terms: Sequence[RandomTerm], weights: np.ndarray | None = None
) -> Problem:
    """Build the cross-products of y (n,), X (n, p) and `terms`.

    Parameters
    ----------
    y : ndarray, shape (n,)
        Response, offset already subtracted.
    X : ndarray, shape (n, p)
        Fixed-effects design; dependent columns are dropped.
    terms : sequence of RandomTerm
        In formula order.
    weights : ndarray, shape (n,), optional
        Positive prior weights: Var(e_i) = sigma^2 / w_i.
    """
    rows, columns = X.shape
    with blas_threads(float(columns if isinstance(X, SparseColumns) else rows) * columns**2):
        return _make_problem(y, X, terms, weights)


def counted_problem(X: np.ndarray, terms: Sequence[RandomTerm], counts: np.ndarray | None) -> Problem:
    """Build the cross-products of rows without a response; each stands for `counts` (n,) equal ones (None: for one).

    The blocks and Q of the problem are those of the rows times the roots of the counts, which count as its weights.
    """
    with blas_threads(float(X.size) * X.shape[1]):
        return _make_problem(np.zeros(len(X)), X, terms, counts, None if counts is None else int(counts.sum()))


def _make_problem(
    y: np.ndarray,
    X: np.ndarray | SparseColumns,
    terms: Sequence[RandomTerm],
    weights: np.ndarray | None,
    n: int | None = None,
) -> Problem:
    order = theta_order(terms)
    ordered = tuple(terms[i] for i in order)
    root_weights = None if weights is None else np.sqrt(weights)
    blocks, layout = make_blocks(ordered, root_weights, n)
    if isinstance(X, SparseColumns):
        basis = make_sparse_basis(X, y, root_weights)
        products, xy = products_with_basis(blocks, basis)
    else:
        basis = make_basis(X, y, root_weights)
        columns = np.column_stack([basis.q, basis.residual])
        products, xy = [level_products(b, columns) for b in blocks], columns.T @ columns
    return Problem(
        n=len(y) if n is None else n,
        terms=ordered,
        order=tuple(order),
        theta_layout=ThetaLayout.of(ordered),
        basis=basis,
        layout=layout,
        grams=tuple(grams for grams, _ in products),
        pairs=_all_pairs(blocks, joined_levels(ordered, layout)),
        Zxy=tuple(sums for _, sums in products),
        xy=xy,
        sum_log_weights=0.0 if weights is None else sum_of_logs(weights),
        root_weights=root_weights,
    )


def _beside(factors: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Factors (n,) of the rows in a shape that multiplies a basis z (n, ...)."""
    return factors.reshape(-1, *[1] * (z.ndim - 1))


def root_change(problem: Problem) -> np.ndarray:
    """Root weights of a problem over those of the one that it came from, (n,)."""
    assert problem.origin is not None
    assert problem.root_weights is not None
    before = problem.origin.root_weights
    return problem.root_weights if before is None else problem.root_weights / before


def _all_pairs(
    blocks: Sequence[Block], relations: dict[int, tuple[np.ndarray, np.ndarray]]
) -> dict[tuple[int, int], Pairs]:
    out = {(s, t): cross_pairs(blocks[s], blocks[t]) for s in range(len(blocks)) for t in range(s + 1, len(blocks))}
    for b, block in enumerate(blocks):
        if block.codes.ndim == 2 or b in relations:
            out[b, b] = self_pairs(block, relations.get(b))
    return out
