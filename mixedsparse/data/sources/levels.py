"""Levels of the factors of a source, as its database has them and as models call them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from mixedsparse.data.formula.frames import natural, open_table
from mixedsparse.data.formula.levels import factorise
from mixedsparse.ground.errors import DataError

__all__ = ["Factor", "LevelsOf", "has_changed", "make_factor"]


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
    """

    label: str
    expression: Any
    raw: Any
    codes: np.ndarray
    levels: np.ndarray
    counts: np.ndarray

    def codes_of(self, values: Any) -> np.ndarray:
        """Codes of a pyarrow array of values as the database has them.

        Raises
        ------
        DataError
            One of them was not there when the levels were read.
        """
        import pyarrow.compute as pc

        found = pc.index_in(_plain(values), value_set=self.raw)
        if found.null_count:
            raise has_changed(f"has levels of {self.label!r} that were not there at first")
        return self.codes[found.to_numpy()]


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
    return Factor(one.label, expression, _plain(table[name]), codes.astype(np.int32), levels, counts)


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
