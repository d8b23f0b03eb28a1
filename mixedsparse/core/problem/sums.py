"""A problem from sums over levels, without any observation.

The sums are taken of working columns U, centred and scaled, of which the columns of X, y and Z are known combinations:
[X y] = [U v] B, with v the centred and scaled response. Large means, and the cancellation that they bring, stand in B
only, so that y + 1e8 or a covariate far from zero lose no digits, as in `mixedsparse.core.problem.fixed`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.linalg import lapack, solve_triangular

from mixedsparse.core.problem.absent_rows import ELSEWHERE
from mixedsparse.core.problem.blocks import BlockLayout, make_layout
from mixedsparse.core.problem.crossproducts import Pairs
from mixedsparse.core.problem.fixed import FixedBasis, independent_columns, is_noise, log_det_of
from mixedsparse.core.problem.problem import Problem
from mixedsparse.core.problem.sparse_columns import ordered_root
from mixedsparse.core.problem.terms import RandomTerm, ThetaLayout
from mixedsparse.core.problem.whitening import factor_columns, is_doubtful, whitening
from mixedsparse.ground.limits import LIMITS
from mixedsparse.ground.mapped import roomy

__all__ = ["Aggregates", "PlainSums", "aggregated_problem", "constant_column", "root_of"]

# Sums of up to 1e8 products leave about this share of them behind as rounding: a smaller pivot counts as none.
_ROUNDING = 1e-11
# Columns from which on a root is made panel by panel, and from which on matrices that are mostly 0 are taken as such.
_MANY, _WIDE = 200, 1000
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
    basis, combined, xy = _triangular_basis(found) or _basis(found)
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
        Zxy=tuple(combined(m.T @ s) for s, m in zip(found.sums, bases, strict=True)),
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
        return ordered_root(rest, _ROUNDING, _ROUNDING) * scale
    root = np.zeros_like(rest)
    for j in range(len(rest)):
        if rest[j, j] > _ROUNDING:
            root[j, j:] = rest[j, j:] / np.sqrt(rest[j, j])
            rest = rest - np.outer(root[j], root[j])
    return root * scale


Combined = Callable[[np.ndarray], np.ndarray]


def root_times(products: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Small matrix (u, P) with the cross-products of U B, from U'U, `products` (u, u), and B, `columns` (u, P)."""
    root = root_of(products)
    if columns.shape[1] <= _WIDE:
        return np.asarray(root @ columns)
    return np.asarray((sparse.csc_array(columns).T @ root.T).T)


def _triangular_basis(found: Aggregates) -> tuple[FixedBasis, Combined, np.ndarray] | None:
    """Return what `_basis` does for many columns of X that are the working columns, up to a constant, in their order.

    Their root is triangular then, and need not be made so. None where they are not.
    """
    B, constant, p = found.columns, found.intercept, found.columns.shape[1] - 1
    if p <= _WIDE or constant < 0:
        return None
    small = root_times(found.products, B)
    if len(small) < p or np.tril(small[:, :p], -1).any():
        return None
    length = np.linalg.norm(small[:, :p], axis=0)
    means = small[0] / small[0, constant]
    means[constant] = 0.0
    small[0, means != 0] = 0.0
    # Where a working column depends on others its row of the root is 0.
    independent = (np.diagonal(small)[:p] != 0.0) & ~is_noise(np.linalg.norm(small[:, :p], axis=0), length)
    kept, dropped = np.flatnonzero(independent), np.flatnonzero(~independent)
    if small[dropped, :p].any():
        return None
    root, residual = np.asfortranarray(small[np.ix_(kept, kept)]), np.delete(small[:, p], kept)
    step = small[kept, p]
    columns = B[:, kept]
    columns = columns - np.outer(B[:, constant], means[kept])
    r = B[:, p] - B[:, constant] * means[p] - columns @ lapack.dtrtrs(root, step)[0]
    inner = root.copy(order="F")

    def combined(sums: np.ndarray) -> np.ndarray:
        flat = sums.reshape(-1, sums.shape[-1])
        solved = lapack.dtrtrs(inner, (flat @ columns).T, trans=1)[0].T
        return np.column_stack([solved, flat @ r]).reshape(*sums.shape[:-1], -1)

    ones = root[0, 0]
    root[0] += ones * means[kept]
    left_out = small[np.ix_(kept, dropped)]
    left_out[0] += ones * means[dropped]
    alias = lapack.dtrtrs(root, left_out)[0] if len(dropped) else np.empty((len(kept), 0))
    shift = step.copy()
    shift[0] += means[p] * ones
    xy = np.eye(len(kept) + 1)
    xy[-1, -1] = float(residual @ residual)
    return FixedBasis(kept, ELSEWHERE, ELSEWHERE, root, shift, log_det_of(root), True, alias), combined, xy


def _basis(found: Aggregates) -> tuple[FixedBasis, Combined, np.ndarray]:
    """Basis of X; what makes Z'[Q r] of Z'[U v], (..., u + 1); and [Q r]'[Q r]."""
    B, constant, p = found.columns, found.intercept, found.columns.shape[1] - 1
    # A small matrix with the cross-products of [X y]; its first row is the direction of the constant.
    small = root_times(found.products, B)
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
    both, combine = np.column_stack([q, residual]), np.column_stack([C, r])
    return basis, lambda sums: np.asarray(sums @ combine), both.T @ both


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
