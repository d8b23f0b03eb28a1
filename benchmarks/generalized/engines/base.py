"""What an engine of generalized models is to the runner, and what the workers in Python share.

The protocol is that of `benchmarks.contest.engines.base`: a greeting with version and number of rows, then an answer in
JSON, with `GeneralizedReply`'s fields, for every line ``fit``. Runs in a rival's environment too: needs only pandas.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from benchmarks.shared.serving import Clocked, Order, Spell, plainly, serve_calls

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
    spell: Spell = plainly,
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
    job = GeneralizedJob.from_arguments(sys.argv[1:])

    def call(model: Any, data: Any) -> GeneralizedEstimates:
        return fit(model, data, job.family)

    serve_calls(job.data, job.factors, job.formula, version, spell, {"fit": Order(call, _reply)})


def _reply(estimates: GeneralizedEstimates, clocked: Clocked) -> GeneralizedReply:
    own = {name: getattr(estimates, name) for name in GeneralizedEstimates.__dataclass_fields__}
    return GeneralizedReply(**own, **asdict(clocked))
