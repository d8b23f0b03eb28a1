"""The results of the contest as tables of docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from benchmarks.contest.caption import caption
from benchmarks.contest.rows import CANNOT, NOT_FINISHED, NOT_RUN, Row
from benchmarks.problems import PROBLEMS, Problem
from benchmarks.shared import text

if TYPE_CHECKING:
    from benchmarks.cold import ColdRow

__all__ = ["render", "render_short", "targets"]

OWN = "mixedsparse"
NOTHING = "–"
# What printed tables test with unless the table says otherwise.
TESTS = "Satterthwaite"
# How far an engine's own criterion may be from the judge's before a note says so: three times the tolerance of a stop.
MISREPORT = 3e-3
# What the README shows.
SHORT_PROBLEMS = ("sleepstudy", "insteval3", "psych60", "kb07", "ratings1m")
SHORT_ENGINES = (OWN, "lme4", "glmm", "mixedlm", "statsmodels")


def render(
    rows: Sequence[Row],
    cold: Sequence[ColdRow] = (),
    problems: Sequence[Problem] = PROBLEMS,
    figures: Mapping[str, str] | None = None,
) -> str:
    """Return caption, tables of times to estimates and to printed tables, figures, the other figures, and notes.

    Parameters
    ----------
    rows : sequence of Row
        Results, judged.
    cold : sequence of ColdRow
        Start-up measurements; one sentence each.
    problems : sequence of Problem
        Order of the table.
    figures : mapping of str to str, optional
        Text in place of a figure -> its address.
    """
    if not rows:
        raise ValueError("There are no results to tabulate. Run 'python -m benchmarks.run' first.")
    engines = [OWN, *(name for name in dict.fromkeys(row.engine for row in rows) if name != OWN)]
    found = {problem: {row.engine: row for row in rows if row.problem == problem.name} for problem in problems}
    measured = {problem: by_engine for problem, by_engine in found.items() if by_engine}
    times, tables, others = [], [], []
    for problem, by_engine in measured.items():
        times.append([*_sizes(problem, by_engine.get(OWN)), *_times(by_engine, engines)])
        tables.append([problem.name, *(_table_time(by_engine.get(name), by_engine.get(OWN)) for name in engines)])
        others.append([problem.name, *(_others(by_engine.get(name)) for name in engines)])
    notes = [note for problem, by_engine in measured.items() for note in _notes(problem, by_engine)]
    notes += _absences(rows) + _misreports(rows)
    notes += [f"{row.measure}: {row.seconds:.2f} s (median of {row.repetitions} new processes)." for row in cold]
    parts = [
        caption(rows, OWN),
        text.table(["problem", "rows", "q", "θ", "nnz(L)", *engines], times),
        "\n".join(f"![{title}]({address})" for title, address in (figures or {}).items()),
        *_printed(engines, tables),
        "Evaluations of the criterion, as each engine counts them / peak memory of its process in MB / timed calls × "
        "threads:",
        text.table(["problem", *engines], others),
        "\n".join(f"- {note}" for note in notes),
    ]
    return "\n\n".join(part for part in parts if part)


def render_short(rows: Sequence[Row], problems: Sequence[Problem] = PROBLEMS) -> str:
    """Return the table of times of a few problems and engines."""
    shown = [problem for problem in problems if problem.name in SHORT_PROBLEMS]
    engines = [name for name in SHORT_ENGINES if any(row.engine == name for row in rows)]
    lines = []
    for problem in shown:
        found = {row.engine: row for row in rows if row.problem == problem.name}
        lines.append([f"{problem.name}: {problem.n:,} rows, {problem.n_theta} θ", *_times(found, engines)])
    return text.table(["problem", *engines], lines)


def targets(rows: Sequence[Row], problems: Sequence[Problem] = PROBLEMS) -> list[str]:
    """Return a line for every target of a problem that has been measured: what was reached, what was aimed at."""
    found = {(row.problem, row.engine): row for row in rows}
    lines = []
    for problem in problems:
        own = found.get((problem.name, OWN))
        for engine, target in problem.targets.items():
            rival = found.get((problem.name, engine))
            ratio = None if rival is None else _ratio(rival, own)
            if ratio is not None:
                verdict = "met" if ratio >= target else "missed"
                lines.append(f"{problem.name}, {engine}: {text.ratio(ratio)}, target {target:g}×, {verdict}")
        if own is not None and own.evaluations is not None and problem.max_evaluations is not None:
            verdict = "met" if own.evaluations <= problem.max_evaluations else "missed"
            lines.append(
                f"{problem.name}: {own.evaluations} evaluations, target at most {problem.max_evaluations}, {verdict}"
            )
    return lines


def _sizes(problem: Problem, own: Row | None) -> list[str]:
    nonzeros = NOTHING if own is None or own.nnz_L is None else f"{own.nnz_L:,}"
    return [problem.name, f"{problem.n:,}", f"{problem.q:,}", str(problem.n_theta), nonzeros]


def _times(found: dict[str, Row], engines: Sequence[str]) -> list[str]:
    own = found.get(OWN)
    return [_time(found.get(name), own) for name in engines]


def _time(row: Row | None, own: Row | None) -> str:
    if row is None:
        return NOTHING
    if row.seconds is None:
        return _absence(row)
    cell = _spread(row.seconds, row.seconds_min, row.repetitions)
    if own is not None and row.method != own.method:
        cell += f" {row.method}"
    if row.stops_above:
        cell += f", {_excess(row)} above"
    ratio = _ratio(row, own)
    return cell if ratio is None else f"{cell}, {text.ratio(ratio)}"


def _spread(median: float, least: float | None, repetitions: int | None) -> str:
    """Median and least of several calls, or the one there was."""
    if repetitions == 1 or least is None:
        return f"{text.seconds(median)} once"
    return f"{text.seconds(median)} ({text.seconds(least)})"


def _printed(engines: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    """The table of times to a printed table, where there is one."""
    if all(cell == NOTHING for _, *cells in lines for cell in cells):
        return []
    said = (
        "The second clock: formula and data frame to a *printed table* with standard errors, and tests with the "
        "degrees of freedom that the engine's own summary has: Satterthwaite's, unless the cell says otherwise. "
        "lme4 prints by lmerTest. Median, least and ratio as above:"
    )
    return [said, text.table(["problem", *engines], lines)]


def _table_time(row: Row | None, own: Row | None) -> str:
    if row is None or row.seconds is None:
        return NOTHING
    if row.table_seconds is None:
        error = row.table_error or ""
        return error if error.startswith(NOT_FINISHED) else "failed" if error else NOTHING
    cell = _spread(row.table_seconds, row.table_seconds_min, row.table_repetitions)
    if row.df != TESTS:
        cell += f" {'no df' if row.df == 'none' else row.df}"
    if row.engine == OWN or own is None or own.table_seconds is None or own.stops_above or row.stops_above:
        return cell
    return f"{cell}, {text.ratio(row.table_seconds / own.table_seconds)}"


def _excess(row: Row) -> str:
    excess = row.excess or 0.0
    return f"{excess:.0f}" if excess >= 10 else f"{excess:.2g}"


def _ratio(rival: Row, own: Row | None) -> float | None:
    """How many times longer; None if we fail or stop above the optimum, or the rival does before we end."""
    if rival.engine == OWN or own is None or own.seconds is None or rival.seconds is None or own.stops_above:
        return None
    ratio = rival.seconds / own.seconds
    return None if rival.stops_above and ratio < 1 else ratio


def _others(row: Row | None) -> str:
    if row is None:
        return NOTHING
    if row.seconds is None:
        return _absence(row)
    evaluations = NOTHING if row.evaluations is None else f"{row.evaluations:,}"
    memory = NOTHING if row.peak_mb is None else f"{row.peak_mb:,.0f}"
    return f"{evaluations} / {memory} / {row.repetitions} × {row.threads}"


def _absence(row: Row) -> str:
    error = row.error or ""
    if error.startswith(NOT_FINISHED):
        return error
    return "cannot" if error.startswith(CANNOT) else "not run" if error.startswith(NOT_RUN) else "failed"


def _absences(rows: Sequence[Row]) -> list[str]:
    """One sentence for every engine and reason why it has no time; the CSV has the reasons for what was not begun."""
    without = sorted(
        (row for row in rows if row.error is not None and not row.error.startswith(NOT_RUN)),
        key=lambda row: (row.engine, _absence(row), row.error),
    )
    sentences = []
    for (engine, error), group in groupby(without, key=lambda row: (row.engine, row.error or "")):
        names = ", ".join(row.problem for row in group)
        if error.startswith(CANNOT):
            sentences.append(f"{engine} cannot express {error.removeprefix(CANNOT)}: {names}.")
        else:
            verb = "" if error.startswith(NOT_FINISHED) else " failed:"
            sentences.append(f"{engine} on {names}{verb} {error}.")
    return sentences


def _misreports(rows: Sequence[Row]) -> list[str]:
    """One sentence for every engine whose own criterion is not that of its estimates: the worst problem."""
    worst: dict[str, Row] = {}
    for row in rows:
        if abs(_misreport(row)) > (abs(_misreport(worst[row.engine])) if row.engine in worst else MISREPORT):
            worst[row.engine] = row
    return [
        f"{row.engine} reports a criterion {abs(_misreport(row)):.2g} {'below' if _misreport(row) < 0 else 'above'} "
        f"that of its own estimates on {row.problem}."
        for row in worst.values()
    ]


def _misreport(row: Row) -> float:
    return 0.0 if row.reported is None or row.criterion is None else row.reported - row.criterion


def _notes(problem: Problem, found: dict[str, Row]) -> list[str]:
    """One sentence for every respect in which mixedsparse is behind."""
    own, lme4 = found.get(OWN), found.get("lme4")
    notes: list[str] = []
    if own is None or own.error is not None:
        return notes
    if own.stops_above:
        notes.append(f"{OWN} on {problem.name} stops {_excess(own)} above the best known criterion.")
    faster = [
        f"{row.engine} ({text.seconds(row.seconds)}{'' if row.method == own.method else ' ' + row.method})"
        for row in found.values()
        if row.seconds is not None and own.seconds is not None and row.seconds < own.seconds and not row.stops_above
    ]
    if faster and own.seconds is not None:
        notes.append(f"{OWN} on {problem.name}: {text.seconds(own.seconds)}, slower than {', '.join(faster)}.")
    sooner = [
        f"{row.engine} ({text.seconds(row.table_seconds)})"
        for row in found.values()
        if row.table_seconds is not None and row.df == TESTS and not row.stops_above
        if own.table_seconds is not None and row.table_seconds < own.table_seconds
    ]
    if sooner and own.table_seconds is not None:
        reached = text.seconds(own.table_seconds)
        notes.append(f"{OWN} on {problem.name}: printed table in {reached}, later than {', '.join(sooner)}.")
    if lme4 is not None and (own.peak_mb or 0.0) > (lme4.peak_mb or float("inf")):
        notes.append(f"{OWN} on {problem.name}: {own.peak_mb:.0f} MB, more than lme4's {lme4.peak_mb:.0f} MB.")
    return notes
