"""Time what a new process pays: ``python -m benchmarks.cold``."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from benchmarks.rows import COLD, ColdRow, machine, write_rows

__all__ = ["main", "time_processes"]

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


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write the CSV."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cold", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=5, help="new processes per measure (default 5)")
    parser.add_argument("--out", type=Path, default=COLD, help="CSV file to write")
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
    seconds = []
    for _ in range(repetitions + 1):
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.PIPE, text=True)
        whole = time.perf_counter() - start
        seconds.append(float(done.stdout) if inside else whole)
    counted = seconds[1:]
    return ColdRow(
        date=date.today().isoformat(),
        machine=machine(),
        measure=measure,
        repetitions=repetitions,
        seconds=statistics.median(counted),
        seconds_min=min(counted),
        seconds_max=max(counted),
    )


if __name__ == "__main__":
    sys.exit(main())
