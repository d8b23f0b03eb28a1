"""What an engine is to the runner.

An engine fits one job in a process of its own, the worker, started with the job as arguments. The worker
prints one JSON object per line: first ``{"version": ..., "n": ...}`` once the data are in memory, then for every line
``fit`` on its input one object with `Reply`'s fields, for every line ``table`` one with `TableReply`'s, or
``{"error": ...}``. It ends with its input.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

__all__ = ["Engine", "EngineUnavailableError", "Job", "Reply", "TableReply"]


class EngineUnavailableError(RuntimeError):
    """The engine cannot run on this machine; the message says what to install."""


@dataclass(frozen=True)
class Job:
    """A model for a worker: CSV file, formula, REML or not, columns to read as categories."""

    data: Path
    formula: str
    reml: bool
    factors: tuple[str, ...]

    def to_arguments(self) -> list[str]:
        """Return the command-line arguments of every worker."""
        return [str(self.data), self.formula, "REML" if self.reml else "ML", ",".join(self.factors)]

    @classmethod
    def from_arguments(cls, arguments: list[str]) -> Job:
        """Read back what `to_arguments` wrote."""
        data, formula, criterion, factors = arguments
        return cls(Path(data), formula, criterion == "REML", tuple(factors.split(",")))


@dataclass(frozen=True)
class Reply:
    """One whole call: formula and data frame in memory to estimates.

    `seconds` and `cpu_seconds` (all threads) of the call; `evaluations` of the criterion, None where the engine does
    not count them; `criterion` as the engine reports it; `theta`, the relative covariance factors of the terms as
    written, lower triangles column by column; number `p` of fixed effects; `peak_mb`, the highest resident memory so
    far.
    """

    seconds: float
    cpu_seconds: float
    evaluations: int | None
    criterion: float
    theta: list[float]
    p: int
    peak_mb: float


@dataclass(frozen=True)
class TableReply:
    """One whole call and its printed table: formula and data frame in memory to text with standard errors.

    `seconds` and `cpu_seconds` (all threads) of both together; `df`, what the table tests with: the method of its
    degrees of freedom, ``"z"``, or ``"none"`` where it has no tests.
    """

    seconds: float
    cpu_seconds: float
    df: str


class Engine(Protocol):
    """One program that fits mixed models.

    Attributes
    ----------
    name : str
        Name in the results.
    compiles : bool
        Whether the first call compiles code; if not, a long first call may be timed.
    reml : bool
        Whether it can fit by REML; if not, it is given, and judged by, maximum likelihood.
    """

    name: str
    compiles: bool
    reml: bool

    def refusal(self, job: Job) -> str | None:
        """Return what of the model of `job` the program cannot express, None if it can fit it."""

    def prepare(self) -> None:
        """Install or look for the program; raise `EngineUnavailableError` if that fails."""

    def command(self, job: Job) -> list[str]:
        """Return the command line of a worker for `job`."""
