"""Many responses, read a few at a time: columns of an array, of a table in memory, or of a Parquet file."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mixedsparse.data.formula.alignment import aligned
from mixedsparse.data.formula.frames import Table, column_error, natural, open_table
from mixedsparse.data.formula.kinds import numbers
from mixedsparse.ground.checks import as_array
from mixedsparse.ground.errors import DataError

__all__ = ["ResponseColumns", "open_responses"]


@dataclass(frozen=True, eq=False)
class ResponseColumns:
    """Responses called `names`, each with `n` rows; ``read(start, stop)`` gives those numbers (n, stop - start)."""

    names: Sequence[Any]
    n: int
    read: Callable[[int, int], np.ndarray]

    def __len__(self) -> int:
        return len(self.names)


def open_responses(given: Any, index: pd.Index | None, table: Table | None = None) -> ResponseColumns:
    """Open the responses that a user gives.

    Parameters
    ----------
    given : array (n, r), frame, path of a Parquet file, or names of columns of `table`
    index : pandas.Index or None
        Labels of the rows, for what has labels too.
    table : Table, optional
        The data.

    Raises
    ------
    DataError
        It is none of these, there are no responses, or a column is not of numbers.
    """
    if isinstance(given, str) and table is not None and given in table.names:
        given = [given]
    if isinstance(given, str | os.PathLike):
        found = _of_file(os.fspath(given))
    elif table is not None and isinstance(given, list | tuple | pd.Index) and all(isinstance(g, str) for g in given):
        found = _of_table(table, list(given))
    elif isinstance(given, pd.Series):
        found = _of_table(open_table(aligned(given, index, "responses").to_frame(given.name or "y")))
    elif isinstance(given, list | tuple) or (hasattr(given, "__array__") and not hasattr(given, "columns")):
        found = _of_array(as_array(given, "responses"))
    else:
        found = _of_table(open_table(aligned(given, index, "responses")))
    if not len(found):
        raise DataError("There are no responses: give one column of numbers for each.")
    return found


def _of_array(values: np.ndarray) -> ResponseColumns:
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2:
        raise DataError(f"The responses have {values.ndim} dimensions: give an array (rows, responses).")
    if values.dtype.kind not in "fiub":
        raise DataError(f"The responses are of type {values.dtype}: give numbers.")
    return ResponseColumns(
        range(values.shape[1]), len(values), lambda start, stop: np.asarray(values[:, start:stop], dtype=float)
    )


def _of_table(table: Table, names: list[str] | None = None) -> ResponseColumns:
    chosen = list(table.names) if names is None else names
    absent = [name for name in chosen if name not in table.names]
    if absent:
        raise column_error(absent, table.names, "responses=")

    def read(start: int, stop: int) -> np.ndarray:
        columns = table.read(chosen[start:stop], "responses=")
        return np.column_stack([_numbers(natural(values), name) for name, values in columns.items()])

    return ResponseColumns(chosen, table.n, read)


def _of_file(path: str) -> ResponseColumns:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq

        file = pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as err:
        raise DataError(
            f"The responses {path!r} cannot be read as a Parquet file: {err}. Give an array, a frame, names of columns "
            "of the data, or the path of one Parquet file."
        ) from err
    schema = file.schema_arrow
    wrong = [f.name for f in schema if not (pa.types.is_floating(f.type) or pa.types.is_integer(f.type))]
    if wrong:
        raise DataError(
            f"{path!r} has columns that are not numbers: {', '.join(map(repr, wrong[:8]))}. Every column is a response."
        )
    names = schema.names

    def read(start: int, stop: int) -> np.ndarray:
        chunk = pq.read_table(path, columns=names[start:stop])
        return np.column_stack([_numbers(chunk[name].to_numpy(), name) for name in names[start:stop]])

    return ResponseColumns(names, file.metadata.num_rows, read)


def _numbers(values: Any, name: str) -> np.ndarray:
    """Numbers (n,) of one response, NaN where missing."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "fiu":
        return values.astype(float)
    series = pd.Series(values)
    if series.dtype.kind not in "fiub" and not pd.api.types.is_numeric_dtype(series.dtype):
        return numbers(series.to_numpy(), f"The response {name!r}")
    return series.to_numpy(dtype=float, na_value=np.nan)
