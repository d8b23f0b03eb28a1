"""The columns of a source that a formula uses: complete rows, levels of factors, moments of numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import and_
from typing import Any

import numpy as np

from mixedsparse.data.formula.frames import natural, open_table
from mixedsparse.data.formula.grouping import factorise
from mixedsparse.data.formula.kinds import Sort
from mixedsparse.data.sizes import LARGEST, too_large
from mixedsparse.data.sources.database import Database, inside
from mixedsparse.data.sources.expressions import Standardised
from mixedsparse.data.sources.portable import as_number, count_true, is_infinite, is_nan
from mixedsparse.data.sources.working import Number
from mixedsparse.ground.errors import DataError

__all__ = ["Factor", "Moments", "SourceColumns", "code_key", "sort_of_type"]


def code_key(column: str) -> str:
    """Key of the factor that `column` makes, and name of its codes: no other column of ours begins so."""
    return f"code {column}"


def sort_of_type(dtype: Any) -> Sort:
    """Sort of a column of this type of Ibis."""
    if dtype.is_boolean():
        return Sort.TRUTH
    if dtype.is_numeric():
        return Sort.NUMBERS
    if dtype.is_string() or dtype.is_null():
        return Sort.TEXT
    if dtype.is_interval():
        return Sort.DURATIONS
    return Sort.DATES if dtype.is_temporal() else Sort.OBJECTS


@dataclass(frozen=True, slots=True, eq=False)
class Factor:
    """A column of codes.

    Attributes
    ----------
    label : str
    expression : ibis Value
        What has the levels.
    raw : pyarrow Array
        Distinct values as the database has them.
    codes : ndarray of int
        Code of each of them.
    levels : ndarray
        Labels in order, as for data in memory.
    """

    label: str
    expression: Any
    raw: Any
    codes: np.ndarray
    levels: np.ndarray


@dataclass(eq=False)
class SourceColumns:
    """Rows of a source without those in which a column used is missing.

    Parameters
    ----------
    database : Database
    used : sequence of str
        Columns that must not be missing.

    Attributes
    ----------
    table : ibis Table
        Complete rows.
    total, n : int
        Numbers of rows, all and complete ones.
    missing : dict
        Number of missing values in each column that has any.
    factors : dict
        Factors that were read, by `code_key` of the column or of the code of an expression.
    keys : dict
        Key of the factor that each code of a grouping factor stands for.
    """

    database: Database
    used: Sequence[str]
    table: Any = field(init=False)
    total: int = field(init=False)
    n: int = field(init=False)
    missing: Mapping[str, int] = field(init=False)
    factors: dict[str, Factor] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        table = self.database.table
        self._check_types()
        absent = {name: _missing(table[name]) for name in self.used}
        counts = {f"missing{i}": count_true(mask) for i, mask in enumerate(absent.values())}
        complete = reduce(and_, (~mask for mask in absent.values()))
        row = self._one_row(table.aggregate(total=table.count(), complete=count_true(complete), **counts))
        self.total, self.n = int(row["total"]), int(row["complete"] or 0)
        found = zip(self.used, (int(row[name] or 0) for name in counts), strict=True)
        self.missing = {name: count for name, count in found if count}
        self.table = table.filter(complete)

    def _check_types(self) -> None:
        self.database.check_names(self.used)
        self.database.check_sorts(self.used)
        for name in self.used:
            dtype = self.database.table[name].type()
            if sort_of_type(dtype) is Sort.OBJECTS and not dtype.is_uuid():
                raise DataError(
                    f"The column {name!r} of {inside(self.database.name)} is of type {dtype}, which no model has a "
                    "use for: convert it to numbers or text."
                )

    def _one_row(self, expression: Any) -> dict[str, Any]:
        return self.database.read(expression).to_pylist()[0]

    def value(self, column: str) -> Any:
        """Column of the complete rows."""
        return self.table[column]

    @property
    def sorts(self) -> dict[str, Sort]:
        """What the columns used hold."""
        return {name: sort_of_type(self.database.table[name].type()) for name in self.used}

    def column_factor(self, column: str, label: str | None = None) -> Factor:
        """Levels of a column."""
        return self.factor(code_key(column), label or column, self.value(column), self.database.categories(column))

    def factor(self, key: str, label: str, expression: Any, categories: Any = None) -> Factor:
        """Levels of a factor, read once for each `key`, in the order of its `categories` if it has these."""
        import pandas as pd
        import pyarrow.compute as pc

        if key not in self.factors:
            expression = self.database.key(expression)
            values = self.database.read(self.table.select(value=expression).distinct())
            if pc.any(pc.is_null(values["value"], nan_is_null=True)).as_py():
                raise DataError(f"The grouping factor {label!r} is missing in some rows: remove these rows first.")
            found = natural(open_table(values).column("value"), labels=True)
            if categories is not None:
                ordered = pd.Categorical(found, categories=categories.to_pandas())
                # Files whose categories differ have no common order.
                found = found if (ordered.codes < 0).any() else ordered
            codes, levels = factorise(found, label)
            self.factors[key] = Factor(label, expression, values["value"], codes, levels)
        return self.factors[key]

    def are_binary(self, expression: Any, low: float = 0.0, high: float = 1.0) -> bool:
        """Whether a number that lies between `low` and `high` is one of them in all rows."""
        value = as_number(expression)
        between = count_true((value > low) & (value < high))
        return int(self._one_row(self.table.aggregate(between=between))["between"] or 0) == 0

    def numbers(self, expressions: Mapping[str, tuple[str, Any]]) -> dict[str, tuple[Number, Moments]]:
        """Moments of numbers, name -> (subject of messages, Ibis value or `Standardised`), in one pass.

        Raises
        ------
        DataError
            A number is NaN or infinite in some rows.
        """
        inner = {
            name: as_number(value.inner if isinstance(value, Standardised) else value)
            for name, (_, value) in expressions.items()
        }
        if not inner:
            return {}
        aggregates = {}
        for i, value in enumerate(inner.values()):
            bad = value.isnull() | is_nan(value) | is_infinite(value)
            finite = bad.ifelse(0.0, value)
            good = (finite.abs() > LARGEST).ifelse(0.0, finite)  # squares that overflow are an error in a database
            aggregates |= {
                f"bad{i}": count_true(bad),
                f"mean{i}": good.mean(),
                f"deviation{i}": good.std(how="pop"),
                f"low{i}": finite.min(),
                f"high{i}": finite.max(),
            }
        row = self._one_row(self.table.aggregate(**aggregates))
        out = {}
        for i, (name, (subject, value)) in enumerate(expressions.items()):
            if row[f"bad{i}"]:
                raise DataError(
                    f"{subject} is NaN or infinite in {row[f'bad{i}']} of {self.n} rows: remove or correct these rows "
                    "(the logarithm of zero is infinite, that of a negative number NaN)."
                )
            moments = Moments(*(float(row[f"{what}{i}"]) for what in ("mean", "deviation", "low", "high")))
            if moments.size > LARGEST:
                raise too_large(subject, moments.size)
            out[name] = (_number(inner[name], value, moments, self.n), moments)
        return out


@dataclass(frozen=True, slots=True)
class Moments:
    """Mean, standard deviation (over n) and range of a number."""

    mean: float
    deviation: float
    low: float
    high: float

    @property
    def size(self) -> float:
        """Largest absolute value."""
        return max(abs(self.low), abs(self.high))


def _number(inner: Any, value: Any, moments: Moments, n: int) -> Number:
    """Standardise a number; one that does not vary has no deviation to be divided by."""
    unit = moments.deviation if moments.low < moments.high and moments.deviation > 0 else moments.size or 1.0
    centred = (inner - moments.mean) / unit
    if isinstance(value, Standardised):
        sample_deviation = unit * math.sqrt(n / (n - 1.0)) if n > 1 else unit
        return Number(centred, centred, 0.0, unit / sample_deviation if value.scaled else unit)
    return Number(centred, inner / unit, moments.mean, unit)


def _missing(value: Any) -> Any:
    return value.isnull() | is_nan(value) if value.type().is_floating() else value.isnull()
