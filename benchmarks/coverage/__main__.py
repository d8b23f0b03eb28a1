"""Coverage of intervals and error rates of tests: ``python -m benchmarks.coverage``.

Simulates every design and writes `results/coverage.csv`, then the tables `results/coverage.md` from it. Replicate i of
a design has the same seed whatever the others are. Measures that cost many refits have fewer replicates. ``--report``
makes the tables from the file that is there; ``--designs`` and ``--measures`` replace those rows only.
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import mixedsparse as ms
from benchmarks.coverage import generalized
from benchmarks.coverage.designs import DESIGNS
from benchmarks.coverage.measures import MEASURES, simulated
from benchmarks.coverage.report import report
from benchmarks.coverage.rows import OUT, CoverageRow, rows_of
from benchmarks.shared.records import read_rows, write_rows

__all__ = ["main"]

EVERY: Mapping[str, Callable[[], Any]] = {**DESIGNS, **generalized.DESIGNS}
ASKED: Mapping[Callable[[Any], Any], bool] = {**MEASURES, **generalized.MEASURES}


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate, write the files."""
    options = _parser().parse_args(arguments)
    rows = read_rows(options.out, CoverageRow) if options.out.exists() else []
    if not options.report:
        for key in options.designs:
            for dear, limit in ((False, options.replicates), (True, options.dear)):
                own = MEASURES if key in DESIGNS else generalized.MEASURES
                chosen = [m for m, is_dear in own.items() if is_dear == dear and m.__name__ in options.measures]
                if chosen and limit:
                    new = _measured(key, chosen, limit, options.seed, options.seconds)
                    rows = _merged(rows, new)
                    write_rows(rows, options.out)
    text = report(rows)
    options.out.with_suffix(".md").write_text(text, encoding="utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage", description=__doc__)
    names = [measure.__name__ for measure in ASKED]
    parser.add_argument("--designs", nargs="+", choices=EVERY, default=list(EVERY), metavar="NAME")
    parser.add_argument("--measures", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--replicates", type=int, default=2000, help="of quick measures (default 2000)")
    parser.add_argument("--dear", type=int, default=400, help="of measures that refit many times (default 400)")
    text = "after which a design has no further replicates, quick and dear ones each (default: no limit)"
    parser.add_argument("--seconds", type=float, default=float("inf"), help=text)
    parser.add_argument("--seed", type=int, default=25)
    parser.add_argument("--report", action="store_true", help="simulate nothing, make the tables again")
    parser.add_argument("--out", type=Path, default=OUT, help="file of the rows; the tables stand beside it")
    return parser


def _measured(
    key: str, measures: Sequence[Callable[[Any], Any]], limit: int, seed: int, seconds: float
) -> list[CoverageRow]:
    """Rates of `measures` in one design."""
    draws: Iterator[Any] = (simulated if key in DESIGNS else generalized.simulated)(EVERY[key](), limit, seed)
    started, found = time.perf_counter(), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ms.MixedSparseWarning)
        for one in itertools.takewhile(lambda _: time.perf_counter() - started < seconds, draws):
            found += [measure(one) for measure in measures]
    count = len(found) // len(measures)
    names = ", ".join(measure.__name__ for measure in measures)
    print(f"{key}: {count} replicates in {time.perf_counter() - started:.0f} s: {names}", file=sys.stderr, flush=True)
    return rows_of(key, found, _commit(), datetime.date.today().isoformat())


def _merged(old: Sequence[CoverageRow], new: Sequence[CoverageRow]) -> list[CoverageRow]:
    """`old` rows, those measured again replaced, in the order of designs."""
    known = {(row.design, row.quantity, row.method): row for row in (*old, *new)}
    order = list(EVERY)
    return sorted(known.values(), key=lambda row: order.index(row.design))


def _commit() -> str:
    found = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=Path(__file__).parent, check=False
    )
    return found.stdout.strip() or ms.__version__


if __name__ == "__main__":
    sys.exit(main())
