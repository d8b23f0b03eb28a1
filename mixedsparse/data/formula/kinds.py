"""What a column is: a number, a factor, or something that no model has a use for as it stands.

This is the one place that decides it, for columns and for the values of expressions, from data in memory and from
sources alike:

=================================================  ==========================================================
integers, floating-point numbers, typed decimals    a number, also where there are but two of them, as 0 and 1
truth values, plain, nullable or as objects         a factor with the levels False and True
text, categories of anything                        a factor
text that reads as numbers or times (`check_text`)  refused
dates, times, periods, durations, intervals         refused
complex numbers, ``decimal.Decimal`` objects        refused
values of several types, lists, other objects       refused
=================================================  ==========================================================

What a user calls a factor, with ``C(...)``, ``contrasts=`` or by grouping by it, is one, whatever it holds. Where only
a number can stand (the response, weights, offsets, arithmetic beside a number), truth values count as 0 and 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any

import numpy as np
import pandas as pd

from mixedsparse.data.formula.misread import MANY, misread
from mixedsparse.ground.errors import DataError

__all__ = [
    "Sort",
    "as_fitted",
    "check_text",
    "is_factor",
    "level_names",
    "numbers",
    "refusal",
    "sort_of",
    "stands_for_levels",
    "whole",
]


class Sort(Enum):
    """What values are made of."""

    NUMBERS = "numbers"
    TRUTH = "truth values"
    TEXT = "text"
    CATEGORIES = "categories"
    DATES = "dates or times"
    PERIODS = "periods"
    DURATIONS = "durations"
    INTERVALS = "intervals"
    DECIMALS = "decimal.Decimal objects"
    COMPLEX = "complex numbers"
    MIXED = "values of several types"
    OBJECTS = "objects"


_FACTORS = frozenset({Sort.TRUTH, Sort.TEXT, Sort.CATEGORIES})
_MENDS = {
    Sort.DATES: "convert it to a number, e.g. the days since the first",
    Sort.PERIODS: "convert it to a number, e.g. the periods since the first, or to text where each is a level",
    Sort.DURATIONS: "convert it to a number, e.g. with .dt.total_seconds()",
    Sort.INTERVALS: "convert it to numbers, e.g. their midpoints, or to text where each is a level",
    Sort.DECIMALS: "convert it to numbers, e.g. with .astype(float)",
    Sort.COMPLEX: "give its real part, its modulus or another real number",
    Sort.MIXED: "make all of them numbers, or all of them text",
    Sort.OBJECTS: "convert it to text or to numbers",
}
# Sorts of which a category may be one, if there are but a few of them.
_OF_TIME = frozenset({Sort.DATES, Sort.PERIODS, Sort.DURATIONS})
_BY_DTYPE = {"b": Sort.TRUTH, "c": Sort.COMPLEX, "M": Sort.DATES, "m": Sort.DURATIONS} | dict.fromkeys(
    "iuf", Sort.NUMBERS
)
# pandas' names for what an array of objects holds.
_BY_INFERENCE = {
    "boolean": Sort.TRUTH,
    "string": Sort.TEXT,
    "bytes": Sort.TEXT,
    "empty": Sort.TEXT,
    "integer": Sort.NUMBERS,
    "floating": Sort.NUMBERS,
    "mixed-integer-float": Sort.NUMBERS,
    "decimal": Sort.DECIMALS,
    "complex": Sort.COMPLEX,
    "period": Sort.PERIODS,
    "interval": Sort.INTERVALS,
    "timedelta": Sort.DURATIONS,
    "timedelta64": Sort.DURATIONS,
} | dict.fromkeys(("date", "datetime", "datetime64", "time"), Sort.DATES)


def sort_of(values: Any) -> Sort:
    """Sort of a column in its plain type (see `mixedsparse.data.formula.frames.natural`), nothing missing."""
    if isinstance(values, pd.Categorical):
        return Sort.CATEGORIES
    dtype = values.dtype
    if dtype.kind in _BY_DTYPE:
        return _BY_DTYPE[dtype.kind]
    if dtype.kind in "SU" or (not isinstance(values, np.ndarray) and pd.api.types.is_string_dtype(dtype)):
        return Sort.TEXT
    objects = np.asarray(values, dtype=object)
    found = _BY_INFERENCE.get(pd.api.types.infer_dtype(objects, skipna=True))
    if found is None:
        found = Sort.OBJECTS if len({type(value) for value in objects}) == 1 else Sort.MIXED
    return found


def stands_for_levels(sort: Sort, what: str, values: Any = ()) -> bool:
    """Whether a column of this sort is a factor (True) or a number (False).

    Parameters
    ----------
    sort : Sort
    what : str
        Subject of the message, ``"The column 'x'"``.
    values : sequence, optional
        For an example.

    Raises
    ------
    DataError
        It is neither.
    """
    if sort in _MENDS:
        raise refusal(sort, what, values)
    return sort in _FACTORS


def is_factor(values: Any, what: str) -> bool:
    """Whether `values` (plain, nothing missing) are a factor (True) or numbers (False); see `stands_for_levels`."""
    sort = sort_of(values)
    if sort in (Sort.TEXT, Sort.CATEGORIES):
        levels = values.categories if isinstance(values, pd.Categorical) else pd.unique(values)
        check_text(levels, len(values), what)
    return stands_for_levels(sort, what, values)


def numbers(values: Any, what: str) -> np.ndarray:
    """Column `values` (plain, nothing missing) as float64 (n,), truth values as 0 and 1; a DataError about `what`."""
    if values.dtype.kind in "biuf":
        return values.astype(np.float64, copy=False)
    sort = sort_of(values)
    if sort in _MENDS and sort not in (Sort.MIXED, Sort.OBJECTS):
        raise refusal(sort, what, values)
    if sort in (Sort.NUMBERS, Sort.TRUTH):
        return np.asarray(values, dtype=np.float64)
    # Lists, for one, cannot be counted.
    levels = values if sort in (Sort.OBJECTS, Sort.MIXED) else pd.unique(values)
    if sort is Sort.TEXT and (found := misread([str(level).strip() for level in levels], len(values))):
        raise DataError(f"{what} holds {found}.")
    example = ", ".join(repr(v) for v in levels[:3])
    raise DataError(f"{what} is not numeric (it holds {example}): convert it, e.g. with pandas.to_numeric.")


def refusal(sort: Sort, what: str, values: Any = ()) -> DataError:
    """Error about a column of a sort that is neither a number nor a factor."""
    found, example = sort.value, ""
    if sort is Sort.MIXED:
        kinds: dict[type, Any] = {}
        for value in values:
            kinds.setdefault(type(value), value.item() if isinstance(value, np.generic) else value)
        example = " (e.g. " + " and ".join(repr(value) for value in list(kinds.values())[:2]) + ")" if kinds else ""
    elif sort is Sort.OBJECTS and len(values):
        found = f"objects of type {type(values[0]).__name__}"
    elif sort in (Sort.PERIODS, Sort.INTERVALS, Sort.DECIMALS) and len(values):
        example = f" (e.g. {values[0]!s})"
    return DataError(f"{what} {'is complex' if sort is Sort.COMPLEX else f'holds {found}{example}'}: {_MENDS[sort]}.")


def check_text(levels: Sequence[Any], n: int, what: str) -> None:
    """Refuse text, bytes or categories, with these distinct values in `n` rows, that hold numbers, dates or times.

    Digits are good names of levels: a factor coded ``"1"``, ``"2"``, ``"3"``, or ``"0.5"``, ``"1.0"``, stays one. What
    is refused is text that

    - holds nothing but numbers, some of which have a decimal comma;
    - holds nothing but numbers and marks of missing values (``"."``, ``"NA"``, an empty text), each of which would be a
      level;
    - has more than ten distinct values, nine of ten of which are numbers with fractions among them, or dates, or times;
    - has more than ten distinct values, more than half as many as rows, nine of ten of which are numbers of any kind;

    and more than ten categories that are dates, times, periods or durations themselves.

    Raises
    ------
    DataError
        The message shows values and says how they can be read, and how to have a factor all the same.
    """
    names = [level.decode(errors="replace") if isinstance(level, bytes) else level for level in levels]
    if all(isinstance(name, str) for name in names):
        found = misread([name.strip() for name in names], n)
    else:
        sort = sort_of(np.asarray(levels)) if len(names) > MANY else Sort.CATEGORIES
        found = f"{len(names)} different {sort.value}: {_MENDS[sort]}" if sort in _OF_TIME else ""
    if found:
        raise DataError(f"{what} holds {found}. If each of them is the name of a level, write C(...) around it.")


def whole(values: np.ndarray) -> np.ndarray:
    """Floating-point numbers that are all whole as integers: a level is called ``3``, not ``3.0``."""
    if values.dtype.kind != "f":
        return values
    with np.errstate(invalid="ignore"):
        integers = values.astype(np.int64)
    return integers if np.array_equal(integers, values) else values


def level_names(levels: np.ndarray, beside: Sort) -> list[str]:
    """Names under which `levels` are found among those of another sort: True is 1 among numbers, TRUE in text."""
    sort = sort_of(levels)
    if sort is Sort.TRUTH and beside is Sort.NUMBERS:
        return [str(int(level)) for level in levels]
    names = [str(level) for level in whole(levels).tolist()]
    return [name.casefold() for name in names] if Sort.TRUTH in (sort, beside) else names


def as_fitted(values: Any, fitted: Sort, what: str) -> Any:
    """Column of new rows (plain, nothing missing) as the fit had it, which is what expressions were written for.

    Parameters
    ----------
    values : array
    fitted : Sort
        What the column held in the fit.
    what : str
        Subject of messages.

    Raises
    ------
    DataError
        The column holds something that cannot be meant by what the fit had.
    """
    found = sort_of(values)
    if found is fitted or fitted not in (Sort.NUMBERS, Sort.TRUTH, Sort.TEXT):
        return values
    if fitted is Sort.NUMBERS:
        return numbers(values, what)
    if fitted is Sort.TEXT and found is Sort.CATEGORIES:
        return values
    codes, levels = pd.factorize(np.asarray(values))
    names = level_names(np.asarray(levels), fitted)
    if fitted is Sort.TEXT and found in (Sort.NUMBERS, Sort.TRUTH):
        return np.array(names, dtype=object)[codes]
    truth = [{"0": False, "false": False, "1": True, "true": True}.get(name) for name in names]
    if fitted is Sort.TEXT or None in truth:
        odd = levels[0 if fitted is Sort.TEXT else truth.index(None)]
        raise DataError(f"{what} held {fitted.value} in the fit and holds {odd!r} in the new data: give it as there.")
    return np.array(truth, dtype=bool)[codes]
