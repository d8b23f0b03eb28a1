"""What an engine of generalized models is to the runner, and what the workers in Python share.

The protocol is that of `benchmarks.contest.engines.base`: a greeting with version and number of rows, then an answer in
JSON, with `GeneralizedReply`'s fields, for every line ``fit``. Runs in a rival's environment too: needs only pandas.
"""

from __future__ import annotations

import gc
import json
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from benchmarks.shared.memory import peak_mb, reset_peak

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["GeneralizedEngine", "GeneralizedEstimates", "GeneralizedJob", "GeneralizedReply", "serve"]


@dataclass(frozen=True)
class GeneralizedJob:
    """A model for a worker: CSV file, formula, family, columns to read as categories."""

    data: Path
    formula: str
    family: str
    factors: tuple[str, ...]

    def to_arguments(self) -> list[str]:
        """Return the command-line arguments of every worker."""
        return [str(self.data), self.formula, self.family, ",".join(self.factors)]

    @classmethod
    def from_arguments(cls, arguments: list[str]) -> GeneralizedJob:
        """Read back what `to_arguments` wrote."""
        data, formula, family, factors = arguments
        return cls(Path(data), formula, family, tuple(factors.split(",")))


@dataclass(frozen=True)
class GeneralizedEstimates:
    """What must be known at the end of a timed call, in Python numbers.

    `evaluations` of the criterion and `reported`, the -2 log-likelihood by the engine, are None where it does not tell;
    `beta` in the order written; `covariances` of the random effects by grouping factor, effects in the order written.
    """

    evaluations: int | None
    reported: float | None
    beta: list[float]
    covariances: dict[str, list[list[float]]]


@dataclass(frozen=True)
class GeneralizedReply(GeneralizedEstimates):
    """One whole call: formula and data frame in memory to estimates with standard errors."""

    seconds: float
    cpu_seconds: float
    peak_mb: float


class GeneralizedEngine(Protocol):
    """One program that fits generalized mixed models, by its `name` in the results."""

    name: str

    def refusal(self, job: GeneralizedJob) -> str | None:
        """Return what of the model of `job` the program cannot express, None if it can fit it."""

    def prepare(self) -> None:
        """Install or look for the program; raise `EngineUnavailableError` if that fails."""

    def command(self, job: GeneralizedJob) -> list[str]:
        """Return the command line of a worker for `job`."""


def serve(
    fit: Callable[[Any, Any, str], GeneralizedEstimates],
    version: str,
    spell: Callable[[str, pd.DataFrame], tuple[Any, Any]] = lambda formula, frame: (formula, frame),
) -> None:
    """Load the job named by the command line, then fit it once for every line ``fit`` on standard input.

    Parameters
    ----------
    fit : callable
        Whole call of the engine: formula, data, family.
    version : str
        Version for the results.
    spell : callable
        What the engine takes in place of formula and data frame, where it takes something else. Not timed.
    """
    import pandas as pd

    warnings.simplefilter("ignore")
    job = GeneralizedJob.from_arguments(sys.argv[1:])
    frame = pd.read_csv(job.data, dtype=dict.fromkeys(job.factors, "category"))
    model, data = spell(job.formula, frame)
    n = len(frame)
    del frame
    reset_peak()
    _answer({"version": f"{version} (Python {sys.version.split()[0]})", "n": n})
    for line in sys.stdin:
        if line.strip() == "fit":
            try:
                _answer(asdict(_timed(lambda: fit(model, data, job.family))))
            except Exception as err:  # any failure of an engine is a result
                _answer({"error": f"{type(err).__name__}: {err}"})


def _timed(call: Callable[[], GeneralizedEstimates]) -> GeneralizedReply:
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    estimates = call()
    seconds, cpu_seconds = time.perf_counter() - wall, time.process_time() - cpu
    return GeneralizedReply(
        **{name: getattr(estimates, name) for name in GeneralizedEstimates.__dataclass_fields__},
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        peak_mb=peak_mb(),
    )


def _answer(message: dict[str, object]) -> None:
    print(json.dumps(message), flush=True)
