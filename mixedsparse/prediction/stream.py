"""Predictions and residuals of rows that do not fit into memory, written to Parquet batch by batch."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedsparse.data.formula.frames import column_error, open_table
from mixedsparse.data.sources.database import Database
from mixedsparse.data.sources.opening import open_source
from mixedsparse.data.sources.parquet import files_of, would_read
from mixedsparse.ground.errors import DataError, OptionError, StorageError
from mixedsparse.ground.files import replacing
from mixedsparse.ground.progress import CountOption, counter
from mixedsparse.prediction.output import LINEAR, Output
from mixedsparse.prediction.predict import check_new_levels
from mixedsparse.prediction.rows import check_known, chosen_groups, read_rows

if TYPE_CHECKING:
    import pyarrow as pa

    from mixedsparse.fitted.fitted import Fitted

__all__ = ["stream_predictions"]

_PREDICTED, _RESID = "predicted", "resid"


def stream_predictions(
    fitted: Fitted,
    path: str | os.PathLike[str],
    source: Any = None,
    columns: Sequence[str] | None = None,
    random: str | Sequence[str] = "conditional",
    new_levels: str = "error",
    *,
    output: Output = LINEAR,
    offset: str | None = None,
    progress: CountOption = None,
) -> int:
    """Write predictions, of which `output` says what they are; see `MixedResults.stream_predictions`."""
    check_new_levels(new_levels)
    groups = chosen_groups(fitted, random)
    encoding = fitted.design.encoding
    if encoding is None:
        raise DataError("The model was made from arrays, so a source has no meaning for it.")
    if own := source is None:
        source, offset = _own_source(fitted, offset)
    target = Path(path)
    _check_target(target, source)
    database = open_source(source, ordered=True)
    needed = _needed(fitted, database, groups, offset)
    kept = list(encoding.parsed.columns) if columns is None else list(columns)
    kept = [name for name in kept if columns is not None or name in database.table.columns]
    if absent := [name for name in kept if name not in database.table.columns]:
        raise column_error(absent, database.table.columns, "columns=")
    if taken := [name for name in kept if name in (_PREDICTED, _RESID)]:
        raise OptionError(
            f"The column {taken[0]!r} would stand beside the one of that name that is written: leave it out of "
            "columns=, or rename it in the source."
        )
    database.check_names([*kept, *needed])
    database.check_sorts(needed)
    chosen = database.table.select(*dict.fromkeys([*kept, *needed]))
    total = int(database.read(database.table.aggregate(n=database.table.count()))["n"][0].as_py())
    if own:
        _check_same(fitted, database, total)
    if total == 0:
        raise DataError(f"{database.name} has no rows: there is nothing to predict.")
    with _writer(target) as write, counter(progress, "predictions") as note:
        done = 0
        for batch in database.batches(chosen, fitted.model.engines.limits.streamed):
            write(_predicted(fitted, output, batch, kept, groups, "null" if own else new_levels, offset))
            done += batch.num_rows
            note(done, total)
    return done


def _predicted(
    fitted: Fitted,
    output: Output,
    batch: Any,
    kept: Sequence[str],
    groups: Sequence[str],
    new_levels: str,
    offset: str | None,
) -> pa.Table:
    """One batch with its predictions, and residuals where the response is there.

    Levels that the fit has not seen raise an error, count as 0, or give null: in the fit's own rows they occur only
    where something is missing.
    """
    import pyarrow as pa

    rows = pa.Table.from_batches([batch])
    table = open_table(rows)
    found = read_rows(fitted, table, groups, (), offset)
    if new_levels == "error":
        check_known(fitted, found, groups, "Leave them out, or use new_levels='zero' to predict with effects of 0.")
    mean = found.means(fitted, groups)
    if new_levels == "null":
        for term, new in zip(fitted.problem.terms, found.terms, strict=True):
            if term.group in groups and new is not None:
                mean[(new.codes < 0).reshape(len(mean), -1).any(axis=1)] = np.nan
    out = rows.select(list(kept)).append_column(_PREDICTED, _nullable(output.predicted(mean)))
    encoding = fitted.design.encoding
    if encoding is not None and set(encoding.response_columns) <= set(table.names):
        residuals = output.residuals(encoding, table, mean)
        out = out if residuals is None else out.append_column(_RESID, _nullable(residuals))
    return out


def _nullable(values: np.ndarray) -> pa.Array:
    """Array with null for NaN."""
    import pyarrow as pa

    return pa.array(values, mask=np.isnan(values))


def _needed(fitted: Fitted, database: Database, groups: Sequence[str], offset: str | None) -> list[str]:
    """Columns of the source that predictions and residuals need; those of the response only if they are all there."""
    encoding = fitted.design.encoding
    assert encoding is not None
    names = [*encoding.columns(groups), *([offset] if offset else [])]
    if absent := [name for name in names if name not in database.table.columns]:
        raise column_error(absent, database.table.columns, f"the formula {fitted.model.formula!r}")
    response = encoding.response_columns
    return [*names, *(response if set(response) <= set(database.table.columns) else ())]


def _own_source(fitted: Fitted, offset: str | None) -> tuple[str, str | None]:
    """Files of the fit, and the column that it took the offset from."""
    own = fitted.design.source
    location = getattr(own, "location", None)
    if location is None:
        raise OptionError(
            "The fit does not know a path to read its rows from: give source=, a Parquet path, a glob, a DuckDB "
            "relation or an Ibis table."
        )
    if offset is not None:
        raise OptionError("offset= belongs to source=: the rows of the fit have their own.")
    assert own is not None
    return location, own.offset  # type: ignore[return-value]


def _check_target(target: Path, source: Any) -> None:
    if not target.parent.is_dir():
        raise OptionError(f"There is no directory {str(target.parent)!r} to write {target.name!r} to: make it first.")
    if target.is_dir():
        raise OptionError(f"{str(target)!r} is a directory: give the path of a file to write.")
    if isinstance(source, (str, os.PathLike)) and target.exists() and target.resolve() in files_of(source):
        raise OptionError(f"{str(target)!r} is a file of the source itself: write to another path.")
    if isinstance(source, (str, os.PathLike)) and would_read(source, target):
        raise OptionError(
            f"{str(target)!r} would be read as a part of the source {os.fspath(source)!r} next time: write to another "
            "directory."
        )


def _check_same(fitted: Fitted, database: Database, total: int) -> None:
    """Refuse files of the fit that were replaced since by others."""
    mend = "give the path in source= to predict what it holds now, or fit it again."
    rows_of_fit = fitted.problem.n + fitted.design.nmissing
    if total != rows_of_fit:
        raise DataError(f"{database.name} had {rows_of_fit:,} rows when it was fitted and has {total:,} now: {mend}")
    before = getattr(fitted.design.source, "stamps", ())
    for then, now in zip(before, database.stamps, strict=False):
        if not now.has_contents_of(then):
            raise DataError(f"The file {now.path!r} has other contents than when it was fitted: {mend}")
    if before and len(before) != len(database.stamps):
        raise DataError(f"{database.name} had {len(before)} files and has {len(database.stamps)} now: {mend}")


@contextmanager
def _writer(target: Path) -> Iterator[Any]:
    """Write to a part beside `target`, which changes only when everything is written."""
    import pyarrow.parquet as pq

    writer = None

    def write(table: pa.Table) -> None:
        nonlocal writer
        with _explained(target):
            writer = writer or pq.ParquetWriter(part, table.schema)
            writer.write_table(table)

    with _explained(target), replacing(target) as part:
        try:
            yield write
        finally:
            if writer is not None:
                writer.close()


@contextmanager
def _explained(target: Path) -> Iterator[None]:
    """Context in which what the system says of a file that is written names it: no room, no permission."""
    try:
        yield
    except OSError as err:
        raise StorageError(f"{target} cannot be written: {err.strerror or err}. What was there is as it was.") from err
