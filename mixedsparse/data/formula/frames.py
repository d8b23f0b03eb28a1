"""Data frames of any kind to columns: NumPy arrays, pandas Categoricals or pandas extension arrays of text."""

from __future__ import annotations

import contextlib
import difflib
import warnings
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mixedsparse.data.formula.alignment import aligned, has_labels, labels_of
from mixedsparse.ground.caller import user_level
from mixedsparse.ground.errors import ColumnError, DataError, SourceWarning

__all__ = ["Table", "column_error", "missing_rows", "natural", "open_table", "take"]


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of a data frame, each converted when it is asked for; `labelled`: whether its index says anything."""

    names: Collection[str]
    n: int
    index: pd.Index
    column: Callable[[str], Any]
    labelled: bool = True

    def aligned(self, value: Any, what: str) -> Any:
        """`value`, given beside the data, in the order of the rows; see `mixedsparse.data.formula.alignment`."""
        return aligned(value, self.index if self.labelled else None, what)

    def read(self, names: Iterable[str], used: str) -> dict[str, Any]:
        """Columns `names` as arrays; `used` says where the call names them."""
        absent = [name for name in names if name not in self.names]
        if absent:
            raise column_error(absent, self.names, used)
        return {name: self.column(name) for name in names}


def column_error(absent: Collection[str], available: Iterable[object], used: str) -> ColumnError:
    """Error for columns that are not there, with the nearest names that are."""
    present = [str(a) for a in available]
    folded = {p.casefold(): p for p in reversed(present)}
    nearest = [folded[m] for a in absent for m in difflib.get_close_matches(a.casefold(), folded, n=1)]
    hint = f" Did you mean {', '.join(repr(n) for n in nearest)}?" if nearest else ""
    return ColumnError(f"{ColumnError.missing(absent, present, used)}{hint}")


def open_table(data: Any) -> Table:
    """Open a pandas, polars or pyarrow table, a dict of columns, or anything else that narwhals reads.

    Raises
    ------
    DataError
        `data` is not a table, or its columns differ in length.
    """
    if isinstance(data, Table):
        return data
    if isinstance(data, pd.DataFrame):
        return _open_pandas(data)
    if isinstance(data, Mapping):
        return _open_mapping(data)
    if isinstance(data, np.ndarray) and data.dtype.names:
        return _open_mapping({name: data[name] for name in data.dtype.names})
    return _open_narwhals(data)


def _open_pandas(data: pd.DataFrame) -> Table:
    if data.columns.inferred_type == "string":
        return Table(data.columns, len(data), data.index, lambda name: _pandas_column(data, name, name))
    keys = _keys(data.columns)
    return Table(tuple(keys), len(data), data.index, lambda name: _pandas_column(data, keys[name], name))


def _keys(columns: Iterable[Hashable]) -> dict[str, Hashable]:
    """Key of each column by its name, which is text in a formula: 0 is `0`, unless a column is called "0" already."""
    keys: dict[str, Hashable] = {}
    for column in columns:
        keys.setdefault(str(column), column)
    return keys | {column: column for column in columns if isinstance(column, str)}


def _pandas_column(data: pd.DataFrame, key: Hashable, name: str) -> Any:
    column = data[key]
    if isinstance(column, pd.DataFrame):
        raise DataError(f"The data have {column.shape[1]} columns called {name!r}: rename or drop all but one.")
    return _array(column)


def _array(column: pd.Series) -> Any:
    """NumPy array of a column, or pandas' own array where NumPy has no such type."""
    return column.to_numpy() if isinstance(column.dtype, np.dtype) else column.array


def _open_mapping(data: Mapping[Any, Any]) -> Table:
    # Series that have an index of their own say which rows they mean; the first Series gives the order.
    index = labels_of(*data.values()) if any(map(has_labels, data.values())) else None
    columns = {
        name: _mapping_column(key, aligned(data[key], index, f"the column {key!r}"))
        for name, key in _keys(data).items()
    }
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise DataError(f"The columns of the data differ in length: {lengths}. Give one value per row in each.")
    n = next(iter(lengths.values()), 0)
    return Table(
        tuple(columns), n, pd.RangeIndex(n) if index is None else index, columns.__getitem__, labelled=index is not None
    )


def _mapping_column(name: Any, values: Any) -> Any:
    if isinstance(values, (str, bytes)) or not hasattr(values, "__len__"):
        raise DataError(f"The column {name!r} is the single value {values!r}: give one value per row.")
    if isinstance(values, np.ndarray) and values.ndim != 1:
        raise DataError(f"The column {name!r} has shape {values.shape}: give one value per row.")
    if isinstance(values, (np.ndarray, pd.Categorical)):
        return values
    library = type(values).__module__.split(".")[0]
    if library == "polars":
        import narwhals as nw

        return _narwhals_column(nw.from_native(values, series_only=True))
    if library != "pyarrow":
        return _array(pd.Series(values))
    column = _from_arrow(name, values)
    return _from_decimals(column) if str(values.type).startswith("decimal") else column


def _from_arrow(name: Any, values: Any) -> Any:
    """Array of a column of pyarrow, which has types that pandas has not, such as categories that are intervals."""
    try:
        return _array(values.to_pandas())
    except (TypeError, ValueError, NotImplementedError) as err:
        raise DataError(
            f"The column {name!r} is of type {values.type}, which cannot be read: convert it to numbers or text."
        ) from err


def _open_narwhals(data: Any) -> Table:
    import narwhals as nw

    try:
        frame = nw.from_native(data)
    except TypeError as err:
        raise DataError(
            f"The data are of type {type(data).__name__}, not a table: give a pandas, polars or pyarrow table, "
            "or a dict of columns."
        ) from err
    if isinstance(frame, nw.LazyFrame):
        warnings.warn(
            f"The lazy frame of {frame.implementation.name.lower()} is collected: all of its columns are read into "
            "memory. Select the columns that the model uses first; or write the rows to a Parquet file and fit its "
            "path, which leaves them there.",
            SourceWarning,
            stacklevel=user_level(),
        )
        frame = frame.collect()
    n = len(frame)
    return Table(tuple(frame.columns), n, pd.RangeIndex(n), lambda name: _narwhals_column(frame[name]), labelled=False)


def _narwhals_column(series: Any) -> Any:
    """Array of a narwhals series; polars text goes through a list, since `to_pandas` would need pyarrow."""
    import narwhals as nw

    # NumPy has no time zones; with them levels are those that pandas has.
    zoned = getattr(series.dtype, "time_zone", None) is not None and series.implementation.is_pyarrow()
    wide = isinstance(series.dtype, (nw.Int128, nw.UInt128))  # which NumPy does not have
    plain = series.dtype.is_numeric() or isinstance(series.dtype, (nw.Boolean, nw.Date, nw.Datetime, nw.Duration))
    if plain and not zoned and not wide:
        return _from_decimals(series.to_numpy()) if isinstance(series.dtype, nw.Decimal) else series.to_numpy()
    if series.implementation.is_pyarrow():
        # narwhals 2.28 gives missing values of a dictionary column the last category in Series.to_pandas
        return _from_arrow(series.name, series.to_native())
    if not series.implementation.is_polars():
        return _array(series.to_pandas())
    text = pd.Series(series.to_list(), dtype=object).to_numpy()  # lists stay values
    if isinstance(series.dtype, nw.Enum):
        return pd.Categorical(text, categories=list(series.to_native().dtype.categories))
    # The order of a polars Categorical depends on what else the process has read: levels are sorted instead.
    return text


def missing_rows(values: Any) -> np.ndarray | None:
    """Mask of missing values (n,), or None when there are none."""
    if isinstance(values, np.ndarray):
        kind = values.dtype.kind
        if kind in "iubUS":
            return None
        mask = np.isnan(values) if kind == "f" else pd.isna(values)
    else:
        mask = np.asarray(pd.isna(values))
    return mask if mask.any() else None


def take(values: Any, keep: np.ndarray | None) -> Any:
    """Rows `keep` of a column; all of them for None."""
    return values if keep is None else values[keep]


def natural(values: Any, labels: bool = False) -> Any:
    """Column without missing values in its widest plain type.

    Integers become int64 (small ones would overflow in ``x**2``), other real numbers float64, whatever they were
    stored as; text and other objects stay as they are; a Categorical loses the categories that do not occur. Where
    values are `labels`, Python's decimals are numbers too, and integers that are too long for int64 and inexact in
    float64, which would merge some, stay.
    """
    if isinstance(values, pd.Categorical):
        counts = np.bincount(values.codes, minlength=len(values.categories))  # pandas would sort the column
        return values if counts.all() else values.remove_unused_categories()
    dtype = values.dtype
    if not isinstance(values, np.ndarray):
        if pd.api.types.is_bool_dtype(dtype):
            return np.asarray(values, dtype=bool)
        if pd.api.types.is_integer_dtype(dtype):
            return np.asarray(values, dtype=np.int64)
        if pd.api.types.is_float_dtype(dtype):
            return np.asarray(values, dtype=np.float64)
        if pd.api.types.is_numeric_dtype(dtype):
            return natural(_from_decimals(np.asarray(values)), labels)
        keep = pd.api.types.is_string_dtype(dtype) or dtype.kind in "mM"
        return values if keep else natural(np.asarray(values), labels)
    if dtype.kind == "i":
        return values.astype(np.int64, copy=False)
    if dtype.kind == "u" and dtype.itemsize < 8:
        return values.astype(np.int64)
    if dtype.kind == "f":
        return values.astype(np.float64, copy=False)
    if dtype.kind == "O":
        return _from_objects(values, labels)
    return values.astype(object) if dtype.kind in "US" else values


def _from_objects(values: np.ndarray, labels: bool) -> np.ndarray:
    """Numbers and booleans that were stored as Python objects, as an array of their own kind."""
    kind = pd.api.types.infer_dtype(values, skipna=True)
    if kind == "boolean":
        return values.astype(bool)
    if kind == "decimal" and labels:
        return natural(_from_decimals(values), labels)
    if kind == "integer":
        return _from_integers(values, labels)
    if kind in ("floating", "mixed-integer-float"):
        return values.astype(np.float64)
    return values


def _from_decimals(values: np.ndarray) -> np.ndarray:
    """Decimals, None where missing, as Python's integers if all are whole, else as float64."""
    if values.dtype.kind != "O":
        return values
    present = [value for value in values if value is not None]
    if all(value.is_finite() and value == value.to_integral_value() for value in present):
        return np.array([value if value is None else int(value) for value in values], dtype=object)
    return values.astype(np.float64)


def _from_integers(values: np.ndarray, labels: bool) -> np.ndarray:
    """Python's integers as int64, else as float64; or as they are where they are `labels` and float64 is inexact."""
    with contextlib.suppress(OverflowError):
        return values.astype(np.int64)
    rounded = values.astype(np.float64)
    return values if labels and (rounded != values).any() else rounded
