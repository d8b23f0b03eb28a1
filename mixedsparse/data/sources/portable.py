"""What Ibis calls alike and databases answer differently, asked so that all of them give one answer.

PostgreSQL and DuckDB hold NaN for equal to itself and larger than all numbers; SQLite has none and keeps NULL in its
place. Some have no functions for NaN and infinities, and DuckDB answers them from the smallest and the largest value
that a file states of its columns, which leave NaN out. x - x is 0 for numbers alone, and no statistics foresee it.
"""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["as_number", "count_true", "is_infinite", "is_nan"]


def as_number(value: Any) -> Any:
    """Ibis value as float64, truth values as 0 and 1."""
    import ibis

    if not isinstance(value, ibis.Value):
        # A number with a point is a decimal one in PostgreSQL.
        return ibis.literal(repr(float(value))).cast("float64")
    if value.type().is_boolean():
        # Not every database casts them; what is missing stays so.
        return ibis.cases((value, as_number(1)), (~value, as_number(0)))
    return value if value.type().is_float64() else value.cast("float64")


def count_true(condition: Any) -> Any:
    """Aggregate that counts the rows in which a condition holds."""
    return condition.ifelse(1, 0).cast("int64").sum()


def is_infinite(value: Any) -> Any:
    """Whether a number is infinite, of either sign; NaN is not, wherever it is sorted."""
    # A negative size: NaN is above all numbers, or is compared with none.
    return -as_number(value).abs() < -sys.float_info.max


def is_nan(value: Any) -> Any:
    """Whether a number that is not missing is NaN."""
    number = as_number(value)
    return ((number - number).fill_null(0.0) != 0.0) & ~is_infinite(number)
