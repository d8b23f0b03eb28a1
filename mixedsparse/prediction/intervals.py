"""Variance of the error of a predicted mean, from the joint covariance of beta and b.

With b-tilde the modes at the true beta, b-tilde - b is uncorrelated with beta-hat (Henderson 1975, Biometrics 31,
423-447), and b-hat = b-tilde - G Z'V_0^-1 X (beta-hat - beta), G = Lambda Lambda'. For a row with fixed part x and
random part z (known levels only), in units of sigma^2,

    Var(x'beta-hat + z'b-hat - x'beta - z'b) = a'K a + z'Lambda M^-1 Lambda'z,    a = x - H_x'G z,    H_x = Z'V_0^-1 X

with K = (X'V_0^-1 X)^-1. A random effect that is predicted as 0 adds its prior variance z'Sigma z. The covariance
parameters are taken as known.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import solve_triangular

from mixedsparse.core.likelihood.interface import Factored
from mixedsparse.core.likelihood.pls import Pls
from mixedsparse.core.problem.blocks import BlockLayout
from mixedsparse.core.problem.forms import quadratic_forms
from mixedsparse.core.problem.problem import Problem
from mixedsparse.core.problem.slots import per_slot, row_variances
from mixedsparse.core.problem.sparse_columns import SparseColumns
from mixedsparse.fitted.digits import known_variances
from mixedsparse.ground.caller import user_level
from mixedsparse.ground.errors import BackendError, UndefinedTestWarning
from mixedsparse.ground.limits import Limits
from mixedsparse.ground.threads import blas_threads
from mixedsparse.prediction.rows import Rows, dense_rows

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = [
    "RandomPart",
    "error_variance",
    "modes_variance",
    "random_parts",
    "random_variance",
    "unknown_variance",
    "variance_by_row",
]


@dataclass(frozen=True, slots=True, eq=False)
class RandomPart:
    """Random part of the rows in one grouping factor: codes (r,), whitened z (r, K), 0 where the level is unknown."""

    block: int
    codes: np.ndarray
    z: np.ndarray
    levels: np.ndarray


def error_variance(fitted: Fitted, rows: Rows, groups: Collection[str]) -> np.ndarray:
    """Variance (r,) of the error of the means of `rows` over the random effects of `groups`, in y^2.

    Random effects of the other terms of `rows` add their prior variance, as those of unknown levels do. NaN, with a
    warning, where it hangs on covariance parameters that are not identified.
    """
    problem, pls = fitted.problem, fitted.fit.search.pls
    with blas_threads(fitted.work):
        parts = random_parts(fitted, rows, groups)
        a = _fixed_part(rows.X, problem, pls, parts)
        variance = quadratic_forms(a, pls.K)
        if parts:
            variance += random_variance(problem.layout, pls.factor, parts, fitted.model.engines.limits)
    variance = known_variances(variance + unknown_variance(fitted, rows, groups), "variances of predicted means")
    return np.where(_hanging(fitted, rows, groups), np.nan, fitted.sigma2 * variance)


def unknown_variance(fitted: Fitted, rows: Rows, groups: Collection[str]) -> np.ndarray:
    """Prior variance (r,), over sigma^2, of the random effects of `rows` that are predicted as 0."""
    out = np.zeros(rows.n)
    for term, new, lam in zip(fitted.problem.terms, rows.terms, fitted.fit.templates, strict=True):
        if new is not None:
            if term.group not in groups:
                out += row_variances(new.codes, new.z, lam, term.precision)
                continue
            for codes, z in per_slot(new.codes, new.z):
                out += np.where(codes < 0, np.square(z @ lam).sum(axis=1), 0.0)
    return out


def _hanging(fitted: Fitted, rows: Rows, groups: Collection[str]) -> np.ndarray:
    """Mask (r,) of rows whose variance moves with parameters that are not identified, with a warning.

    The mean of a known level stays: what its random effect may add, the fixed part takes away.
    """
    loose, found = np.zeros(rows.n, dtype=bool), fitted.fit.unidentified
    if found is None:
        return loose
    moved = found.moves(np.nan_to_num(dense_rows(rows.X)), fitted.fit.cov_beta)
    for t, (term, new) in enumerate(zip(fitted.problem.terms, rows.terms, strict=True)):
        if found.concerns(t, range(term.k)):
            loose |= moved if new is None else _has_unknown(new.codes) | (term.group not in groups)
    if loose.any():
        warnings.warn(
            f"The data do not identify {', '.join(found.names)}, on which {np.count_nonzero(loose)} of {rows.n} "
            "intervals depend: they are NaN. See fit.certificate.",
            UndefinedTestWarning,
            stacklevel=user_level(),
        )
    return loose


def _has_unknown(codes: np.ndarray) -> np.ndarray:
    """Mask (r,) of the rows that have a level which the fit has not seen."""
    return codes < 0 if codes.ndim == 1 else (codes < 0).any(axis=1)


def random_parts(fitted: Fitted, rows: Rows, groups: Collection[str]) -> list[RandomPart]:
    """One part per grouping factor of `groups`, and slot, by decreasing number of levels that occur."""
    problem = fitted.problem
    layout = problem.layout
    made: dict[tuple[int, str, int], tuple[np.ndarray, np.ndarray]] = {}
    for t, (term, new) in enumerate(zip(problem.terms, rows.terms, strict=True)):
        if term.group not in groups:
            continue
        assert new is not None
        block, start = layout.term_block[t], layout.term_start[t]
        for slot, (own, basis) in enumerate(per_slot(new.codes, new.z)):
            codes, z = made.setdefault((block, term.group, slot), (own, np.zeros((rows.n, layout.widths[block]))))
            known = np.where((codes < 0)[:, None], 0.0, np.nan_to_num(basis))
            z[:, start : start + term.k] = solve_triangular(layout.whiten[t], known.T, lower=True, trans="T").T
    parts = [
        RandomPart(block, np.maximum(codes, 0), z, np.unique(codes[codes >= 0]))
        for (block, *_), (codes, z) in made.items()
    ]
    return sorted(parts, key=lambda part: -part.z.shape[1] * len(part.levels))


def _fixed_part(X: np.ndarray | SparseColumns, problem: Problem, pls: Pls, parts: list[RandomPart]) -> np.ndarray:
    """Return a (r, p) in the orthonormal basis of X."""
    known, root, H = np.nan_to_num(dense_rows(X)), problem.basis.root, problem.related(pls.Hx)
    a = solve_triangular(root, known.T, trans="T").T if len(root) else known
    for part in parts:
        lam = pls.lams[part.block]
        a = a - np.einsum("rk,rkp->rp", part.z @ (lam @ lam.T), H[part.block][part.codes])
    return a


def random_variance(layout: BlockLayout, factor: Factored, parts: list[RandomPart], limits: Limits) -> np.ndarray:
    """Return z'Lambda M^-1 Lambda'z of each row (r,), in the way that is quickest for so many of them."""
    few = len(parts[0].z) <= limits.rows_alone
    return (variance_by_row if few or not factor.knows_all_levels else modes_variance)(layout, factor, parts, limits)


def modes_variance(layout: BlockLayout, factor: Factored, parts: list[RandomPart], limits: Limits) -> np.ndarray:
    """Return z'Lambda M^-1 Lambda'z of each row (r,).

    Only the blocks of Lambda M^-1 Lambda' that belong to pairs of levels of one row are wanted: those on the diagonal
    come from the selected inverse, the others from solving for the levels of all factors but the largest.
    """
    out = np.zeros(len(parts[0].z))
    for i in range(1, len(parts)):
        out += 2.0 * _covariances_with(layout, factor, parts[i], parts[:i], limits.solved)
    covariances = factor.conditional_covariances()
    for part in parts:
        out += np.einsum("ra,rab,rb->r", part.z, covariances[part.block][part.codes], part.z)
    return out


def variance_by_row(layout: BlockLayout, factor: Factored, parts: list[RandomPart], limits: Limits) -> np.ndarray:
    """Return the same from a solution for each row, where nothing is factorised."""
    count = len(parts[0].z)
    if count > limits.rows_solved:
        raise BackendError(
            f"After an iterative fit an interval costs a solution of the whole system, and {count:,} rows are asked "
            f"for: give at most {limits.rows_solved:,} rows of newdata at a time, or interval=None."
        )
    out = np.zeros(count)
    step = max(1, limits.solved // layout.q)
    for start in range(0, count, step):
        rows = np.arange(start, min(start + step, count))
        columns = np.arange(len(rows))
        sides = [np.zeros((n, k, len(rows))) for n, k in zip(layout.n_levels, layout.widths, strict=True)]
        for part in parts:
            sides[part.block][part.codes[rows], :, columns] += part.z[rows]
        out[rows] = factor.forms(sides)
    return out


def _covariances_with(
    layout: BlockLayout, factor: Factored, part: RandomPart, others: list[RandomPart], numbers: int
) -> np.ndarray:
    """Sum over `others` of z_other'(Lambda M^-1 Lambda')z_part, (r,)."""
    out = np.zeros(len(part.z))
    width = part.z.shape[1]
    order = np.argsort(part.codes, kind="stable")
    ordered = part.codes[order]
    step = max(1, numbers // (layout.q * width))
    for start in range(0, len(part.levels), step):
        levels = part.levels[start : start + step]
        first, last = np.searchsorted(ordered, levels[0]), np.searchsorted(ordered, levels[-1], side="right")
        rows = order[first:last]
        modes, _ = factor.solve(_units(layout, part.block, levels))
        place = np.searchsorted(levels, part.codes[rows])
        for other in others:
            solved = modes[other.block].reshape(layout.n_levels[other.block], -1, len(levels), width)
            blocks = solved[other.codes[rows], :, place]
            out[rows] += np.einsum("ra,rab,rb->r", other.z[rows], blocks, part.z[rows])
    return out


def _units(layout: BlockLayout, block: int, levels: np.ndarray) -> list[np.ndarray]:
    """Columns of the identity that belong to `levels` of `block`, as block vectors."""
    width = layout.widths[block]
    columns = len(levels) * width
    out = [np.zeros((n, k, columns)) for n, k in zip(layout.n_levels, layout.widths, strict=True)]
    effect = np.tile(np.arange(width), len(levels))
    out[block][np.repeat(levels, width), effect, np.arange(columns)] = 1.0
    return out
