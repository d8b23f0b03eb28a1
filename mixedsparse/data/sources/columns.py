"""The columns of a source that a formula uses: complete rows, levels of factors, moments of numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import and_
from typing import Any

import numpy as np

from mixedsparse.data.formula.checks import nothing_left
from mixedsparse.data.formula.grouping import Atom
from mixedsparse.data.formula.kinds import Sort
from mixedsparse.data.observed import like_counts
from mixedsparse.data.sizes import LARGEST, too_large
from mixedsparse.data.sources.database import Database, inside
from mixedsparse.data.sources.expressions import Standardised
from mixedsparse.data.sources.levels import Factor, LevelsOf, has_changed, make_factor
from mixedsparse.data.sources.moments import Moments, moments_in
from mixedsparse.data.sources.portable import as_number, count_true, is_nan
from mixedsparse.data.sources.working import Number
from mixedsparse.ground.errors import DataError

__all__ = ["SourceColumns", "code_key", "sort_of_type"]


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
    complete : ibis Value
        Whether a row is complete.
    table : ibis Table
        Complete rows.
    factors : dict
        Factors that were read, by `code_key` of the column or of the code of an expression.
    combinations : dict
        Codes of the combinations of several factors that occur, one array each, by the keys of the factors.
    keys : dict
        Key of the factor that each code of a grouping factor stands for.
    distinct : dict
        About how many combinations of factors occur, by their keys.
    """

    database: Database
    used: Sequence[str]
    complete: Any = field(init=False)
    table: Any = field(init=False)
    factors: dict[str, Factor] = field(default_factory=dict)
    combinations: dict[tuple[str, ...], tuple[np.ndarray, ...]] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    distinct: dict[frozenset[str], int] = field(default_factory=dict)
    _total: int | None = None
    _n: int | None = None
    _missing: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._check_types()
        self.complete = reduce(and_, (~_missing(self.value(name)) for name in self.used))
        self.table = self.database.table.filter(self.complete)

    @property
    def total(self) -> int:
        """Number of all rows."""
        if self._total is None:
            self.numbers({})
        assert self._total is not None
        return self._total

    @property
    def missing(self) -> Mapping[str, int]:
        """Number of missing values in each column that has any."""
        return self._missing if self.total else {}

    @property
    def n(self) -> int:
        """Number of complete rows."""
        if self._n is None:
            self.numbers({})
        assert self._n is not None
        return self._n

    def note_rows(self, n: int) -> None:
        """Compare the complete rows of one reading with those of the others."""
        if self._n is not None and self._n != n:
            raise has_changed(f"had {self._n:,} complete rows at first and {n:,} later")
        self._n = n

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

    def value(self, column: str) -> Any:
        """Column of the source; tables of its complete rows take it too."""
        return self.database.table[column]

    @property
    def sorts(self) -> dict[str, Sort]:
        """What the columns used hold."""
        return {name: sort_of_type(self.database.table[name].type()) for name in self.used}

    def keys_of(self, atoms: Sequence[Atom]) -> tuple[str, ...]:
        """Keys of the factors of a grouping."""
        return tuple(self.keys[atom.code] for atom in atoms)

    def column_factor(self, column: str, label: str | None = None) -> Factor:
        """Levels of a column."""
        if code_key(column) not in self.factors:
            self.read_factors({code_key(column): self.levels_of(column, label)})
        return self.factors[code_key(column)]

    def levels_of(self, column: str, label: str | None = None) -> LevelsOf:
        """Say what the levels of a column are read from."""
        return LevelsOf(label or column, self.value(column), self.database.categories(column))

    def read_factors(self, wanted: Mapping[str, LevelsOf], combinations: Sequence[tuple[str, ...]] = ()) -> None:
        """Read the levels of factors, by key, and which combinations of them occur, all at once.

        What was read before is not read again.
        """
        import pyarrow as pa

        wanted = {key: one for key, one in wanted.items() if key not in self.factors}
        combinations = [keys for keys in dict.fromkeys(combinations) if keys not in self.combinations]
        values = {key: self.factors[key].expression for keys in combinations for key in keys if key in self.factors}
        values |= {key: self.database.key(one.expression) for key, one in wanted.items()}
        if not wanted and not combinations:
            return
        names = {key: f"key{i}" for i, key in enumerate(values)}
        sets = [(names[key],) for key in wanted] + [tuple(names[key] for key in keys) for keys in combinations]
        found: list[list[Any]] = [[] for _ in sets]
        for i, batch in self.database.grouped(
            self.table.select(**{name: values[key] for key, name in names.items()}), sets
        ):
            found[i].append(batch.select([*sets[i], "rows"]))
        tables = [pa.Table.from_batches(batches) if batches else None for batches in found]
        for (key, one), table in zip(wanted.items(), tables[: len(wanted)], strict=True):
            self.factors[key] = make_factor(one, values[key], table)
            self.note_rows(int(self.factors[key].counts.sum()))
        if not self.n:
            self.numbers({})  # which says why
        for keys, table in zip(combinations, tables[len(wanted) :], strict=True):
            empty = np.empty(0, dtype=np.int32)
            self.combinations[keys] = tuple(
                empty if table is None else self.factors[key].codes_of(table[names[key]]) for key in keys
            )

    def are_counts(self, expression: Any, moments: Moments) -> bool:
        """Whether a number looks like counts; see `like_counts`. Of most the moments tell that it does not."""
        if moments.low != 0.0 or moments.deviation**2 < moments.mean or moments.truth:
            return False
        value = as_number(expression)
        wanted = {"broken": value != value.floor(), "zeros": value == 0.0, "tops": value == moments.high}
        counts = self.table.aggregate(**{name: count_true(each) for name, each in wanted.items()})
        found = self.database.read(counts).to_pylist()[0]
        spread = moments.high, moments.mean, moments.deviation**2, found["zeros"], found["tops"]
        return not found["broken"] and like_counts(self.n, *spread)

    def numbers(
        self, expressions: Mapping[str, tuple[str, Any]], crossed: Sequence[frozenset[str]] = ()
    ) -> dict[str, tuple[Number, Moments]]:
        """Moments of numbers, name -> (subject of messages, Ibis value or `Standardised`), in one pass.

        The same pass counts the rows, and estimates how many combinations of the factors of `crossed` occur.

        Raises
        ------
        DataError
            A number is NaN or infinite in some rows.
        """
        import ibis

        inner = {
            name: as_number(value.inner if isinstance(value, Standardised) else value)
            for name, (_, value) in expressions.items()
        }
        # Equal expressions are computed once.
        places = {value.op(): f"{i}" for i, value in enumerate(inner.values())}
        values = {f"value{places[value.op()]}": value for value in inner.values()}
        absent = {f"missing{i}": _missing(self.value(name)) for i, name in enumerate(self.used)}
        nothing = ibis.null("float64")
        rows = self.database.table.select(
            complete=self.complete,
            **absent,
            **{name: self.complete.ifelse(value, nothing) for name, value in values.items()},
            **{f"crossed{i}": self._combined(keys) for i, keys in enumerate(crossed)},
        )
        aggregates = {"total": rows.count(), "all_there": count_true(rows["complete"])}
        aggregates |= {name: count_true(rows[name]) for name in absent}
        aggregates |= {f"crossed{i}": rows[f"crossed{i}"].approx_nunique() for i in range(len(crossed))}
        for i in places.values():
            aggregates |= {f"{what}{i}": one for what, one in moments_in(rows, f"value{i}").items()}
        row = self.database.read(rows.aggregate(**aggregates)).to_pylist()[0]
        self._count(row)
        self.distinct.update({keys: int(row[f"crossed{i}"]) for i, keys in enumerate(crossed)})
        out = {}
        for name, (subject, value) in expressions.items():
            i = places[inner[name].op()]
            if row[f"bad{i}"]:
                raise DataError(
                    f"{subject} is NaN or infinite in {row[f'bad{i}']} of {self.n} rows: remove or correct these rows "
                    "(the logarithm of zero is infinite, that of a negative number NaN)."
                )
            moments = Moments.of(row, i)
            if moments.size > LARGEST:
                raise too_large(subject, moments.size)
            out[name] = (_number(inner[name], value, moments, self.n), moments)
        return out

    def _combined(self, keys: frozenset[str]) -> Any:
        """Return a number that tells combinations of factors apart, almost surely."""
        out: Any = 0
        for i, key in enumerate(sorted(keys)):
            out = out + (self.factors[key].expression.hash() % 2**40) * (2 * i + 1)
        return out

    def _count(self, row: Mapping[str, Any]) -> None:
        counts = [int(row[f"missing{i}"] or 0) for i in range(len(self.used))]
        self._total = int(row["total"])
        self._missing = {name: count for name, count in zip(self.used, counts, strict=True) if count}
        self.note_rows(int(row["all_there"] or 0))
        if self._n == 0:
            raise nothing_left(self._total, self._missing)

    def are_between(self, expression: Any, low: float, high: float) -> bool:
        """Whether a number lies between `low` and `high` in some complete rows."""
        value = as_number(expression)
        inside = count_true((value > low) & (value < high))
        found = self.database.read(self.table.aggregate(inside=inside))
        return int(found["inside"][0].as_py() or 0) > 0


def _number(inner: Any, value: Any, moments: Moments, n: int) -> Number:
    """Standardise a number; one that does not vary has no deviation to be divided by."""
    unit = moments.deviation if moments.low < moments.high and moments.deviation > 0 else moments.size or 1.0
    centred = (inner - moments.mean) / unit
    if isinstance(value, Standardised):
        sample_deviation = unit * math.sqrt(n / (n - 1.0)) if n > 1 else unit
        return Number(centred, centred, 0.0, unit / sample_deviation if value.scaled else unit)
    return Number(centred, inner / unit, moments.mean, unit)


def _missing(value: Any) -> Any:
    """Whether a value of a column is missing."""
    return value.isnull() | is_nan(value) if value.type().is_floating() else value.isnull()
