"""Time whole fits of all engines and write the results as CSV: ``python -m benchmarks.run``."""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks.contest.costs import reason_to_skip
from benchmarks.contest.engines.registry import ENGINES
from benchmarks.contest.measure import Terms, measure
from benchmarks.contest.rows import CANNOT, LATEST, NOT_FINISHED, NOT_RUN, Row, judged, merged
from benchmarks.problems import PROBLEMS, Problem, select
from benchmarks.shared.records import read_rows, write_rows

__all__ = ["QUICK", "main"]

QUICK = LATEST.with_name("quick.csv")
# Seconds, whole and quick runs: how long a call is waited for, and how long an engine's calls on one problem may have
# taken when the last one begins.
LIMIT, QUICK_LIMIT = 600.0, 60.0
BUDGET, QUICK_BUDGET = 300.0, 3.0
# Calls expected to take longer than this are not begun by a quick run; a whole run begins what its limit allows.
QUICK_EXPECTED = 5.0
QUICK_TOTAL = 240.0  # a quick run begins no problem later than this; what it has begun ends within five minutes
TABLES = 5
INTERRUPTED = 130  # the shell's status after Ctrl-C


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chosen problems. The file is rewritten after each, so that an interrupted run keeps its rows."""
    options = _parser().parse_args(arguments)
    out = options.out or (QUICK if options.quick else LATEST)
    total = options.total or (QUICK_TOTAL if options.quick else math.inf)
    engines = [ENGINES[name] for name in options.engines or ENGINES]
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - started:6.0f} s] {text}", file=sys.stderr, flush=True)

    # A selection adds to the rows that are there; a whole run begins anew.
    keeps = options.resume or options.problems is not None or options.engines is not None
    rows = read_rows(out, Row) if keeps and out.exists() else []
    for problem in select(options.problems):
        terms = _terms(problem, options)
        longest = None if options.all else QUICK_EXPECTED if options.quick else terms.limit
        done = {row.engine for row in rows if row.problem == problem.name}
        if terms.repetitions == 0:
            say(f"{problem.name}: left out of the quick run")
        elif options.resume and done.issuperset(engine.name for engine in engines):
            say(f"{problem.name}: has its rows already")
        elif time.monotonic() - started > total:
            say(f"{problem.name}: left for '--resume', the {total:g} s of the run are over")
        else:
            try:
                found = measure(problem, engines, terms, not_run=partial(reason_to_skip, longest=longest), say=say)
            except KeyboardInterrupt:
                say(f"{problem.name}: interrupted. Earlier problems have their rows in {out}; --resume does the others")
                return INTERRUPTED
            rows = _with(rows, found)
            write_rows(rows, out)
            for row in found:
                say(_sentence(row))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    names = [problem.name for problem in PROBLEMS]
    add = parser.add_argument
    add("--problems", nargs="+", choices=names, metavar="NAME", help=f"of {', '.join(names)}; others keep their rows")
    add("--engines", nargs="+", choices=list(ENGINES), metavar="NAME", help=f"of {', '.join(ENGINES)}; likewise")
    add("--quick", action="store_true", help="short calls only, fewer of them, into another file")
    add("--resume", action="store_true", help="only the problems that lack a row of a chosen engine in the file")
    add("--all", action="store_true", help="also the calls that are expected to exceed the limit")
    add("--repetitions", type=int, help="at most so many timed calls")
    text = "numbers of threads to try; every engine goes on with the one that suits it (default 1 2)"
    add("--threads", type=int, nargs="+", default=[1, 2], metavar="N", help=text)
    add("--tables", type=int, default=TABLES, help=f"at most so many timed calls to a printed table (default {TABLES})")
    text = "a call that takes longer is given up, one that is expected to is not begun"
    add("--limit", type=float, metavar="SECONDS", help=f"{text} (default {LIMIT:g}, quick {QUICK_LIMIT:g})")
    text = "when an engine's calls on one problem have taken so long, none begins any more"
    add("--budget", type=float, metavar="SECONDS", help=f"{text} (default {BUDGET:g}, quick {QUICK_BUDGET:g})")
    text = "when the run has taken so long, no problem begins any more"
    add("--total", type=float, metavar="SECONDS", help=f"{text} (default: all begin, quick {QUICK_TOTAL:g})")
    add("--out", type=Path, help=f"CSV file (default {LATEST.name}, quick {QUICK.name}, in results/)")
    return parser


def _terms(problem: Problem, options: argparse.Namespace) -> Terms:
    repetitions = problem.quick_repetitions if options.quick else problem.repetitions
    return Terms(
        repetitions=repetitions if options.repetitions is None else min(repetitions, options.repetitions),
        threads=tuple(options.threads),
        tables=options.tables,
        limit=options.limit or (QUICK_LIMIT if options.quick else LIMIT),
        budget=options.budget or (QUICK_BUDGET if options.quick else BUDGET),
    )


def _with(rows: Sequence[Row], found: Sequence[Row]) -> list[Row]:
    """Put the rows found in the place of their predecessors, and judge all of them anew."""
    best = {(p.name, "REML" if p.reml else "ML"): p.best_known for p in PROBLEMS if p.best_known is not None}
    names = [problem.name for problem in PROBLEMS]
    return judged(merged(rows, found, names, list(ENGINES)), best)


def _sentence(row: Row) -> str:
    if row.error is not None:
        verb = "" if row.error.startswith((CANNOT, NOT_FINISHED, NOT_RUN)) else "failed: "
        return f"{row.problem}: {row.engine} {verb}{row.error}"
    above = f", stops {row.excess:.3g} above the optimum" if row.stops_above else ""
    counted = "" if row.evaluations is None else f"{row.evaluations} evaluations, "
    return (
        f"{row.problem}: {row.engine} {row.seconds:.4g} s ({row.seconds_min:.4g} to {row.seconds_max:.4g}), threads "
        f"{row.threads}, CPU {row.cpu_seconds:.4g} s, to a table {row.table_seconds or math.nan:.4g} s, {counted}"
        f"{row.peak_mb:.0f} MB, {row.method} criterion {row.criterion:.8f}{above}"
    )


if __name__ == "__main__":
    sys.exit(main())
