"""Predictions of rows that do not fit into memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mixedsparse.api.results.base import ResultsBase
from mixedsparse.ground.choices import Ddf, Interval, NewLevels

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["StreamingMixin"]


class StreamingMixin(ResultsBase):
    """What `MixedResults` says of the rows of files and of tables of databases."""

    def stream_predictions(
        self,
        path: str | os.PathLike[str] | None = None,
        source: Any = None,
        columns: Sequence[str] | None = None,
        random: str | Sequence[str] = "conditional",
        new_levels: NewLevels = "error",
        *,
        table: str | None = None,
        interval: Interval | None = None,
        level: float = 0.95,
        ddf: Ddf = "satterthwaite",
        row_number: str | None = None,
        offset: str | None = None,
        progress: bool | Callable[[int, int], None] | None = None,
    ) -> int:
        """Write predictions and residuals of all rows of a source, batch by batch, to a Parquet file or a table.

        Parameters
        ----------
        path : str or path, optional
            Parquet file to write. It appears, or is replaced, only when all is written: the file is written whole or
            not at all. After an error or Ctrl-C run the call again.
        source : str, path, DuckDB relation or Ibis table, optional
            Rows to predict; by default the files of the fit.
        columns : sequence of str, optional
            Columns of the source that are written along, such as the keys of its rows; by default those of the formula
            that are there.
        random, new_levels, interval, level, ddf
            See `predict`.
        table : str, optional
            In place of `path`: table to make in the database of `source`, once all rows are predicted.
        row_number : str, optional
            Name of a column with the number of each row in the source, from 0, where there is no key to keep.
        offset : str, optional
            Column that is added, for `source`; see `predict`.
        progress : bool or callable, optional
            Whether a bar is shown, by default on an interactive terminal or in a notebook after two seconds; a
            callable gets (rows done, rows).

        Returns
        -------
        int
            Number of rows that were written, in the order of the files; those of a table of Ibis come in the order in
            which its database gives them, which may change from call to call. ``predicted`` is in units of the left
            side of the formula; ``lower`` and ``upper`` are there for an `interval`; ``resid``, the response less
            ``predicted``, is there if the response is. All are null in a row in which a variable is missing.

        Raises
        ------
        DataError
            A level was not seen by the fit, or the source cannot be read.
        OptionError
            `path` cannot be written or is a part of the source, the table is there already, or there is no source.

        Examples
        --------
        >>> import tempfile, pathlib, mixedsparse as ms
        >>> fit = ms.lmer("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff"))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     source = pathlib.Path(folder) / "dyestuff.parquet"
        ...     ms.datasets.load("Dyestuff").to_parquet(source)
        ...     fit.stream_predictions(pathlib.Path(folder) / "predicted.parquet", source, interval="prediction")
        30
        """
        from mixedsparse.prediction.stream import StreamOptions, stream_predictions

        options = StreamOptions(columns, random, new_levels, interval, level, ddf, offset, row_number)
        return stream_predictions(self._fitted, path, source, options, table=table, progress=progress)

    def prediction_batches(
        self,
        source: Any = None,
        columns: Sequence[str] | None = None,
        random: str | Sequence[str] = "conditional",
        new_levels: NewLevels = "error",
        *,
        interval: Interval | None = None,
        level: float = 0.95,
        ddf: Ddf = "satterthwaite",
        row_number: str | None = None,
        offset: str | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """Predict the rows of a source batch by batch, to be written to anything that takes batches of Arrow.

        Parameters
        ----------
        source, columns, random, new_levels, interval, level, ddf, row_number, offset
            See `stream_predictions`.

        Returns
        -------
        iterator of pyarrow.RecordBatch
            With the columns that `stream_predictions` writes; rows are read as batches are asked for.

        Examples
        --------
        >>> import tempfile, pathlib, mixedsparse as ms
        >>> fit = ms.lmer("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff"))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     source = pathlib.Path(folder) / "dyestuff.parquet"
        ...     ms.datasets.load("Dyestuff").to_parquet(source)
        ...     [batch.num_rows for batch in fit.prediction_batches(source, columns=["Batch"])]
        [30]
        """
        from mixedsparse.prediction.stream import StreamOptions, prediction_batches

        options = StreamOptions(columns, random, new_levels, interval, level, ddf, offset, row_number)
        return prediction_batches(self._fitted, source, options)
