"""A problem from sums over levels, without any observation.

The sums are taken of working columns U, centred and scaled, of which the columns of X, y and Z are known combinations:
[X y] = [U v] B, with v the centred and scaled response. Large means, and the cancellation that they bring, stand in B
only, so that y + 1e8 or a covariate far from zero lose no digits, as in `mixedsparse.core.problem.fixed`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack, solve_triangular

from mixedsparse.core.problem.absent_rows import ELSEWHERE
from mixedsparse.core.problem.blocks import BlockLayout, make_layout
from mixedsparse.core.problem.crossproducts import Pairs
from mixedsparse.core.problem.fixed import FixedBasis, independent_columns, is_noise, log_det_of
from mixedsparse.core.problem.problem import Problem
from mixedsparse.core.problem.terms import RandomTerm, ThetaLayout
from mixedsparse.core.problem.whitening import factor_columns, is_doubtful, whitening
from mixedsparse.ground.limits import LIMITS
from mixedsparse.ground.mapped import roomy

__all__ = ["Aggregates", "PlainSums", "aggregated_problem", "constant_column", "root_of"]

# Sums of up to 1e8 products leave about this share of them behind as rounding: a smaller pivot counts as none.
_ROUNDING = 1e-11
# Columns from which on a root is asked of LAPACK, which knows of no columns to leave out.
_MANY = 200
# Blocks of pairs of levels that are worked on at a time.
_AT_ONCE = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Aggregates:
    """Sums over observations, each times its prior weight.

    Attributes
    ----------
    n : int
        Number of observations.
    terms : tuple of RandomTerm
        In theta order, without rows.
    order : tuple of int
        Position of each term in the formula.
    owner : tuple of int
        Block of each term: terms on one grouping factor share one.
    maps : tuple of ndarray (U_b, k)
        Z of each term = working columns of its block @ map.
    products : ndarray, shape (u + 1, u + 1)
        [U v]'[U v]; the first working column is constant, 1.
    columns : ndarray, shape (u + 1, P + 1)
        B: [X y] = [U v] B.
    intercept : int
        Column of X that is the constant; -1 when there is none.
    grams : tuple of ndarray (levels, U_b, U_b)
        Of the working columns of each block.
    sums : tuple of ndarray (levels, U_b, u + 1)
        Of the working columns of each block and [U v].
    pairs : dict (s, t) -> Pairs, s < t
        Of the working columns of two blocks.
    sum_log_weights : float or None
        None when the observations have no weights.
    """

    n: int
    terms: tuple[RandomTerm, ...]
    order: tuple[int, ...]
    owner: tuple[int, ...]
    maps: tuple[np.ndarray, ...]
    products: np.ndarray
    columns: np.ndarray
    intercept: int
    grams: tuple[np.ndarray, ...]
    sums: tuple[np.ndarray, ...]
    pairs: Mapping[tuple[int, int], Pairs]
    sum_log_weights: float | None


@dataclass(frozen=True, slots=True, eq=False)
class PlainSums:
    """Sums over rows that are not in memory, without weights.

    Attributes
    ----------
    x_root : ndarray, shape (r, P)
        R with R'R = X'X; the first row is sqrt(n) times the means of the columns.
    z_moments : tuple of ndarray (k, k)
        Z'Z / n of each term, formula order, levels together.
    quantiles : ndarray, shape (5,), or None
        Least, quartiles and greatest of the scaled residuals, where the rows were in memory once.
    trials : int or None
        Number of trials in total, where a row may have several.
    """

    x_root: np.ndarray
    z_moments: tuple[np.ndarray, ...]
    quantiles: np.ndarray | None = None
    trials: int | None = None


def aggregated_problem(found: Aggregates, mapped: float = LIMITS.mapped) -> Problem:
    """Turn the sums into the cross-products of whitened Z, orthonormal Q and the residual of y; see `Limits.mapped`."""
    basis, combine, xy = _basis(found)
    layout, bases = _whitened(found)
    pairs = {(s, t): _combined(p, bases[s], bases[t], mapped) for (s, t), p in found.pairs.items()}
    return Problem(
        n=found.n,
        terms=found.terms,
        order=found.order,
        theta_layout=ThetaLayout.of(found.terms),
        basis=basis,
        layout=layout,
        grams=tuple(m.T @ g @ m for g, m in zip(found.grams, bases, strict=True)),
        pairs=pairs,
        Zxy=tuple(m.T @ s @ combine for s, m in zip(found.sums, bases, strict=True)),
        xy=xy,
        sum_log_weights=found.sum_log_weights or 0.0,
        root_weights=None if found.sum_log_weights is None else ELSEWHERE,
    )


def constant_column(B: np.ndarray) -> int:
    """Return 0 if the first column of X is a multiple of the constant, the first working column; -1 otherwise."""
    return 0 if B.shape[1] > 1 and B[0, 0] != 0 and not B[1:, 0].any() else -1


def root_of(gram: np.ndarray) -> np.ndarray:
    """Upper triangular R (u, u) with R'R = `gram`; a zero row for a column that depends on those before it."""
    scale = np.sqrt(np.diag(gram))
    scale = np.where(scale > 0, scale, 1.0)
    rest = gram / np.outer(scale, scale)
    if len(rest) > _MANY:
        found, info = lapack.dpotrf(rest, lower=0, clean=1)
        if info == 0 and np.diagonal(found).min() ** 2 > _ROUNDING:
            return np.asarray(found * scale)
    root = np.zeros_like(rest)
    for j in range(len(rest)):
        if rest[j, j] > _ROUNDING:
            root[j, j:] = rest[j, j:] / np.sqrt(rest[j, j])
            rest = rest - np.outer(root[j], root[j])
    return root * scale


def _basis(found: Aggregates) -> tuple[FixedBasis, np.ndarray, np.ndarray]:
    """Basis of X; [Q r] in terms of [U v], shape (u + 1, p + 1); and [Q r]'[Q r]."""
    B, constant, p = found.columns, found.intercept, found.columns.shape[1] - 1
    # A small matrix with the cross-products of [X y]; its first row is the direction of the constant.
    small = root_of(found.products) @ B
    means = np.zeros(p + 1)
    if constant >= 0:
        means = small[0] / small[0, constant]
        means[constant] = 0.0
    B = B - np.outer(B[:, constant], means)
    centred = small.copy()
    centred[0, means != 0] = 0.0
    scale = np.linalg.norm(centred[:, :p], axis=0)
    noise = is_noise(scale, np.linalg.norm(small[:, :p], axis=0))
    scale[noise | (scale == 0)] = 1.0
    columns = np.where(noise, 0.0, centred[:, :p] / scale)
    q, root, kept = independent_columns(columns)
    root = root * scale[kept]
    C = B[:, kept] @ np.linalg.inv(root)
    # Q'1, whose entries beside the first are exactly 0: rounding would be multiplied by the mean of y.
    ones = root[:, constant] if constant >= 0 else np.zeros(len(kept))
    if constant >= 0:
        root = root + np.outer(root[:, constant], means[kept])
    shift, residual, r = np.zeros(len(kept)), centred[:, p], B[:, p]
    for _ in range(2):
        step = q.T @ residual
        shift, residual, r = shift + step, residual - q @ step, r - C @ step
    shift = shift + means[p] * ones
    alias = solve_triangular(root, q.T @ small[:, np.setdiff1d(np.arange(p), kept)]) if len(kept) else np.empty((0, 0))
    basis = FixedBasis(kept, ELSEWHERE, ELSEWHERE, root, shift, log_det_of(root), constant >= 0, alias)
    both = np.column_stack([q, residual])
    return basis, np.column_stack([C, r]), both.T @ both


def _whitened(found: Aggregates) -> tuple[BlockLayout, list[np.ndarray]]:
    """Layout of the blocks, and the whitened columns of each in terms of its working columns, (U_b, K)."""
    whiten, pieces = [], [[] for _ in found.grams]  # type: list[np.ndarray], list[list[np.ndarray]]
    for b, columns in zip(found.owner, found.maps, strict=True):
        basis, transform = _whiten(found.grams[b].sum(axis=0), columns, found.n)
        whiten.append(transform)
        pieces[b].append(basis)
    return make_layout(found.terms, found.owner, whiten), [np.hstack(p) for p in pieces]


def _whiten(gram: np.ndarray, columns: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Whitened `columns` (U_b, k) of working columns with cross-products `gram`, in terms of these, and T."""
    product = columns.T @ gram @ columns / n
    root = root_of(gram)
    if is_doubtful(product) and np.diagonal(root).all():
        # What is far from 0 stands in `columns`; the working columns are not.
        basis, transform = factor_columns(root @ columns, n)
        return np.asarray(lapack.dtrtrs(root, basis)[0]), transform
    transform = np.diag(np.sqrt(np.diagonal(product))) if is_doubtful(product) else whitening(product)
    inverse, _ = lapack.dtrtri(transform, lower=1)
    return columns @ inverse, transform


def _combined(pairs: Pairs, left: np.ndarray, right: np.ndarray, mapped: float) -> Pairs:
    if _is_identity(left) and _is_identity(right):
        return pairs
    out = roomy((len(pairs.data), left.shape[1], right.shape[1]), np.float64, mapped)
    for start in range(0, len(out), _AT_ONCE):
        piece = slice(start, start + _AT_ONCE)
        out[piece] = left.T @ pairs.data[piece] @ right
    return Pairs(pairs.indptr, pairs.indices, out, pairs.n_columns)


def _is_identity(matrix: np.ndarray) -> bool:
    return matrix.shape[0] == matrix.shape[1] and bool((matrix == np.eye(len(matrix))).all())
