"""What data must be like before a model is fitted; every failure is one message that names the column and the mend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mixedsparse.core.problem.residual_like import term_is_like_residual
from mixedsparse.core.problem.sparse_columns import SparseColumns
from mixedsparse.core.problem.terms import RandomTerm
from mixedsparse.data.formula.kinds import numbers
from mixedsparse.data.formula.parse import ParsedFormula
from mixedsparse.ground.errors import DataError, FormulaError

__all__ = [
    "check_duplicates",
    "check_finite",
    "check_levels",
    "check_plain_bars",
    "check_size",
    "check_unstructured",
    "empty_effect",
    "like_the_residual",
    "nothing_left",
    "offset",
    "response",
    "weights",
]


def response(values: Any, label: str) -> np.ndarray:
    """Response (n,) as float64; refused when not numeric, not finite or constant."""
    if np.ndim(values) != 1:
        raise FormulaError(f"The response {label!r} has {np.ndim(values)} dimensions: write one column.")
    y = numbers(values, f"The response {label!r}")
    _finite_vector(y, f"The response {label!r}")
    if y.min() == y.max():
        raise DataError(f"The response {label!r} is constant ({y[0]:g} in all {len(y)} rows): there is nothing to fit.")
    return y.copy()  # it may be the user's own column


def weights(values: Any, what: str) -> np.ndarray:
    """Weights (n,): positive and finite; `what` names them in messages."""
    w = numbers(values, what)
    bad = np.flatnonzero(~((w > 0) & np.isfinite(w)))
    if len(bad):
        raise DataError(
            f"{what} must be positive and finite, but {len(bad)} of {len(w)} are not "
            f"(e.g. {w[bad[0]]:g}): remove these rows or correct them."
        )
    return w.copy()


def offset(values: Any, what: str) -> np.ndarray:
    """Offset (n,): finite; `what` names it in messages."""
    o = numbers(values, what)
    _finite_vector(o, what)
    return o


def _finite_vector(values: np.ndarray, what: str) -> None:
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        kind = "infinite" if np.isinf(values[bad[0]]) else "NaN"
        raise DataError(
            f"{what} is {kind} in {len(bad)} of {len(values)} rows (first in row {bad[0]} of those used): remove or "
            "correct these rows (the logarithm of zero is infinite, that of a negative number NaN)."
        )


def check_finite(matrix: np.ndarray | SparseColumns, names: Sequence[str]) -> None:
    """Refuse a matrix (n, p) with NaN or infinite values, naming the column."""
    with np.errstate(all="ignore"):
        if np.isfinite(matrix.sum()):  # one pass; a sum is finite only if nothing in it is NaN or infinite
            return
    if isinstance(matrix, SparseColumns):
        bad = int(matrix.indices[~np.isfinite(matrix.data)][0])
        names, matrix = [names[bad]], matrix[:, [bad]].toarray()
    for name, column in zip(names, matrix.T, strict=True):
        _finite_vector(column, f"The term {name!r}")


def check_duplicates(terms: Sequence[RandomTerm], keys: Sequence[frozenset[str]]) -> None:
    """Refuse two terms that give the same effect to the same grouping factor (`keys`: its columns)."""
    seen: set[tuple[frozenset[str], str]] = set()
    for term, key in zip(terms, keys, strict=True):
        for column in term.columns:
            if (key, column) in seen:
                g = term.group
                raise FormulaError(
                    f"Duplicate terms: the effect {column!r} of the grouping factor {g!r} is there twice: its variance "
                    f"is not determined. Keep each effect in one term: '(1 + x | {g})' for correlated effects, "
                    f"'(1 | {g}) + (0 + x | {g})' for uncorrelated ones."
                )
        seen.update((key, column) for column in term.columns)


def nothing_left(n: int, missing: Mapping[str, int]) -> DataError:
    """Build the error for `n` rows none of which is complete; `missing` counts by column."""
    if n == 0:
        return DataError("The data have no rows: give at least a few per level of each grouping factor.")
    counts = ", ".join(f"{count} in {name!r}" for name, count in sorted(missing.items(), key=lambda item: -item[1]))
    return DataError(
        f"No rows are left: each of the {n} rows has a missing value in a variable used ({counts}). "
        "Leave out the variable that is missing most, or fill it in."
    )


def check_size(term: RandomTerm, weights: np.ndarray | None, residual: bool = True) -> None:
    """Refuse a term that has a single level, or whose variance cannot be told from the residual's, where there is one.

    The rule is that of `is_like_residual`: with rows where all columns of the term are zero, with a covariate that
    differs from level to level, or with weights that tell the rows apart, as many effects as rows do no harm.
    """
    empty = np.flatnonzero(~term.z.reshape(-1, term.k).any(axis=0))
    if len(empty):
        raise empty_effect(term, int(empty[0]))
    check_levels(term)
    if residual and term_is_like_residual(term, weights):
        raise like_the_residual(term, len(term.codes))


def check_unstructured(term: RandomTerm) -> None:
    """Refuse a covariance structure in a generalized model."""
    if term.structure is not None:
        raise FormulaError(
            f"The effects of {term.group!r} have the covariance structure {term.structure.label!r}, which generalized "
            "models do not take: write '(x | g)' for any covariance or '(x || g)' for none."
        )


def empty_effect(term: RandomTerm, position: int) -> DataError:
    """Build the error for an effect that is zero in all rows."""
    return DataError(
        f"The effect {term.columns[position]!r} of the grouping factor {term.group!r} is zero in all rows used, so "
        "its variance cannot be estimated: remove it from the term."
    )


def check_levels(term: RandomTerm) -> None:
    """Refuse a term with a single level."""
    if term.n_levels < 2:
        raise DataError(
            f"The grouping factor {term.group!r} has one level ({str(term.levels[0])!r}) in the rows used, so its "
            "variance cannot be estimated: use a factor with several levels, or remove the term."
        )


def check_plain_bars(parsed: ParsedFormula) -> None:
    """Refuse what generalized models do not take: groupings of several columns, and levels with a relationship."""
    for bar in parsed.bars:
        if bar.joint is not None:
            raise FormulaError(
                f"{bar.text!r} is for linear models: generalized ones take one level per row and independent levels. "
                f"Write '(1 | {bar.joint.atoms[0].label})' for an approximation, or fit a transformed response by lmer."
            )


def like_the_residual(term: RandomTerm, n: int) -> DataError:
    """Build the error for a term that can stand in for the residual of `n` rows."""
    effects = f"{term.n_levels} levels" + (f" times {term.k} effects" if term.k > 1 else "")
    return DataError(
        f"The grouping factor {term.group!r} has {effects}, not fewer than the {n} rows: its variance cannot be "
        "told from the residual's. Use a factor with several rows per level, or fewer effects."
        + (
            f" For the covariance of the rows within {term.group} give residual='us(visit | {term.group})'."
            if term.k > 1
            else ""
        )
    )
