"""Fit generalized models in turn by all programs: ``python -m benchmarks.generalized``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.generalized.engines.registry import ENGINES
from benchmarks.generalized.measure import measure
from benchmarks.generalized.problems import PROBLEMS, select
from benchmarks.generalized.rows import OUT, GeneralizedRow, judged
from benchmarks.generalized.tables import bars
from benchmarks.shared.clock import teller
from benchmarks.shared.contestants import Terms
from benchmarks.shared.records import merged, read_rows, write_rows

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chosen problems; the file is rewritten after each, and keeps the rows of what is not run."""
    options = _parser().parse_args(arguments)
    say = teller()
    rows = read_rows(options.out, GeneralizedRow) if options.out.exists() else []
    if options.bars:
        print("\n".join(bars(rows)))
        return 0
    engines = [ENGINES[name] for name in options.engines or ENGINES]
    for problem in select(options.problems, options.all):
        repetitions = options.repetitions or problem.repetitions
        found = measure(problem, engines, Terms(repetitions, options.limit, options.budget), say=say)
        rows = judged(merged(rows, found, [known.name for known in PROBLEMS], list(ENGINES)))
        write_rows(rows, options.out)
        for row in found:
            say(_sentence(row))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.generalized", description=__doc__)
    names = [problem.name for problem in PROBLEMS]
    add = parser.add_argument
    add("--problems", nargs="+", choices=names, metavar="NAME", help=f"of {', '.join(names)}; others keep their rows")
    add("--engines", nargs="+", choices=list(ENGINES), metavar="NAME", help=f"of {', '.join(ENGINES)}; likewise")
    add("--all", action="store_true", help="also the million rows: half an hour")
    add("--repetitions", type=int, help="so many timed calls instead of the problem's")
    add("--limit", type=float, default=60.0, metavar="SECONDS", help="a longer call is given up (default 60)")
    text = "when an engine's calls on one problem have taken so long, none begins any more (default 60)"
    add("--budget", type=float, default=60.0, metavar="SECONDS", help=text)
    add("--bars", action="store_true", help="run nothing, print what was aimed at and reached")
    add("--out", type=Path, default=OUT, help=f"CSV file (default {OUT.name}, in results/)")
    return parser


def _sentence(row: GeneralizedRow) -> str:
    if row.error is not None:
        return f"{row.problem}: {row.engine} {row.error}"
    return (
        f"{row.problem}: {row.engine} CPU {row.cpu_seconds_min:.4g} s (median {row.cpu_seconds:.4g} of "
        f"{row.repetitions}), evaluations {row.evaluations}, criterion {row.criterion:.8f}, reported {row.reported}"
    )


if __name__ == "__main__":
    sys.exit(main())
