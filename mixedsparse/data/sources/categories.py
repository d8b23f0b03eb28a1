"""Categories of columns of Parquet files, in the order that the files keep."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from mixedsparse.ground.caller import user_level
from mixedsparse.ground.errors import SourceWarning

__all__ = ["categories"]

# A mark of polars beside columns whose categories have no order but that of their names.
_UNORDERED = b"_PL_CATEGORICAL"


def categories(files: Sequence[str], column: str) -> Any:
    """Categories of a categorical column, as pandas would read them; None of any other, and where there is no order.

    DuckDB reads their values only, and would leave the order to the alphabet. Categories that are numbers are numbers
    again in a file, for pandas too. Of several files those of the first that has all of them are taken; a warning says
    where other files have another order, or where none has all.
    """
    import pyarrow as pa

    found: dict[str, list[Any]] = {}
    for file in files:
        own = _categories_of(file, column)
        if own is None:
            return None
        if len(own):
            found[file] = own.to_pylist()
    if not found:
        return None
    every = {value for own in found.values() for value in own}
    whole = next((file for file, own in found.items() if len(own) == len(every)), None)
    taken = found[whole] if whole is not None else sorted(every)
    place = {value: i for i, value in enumerate(taken)}
    other = next((file for file, own in found.items() if [*own] != sorted(own, key=place.__getitem__)), None)
    if other is not None or whole is None:
        first, other = whole or next(iter(found)), other or list(found)[-1]
        order = "of their names" if whole is None else f"in {whole!r}"
        warnings.warn(
            f"The files have different categories of {column!r}: {_shown(found[first])} in {first!r}, "
            f"{_shown(found[other])} in {other!r}. The levels are taken in the order {order}: write all files with the "
            "same categories if another is meant.",
            SourceWarning,
            stacklevel=user_level(),
        )
    return None if whole is None else pa.array(taken)


def _categories_of(file: str, column: str) -> Any:
    """Categories in one file, a pyarrow Array; an empty one without rows, None of a column that has none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(file) as opened:
        schema = opened.schema_arrow
        if column not in schema.names or not pa.types.is_dictionary(schema.field(column).type):
            return None
        if any(key.startswith(_UNORDERED) for key in schema.field(column).metadata or {}):
            return None
        if not opened.metadata.num_rows:
            return pa.array([], schema.field(column).type.value_type)
        values = opened.read_row_group(0, columns=[column]).column(column)
        return values.unify_dictionaries().chunk(0).dictionary


def _shown(values: Sequence[Any]) -> str:
    return ", ".join(map(repr, values[:5])) + (", ..." if len(values) > 5 else "")
