"""Time many responses of one design against a loop of lme4's refit: ``python -m benchmarks.many``.

Forty subjects see forty items, ``(1 + c | s) + (1 | i)``. Ours fits all responses on all cores; R refits a sample of
them, from the fit of the first, on one. Both sides read the same numbers.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.shared.records import RESULTS

__all__ = ["OUT", "main", "simulate"]

OUT = RESULTS / "many.csv"
SCRIPT = Path(__file__).with_name("many.R")
FORMULA = "~ c + (1 + c | s) + (1 | i)"
# Responses that are drawn at a time.
_TOGETHER = 2_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run both sides, print the ratio, write the CSV."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.many", description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--responses", type=int, default=100_000)
    parser.add_argument("--sample", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args(arguments)
    import mixedsparse as ms

    data, Y = simulate(options.responses)
    began = time.perf_counter()
    found = ms.fit_many(FORMULA, data, Y, n_jobs=options.jobs)
    seconds = time.perf_counter() - began
    assert found.failed.empty
    there = _refits(data, Y[:, : options.sample]) if options.sample else float("nan")
    row = {
        "responses": options.responses,
        "jobs": options.jobs,
        "mixedsparse_seconds": f"{seconds:.6g}",
        "r_sample": options.sample,
        "r_seconds_each": f"{there:.6g}",
        "ratio": f"{there * options.responses / seconds:.1f}",
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with options.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(row))
        writer.writeheader()
        writer.writerow(row)
    print(", ".join(f"{name} {value}" for name, value in row.items()))
    return 0


def simulate(responses: int, subjects: int = 40, items: int = 40, seed: int = 1) -> tuple[pd.DataFrame, np.ndarray]:
    """Design and responses (rows, responses): a condition drawn for every subject and item."""
    rng = np.random.default_rng(seed)
    s, i = (codes.ravel() for codes in np.meshgrid(range(subjects), range(items), indexing="ij"))
    c = rng.choice([-0.5, 0.5], len(s))
    Y = np.empty((len(s), responses))
    for start in range(0, responses, _TOGETHER):
        k = min(_TOGETHER, responses - start)
        own = rng.normal(size=(subjects, k))[s] + 0.5 * rng.normal(size=(subjects, k))[s] * c[:, None]
        item = 0.6 * rng.normal(size=(items, k))[i]
        Y[:, start : start + k] = 1.0 + 0.3 * c[:, None] + own + item + rng.normal(size=(len(s), k))
    data = pd.DataFrame({"c": c, "s": [f"s{k}" for k in s], "i": [f"i{k}" for k in i]})
    return data, Y


def _refits(data: pd.DataFrame, Y: np.ndarray) -> float:
    """Seconds of R for each refit."""
    with tempfile.TemporaryDirectory() as folder:
        design, responses = Path(folder) / "design.csv", Path(folder) / "responses.csv"
        data.to_csv(design, index=False)
        np.savetxt(responses, Y, delimiter=",")
        command = ["Rscript", str(SCRIPT), str(design), str(responses)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


if __name__ == "__main__":
    raise SystemExit(main())
