"""The worker process of the Python engines. Runs in a rival's environment: needs only pandas."""

from __future__ import annotations

import gc
import json
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.engines.base import Job, Reply

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Estimates", "serve"]


@dataclass(frozen=True)
class Estimates:
    """What must be known at the end of a timed call, in Python numbers."""

    criterion: float
    evaluations: int
    theta: list[float]
    beta: list[float]


def serve(fit: Callable[[str, pd.DataFrame, bool], Estimates], version: str) -> None:
    """Load the job named by the command line, then fit it once for every line ``fit`` on standard input.

    Parameters
    ----------
    fit : callable
        Whole call of the engine: formula, data, REML or not.
    version : str
        Version for the results.
    """
    import pandas as pd

    warnings.simplefilter("ignore")
    job = Job.from_arguments(sys.argv[1:])
    frame = pd.read_csv(job.data, dtype={name: "category" for name in job.factors})
    _reset_peak()
    _answer({"version": f"{version} (Python {sys.version.split()[0]})", "n": len(frame)})
    for line in sys.stdin:
        if line.strip() == "fit":
            try:
                _answer(asdict(_timed(fit, job, frame)))
            except Exception as err:  # any failure of an engine is a result
                _answer({"error": f"{type(err).__name__}: {err}"})


def _timed(fit: Callable[[str, pd.DataFrame, bool], Estimates], job: Job, frame: pd.DataFrame) -> Reply:
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    estimates = fit(job.formula, frame, job.reml)
    seconds, cpu_seconds = time.perf_counter() - wall, time.process_time() - cpu
    return Reply(
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        evaluations=estimates.evaluations,
        criterion=estimates.criterion,
        theta=estimates.theta,
        p=len(estimates.beta),
        peak_mb=_peak_mb(),
    )


def _answer(message: dict[str, object]) -> None:
    print(json.dumps(message), flush=True)


def _reset_peak() -> None:
    """Forget the memory that reading the data took; only Linux can, elsewhere the peak includes it."""
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5", encoding="ascii")


def _peak_mb() -> float:
    status = Path("/proc/self/status")
    if status.exists():  # not getrusage: its maximum starts at the memory of the parent process
        line = next(line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 1024
