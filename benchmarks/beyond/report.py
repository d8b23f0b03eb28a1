"""The rows as a table of docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.beyond.problems import RATINGS, problem_named
from benchmarks.beyond.rows import BeyondRow
from benchmarks.shared import text
from benchmarks.shared.records import read_rows

__all__ = ["growth", "render", "render_file"]

NOTHING = "–"


def render_file(path: Path) -> str:
    """Return `render` of a file of rows."""
    return render(read_rows(path, BeyondRow))


def render(rows: Sequence[BeyondRow]) -> str:
    """Return caption, table and notes in Markdown."""
    header = ["Parquet file", "rows", "levels", "file", "wall time", "processor time", "peak memory", "method"]
    notes = [*_growth_notes(rows), "5 million ratings beside gpboost's iterative method: `ratings5m`, table above."]
    return "\n\n".join([_caption(rows), text.table(header, map(_line, rows)), "\n".join(f"- {note}" for note in notes)])


def growth(rows: Sequence[BeyondRow]) -> float:
    """Return b of the least-squares line log(seconds) = a + b log(rows): 1 if time grows as the rows do."""
    logs = np.log([[row.n, row.seconds] for row in rows])
    centred = logs - logs.mean(axis=0)
    return float(centred[:, 0] @ centred[:, 1] / (centred[:, 0] @ centred[:, 0]))


def _caption(rows: Sequence[BeyondRow]) -> str:
    dates = sorted({row.date for row in rows})
    machines = dict.fromkeys(f"{row.machine}, {row.threads} of its processors" for row in rows)
    versions = dict.fromkeys(row.version for row in rows)
    return (
        "Whole calls on a Parquet file, each in a new process; what is asked in parentheses. Memory is the highest of "
        "the process with DuckDB in it. MC: largest Monte-Carlo error of an estimate, as a share of its standard "
        f"error. {' to '.join(dict.fromkeys((dates[0], dates[-1])))}, {'; '.join(machines)}. "
        f"mixedsparse {', '.join(versions)}."
    )


def _line(row: BeyondRow) -> list[str]:
    problem = problem_named(row.problem)
    most_seconds, most_gb = problem.bars.get(row.size, (None, None))
    gb = row.peak_mb * 2**20 / 1e9
    return [
        problem.task,
        f"{row.n:,}",
        " × ".join(f"{int(count):,}" for count in row.levels.split("x")),
        f"{row.file_mb:,.0f} MB",
        _beside(text.seconds(row.seconds), row.seconds, most_seconds, " s"),
        text.seconds(row.cpu_seconds),
        _beside(f"{gb:.2f} GB", gb, most_gb, " GB"),
        _method(row),
    ]


def _beside(cell: str, value: float, bar: float | None, unit: str = "") -> str:
    """A figure and its bar."""
    if bar is None:
        return cell
    return f"**{cell}** (≤ {bar:.3g}{unit})" if value <= bar else f"{cell} (≤ {bar:.3g}{unit}: missed)"


def _method(row: BeyondRow) -> str:
    if row.solver is None:
        return NOTHING
    share = "" if row.mc_share is None else f", MC {100 * row.mc_share:.2g} %"
    return f"{row.solver}, {row.evaluations} evaluations{share}"


def _growth_notes(rows: Sequence[BeyondRow]) -> list[str]:
    """How time grows with the rows, if several sizes of the ratings are there."""
    ratings = sorted((row for row in rows if row.problem == RATINGS.name), key=lambda row: row.n)
    if len(ratings) < 2:
        return []
    first, last, exponent = ratings[0], ratings[-1], growth(ratings)
    more, longer = last.n / first.n, last.seconds / first.seconds
    return [
        f"Ratings, {first.n:,} to {last.n:,} rows: {_beside(f'{longer:.1f}', longer, more)} times as long; slope of "
        f"log time against log rows, least squares: {_beside(f'{exponent:.2f}', exponent, 1.0)}{_same_method(ratings)}."
    ]


def _same_method(ratings: Sequence[BeyondRow]) -> str:
    """The slope among the fits by the method of the largest, if some are by another: a change hides growth."""
    solver = ratings[-1].solver
    alike = [row for row in ratings if row.solver == solver]
    return f", {growth(alike):.2f} among the {solver} ones" if 1 < len(alike) < len(ratings) else ""
