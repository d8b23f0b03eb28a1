"""The worker process of the Python engines. Runs in a rival's environment: needs only pandas."""

from __future__ import annotations

import gc
import json
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.contest.engines.base import Job, Reply
from benchmarks.shared.memory import peak_mb, reset_peak

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

__all__ = ["Estimates", "relative_factor", "serve"]


@dataclass(frozen=True)
class Estimates:
    """What must be known at the end of a timed call, in Python numbers; see `Reply`."""

    criterion: float
    evaluations: int | None
    theta: list[float]
    beta: list[float]


def serve(
    fit: Callable[[Any, Any, bool], Estimates],
    version: str,
    spell: Callable[[str, pd.DataFrame], tuple[Any, Any]] = lambda formula, frame: (formula, frame),
) -> None:
    """Load the job named by the command line, then fit it once for every line ``fit`` on standard input.

    Parameters
    ----------
    fit : callable
        Whole call of the engine: formula, data, REML or not.
    version : str
        Version for the results.
    spell : callable
        What the engine takes in place of formula and data frame, where it takes something else. Not timed.
    """
    import pandas as pd

    warnings.simplefilter("ignore")
    job = Job.from_arguments(sys.argv[1:])
    frame = pd.read_csv(job.data, dtype={name: "category" for name in job.factors})
    model, data = spell(job.formula, frame)
    n = len(frame)
    del frame
    reset_peak()  # forgets the memory that reading the data took; outside Linux the peak includes it
    _answer({"version": f"{version} (Python {sys.version.split()[0]})", "n": n})
    for line in sys.stdin:
        if line.strip() == "fit":
            try:
                _answer(asdict(_timed(lambda: fit(model, data, job.reml))))
            except Exception as err:  # any failure of an engine is a result
                _answer({"error": f"{type(err).__name__}: {err}"})


def relative_factor(covariance: np.ndarray) -> list[float]:
    """Return the lower triangle, column by column, of L with L L' = `covariance`, which may be singular."""
    import numpy as np

    values, vectors = np.linalg.eigh(covariance)
    upper = np.linalg.qr((vectors * np.sqrt(np.maximum(values, 0.0))).T, mode="r")
    return [float(upper[j, i]) for j in range(len(upper)) for i in range(j, len(upper))]


def _timed(call: Callable[[], Estimates]) -> Reply:
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    estimates = call()
    seconds, cpu_seconds = time.perf_counter() - wall, time.process_time() - cpu
    return Reply(
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        evaluations=estimates.evaluations,
        criterion=estimates.criterion,
        theta=estimates.theta,
        p=len(estimates.beta),
        peak_mb=peak_mb(),
    )


def _answer(message: dict[str, object]) -> None:
    print(json.dumps(message), flush=True)
