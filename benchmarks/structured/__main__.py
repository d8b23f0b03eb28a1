"""Fit structured models in turn by this package and by R's: ``python -m benchmarks.structured``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.shared.clock import teller
from benchmarks.shared.records import merged, read_rows, write_rows
from benchmarks.structured.measure import measure
from benchmarks.structured.problems import PROBLEMS, select
from benchmarks.structured.rows import OUT, OWN, StructuredRow, bars

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chosen problems; the file is rewritten after each, and keeps the rows of what is not run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.structured", description=__doc__)
    programs = [OWN, *dict.fromkeys(name for problem in PROBLEMS for name in problem.programs)]
    names = [problem.name for problem in PROBLEMS]
    parser.add_argument("--problems", nargs="+", choices=names, metavar="NAME", help=f"of {', '.join(names)}")
    parser.add_argument("--programs", nargs="+", choices=programs, metavar="NAME", help=f"of {', '.join(programs)}")
    parser.add_argument("--limit", type=float, default=300.0, metavar="SECONDS", help="a longer call is given up")
    parser.add_argument("--bars", action="store_true", help="run nothing, print what was aimed at and reached")
    parser.add_argument("--out", type=Path, default=OUT, help=f"CSV file (default {OUT.name}, in results/)")
    options = parser.parse_args(arguments)
    rows = read_rows(options.out, StructuredRow) if options.out.exists() else []
    say = teller()
    for problem in () if options.bars else select(options.problems):
        rows = merged(rows, measure(problem, options.programs, options.limit, say), names, programs)
        write_rows(rows, options.out)
    print("\n".join(bars(rows)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
