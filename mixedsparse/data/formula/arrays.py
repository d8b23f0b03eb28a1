"""A `Design` from arrays, for users who build their own matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedsparse.core.problem.terms import RandomTerm
from mixedsparse.data.formula import checks
from mixedsparse.data.formula.alignment import aligned, labels_of
from mixedsparse.data.formula.design import Design
from mixedsparse.data.formula.frames import missing_rows, natural, open_table, take
from mixedsparse.data.formula.kinds import numbers
from mixedsparse.data.formula.responses import read_response
from mixedsparse.ground.checks import as_array
from mixedsparse.ground.errors import DataError

if TYPE_CHECKING:
    from mixedsparse.data.families import Domain

__all__ = ["array_design", "number_matrix"]


def array_design(
    y: Any,
    X: Any,
    terms: Sequence[RandomTerm],
    *,
    weights: Any = None,
    offset: Any = None,
    x_names: Sequence[str] | None = None,
    domain: Domain | None = None,
    trials: Any = None,
) -> Design:
    """Check arrays and label them.

    Parameters
    ----------
    y : array_like, shape (n,)
        Of a binomial model also (n, 2): successes and failures.
    X : array_like, shape (n, p)
        p may be 0.
    terms : sequence of RandomTerm
    weights, offset : array_like, shape (n,), optional
    x_names : sequence of str, optional
        Taken from the columns of a DataFrame, ``x0, x1, ...`` otherwise.
    domain, trials
        See `make_design`; trials are numbers, (n,).

    Raises
    ------
    DataError
        Lengths differ, values are missing or not finite, or there is no random term.
    """
    response = str(getattr(y, "name", None) or "y")
    index = labels_of(y, X)
    beside = {"X": X, "weights": weights, "offset": offset, "trials": trials}
    X, weights, offset, trials = (aligned(given, index, what) for what, given in beside.items())
    y = as_array(y, response)
    n = len(y) if np.ndim(y) else 0
    trials = None if trials is None else _vector(trials, "trials", n)
    values = y if domain == "events" and y.ndim == 2 and y.shape[1] == 2 else _vector(y, response)
    found = read_response(values, response, domain, trials)
    matrix, names = _matrix(X, n, x_names)
    if not len(terms):
        raise DataError("There is no random-effects term: give at least one RandomTerm.")
    for term in terms:
        if not isinstance(term, RandomTerm):
            raise DataError(f"terms holds {term!r}: give RandomTerm(group, codes, z) objects.")
        if len(term.codes) != n:
            raise DataError(f"The term on {term.group!r} has {len(term.codes)} rows, the response has {n}.")
    terms = [_aligned_term(term, index) for term in terms]
    for term in terms:
        checks.check_finite(term.z.reshape(-1, term.k), [f"{c} | {term.group}" for c in term.columns])
    weight_values = None if weights is None else checks.weights(_vector(weights, "weights", n), "weights")
    for term in terms:
        checks.check_size(term, weight_values, residual=domain is None)
        if domain:
            checks.check_unstructured(term)
    return Design(
        formula=_spelled(response, names, terms),
        response=found.label,
        y=found.values,
        X=matrix,
        x_names=names,
        x_terms={name: slice(i, i + 1) for i, name in enumerate(names)},
        terms=tuple(terms),
        weights=weight_values,
        offset=None if offset is None else checks.offset(_vector(offset, "offset", n), "offset"),
        index=pd.RangeIndex(n) if index is None else index,
        trials=found.trials,
    )


def _aligned_term(term: RandomTerm, index: pd.Index | None) -> RandomTerm:
    """`term` in the order of the rows; its labels have done their duty then."""
    if term.rows is None:
        return term
    at = aligned(pd.Series(np.arange(len(term.codes)), index=term.rows), index, f"the term on {term.group!r}")
    return replace(term, codes=term.codes[at], z=term.z[at], rows=None)


def _vector(values: Any, what: str, n: int | None = None) -> np.ndarray:
    out = as_array(values, what)
    if out.ndim == 2 and out.shape[1] == 1:
        out = out[:, 0]
    if out.ndim != 1 or len(out) == 0 or (n is not None and len(out) != n):
        wanted = "one number per row" if n is None else f"{n} numbers, one per row"
        raise DataError(f"{what!r} has shape {out.shape}: give {wanted}.")
    return out


def _matrix(X: Any, n: int, x_names: Sequence[str] | None) -> tuple[np.ndarray, tuple[str, ...]]:
    matrix = number_matrix(X, "X")
    if matrix.ndim != 2 or len(matrix) != n:
        raise DataError(f"X has shape {matrix.shape}: give a matrix with {n} rows, one per value of the response.")
    if x_names is None:
        columns = getattr(X, "columns", None)
        x_names = [f"x{i}" for i in range(matrix.shape[1])] if columns is None else [str(c) for c in columns]
    x_names = [x_names] if isinstance(x_names, str) else [str(name) for name in x_names]
    if len(x_names) != matrix.shape[1]:
        raise DataError(f"x_names has {len(x_names)} names for the {matrix.shape[1]} columns of X.")
    checks.check_finite(matrix, list(x_names))
    return matrix, tuple(x_names)


def number_matrix(values: Any, what: str) -> np.ndarray:
    """Array of numbers (n, k) as float64, NaN where one is missing.

    Raises
    ------
    DataError
        A column, which the message names, holds text, dates or anything else that is not a number.
    """
    if isinstance(values, pd.DataFrame):
        named = {f"The column {name!r} of {what}": values.iloc[:, j] for j, name in enumerate(values.columns)}
        return np.column_stack(
            [_numbers(column, label) for label, column in named.items()] or [np.empty((len(values), 0))]
        )
    array = as_array(values, what)
    if array.dtype.kind in "biuf" or array.ndim not in (1, 2):
        return _real(array[:, None] if array.ndim == 1 else array, what)
    columns = [array] if array.ndim == 1 else list(array.T)
    return np.column_stack([_numbers(pd.Series(column), f"Column {j} of {what}") for j, column in enumerate(columns)])


def _real(array: np.ndarray, what: str) -> np.ndarray:
    if array.dtype.kind not in "biuf":
        raise DataError(f"{what} is not numeric: give an array of numbers, factors as dummy columns.")
    return array.astype(np.float64, copy=False)


def _numbers(column: pd.Series, label: str) -> np.ndarray:
    """Numbers (n,) of a column, NaN where it is missing."""
    values = open_table({"column": column}).column("column")
    missing = missing_rows(values)
    if missing is None:
        return numbers(natural(values), label)
    out = np.full(len(column), np.nan)
    out[~missing] = numbers(natural(take(values, ~missing)), label)
    return out


def _spelled(response: str, names: Sequence[str], terms: Sequence[RandomTerm]) -> str:
    """Return a formula that describes the arrays, for printing."""
    kinds = ["" if t.structure is None else t.structure.label for t in terms]
    bars = [f"{kind}({' + '.join(t.columns)} | {t.group})" for kind, t in zip(kinds, terms, strict=True)]
    return f"{response} ~ {' + '.join([*names, *bars])}"
