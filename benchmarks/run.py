"""Time whole fits of all engines and write the results as CSV: ``python -m benchmarks.run``."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.contest import measure
from benchmarks.engines.registry import ENGINES
from benchmarks.problems import PROBLEMS, select
from benchmarks.rows import RESULTS, Row, write_rows

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chosen problems; the CSV is rewritten after each, so that an interrupted run keeps its rows."""
    options = _parser().parse_args(arguments)
    engines = [ENGINES[name] for name in options.engines]
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - started:6.0f} s] {text}", file=sys.stderr, flush=True)

    rows: list[Row] = []
    for problem in select(options.problems):
        repetitions = problem.quick_repetitions if options.quick else problem.repetitions
        if options.repetitions is not None:
            repetitions = min(repetitions, options.repetitions)
        if repetitions == 0:
            say(f"{problem.name}: left out of the quick run")
            continue
        found = measure(problem, engines, repetitions=repetitions, threads=options.threads, say=say)
        rows += found
        write_rows(rows, options.out)
        for row in found:
            say(_sentence(row))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    names = [problem.name for problem in PROBLEMS]
    parser.add_argument("--problems", nargs="+", choices=names, metavar="NAME", help=f"of {', '.join(names)}")
    parser.add_argument("--engines", nargs="+", choices=list(ENGINES), default=list(ENGINES))
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, no problem of minutes")
    parser.add_argument("--repetitions", type=int, help="at most so many timed calls")
    parser.add_argument("--threads", type=int, default=2, help="thread limit of every engine (default 2)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="CSV file to write")
    return parser


def _sentence(row: Row) -> str:
    if row.error is not None:
        return f"{row.problem}: {row.engine} failed: {row.error}"
    above = f", stops {row.excess:.3g} above the optimum" if row.stops_above else ""
    return (
        f"{row.problem}: {row.engine} {row.seconds:.4g} s ({row.seconds_min:.4g} to {row.seconds_max:.4g}), CPU "
        f"{row.cpu_seconds:.4g} s, {row.evaluations} evaluations, {row.peak_mb:.0f} MB, "
        f"criterion {row.criterion:.8f}{above}"
    )


if __name__ == "__main__":
    sys.exit(main())
