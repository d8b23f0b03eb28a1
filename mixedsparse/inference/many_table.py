"""Tables of many responses: a row per response and linear function, in memory or written to Parquet as they come."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedsparse.ground.errors import BackendError
from mixedsparse.ground.files import replacing, scratch_folder
from mixedsparse.inference.adjust import steps
from mixedsparse.inference.many_blocks import ManyBlock

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["many_table", "write_many"]

_TESTS = ("estimate", "se", "df", "statistic", "p")
_ADJUSTED = {"p_fdr": "fdr", "p_holm": "holm"}
# Rows of a group of the file.
_ROWS = 50_000


def many_table(blocks: Sequence[ManyBlock], responses: Sequence[Any], terms: Sequence[str]) -> pd.DataFrame:
    """Table of all responses, in their order."""
    blocks = sorted(blocks, key=lambda block: int(block.numbers[0]))
    found = pd.concat([_rows(block, responses, terms) for block in blocks], ignore_index=True)
    adjusted = _adjusted(np.concatenate([block.p for block in blocks]))
    for at, (name, values) in enumerate(adjusted.items(), start=list(found.columns).index("p") + 1):
        found.insert(at, name, values.ravel())
    return found


def write_many(
    blocks: Iterable[ManyBlock], responses: Sequence[Any], terms: Sequence[str], path: str | os.PathLike[str]
) -> dict[int, str]:
    """Write the table to a Parquet file as the blocks come, and return the failures; only p-values are kept.

    Adjusted p-values need all of them: they are added when the rows are there, group by group. The file appears, or is
    replaced, when it is whole.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as err:
        raise BackendError("out= writes a Parquet file, which needs pyarrow: install it, or leave out out=.") from err
    failures: dict[int, str] = {}
    p_values: list[np.ndarray] = []
    folder, remove = scratch_folder(Path(os.path.realpath(path)).parent)
    with ExitStack() as stack:
        stack.callback(remove)
        target = stack.enter_context(replacing(path))
        writer, part = None, folder / "rows.parquet"
        try:
            for rows in _in_groups(blocks, responses, terms, p_values, failures):
                table = pa.Table.from_pandas(rows, preserve_index=False)
                if writer is None:
                    writer = pq.ParquetWriter(part, table.schema)
                writer.write_table(table.cast(writer.schema))
        finally:
            if writer is not None:
                writer.close()
        _add_adjusted(part, target, _adjusted(np.concatenate(p_values)))
    return failures


def _in_groups(
    blocks: Iterable[ManyBlock],
    responses: Sequence[Any],
    terms: Sequence[str],
    p_values: list[np.ndarray],
    failures: dict[int, str],
) -> Iterator[pd.DataFrame]:
    """Yield rows of several blocks at a time; note p-values and failures on the way."""
    waiting: list[pd.DataFrame] = []
    for block in blocks:
        p_values.append(block.p)
        failures.update(block.failures)
        waiting.append(_rows(block, responses, terms))
        if sum(map(len, waiting)) >= _ROWS:
            yield pd.concat(waiting, ignore_index=True)
            waiting.clear()
    if waiting:
        yield pd.concat(waiting, ignore_index=True)


def _add_adjusted(part: os.PathLike[str], target: os.PathLike[str], adjusted: dict[str, np.ndarray]) -> None:
    """Copy a file with the columns of adjusted p-values beside p."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    source, start, writer = pq.ParquetFile(part), 0, None
    try:
        for group in range(source.num_row_groups):
            table: pa.Table = source.read_row_group(group)
            at = table.schema.get_field_index("p") + 1
            for name, values in adjusted.items():
                column = pa.array(values.ravel()[start : start + table.num_rows], from_pandas=False)
                table = table.add_column(at, name, column)
                at += 1
            start += table.num_rows
            if writer is None:
                writer = pq.ParquetWriter(target, table.schema)
            writer.write_table(table)
    finally:
        source.close()
        if writer is not None:
            writer.close()


def _adjusted(p: np.ndarray) -> dict[str, np.ndarray]:
    """Adjust p-values (r, c) over the responses that have one, each linear function a family of its own."""
    out = {}
    for name, method in _ADJUSTED.items():
        out[name] = np.full(p.shape, np.nan)
        for mine, values in zip(out[name].T, p.T, strict=True):
            there = ~np.isnan(values)
            mine[there] = steps(values[there], method)
    return out


def _rows(block: ManyBlock, responses: Sequence[Any], terms: Sequence[str]) -> pd.DataFrame:
    """Rows of one block."""
    count, each = block.estimate.shape
    columns: dict[str, Any] = {
        "response": np.repeat(np.array([responses[i] for i in block.numbers.tolist()]), each),
        "term": list(terms) * count,
    }
    columns |= {name if name != "se" else "SE": getattr(block, name).ravel() for name in _TESTS}
    for name in ("criterion", "nobs", "verdict"):
        columns[name] = np.repeat(getattr(block, name), each)
    columns |= {name: np.repeat(values, each) for name, values in zip(block.names, block.components.T, strict=True)}
    return pd.DataFrame(columns)
