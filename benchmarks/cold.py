"""Time what a new process pays: ``python -m benchmarks.cold``."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from benchmarks.shared.clock import repeated, seconds_of, spread
from benchmarks.shared.records import RESULTS, machine, write_rows

__all__ = ["OUT", "ColdRow", "main", "time_processes"]

OUT = RESULTS / "cold.csv"

# Each script prints the seconds it wants counted; None counts the whole process, interpreter included.
IMPORT = """
import time
start = time.perf_counter()
import mixedsparse
print(time.perf_counter() - start)
"""
FIT = """
import mixedsparse as ms
ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy")).params
"""


@dataclass(frozen=True, kw_only=True)
class ColdRow:
    """Median, least and greatest `seconds` of one measure of start-up over new processes."""

    date: str
    machine: str
    measure: str
    repetitions: int
    seconds: float
    seconds_min: float
    seconds_max: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write the CSV."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cold", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=5, help="new processes per measure (default 5)")
    parser.add_argument("--out", type=Path, default=OUT, help="CSV file to write")
    options = parser.parse_args(arguments)
    rows = [
        time_processes("`import mixedsparse`", IMPORT, options.repetitions, inside=True),
        time_processes("New process, `lmer` on sleepstudy, start to end", FIT, options.repetitions, inside=False),
    ]
    for row in rows:
        print(f"{row.measure}: {row.seconds:.3f} s ({row.seconds_min:.3f} to {row.seconds_max:.3f})")
    write_rows(rows, options.out)
    return 0


def time_processes(measure: str, script: str, repetitions: int, *, inside: bool) -> ColdRow:
    """Run `script` in new interpreters, after one that fills the caches of the file system and of compiled code.

    Parameters
    ----------
    measure : str
        Name of the measure in the results.
    script : str
        Python code.
    repetitions : int
        Processes counted.
    inside : bool
        Take the seconds that the script prints instead of those of the whole process.

    Raises
    ------
    subprocess.CalledProcessError
        The script fails.
    """

    def run() -> str:
        return subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.PIPE, text=True).stdout

    seconds = repeated((lambda: float(run())) if inside else (lambda: seconds_of(run)), repetitions)
    return ColdRow(
        date=date.today().isoformat(),
        machine=machine(),
        measure=measure,
        repetitions=repetitions,
        **spread(seconds),
    )


if __name__ == "__main__":
    sys.exit(main())
