"""Time inference against lme4, lmerTest and pbkrtest: ``python -m benchmarks.inference``.

Profiles, 1,000 bootstrap replicates and a Kenward-Roger table, one after the other in R and here, written as CSV.
Both sides are timed alike: from a fitted model to a table, median and least of several calls after one that is not
counted, in processor time on one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.shared import text
from benchmarks.shared.clock import repeated
from benchmarks.shared.records import RESULTS, machine, write_rows
from benchmarks.shared.workers import thread_environment

__all__ = ["OUT", "InferenceRow", "main", "measure_here", "render"]

OUT = RESULTS / "inference.csv"
SCRIPT = Path(__file__).with_name("inference.R")
REPLICATES = 1000
CALLS = 5


@dataclass(frozen=True, kw_only=True)
class InferenceRow:
    """Median and least processor seconds of a task here and in R; `r_versions` of the packages that did it there."""

    date: str
    machine: str
    task: str
    mixedsparse_version: str
    r_versions: str
    repetitions: int
    mixedsparse_seconds: float
    mixedsparse_seconds_min: float
    r_seconds: float
    r_seconds_min: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Run both sides, print the ratios, write the CSV."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inference", description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--replicates", type=int, default=REPLICATES)
    parser.add_argument("--calls", type=int, default=CALLS, help=f"timed calls of each task (default {CALLS})")
    options = parser.parse_args(arguments)
    os.environ.update(thread_environment(1))  # before the libraries are loaded that read it
    here = measure_here(options.replicates, options.calls)
    there, versions = _measure_in_r(options.replicates, options.calls)
    rows = [
        InferenceRow(
            date=date.today().isoformat(),
            machine=machine(),
            task=task,
            mixedsparse_version=metadata.version("mixedsparse"),
            r_versions=versions,
            repetitions=options.calls,
            mixedsparse_seconds=statistics.median(ours),
            mixedsparse_seconds_min=min(ours),
            r_seconds=statistics.median(there[task]),
            r_seconds_min=min(there[task]),
        )
        for task, ours in here.items()
    ]
    write_rows(rows, options.out)
    print(render(rows))
    return 0


def render(rows: Sequence[InferenceRow]) -> str:
    """Return caption and table in Markdown."""
    first = rows[0]
    caption = (
        "From a fitted model to a table, the same on both sides: median and, in parentheses, least "
        f"processor time of {first.repetitions} calls after one that is not counted, on one thread. "
        f"{first.date}, {first.machine}. mixedsparse {first.mixedsparse_version}, {first.r_versions}."
    )
    lines = [
        [
            row.task,
            f"{text.seconds(row.mixedsparse_seconds)} ({text.seconds(row.mixedsparse_seconds_min)})",
            f"{text.seconds(row.r_seconds)} ({text.seconds(row.r_seconds_min)})",
            text.ratio(row.r_seconds / row.mixedsparse_seconds),
        ]
        for row in rows
    ]
    return f"{caption}\n\n{text.table(['inference on a fitted model', 'mixedsparse', 'R', 'ratio'], lines)}"


def measure_here(replicates: int = REPLICATES, calls: int = CALLS) -> dict[str, list[float]]:
    """Return the seconds of every call by task."""
    import mixedsparse as ms

    def slopes() -> ms.MixedResults:
        return ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))

    def crossed() -> ms.MixedResults:
        return ms.lmer("diameter ~ 1 + (1 | plate) + (1 | sample)", ms.datasets.load("Penicillin"))

    def growth() -> ms.MixedResults:
        return ms.lmer("Weight ~ Time * Cu + (Time | Pig)", ms.datasets.load("dietox"))

    return {
        "profile, sleepstudy": _seconds(slopes, lambda fit: fit.profile().table, calls),
        "profile, Penicillin": _seconds(crossed, lambda fit: fit.profile().table, calls),
        "parametric bootstrap, sleepstudy": _seconds(
            slopes, lambda fit: fit.bootstrap(replicates, seed=1).table, calls
        ),
        "Kenward-Roger, dietox": _seconds(growth, lambda fit: fit.coef_table(ddf="kenward-roger"), calls),
    }


def _seconds(prepare: Callable[[], Any], task: Callable[[Any], object], calls: int) -> list[float]:
    """Processor seconds of `task` on a fresh fit each time, since results keep what they have computed."""

    def once() -> float:
        fit = prepare()
        start = time.process_time()
        task(fit)
        return time.process_time() - start

    return repeated(once, calls)


def _measure_in_r(replicates: int, calls: int) -> tuple[dict[str, list[float]], str]:
    """Return the seconds of every call by task, and the versions of R and its packages."""
    import mixedsparse as ms

    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for name in ("sleepstudy", "Penicillin", "dietox"):
            paths.append(str(Path(folder) / f"{name}.csv"))
            ms.datasets.load(name).to_csv(paths[-1], index=False)
        command = ["Rscript", str(SCRIPT), *paths, str(replicates), str(calls)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=thread_environment(1))
    if done.returncode != 0:
        sys.exit(f"The R script failed (it needs lme4, lmerTest and pbkrtest):\n{done.stderr}")
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {answer["task"]: answer["seconds"] for answer in answers[1:]}, str(answers[0]["versions"])


if __name__ == "__main__":
    sys.exit(main())
