"""How far the engine is from the kernels that nothing exact avoids: ``python -m benchmarks.limits``.

Writes three CSV files and a report made from them, with machine and date: time per evaluation and per fit of the
crossed problems beside their floor (`floor`), where the time of a small fit goes (`stages`), and the evaluations of
every bundled model (`evaluations`). ``--report`` makes the report from the files that are there.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.limits.crossed import LimitRow, measure
from benchmarks.limits.evaluations import EvaluationRow, count_evaluations
from benchmarks.limits.report import report
from benchmarks.limits.stages import StageRow, measure_stages
from benchmarks.problems import PROBLEMS, Problem
from benchmarks.shared.records import RESULTS, read_rows, write_rows

__all__ = ["main"]

# What is measured only when it is asked for by name: problems with fewer random effects left, whose floor is less than
# the calls of an interpreter, and problems with more rows, a quarter of an hour each.
SMALLEST_REST = 100
MOST_ROWS = 2_000_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write the files, print the report."""
    options = _parser().parse_args(arguments)
    paths = {name: options.out / f"{name}.csv" for name in ("limits", "stages", "evaluations")}
    if not options.report:
        chosen = options.problems or [p.name for p in _crossed() if p.n <= MOST_ROWS]
        found = [_measured(name, threads, options) for name in chosen for threads in options.threads]
        write_rows([row for row in found if options.problems or _counts(row)], paths["limits"])
        write_rows(measure_stages(), paths["stages"])
        write_rows(count_evaluations(), paths["evaluations"])
    text = report(
        read_rows(paths["limits"], LimitRow),
        read_rows(paths["stages"], StageRow),
        read_rows(paths["evaluations"], EvaluationRow),
    )
    (options.out / "limits.md").write_text(text, encoding="utf-8")
    print(text)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limits", description=__doc__)
    names = [problem.name for problem in _crossed()]
    default = f"those of up to {MOST_ROWS:,} rows that leave {SMALLEST_REST} effects or more"
    text = f"of {', '.join(names)} (default: {default})"
    parser.add_argument("--problems", nargs="+", choices=names, metavar="NAME", help=text)
    text = "threads of BLAS and of compiled loops, one row for each number (default 1 2)"
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help=text)
    parser.add_argument("--rounds", type=int, default=15, help="rounds that count, per problem (default 15)")
    parser.add_argument("--budget", type=float, default=30.0, help="seconds after which no round starts (default 30)")
    parser.add_argument("--report", action="store_true", help="measure nothing, make the report again")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    return parser


def _crossed() -> list[Problem]:
    return [problem for problem in PROBLEMS if problem.structure.startswith("crossed")]


def _counts(row: LimitRow) -> bool:
    return row.rest is None or row.rest >= SMALLEST_REST


def _measured(name: str, threads: int, options: argparse.Namespace) -> LimitRow:
    print(f"{name}, threads: {threads} ...", file=sys.stderr, flush=True)
    return measure(name, threads, options.rounds, options.budget)


if __name__ == "__main__":
    sys.exit(main())
