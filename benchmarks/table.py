"""Turn the results into the tables of docs/benchmarks.md and the README: ``python -m benchmarks.table``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import cold, inference
from benchmarks.beyond.report import render_file as render_beyond
from benchmarks.beyond.rows import OUT as BEYOND
from benchmarks.contest.rows import LATEST, Row
from benchmarks.contest.tables import render, render_short, targets
from benchmarks.generalized.rows import OUT as GENERALIZED
from benchmarks.generalized.rows import GeneralizedRow
from benchmarks.generalized.tables import render as render_generalized
from benchmarks.plots import FIGURES
from benchmarks.shared.records import PAGE, README, read_rows
from benchmarks.structured.rows import OUT as STRUCTURED
from benchmarks.structured.rows import StructuredRow
from benchmarks.structured.rows import render as render_structured

__all__ = ["BEGIN", "BEYOND_BEGIN", "BEYOND_END", "END", "main", "replace_between_markers"]

BEGIN = "<!-- benchmark table: begin -->"
END = "<!-- benchmark table: end -->"
SHORT_BEGIN = "<!-- short table: begin -->"
SHORT_END = "<!-- short table: end -->"
INFERENCE_BEGIN = "<!-- inference table: begin -->"
INFERENCE_END = "<!-- inference table: end -->"
BEYOND_BEGIN = "<!-- beyond table: begin -->"
BEYOND_END = "<!-- beyond table: end -->"
GENERALIZED_BEGIN = "<!-- generalized table: begin -->"
GENERALIZED_END = "<!-- generalized table: end -->"
STRUCTURED_BEGIN = "<!-- structured table: begin -->"
STRUCTURED_END = "<!-- structured table: end -->"


def main(arguments: Sequence[str] | None = None) -> int:
    """Rewrite the table; with ``--check`` only report by the exit status whether it is up to date."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.table", description=__doc__)
    parser.add_argument("--csv", type=Path, default=LATEST, help="results of benchmarks.run")
    parser.add_argument("--cold", type=Path, default=cold.OUT, help="results of benchmarks.cold, if the file exists")
    parser.add_argument("--inference", type=Path, default=inference.OUT, help="results of benchmarks.inference")
    parser.add_argument("--beyond", type=Path, default=BEYOND, help="results of benchmarks.beyond, if the file exists")
    parser.add_argument("--generalized", type=Path, default=GENERALIZED, help="results of benchmarks.generalized")
    parser.add_argument("--structured", type=Path, default=STRUCTURED, help="results of benchmarks.structured")
    parser.add_argument("--page", type=Path, default=PAGE, help="page with the tables")
    parser.add_argument("--readme", type=Path, default=README, help="page with the short table")
    parser.add_argument("--check", action="store_true", help="change nothing, fail if the table is out of date")
    parser.add_argument("--targets", action="store_true", help="change nothing, print what was aimed at and reached")
    options = parser.parse_args(arguments)
    if options.targets:
        print("\n".join(targets(read_rows(options.csv, Row))))
        return 0
    starts = read_rows(options.cold, cold.ColdRow) if options.cold.exists() else []
    rows = read_rows(options.csv, Row)
    figures = _figures(options.csv.parent, options.page.parent)
    before = {path: path.read_text(encoding="utf-8") for path in (options.page, options.readme)}
    after = replace_between_markers(before[options.page], render(rows, starts, figures=figures))
    if options.inference.exists():
        found = inference.render(read_rows(options.inference, inference.InferenceRow))
        after = replace_between_markers(after, found, INFERENCE_BEGIN, INFERENCE_END)
    if options.beyond.exists():
        after = replace_between_markers(after, render_beyond(options.beyond), BEYOND_BEGIN, BEYOND_END)
    if options.generalized.exists():
        generalized = render_generalized(read_rows(options.generalized, GeneralizedRow))
        after = replace_between_markers(after, generalized, GENERALIZED_BEGIN, GENERALIZED_END)
    if options.structured.exists():
        structured = render_structured(read_rows(options.structured, StructuredRow))
        after = replace_between_markers(after, structured, STRUCTURED_BEGIN, STRUCTURED_END)
    short = replace_between_markers(before[options.readme], render_short(rows), SHORT_BEGIN, SHORT_END)
    stale = [path for path, page in ((options.page, after), (options.readme, short)) if page != before[path]]
    if not options.check:
        options.page.write_text(after, encoding="utf-8")
        options.readme.write_text(short, encoding="utf-8")
    elif stale:
        print(f"Out of date: {', '.join(map(str, stale))}. Run 'python -m benchmarks.table'.", file=sys.stderr)
        return 1
    return 0


def replace_between_markers(page: str, table: str, begin_line: str = BEGIN, end_line: str = END) -> str:
    """Return `page` with everything between the two markers replaced by `table`.

    Raises
    ------
    ValueError
        The markers are not there once each, in order.
    """
    head, begin, rest = page.partition(begin_line)
    _, end, tail = rest.partition(end_line)
    if not begin or not end or begin_line in rest or end_line in head or end_line in tail:
        raise ValueError(f"The page must contain the lines '{begin_line}' and '{end_line}' once each, in this order.")
    return f"{head}{begin_line}\n{table.strip()}\n{end_line}{tail}"


def _figures(folder: Path, base: Path) -> dict[str, str]:
    """Text and relative address of the figures that lie beside the results."""
    return {
        f"{title}: seconds against {label}": Path(os.path.relpath(folder / name, base)).as_posix()
        for name, label, title in FIGURES.values()
        if (folder / name).exists()
    }


if __name__ == "__main__":
    sys.exit(main())
