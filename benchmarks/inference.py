"""Time inference against lme4, lmerTest and pbkrtest: ``python -m benchmarks.inference``.

Profiles, 1,000 bootstrap replicates and a Kenward-Roger table, one after the other in R and here, written as CSV.
Each side is timed on a fitted model; ours is the median of several calls after one that is not counted, R's is one.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.shared.clock import repeated, seconds_of
from benchmarks.shared.records import RESULTS

__all__ = ["OUT", "main", "measure_here"]

OUT = RESULTS / "inference.csv"
SCRIPT = Path(__file__).with_name("inference.R")
REPLICATES = 1000
CALLS = 5


def main(arguments: Sequence[str] | None = None) -> int:
    """Run both sides, print the ratios, write the CSV."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inference", description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--replicates", type=int, default=REPLICATES)
    options = parser.parse_args(arguments)
    here = measure_here(options.replicates)
    there = _measure_in_r(options.replicates)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with options.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["task", "mixedsparse_seconds", "r_seconds", "ratio"])
        for task, seconds in here.items():
            ratio = there[task] / seconds
            writer.writerow([task, f"{seconds:.6g}", f"{there[task]:.6g}", f"{ratio:.1f}"])
            print(f"{task:36s} {seconds:9.4f} s  R {there[task]:8.3f} s  {ratio:7.1f} times")
    return 0


def measure_here(replicates: int = REPLICATES, calls: int = CALLS) -> dict[str, float]:
    """Return median seconds by task."""
    import mixedsparse as ms

    def slopes() -> ms.MixedResults:
        return ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))

    def crossed() -> ms.MixedResults:
        return ms.lmer("diameter ~ 1 + (1 | plate) + (1 | sample)", ms.datasets.load("Penicillin"))

    def growth() -> ms.MixedResults:
        return ms.lmer("Weight ~ Time * Cu + (Time | Pig)", ms.datasets.load("dietox"))

    return {
        "profile, sleepstudy": _median(slopes, lambda fit: fit.profile().table, calls),
        "profile, Penicillin": _median(crossed, lambda fit: fit.profile().table, calls),
        "parametric bootstrap, sleepstudy": _median(slopes, lambda fit: fit.bootstrap(replicates, seed=1).table, calls),
        "Kenward-Roger, dietox": _median(growth, lambda fit: fit.coef_table(ddf="kenward-roger"), calls),
    }


def _median(prepare: Callable[[], Any], task: Callable[[Any], object], calls: int) -> float:
    """Median seconds of `task` on a fresh fit each time, since results keep what they have computed."""

    def once() -> float:
        fit = prepare()
        return seconds_of(lambda: task(fit))

    return statistics.median(repeated(once, calls))


def _measure_in_r(replicates: int) -> dict[str, float]:
    import mixedsparse as ms

    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for name in ("sleepstudy", "Penicillin", "dietox"):
            paths.append(str(Path(folder) / f"{name}.csv"))
            ms.datasets.load(name).to_csv(paths[-1], index=False)
        done = subprocess.run(
            ["Rscript", str(SCRIPT), *paths, str(replicates)], capture_output=True, text=True, check=False
        )
    if done.returncode != 0:
        sys.exit(f"The R script failed (it needs lme4, lmerTest and pbkrtest):\n{done.stderr}")
    lines = [line.rsplit(maxsplit=1) for line in done.stdout.strip().splitlines()]
    return {name: float(seconds) for name, seconds in lines}


if __name__ == "__main__":
    sys.exit(main())
