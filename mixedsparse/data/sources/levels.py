"""Levels of the factors of a source, as its database has them and as models call them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from mixedsparse.data.formula.frames import natural, open_table
from mixedsparse.data.formula.levels import factorise
from mixedsparse.ground.errors import DataError

__all__ = ["Factor", "LevelsOf", "has_changed", "make_factor"]

# Integers between the least and the greatest level, per level and in any case, up to which codes stand in a table.
_SPARSEST, _SMALLEST = 8, 100_000


class LevelsOf(NamedTuple):
    """What levels are read from: its name in messages, an Ibis value, and the order of its categories if it has one."""

    label: str
    expression: Any
    categories: Any = None


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
    counts : ndarray of int, shape (levels,)
        Number of complete rows of each level.
    table : tuple of int and ndarray, or None
        Least value, and the code of each integer from it on, -1 for none, where these are not many more than levels.
    """

    label: str
    expression: Any
    raw: Any
    codes: np.ndarray
    levels: np.ndarray
    counts: np.ndarray
    table: tuple[int, np.ndarray] | None = None

    def codes_of(self, values: Any) -> np.ndarray:
        """Codes of a pyarrow array of values as the database has them.

        Raises
        ------
        DataError
            One of them was not there when the levels were read.
        """
        import pyarrow.compute as pc

        values = _plain(values)
        if self.table is not None and values.null_count == 0:
            low, table = self.table
            place = values.to_numpy().astype(np.int64) - low
            inside = place.size == 0 or (place.min() >= 0 and place.max() < len(table))
            codes = table[place] if inside else np.full(1, -1)
            absent = bool((codes < 0).any())
        else:
            found = pc.index_in(values, value_set=self.raw)
            absent = found.null_count > 0
            codes = np.empty(0) if absent else self.codes[found.to_numpy()]
        if absent:
            raise has_changed(f"has levels of {self.label!r} that were not there at first")
        return codes


def make_factor(one: LevelsOf, expression: Any, table: Any) -> Factor:
    """Factor of the distinct values in the first column of a pyarrow table, with ``rows``; None for no rows."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    if table is None:
        empty = np.empty(0, dtype=np.int32)
        return Factor(one.label, expression, pa.array([]), empty, empty, empty)
    name = table.column_names[0]
    if pc.any(pc.is_null(table[name], nan_is_null=True)).as_py():
        raise DataError(f"The grouping factor {one.label!r} is missing in some rows: remove these rows first.")
    found = natural(open_table(table).column(name), labels=True)
    if one.categories is not None:
        ordered = pd.Categorical(found, categories=one.categories.to_pandas())
        # Files whose categories differ have no common order.
        found = found if (ordered.codes < 0).any() else ordered
    codes, levels = factorise(found, one.label)
    counts = np.bincount(codes, table["rows"].to_numpy(), minlength=len(levels)).astype(np.int64)
    raw, codes = _plain(table[name]), codes.astype(np.int32)
    return Factor(one.label, expression, raw, codes, levels, counts, _table(raw, codes))


def _table(raw: Any, codes: np.ndarray) -> tuple[int, np.ndarray] | None:
    """See `Factor.table`: looking up in it takes a tenth of the time that hashing takes."""
    import pyarrow as pa

    if not pa.types.is_integer(raw.type) or raw.type == pa.uint64() or not len(raw):
        return None
    values = raw.to_numpy().astype(np.int64)
    low, span = int(values.min()), int(values.max()) - int(values.min()) + 1
    if span > _SPARSEST * len(raw) + _SMALLEST:
        return None
    table = np.full(span, -1, dtype=np.int32)
    table[values - low] = codes
    return low, table


def has_changed(how: str) -> DataError:
    """Build the error for a source that is not what it was at a reading before."""
    return DataError(f"The source {how}: something writes to it. Fit again when it is still, or fit a copy of it.")


def _plain(values: Any) -> Any:
    """Values of a pyarrow array in a type that can be looked up; equal ones are alike."""
    import pyarrow as pa
    import pyarrow.compute as pc

    values = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if isinstance(values, pa.ExtensionArray):
        values = values.storage
    # -0 and 0 are equal, and either may stand for both.
    return pc.add(values, 0.0) if pa.types.is_floating(values.type) else values
