"""What results keep of a source: where it is, and what reference grids need of its columns."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mixedsparse.core.problem.absent_rows import ELSEWHERE
from mixedsparse.data.formula.kinds import Sort
from mixedsparse.data.formula.source import Covariate
from mixedsparse.data.sources.columns import SourceColumns, code_key, sort_of_type
from mixedsparse.data.sources.moments import Moments
from mixedsparse.data.sources.parquet import Stamp

__all__ = ["RemoteSource", "moments_of", "summaries", "summarised"]


@dataclass(frozen=True, eq=False)
class RemoteSource:
    """Stands where data in memory have `mixedsparse.data.formula.source.Source`.

    Parameters
    ----------
    summaries : Mapping
        Column -> mean and range, or levels when it holds text.
    weights, offset : str or None
        Column names.
    contrasts : Mapping or None
    env : Mapping
        Numbers of the caller that the formula uses.
    location : str or None
        Path or glob of the files; None for tables of a database.
    fingerprint : tuple of float
        Moments of the response and the weights: equal data have equal ones.
    binary : bool
        Whether the response is 0 or 1 in all rows.
    stamps : tuple of Stamp
        The files as they were.
    counted : bool
        Whether the response looks like counts; not stored.
    """

    summaries: Mapping[str, Covariate | tuple[Any, ...]]
    weights: str | None
    offset: str | None
    contrasts: Mapping[str, Any] | None
    env: Mapping[str, Any]
    location: str | None
    fingerprint: tuple[float, ...]
    binary: bool = False
    stamps: tuple[Stamp, ...] = ()
    counted: bool = False

    @property
    def columns(self) -> Any:
        """Columns of rows, which are not here."""
        return ELSEWHERE

    @property
    def table(self) -> Any:
        """Rows as a table: an error, since they are not here."""
        return ELSEWHERE.table

    def values(self, column: str) -> Any:
        """Values of a column, which are not here."""
        return ELSEWHERE

    def summary(self, column: str, factor: bool) -> Covariate | tuple[Any, ...]:
        """Moments of a column of numbers; levels, in order, of any other and of one that stands for a `factor`."""
        return self.summaries[column]


def summarised(columns: SourceColumns, wanted: Sequence[str], coded: Collection[str]) -> dict[str, tuple[str, Any]]:
    """Columns among those `wanted` that are summarised as numbers, as `SourceColumns.numbers` takes them.

    Their keys are those of `of_summary`; columns whose keys are `coded` are factors.
    """
    values = {name: columns.value(name) for name in wanted if code_key(name) not in coded}
    return {
        of_summary(name): (name, value) for name, value in values.items() if sort_of_type(value.type()) is Sort.NUMBERS
    }


def of_summary(column: str) -> str:
    """Key of the moments of a column that is summarised."""
    return f"summary of {column}"


def summaries(
    columns: SourceColumns, wanted: Sequence[str], moments: Mapping[str, Moments]
) -> dict[str, Covariate | tuple[Any, ...]]:
    """Summaries of the columns `wanted`: of numbers those whose `moments` there are, levels of anything else."""
    out: dict[str, Covariate | tuple[Any, ...]] = {}
    for name in wanted:
        found = moments.get(of_summary(name))
        if found is None:
            out[name] = tuple(columns.column_factor(name).levels.tolist())
            continue
        binary = found.truth or (
            found.may_be_binary and not columns.are_between(columns.value(name), found.low, found.high)
        )
        out[name] = Covariate(found.mean, found.low, found.high, binary and found.low < found.high)
    return out


def moments_of(arrays: Sequence[np.ndarray], counts: np.ndarray | None = None) -> tuple[float, ...]:
    """Mean, standard deviation and range of each of `arrays` (n,), row i counted `counts[i]` times: a fingerprint."""
    out: list[float] = []
    for values in arrays:
        mean = float(np.average(values, weights=counts))
        deviation = float(np.sqrt(np.average(np.square(values - mean), weights=counts)))
        out += [mean, deviation, float(values.min()), float(values.max())]
    return tuple(out)
