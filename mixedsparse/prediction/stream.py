"""Predictions and residuals of rows that do not fit into memory, batch by batch."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedsparse.data.formula.frames import column_error, open_table
from mixedsparse.data.sources.database import Database
from mixedsparse.data.sources.opening import open_source
from mixedsparse.ground.errors import DataError, OptionError
from mixedsparse.ground.progress import CountOption, counter
from mixedsparse.prediction.output import LINEAR, Output
from mixedsparse.prediction.predict import check_interval, check_new_levels
from mixedsparse.prediction.rows import check_known, chosen_groups, read_rows
from mixedsparse.prediction.targets import check_file, check_table, table_writer, writer

if TYPE_CHECKING:
    import pyarrow as pa

    from mixedsparse.fitted.fitted import Fitted

__all__ = ["StreamOptions", "prediction_batches", "stream_predictions"]

_PREDICTED, _LIMITS, _RESID = "predicted", ("lower", "upper"), "resid"


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """What is predicted of the rows of a source, and what is kept of them; see `MixedResults.stream_predictions`."""

    columns: Sequence[str] | None = None
    random: str | Sequence[str] = "conditional"
    new_levels: str = "error"
    interval: str | None = None
    level: float = 0.95
    ddf: str = "satterthwaite"
    offset: str | None = None
    row_number: str | None = None
    output: Output = LINEAR


def stream_predictions(
    fitted: Fitted,
    path: str | os.PathLike[str] | None,
    source: Any,
    options: StreamOptions,
    *,
    table: str | None = None,
    progress: CountOption = None,
) -> int:
    """Write predictions to a file or a table; see `MixedResults.stream_predictions`."""
    if (path is None) == (table is None):
        raise OptionError("Give either path=, a Parquet file to write, or table=, a table to make in the database.")
    stream = _Stream(fitted, source, options)
    if path is not None:
        check_file(Path(path), stream.source)
    stream.open()
    if table is not None:
        check_table(table, stream.database)
    target = table_writer(table, stream.database) if table is not None else writer(Path(path or ""))
    with target as write, counter(progress, "predictions") as note:
        done = 0
        for found in stream:
            write(found)
            done += found.num_rows
            note(done, stream.total)
    return done


def prediction_batches(fitted: Fitted, source: Any, options: StreamOptions) -> Iterator[pa.RecordBatch]:
    """Yield predictions as Arrow batches; see `MixedResults.prediction_batches`."""
    stream = _Stream(fitted, source, options)
    stream.open()
    return (batch for found in stream for batch in found.combine_chunks().to_batches())


class _Stream:
    """Predictions of the rows of one source."""

    database: Database
    total: int

    def __init__(self, fitted: Fitted, source: Any, options: StreamOptions) -> None:
        check_new_levels(options.new_levels)
        check_interval(options.interval, options.level, options.ddf)
        self.fitted, self.options = fitted, options
        self.groups = chosen_groups(fitted, options.random)
        if fitted.design.encoding is None:
            raise DataError("The model was made from arrays, so a source has no meaning for it.")
        self.encoding = fitted.design.encoding
        self.own, self.source, self.offset = source is None, source, options.offset
        if self.own:
            self.source, self.offset = _own_source(fitted, options.offset)
        self.new_levels = "null" if self.own else options.new_levels

    def open(self) -> None:
        """Open the source, and see that it has what is needed."""
        self.database = database = open_source(self.source, ordered=True)
        needed, self.kept = self._needed(), self._kept()
        database.check_names([*self.kept, *needed])
        database.check_sorts(needed)
        self._chosen = database.table.select(*dict.fromkeys([*self.kept, *needed]))
        self.total = int(database.read(database.table.aggregate(n=database.table.count()))["n"][0].as_py())
        if self.own:
            _check_same(self.fitted, database, self.total)
        if self.total == 0:
            raise DataError(f"{database.name} has no rows: there is nothing to predict.")

    def __iter__(self) -> Iterator[pa.Table]:
        start = 0
        for batch in self.database.batches(self._chosen, self.fitted.model.engines.limits.streamed):
            yield self._predicted(batch, start)
            start += batch.num_rows

    def _needed(self) -> list[str]:
        """Columns that predictions and residuals need; those of the response only if they are all there."""
        there = self.database.table.columns
        names = [*self.encoding.columns(self.groups), *([self.offset] if self.offset else [])]
        weights = getattr(self.fitted.design.source, "weights", None)
        if self.options.interval == "prediction":
            names += self.encoding.columns(list(self.fitted.ngroups))
            names += [weights] if isinstance(weights, str) else []
            names += self.options.output.columns()
        names = list(dict.fromkeys(names))
        if absent := [name for name in names if name not in there]:
            raise column_error(absent, there, f"the formula {self.fitted.model.formula!r}")
        response = self.encoding.response_columns
        return [*names, *(response if set(response) <= set(there) else ())]

    def _kept(self) -> list[str]:
        """Columns of the source that are written along."""
        there, wanted = self.database.table.columns, self.options.columns
        names = list(self.encoding.parsed.columns) if wanted is None else list(wanted)
        names = [name for name in names if wanted is not None or name in there]
        if absent := [name for name in names if name not in there]:
            raise column_error(absent, there, "columns=")
        own = [_PREDICTED, _RESID, *(_LIMITS if self.options.interval else ())]
        own += [self.options.row_number] if self.options.row_number else []
        if taken := [name for name in names if name in own]:
            raise OptionError(
                f"The column {taken[0]!r} would stand beside the one of that name that is written: leave it out of "
                "columns=, or rename it in the source."
            )
        return names

    def _predicted(self, batch: Any, start: int) -> pa.Table:
        """One batch with its predictions, and residuals where the response is there.

        Levels that the fit has not seen raise an error, count as 0, or give null: in the fit's own rows they occur only
        where something is missing.
        """
        import pyarrow as pa

        fitted, options, groups = self.fitted, self.options, self.groups
        rows = pa.Table.from_batches([batch])
        table = open_table(rows)
        others = set(fitted.ngroups).difference(groups) if options.interval == "prediction" else set()
        found = read_rows(fitted, table, groups, others, self.offset)
        if self.new_levels == "error":
            check_known(fitted, found, groups, "Leave them out, or use new_levels='zero' to predict with effects of 0.")
        if options.interval is None:
            mean, limits = found.means(fitted, groups), []
        else:
            asked = options.interval, options.level, options.ddf
            mean, *limits = options.output.limits(fitted, found, groups, *asked)
        if self.new_levels == "null":
            for term, new in zip(fitted.problem.terms, found.terms, strict=True):
                if term.group in groups and new is not None:
                    unknown = (new.codes < 0).reshape(len(mean), -1).any(axis=1)
                    for values in (mean, *limits):
                        values[unknown] = np.nan
        out = rows.select(self.kept)
        if options.row_number:
            out = out.add_column(0, options.row_number, pa.array(np.arange(start, start + len(mean))))
        out = out.append_column(_PREDICTED, _nullable(options.output.predicted(mean)))
        for name, values in zip(_LIMITS, limits, strict=False):
            out = out.append_column(name, _nullable(values))
        if set(self.encoding.response_columns) <= set(table.names):
            residuals = options.output.residuals(self.encoding, table, mean)
            out = out if residuals is None else out.append_column(_RESID, _nullable(residuals))
        return out


def _nullable(values: np.ndarray) -> pa.Array:
    """Array with null for NaN."""
    import pyarrow as pa

    return pa.array(values, mask=np.isnan(values))


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
