"""Time and memory of data beyond memory, from Parquet: ``python -m benchmarks.beyond``.

Ratings in the shape of MovieLens-32M, from the file to the estimates, at several sizes; 100 million reaction times from
the file to their cross-products; and answers of persons to questions, a generalized model without a factor. Every file
is made in a temporary directory and deleted after its call, which runs in a new process. Writes a CSV file, which keeps
the sizes that are not measured again, and a table of docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from benchmarks.beyond.problems import AGGREGATION, ANSWERS, RATINGS, BigProblem
from benchmarks.beyond.report import render
from benchmarks.beyond.rows import OUT, BeyondRow
from benchmarks.shared.records import PAGE, machine, read_rows, write_rows
from benchmarks.shared.workers import Worker, WorkerError
from benchmarks.table import BEYOND_BEGIN, BEYOND_END, replace_between_markers

__all__ = ["main", "measure"]

# The file takes 9 bytes per row; the rest is what DuckDB may move to disk while it sums over pairs of levels.
BYTES_PER_ROW = 60
# Rows of the file on which a process loads and compiles what it does once.
SMALL_ROWS = 5_000
LIMIT = 1800.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure one size after the other; after each, rewrite the CSV file and the table."""
    options = _parser().parse_args(arguments)
    asked = [(RATINGS, size) for size in sorted(options.rows)]
    asked += [(AGGREGATION, size) for size in sorted(options.aggregated)]
    asked += [(ANSWERS, size) for size in sorted(options.answers)]
    _check_space(max((size for _, size in asked), default=0))
    rows = {(row.problem, row.size): row for row in (read_rows(options.out, BeyondRow) if options.out.exists() else [])}
    for problem, size in asked:
        try:
            rows[problem.name, size] = measure(problem, size, options.threads)
        except WorkerError as err:
            print(f"{problem.name}, {size:,} rows: {err}", file=sys.stderr)
            return 1
        found = sorted(rows.values(), key=lambda row: (row.problem != RATINGS.name, row.size))
        write_rows(found, options.out)
        page = options.page.read_text(encoding="utf-8")
        page = replace_between_markers(page, render(found), BEYOND_BEGIN, BEYOND_END)
        options.page.write_text(page, encoding="utf-8")
    return 0


def measure(problem: BigProblem, size: int, threads: int) -> BeyondRow:
    """Make a file of `size` rows, and time the call on it in a new process.

    Raises
    ------
    WorkerError
        The call failed, or took longer than half an hour.
    """
    start = time.monotonic()

    def tell(what: str) -> None:
        print(f"[{time.monotonic() - start:6.0f} s] {problem.name}, {size:,} rows: {what}", flush=True)

    with tempfile.TemporaryDirectory(prefix="mixedsparse-") as folder:
        small, path = Path(folder) / "small.parquet", Path(folder) / "data.parquet"
        tell("writing the file")
        problem.write(small, SMALL_ROWS)
        problem.write(path, size)
        file_mb = path.stat().st_size / 2**20
        tell(f"{file_mb:,.0f} MB written, call begins")
        command = [sys.executable, "-m", "benchmarks.beyond.worker", problem.name, str(threads), str(small), str(path)]
        with Worker(command, threads=threads, limit=LIMIT) as worker:
            answer = worker.answer()
    row = BeyondRow(
        date=date.today().isoformat(),
        machine=machine(),
        threads=threads,
        problem=problem.name,
        size=size,
        file_mb=file_mb,
        **answer,
    )
    tell(f"{row.seconds:.1f} s, processors {row.cpu_seconds:.1f} s, at most {row.peak_mb:,.0f} MB")
    return row


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.beyond", description=__doc__)
    for name, problem in (("--rows", RATINGS), ("--aggregated", AGGREGATION), ("--answers", ANSWERS)):
        sizes = " ".join(map(str, problem.sizes))
        text = f"rows of the files of {problem.name} (default {sizes}; none: left out)"
        parser.add_argument(name, type=int, nargs="*", default=problem.sizes, metavar="N", help=text)
    parser.add_argument("--threads", type=int, default=2, help="processors of a call (default 2)")
    parser.add_argument("--out", type=Path, default=OUT, help="CSV file to write")
    parser.add_argument("--page", type=Path, default=PAGE, help="page with the table")
    return parser


def _check_space(rows: int) -> None:
    """End the command if the temporary directory may become too small."""
    folder = tempfile.gettempdir()
    free, needed = shutil.disk_usage(folder).free, rows * BYTES_PER_ROW
    if free < needed:
        sys.exit(
            f"{folder} has {free / 1e9:.1f} GB left, a file of {rows:,} rows and its aggregation need up to "
            f"{needed / 1e9:.1f} GB: make room, name another directory in TMPDIR, or choose fewer rows."
        )


if __name__ == "__main__":
    sys.exit(main())
