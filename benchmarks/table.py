"""Turn the results into the table of the README: ``python -m benchmarks.table``."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.inference import OUT as INFERENCE
from benchmarks.problems import PROBLEMS, Problem
from benchmarks.rows import COLD, RESULTS, ColdRow, Row, read_rows

__all__ = ["BEGIN", "END", "main", "render", "replace_between_markers"]

BEGIN = "<!-- benchmark table: begin -->"
END = "<!-- benchmark table: end -->"
INFERENCE_BEGIN = "<!-- inference table: begin -->"
INFERENCE_END = "<!-- inference table: end -->"
OWN = "mixedsparse"
NOTHING = "–"


def main(arguments: Sequence[str] | None = None) -> int:
    """Rewrite the table; with ``--check`` only report by the exit status whether it is up to date."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.table", description=__doc__)
    parser.add_argument("--csv", type=Path, default=RESULTS, help="results of benchmarks.run")
    parser.add_argument("--cold", type=Path, default=COLD, help="results of benchmarks.cold, if the file exists")
    parser.add_argument("--inference", type=Path, default=INFERENCE, help="results of benchmarks.inference")
    parser.add_argument("--readme", type=Path, default=Path(__file__).parents[1] / "README.md")
    parser.add_argument("--check", action="store_true", help="change nothing, fail if the table is out of date")
    options = parser.parse_args(arguments)
    cold = read_rows(options.cold, ColdRow) if options.cold.exists() else []
    before = options.readme.read_text(encoding="utf-8")
    after = replace_between_markers(before, render(read_rows(options.csv, Row), cold))
    if options.inference.exists():
        after = replace_between_markers(after, render_inference(options.inference), INFERENCE_BEGIN, INFERENCE_END)
    if not options.check:
        options.readme.write_text(after, encoding="utf-8")
    elif after != before:
        print(f"The table in {options.readme} is out of date: run 'python -m benchmarks.table'.", file=sys.stderr)
        return 1
    return 0


def replace_between_markers(text: str, table: str, begin_line: str = BEGIN, end_line: str = END) -> str:
    """Return `text` with everything between the two markers replaced by `table`.

    Raises
    ------
    ValueError
        The markers are not there once each, in order.
    """
    head, begin, rest = text.partition(begin_line)
    _, end, tail = rest.partition(end_line)
    if not begin or not end or begin_line in rest or end_line in head or end_line in tail:
        raise ValueError(f"The text must contain the lines '{begin_line}' and '{end_line}' once each, in this order.")
    return f"{head}{begin_line}\n{table.strip()}\n{end_line}{tail}"


def render_inference(path: Path) -> str:
    """Return the table of `benchmarks.inference` in Markdown."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    lines = ["| inference on a fitted model | mixedsparse | R | ratio |", "|---|---|---|---|"]
    for row in rows:
        ours, theirs = float(row["mixedsparse_seconds"]), float(row["r_seconds"])
        lines.append(f"| {row['task']} | {1000 * ours:.3g} ms | {theirs:.3g} s | {float(row['ratio']):.0f}× |")
    return "\n".join(lines)


def render(rows: Sequence[Row], cold: Sequence[ColdRow] = (), problems: Sequence[Problem] = PROBLEMS) -> str:
    """Return caption, table and notes in Markdown.

    Parameters
    ----------
    rows : sequence of Row
        Results of one run.
    cold : sequence of ColdRow
        Start-up measurements; one sentence each.
    problems : sequence of Problem
        Order of the table, targets, limits on evaluations.
    """
    if not rows:
        raise ValueError("There are no results to tabulate. Run 'python -m benchmarks.run' first.")
    rivals = [name for name in dict.fromkeys(row.engine for row in rows) if name != OWN]
    header = ["problem", "rows", "q", "θ", OWN, *rivals, *(f"vs {rival}" for rival in rivals), "peak MB"]
    lines = [_line(header), _line(["---", *["---:"] * (len(header) - 1)])]
    notes: list[str] = []
    for problem in problems:
        found = {row.engine: row for row in rows if row.problem == problem.name}
        if found:
            lines.append(_line(_cells(problem, found, rivals)))
            notes += _notes(problem, found)
    notes += [f"{row.measure}: {row.seconds:.2f} s (median of {row.repetitions} new processes)." for row in cold]
    listed = "\n".join(f"- {note}" for note in notes)
    return "\n\n".join(part for part in (_caption(rows), "\n".join(lines), listed) if part)


def _caption(rows: Sequence[Row]) -> str:
    versions = dict.fromkeys(f"{row.engine} {row.version}" for row in rows if row.version is not None)
    row = rows[0]
    return (
        f"Seconds of one whole call, formula and data frame to estimates: median of warm calls, engines in turn, "
        f"{row.threads} threads each; in brackets the evaluations of the criterion. *vs*: how many times faster, and "
        f"what is asked. Peak MB: memory of the process, in the order of the columns. "
        f"{row.date}, {row.machine}, {row.cores} cores. {', '.join(versions)}."
    )


def _cells(problem: Problem, found: dict[str, Row], rivals: Sequence[str]) -> list[str]:
    own = found.get(OWN)
    return [
        problem.name,
        f"{problem.n:,}",
        f"{problem.q:,}",
        str(problem.n_theta),
        *(_time(found.get(name)) for name in (OWN, *rivals)),
        *(_ratio(own, found.get(name), problem.targets.get(name)) for name in rivals),
        " / ".join(_memory(found.get(name)) for name in (OWN, *rivals)),
    ]


def _time(row: Row | None) -> str:
    if row is None:
        return NOTHING
    if row.seconds is None:
        return "failed"
    above = f", stops {row.excess:.2g} above" if row.stops_above else ""
    return f"{_seconds(row.seconds)} ({row.evaluations:,}{above})"


def _ratio(own: Row | None, rival: Row | None, target: float | None) -> str:
    """How many times faster; nothing if we fail or stop above the optimum, because then the time proves nothing."""
    if own is None or rival is None or own.seconds is None or rival.seconds is None or own.stops_above:
        return NOTHING
    ratio = rival.seconds / own.seconds
    text = f"{ratio:.2g}×" if ratio < 10 else f"{ratio:.0f}×"
    if target is None:
        return text
    return f"**{text}** (≥ {target:g})" if ratio >= target else f"{text} (≥ {target:g}: missed)"


def _notes(problem: Problem, found: dict[str, Row]) -> list[str]:
    """One sentence for every failure, and for every limit of the issue that mixedsparse exceeds."""
    notes = [f"{name} on {problem.name} failed: {row.error}." for name, row in found.items() if row.error is not None]
    own, lme4 = found.get(OWN), found.get("lme4")
    if own is None or own.error is not None:
        return notes
    if own.stops_above:
        notes.append(f"{OWN} on {problem.name} stops {own.excess:.2g} above the best known criterion.")
    if problem.max_evaluations is not None and (own.evaluations or 0) > problem.max_evaluations:
        asked = f"at most {problem.max_evaluations} asked"
        notes.append(f"{OWN} on {problem.name}: {own.evaluations} evaluations, {asked}.")
    if lme4 is not None and (own.peak_mb or 0.0) > (lme4.peak_mb or float("inf")):
        notes.append(f"{OWN} on {problem.name}: {own.peak_mb:.0f} MB, more than lme4's {lme4.peak_mb:.0f} MB.")
    return notes


def _seconds(value: float) -> str:
    """Three significant digits, in the unit that avoids leading zeros."""
    if value < 1:
        return f"{float(f'{1000 * value:.3g}'):g} ms"
    return f"{float(f'{value:.3g}'):g} s"


def _memory(row: Row | None) -> str:
    return NOTHING if row is None or row.peak_mb is None else f"{row.peak_mb:,.0f}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
