"""Columns and indices of pandas as data."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from mixedsparse.api.storage.values import Packer, Unpacker

__all__ = ["pack_table", "unpack_table"]

_MASKED = {"Integer": pd.arrays.IntegerArray, "Floating": pd.arrays.FloatingArray, "Boolean": pd.arrays.BooleanArray}


def pack_table(packer: Packer, value: Any) -> dict[str, Any] | None:
    """Pack an index, a column, a table or a single value of pandas; None for anything else."""
    if value is pd.NA or value is pd.NaT:
        return {"~": "missing", "kind": str(value)}
    if isinstance(value, (pd.Timestamp, pd.Timedelta, pd.Period, pd.Interval)):
        return {"~": "one of", "column": packer.pack(pd.array([value]))}
    if isinstance(value, pd.Index):
        return _index(packer, value)
    if isinstance(value, pd.Series):
        return {"~": "series", "index": packer.pack(value.index), "values": _column(packer, value)} | {
            "name": packer.pack(value.name)
        }
    if isinstance(value, pd.DataFrame):
        columns = [_column(packer, value.iloc[:, j]) for j in range(value.shape[1])]
        return {"~": "frame", "index": packer.pack(value.index), "names": packer.pack(value.columns)} | {
            "columns": columns
        }
    return _extension(packer, value) if isinstance(value, pd.api.extensions.ExtensionArray) else None


def _column(packer: Packer, values: pd.Series | pd.Index) -> Any:
    return packer.pack(values.to_numpy() if isinstance(values.dtype, np.dtype) else values.array)


def _index(packer: Packer, index: pd.Index) -> dict[str, Any]:
    if isinstance(index, pd.MultiIndex):
        levels = [packer.pack(level) for level in index.levels]
        codes = [packer.pack(np.asarray(codes)) for codes in index.codes]
        return {"~": "multi", "levels": levels, "codes": codes, "names": [packer.pack(name) for name in index.names]}
    name = packer.pack(index.name)
    if isinstance(index, pd.RangeIndex):
        return {"~": "range", "bounds": [index.start, index.stop, index.step], "name": name}
    frequency = getattr(index, "freqstr", None) if not isinstance(index, pd.PeriodIndex) else None
    return {"~": "index", "values": _column(packer, index), "name": name, "freq": frequency}


def _extension(packer: Packer, values: Any) -> dict[str, Any] | None:
    pack, dtype = packer.pack, values.dtype
    if isinstance(values, pd.Categorical):
        codes, categories = np.asarray(values.codes), pack(values.categories)
        return {"~": "categorical", "codes": pack(codes), "categories": categories, "ordered": bool(values.ordered)}
    if isinstance(dtype, pd.StringDtype):
        return _strings(packer, values)
    for kind, cls in _MASKED.items():
        if isinstance(values, cls):
            known = values.to_numpy(dtype=dtype.numpy_dtype, na_value=dtype.numpy_dtype.type(0))
            return {"~": "masked", "kind": kind, "values": pack(known), "mask": pack(np.asarray(values.isna()))}
    if isinstance(values, pd.arrays.PeriodArray):
        return {"~": "periods", "ordinals": pack(values.asi8), "freq": values.freqstr}
    if isinstance(values, (pd.arrays.DatetimeArray, pd.arrays.TimedeltaArray)):
        zone = getattr(values, "tz", None)
        plain = values.asi8.view(f"{dtype.kind}8[{values.unit}]")
        return {"~": "times", "values": pack(plain), "zone": None if zone is None else str(zone)}
    if isinstance(values, pd.arrays.IntervalArray):
        return {"~": "intervals", "left": pack(values.left), "right": pack(values.right), "closed": values.closed}
    if isinstance(dtype, pd.ArrowDtype):
        return {"~": "arrow", "stream": pack(_arrow_stream(values))}
    return None


def _strings(packer: Packer, values: Any) -> dict[str, Any]:
    """Each text once, and which row has which (-1: missing): columns of text are mostly levels."""
    codes, distinct = pd.factorize(values)
    width = np.min_scalar_type(-max(1, len(distinct)))
    items = [str(text) for text in distinct.to_numpy(dtype=object)]
    kind = {"storage": values.dtype.storage, "nan": values.dtype.na_value is not pd.NA}
    return {"~": "strings", "items": items, "codes": packer.pack(codes.astype(width))} | kind


def _arrow_stream(values: Any) -> np.ndarray:
    import pyarrow as pa

    table = pa.table({"values": pa.chunked_array(values.__arrow_array__())})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return np.frombuffer(sink.getvalue(), np.uint8)


def _arrow(stream: np.ndarray) -> Any:
    import pyarrow as pa

    with pa.ipc.open_stream(stream.tobytes()) as reader:
        column = reader.read_all().column("values")
    return pd.array(column, dtype=pd.ArrowDtype(column.type))


def unpack_table(unpacker: Unpacker, value: dict[str, Any]) -> Any:
    """Make again what `pack_table` has packed; None for kinds that are not its own."""
    make = _MAKERS.get(value["~"])
    if make is None:
        return None
    plain = ("~", "items", "freq")
    return make({key: item if key in plain else unpacker.unpack(item) for key, item in value.items()})


def _make_index(found: dict[str, Any]) -> pd.Index:
    values = found["values"]
    objects = isinstance(values, np.ndarray) and values.dtype == object
    index = pd.Index(values, name=found["name"], dtype=object if objects else None)
    if found["freq"] is not None:
        index.freq = found["freq"]  # type: ignore[attr-defined]
    return index


def _make_strings(found: dict[str, Any]) -> Any:
    storage = found["storage"]
    if storage == "pyarrow":
        try:
            import pyarrow  # noqa: F401
        except ImportError:
            storage = "python"
    dtype = pd.StringDtype(storage, np.nan if found["nan"] else pd.NA)
    distinct = np.array([*found["items"], None], dtype=object)
    return pd.array(distinct[found["codes"]], dtype=dtype)


def _make_times(found: dict[str, Any]) -> Any:
    values = found["values"]
    if found["zone"] is None:
        return pd.array(values)
    return pd.DatetimeIndex(values).tz_localize("UTC").tz_convert(found["zone"]).array


_MAKERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "missing": lambda v: pd.NaT if v["kind"] == "NaT" else pd.NA,
    "one of": lambda v: v["column"][0],
    "series": lambda v: pd.Series(v["values"], index=v["index"], name=v["name"]),
    "frame": lambda v: pd.concat([pd.Series(c, index=v["index"]) for c in v["columns"]], axis=1).set_axis(
        v["names"], axis=1
    ),
    "multi": lambda v: pd.MultiIndex(levels=v["levels"], codes=v["codes"], names=v["names"]),
    "range": lambda v: pd.RangeIndex(*v["bounds"], name=v["name"]),
    "index": _make_index,
    "categorical": lambda v: pd.Categorical.from_codes(v["codes"], categories=v["categories"], ordered=v["ordered"]),
    "strings": _make_strings,
    "masked": lambda v: _MASKED[v["kind"]](v["values"], v["mask"]),
    "periods": lambda v: pd.PeriodIndex.from_ordinals(v["ordinals"], freq=v["freq"]).array,
    "times": _make_times,
    "intervals": lambda v: pd.arrays.IntervalArray.from_arrays(v["left"], v["right"], closed=v["closed"]),
    "arrow": lambda v: _arrow(v["stream"]),
}
