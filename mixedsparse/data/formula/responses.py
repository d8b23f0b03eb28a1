"""The response of a generalized model: events out of trials, counts, or positive numbers.

=====================================  ==================================================================
0 and 1, truth values                  one trial a row; the event is 1 or True
two levels of text or categories       one trial a row; the first level is the failure, as in R
``cbind(successes, failures)``         counts of both
proportions, with trials               s = proportion times trials, which must be whole
counts of successes, with trials       whole numbers up to the trials
=====================================  ==================================================================

Zeros and ones with more than one trial a row could be either of the last two: they count as proportions, as in R, with
a warning.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedsparse.data.formula import checks
from mixedsparse.data.formula.kinds import is_factor, numbers
from mixedsparse.data.formula.outcomes import Outcome
from mixedsparse.ground.caller import user_level
from mixedsparse.ground.errors import AmbiguousResponseWarning, DataError

if TYPE_CHECKING:
    from mixedsparse.data.families import Domain

__all__ = ["Response", "bind_columns", "read_response"]

# Proportions come from a division: times the trials they miss a whole number by rounding.
_WHOLE = 1e-6


@dataclass(frozen=True, eq=False)
class Response:
    """What was observed, and how to call it.

    Attributes
    ----------
    values : ndarray, shape (n,)
        Number of events, count, or positive number.
    trials : ndarray, shape (n,), or None
        Number of trials of each row; None where the family has none.
    label : str
        What the mean is of: ``P(r2 = Y)``, ``P(incidence / size)``, ``TICKS``.
    outcome : Outcome
    """

    values: np.ndarray
    trials: np.ndarray | None
    label: str
    outcome: Outcome


@dataclass(frozen=True, eq=False)
class _Told:
    """How messages count rows: those that are here, or the observations that each of them stands for."""

    n: int
    counts: np.ndarray | None = None

    def __call__(self, wrong: np.ndarray) -> str:
        """``"3 of 100"``."""
        if self.counts is None:
            return f"{int(wrong.sum())} of {self.n}"
        counts = np.broadcast_to(self.counts, (len(wrong) // len(self.counts), len(self.counts))).T.ravel()
        return f"{int(counts[wrong].sum())} of {int(counts.sum())}"

    def place(self, row: int) -> str:
        """``" in row 7 of those used"``; rows of a source have no number."""
        return "" if self.counts is not None else f" in row {row} of those used"

    @property
    def total(self) -> int:
        """Number of observations."""
        return self.n if self.counts is None else int(self.counts.sum())


def bind_columns(successes: Any, failures: Any) -> np.ndarray:
    """R's ``cbind`` for a response: counts (n, 2) of successes and of failures."""
    columns = [np.asarray(column) for column in (successes, failures)]
    n = max(np.size(column) for column in columns)
    return np.column_stack([np.broadcast_to(column, n) for column in columns])


def read_response(
    values: Any,
    label: str,
    domain: Domain | None = None,
    trials: Any = None,
    given: str = "The trials",
    counts: np.ndarray | None = None,
) -> Response:
    """Read a response for a family.

    Parameters
    ----------
    values : array, shape (n,) or (n, 2)
        Column in its plain type, nothing missing; two columns from `bind_columns`.
    label : str
        As typed.
    domain : {"events", "counts", "positive"}, optional
        What the family is a distribution of; any number without.
    trials : array, shape (n,), optional
    given : str
        Subject of a message about the trials.
    counts : ndarray, shape (n,), optional
        How many observations each row stands for.

    Raises
    ------
    DataError
        The values are none of that family; the message says which row, and what to write.
    """
    if domain is None:
        return Response(_any_number(values, label), None, label, Outcome())
    told = _Told(len(values), counts)
    if domain == "events":
        return _events(values, label, trials, given, told)
    what = f"The response {label!r}"
    if trials is not None:
        raise DataError(f"{given} belong to binomial responses: for a rate write offset=log(exposure).")
    if np.ndim(values) != 1:
        raise DataError(f"{what} has {np.ndim(values)} dimensions: write one column.")
    y = _finite(numbers(values, what), what, told)
    if domain == "counts":
        _refuse(y, (y < 0) | (np.abs(y - np.round(y)) > _WHOLE), what, "must be whole numbers from 0 on", told)
        y = np.round(y)
    else:
        _refuse(y, y <= 0, what, "must be positive", told)
    _not_constant(y, label, told)
    return Response(y.copy(), None, label, Outcome())


def _any_number(values: Any, label: str) -> np.ndarray:
    """Response (n,) of a linear model; text of two levels is pointed to the models that take it."""
    try:
        return checks.response(values, label)
    except DataError as err:
        try:
            levels = pd.unique(np.asarray(values)) if np.ndim(values) == 1 else ()
        except TypeError:  # lists, say
            levels = ()
        if len(levels) != 2 or not is_factor(values, f"The response {label!r}"):
            raise
        raise DataError(f"{err} For the probability of one of them write mixedsparse.glmer(formula, data).") from err


def _events(values: Any, label: str, trials: Any, given: str, told: _Told) -> Response:
    what = f"The response {label!r}"
    if np.ndim(values) == 2:
        if trials is not None:
            raise DataError(f"{what} has successes and failures already: leave {_lower(given)} out.")
        return _bound(_finite(numbers(values, what), what, told), label, told)
    if np.ndim(values) != 1:
        raise DataError(f"{what} has {np.ndim(values)} dimensions: write one column, or cbind(successes, failures).")
    m = None if trials is None else _trials(trials, given, told)
    if is_factor(values, what):
        if m is not None and (m != 1).any():
            raise DataError(
                f"{what} has one answer a row: leave {_lower(given)} out, or count the answers of each row."
            )
        return _levels(values, label)
    y = _finite(numbers(values, what), what, told)
    if m is None or (m == 1).all():
        return _binary(y, label, told)
    if ((y == 0) | (y == 1)).all():
        _warn_of_both_ways(label, _lower(given))
    return _counted(y, m, label, told)


def _bound(counts: np.ndarray, label: str, told: _Told) -> Response:
    what = f"The response {label!r}"
    for column, name in zip(counts.T, ("successes", "failures"), strict=True):
        wrong = (column < 0) | (np.abs(column - np.round(column)) > _WHOLE)
        _refuse(column, wrong, f"The {name} of {label!r}", "must be whole numbers from 0 on", told)
    successes, trials = np.round(counts[:, 0]), np.round(counts.sum(axis=1))
    _refuse(trials, trials == 0, f"{what}: the numbers of trials", "must be positive", told)
    return _with_both(Response(successes, trials, f"P({label})", Outcome("pairs")), label)


def _levels(values: Any, label: str) -> Response:
    """One answer a row, of two levels."""
    if isinstance(values, pd.Categorical):
        levels, codes = values.categories, values.codes
    else:
        codes, levels = pd.factorize(np.asarray(values), sort=True)
    if len(levels) != 2:
        some = ", ".join(repr(level) for level in list(levels)[:4]) + (", ..." if len(levels) > 4 else "")
        mend = (
            f"write the event, e.g. I({label} == {levels[-1]!r}), on the left side"
            if len(levels) > 2
            else ("there is nothing to fit")
        )
        raise DataError(f"The response {label!r} has {len(levels)} levels ({some}), not two: {mend}.")
    y = np.asarray(codes, dtype=np.float64)
    event = label if levels.dtype == bool else f"{label} = {levels[1]}"
    return Response(y, np.ones(len(y)), f"P({event})", Outcome("levels", tuple(levels)))


def _binary(y: np.ndarray, label: str, told: _Told) -> Response:
    """One trial a row, 0 or 1."""
    wrong = (y != 0) & (y != 1)
    if wrong.any():
        if (y >= 0).all() and (y <= 1).all():
            raise DataError(
                f"The response {label!r} holds proportions (e.g. {y[wrong][0]:g}): say out of how many trials with "
                "trials=, a column's name or one number per row."
            )
        distinct = np.unique(y)
        mend = f"I({label} == {distinct[1]:g})" if len(distinct) == 2 else "cbind(successes, failures)"
        raise DataError(
            f"The response {label!r} holds {y[wrong][0]:g} in {told(wrong)} rows, not 0 and 1 only: "
            f"write {mend}, or give trials= for counts of successes."
        )
    return _with_both(Response(y.copy(), np.ones(len(y)), f"P({label} = 1)", Outcome()), label)


def _warn_of_both_ways(label: str, given: str) -> None:
    """Say that zeros and ones out of several trials are read as proportions."""
    warnings.warn(
        f"The response {label!r} is 0 or 1 in all rows, and {given} are more than one: these are taken as proportions, "
        f"all or none of the trials, as in R. Write cbind({label}, trials - {label}) for counts of successes.",
        AmbiguousResponseWarning,
        stacklevel=user_level(),
    )


def _counted(y: np.ndarray, m: np.ndarray, label: str, told: _Told) -> Response:
    """Proportions or counts of successes out of `m` trials."""
    what = f"The response {label!r}"
    _refuse(y, (y < 0) | (y > m), what, "must lie between 0 and the trials", told)
    kind = "proportions" if (y <= 1).all() else "counts"
    successes = y * m if kind == "proportions" else y
    wrong = np.abs(successes - np.round(successes)) > _WHOLE * np.maximum(1.0, m)
    row = int(np.argmax(wrong))
    if wrong.any():
        raise DataError(
            f"{what} is {y[row]:g} out of {m[row]:g} trials{told.place(row)}, which is {successes[row]:g} "
            "successes: not a whole number. Correct the proportion or the trials."
        )
    return _with_both(Response(np.round(successes), m, f"P({label})", Outcome(kind)), label)


def _trials(values: Any, given: str, told: _Told) -> np.ndarray:
    m = _finite(numbers(values, given), given, told)
    _refuse(m, (m < 1) | (np.abs(m - np.round(m)) > _WHOLE), given, "must be whole numbers from 1 on", told)
    return np.round(m)


def _with_both(found: Response, label: str) -> Response:
    """`found`, unless there are only successes or only failures."""
    if not found.values.any() or (found.values == found.trials).all():
        only = "failures" if not found.values.any() else "successes"
        raise DataError(f"The response {label!r} has {only} only: there is nothing to fit.")
    return found


def _not_constant(y: np.ndarray, label: str, told: _Told) -> None:
    if y.min() == y.max():
        raise DataError(
            f"The response {label!r} is constant ({y[0]:g} in all {told.total} rows): there is nothing to fit."
        )


def _finite(values: np.ndarray, what: str, told: _Told) -> np.ndarray:
    _refuse(values.ravel(), ~np.isfinite(values.ravel()), what, "must be finite", told)
    return values


def _refuse(values: np.ndarray, wrong: np.ndarray, what: str, rule: str, told: _Told) -> None:
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(
            f"{what} {rule}, but {told(wrong)} are not (first {values[row]:g}{told.place(row)}): "
            "correct or remove these rows."
        )


def _lower(subject: str) -> str:
    return subject[0].lower() + subject[1:]
