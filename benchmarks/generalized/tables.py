"""The results of generalized models as a table of docs/benchmarks.md, and beside what was aimed at."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from benchmarks.generalized.problems import MOST_EVALUATIONS, PROBLEMS, GeneralizedProblem
from benchmarks.generalized.rows import OWN, GeneralizedRow
from benchmarks.shared import text

__all__ = ["bars", "render"]

NOTHING = "–"
# Excess over the best criterion from which a cell says how far above the engine ends.
WORTH_SAYING = 1e-5


def render(rows: Sequence[GeneralizedRow], problems: Sequence[GeneralizedProblem] = PROBLEMS) -> str:
    """Return caption, the table of processor times, and a note for every call that did not end or failed."""
    if not rows:
        raise ValueError("There are no results to tabulate. Run 'python -m benchmarks.generalized' first.")
    engines = list(dict.fromkeys([OWN, *(row.engine for row in rows)]))
    found = {(row.problem, row.engine): row for row in rows}
    lines = []
    for problem in problems:
        own = found.get((problem.name, OWN))
        cells = [_cell(found.get((problem.name, name)), own) for name in engines]
        evaluations = NOTHING if own is None or own.evaluations is None else own.evaluations
        sizes = [f"{problem.n:,}", f"{problem.q:,}", problem.p + problem.n_theta, evaluations]
        if cells != [NOTHING] * len(cells):
            lines.append([problem.name, *sizes, *cells])
    table = text.table(["problem", "rows", "q", "parameters", "our evaluations", *engines], lines)
    notes = [f"- {row.engine} on {row.problem}: {row.error}." for row in rows if row.error is not None]
    return "\n\n".join(part for part in (_caption(rows), table, "\n".join(notes)) if part)


def bars(rows: Sequence[GeneralizedRow], problems: Sequence[GeneralizedProblem] = PROBLEMS) -> list[str]:
    """Return a line for every bar whose problem has been measured: what was aimed at, what is reached."""
    found = {(row.problem, row.engine): row for row in rows}
    lines = []
    for problem in problems:
        own = found.get((problem.name, OWN))
        if own is None:
            continue
        for engine, bar in problem.bars.items():
            rival = found.get((problem.name, engine))
            ratio = None if rival is None else _ratio(rival, own)
            if ratio is not None:
                verdict = "met" if ratio >= bar else "missed"
                lines.append(f"{problem.name}, {engine}: {text.ratio(ratio)}, bar {bar:g}×, {verdict}")
            elif rival is not None:
                lines.append(f"{problem.name}, {engine}: {rival.error}, bar {bar:g}×")
        if own.evaluations is not None and own.excess is not None:
            verdict = "met" if own.evaluations <= MOST_EVALUATIONS else "missed"
            lines.append(f"{problem.name}: {own.evaluations} evaluations, bar {MOST_EVALUATIONS}, {verdict}")
            verdict = "met" if own.excess <= problem.tolerance else "missed"
            lines.append(f"{problem.name}: {own.excess:.1e} above the lowest, bar {problem.tolerance:g}, {verdict}")
    return lines


def _caption(rows: Sequence[GeneralizedRow]) -> str:
    versions = dict.fromkeys(f"{row.engine} {row.version}" for row in rows if row.version is not None)
    dates = sorted({row.date for row in rows})
    machines = dict.fromkeys(f"{row.machine}, {row.cores} cores" for row in rows)
    loads = [row.load for row in rows]
    shares = [row.cpu_seconds / row.seconds for row in rows if row.cpu_seconds and row.seconds]
    share = f", of which a call got {statistics.median(shares):.0%} of a core" if shares else ""
    return (
        "Whole calls, formula and data frame to estimates with standard errors (gpboost: without): least processor "
        "time of warm calls on one thread, engines in turn. *×*: how many times as long as mixedsparse. *Above*: how "
        "far the -2 log-likelihood at the engine's estimates, computed alike for all, is above the lowest known, so "
        "that the time is that of a worse answer. The machine did other work at the same time (load "
        f"{min(loads):g} to {max(loads):g} on {rows[0].cores} cores), which makes processor times longer and uneven, "
        "hence the least of several; medians are in `benchmarks/results/generalized.csv`. *Not finished*: given up "
        f"after the seconds of the clock that the notes say{share}. "
        f"{' to '.join(dict.fromkeys((dates[0], dates[-1])))}, {'; '.join(machines)}. {', '.join(versions)}."
    )


def _cell(row: GeneralizedRow | None, own: GeneralizedRow | None) -> str:
    if row is None:
        return NOTHING
    if row.cpu_seconds_min is None:
        error = row.error or ""
        return "cannot" if error.startswith("cannot") else "not finished" if "not finished" in error else "failed"
    cell = text.seconds(row.cpu_seconds_min)
    if row.excess is not None and row.excess > WORTH_SAYING:
        cell += f", {row.excess:.2g} above"
    ratio = _ratio(row, own)
    return cell if ratio is None or row.engine == OWN else f"{cell}, {text.ratio(ratio)}"


def _ratio(rival: GeneralizedRow, own: GeneralizedRow | None) -> float | None:
    if own is None or own.cpu_seconds_min is None or rival.cpu_seconds_min is None:
        return None
    return rival.cpu_seconds_min / own.cpu_seconds_min
