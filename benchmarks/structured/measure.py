"""One problem, all its programs, call by call in turn, each in a process of its own on one thread.

A worker greets with its version and the number of rows that it has read; for every line ``fit`` it answers with
the fields of `StructuredReply` of one whole call, or with an ``error``.
"""

from __future__ import annotations

import math
import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.shared.contestants import Contestant, Terms
from benchmarks.structured.problems import StructuredProblem
from benchmarks.structured.rows import OWN, StructuredRow

__all__ = ["StructuredReply", "measure"]

R_WORKER = Path(__file__).with_name("worker.R")


@dataclass(frozen=True)
class StructuredReply:
    """One whole call: formula and data frame in memory to estimates with standard errors."""

    cpu_seconds: float
    evaluations: int | None
    criterion: float | None


def measure(
    problem: StructuredProblem, programs: Sequence[str] | None, limit: float, say: Callable[[str], None]
) -> list[StructuredRow]:
    """Run this package and the chosen `programs` (all by default) that have the model; a row for each."""
    chosen = [name for name in (OWN, *problem.programs) if programs is None or name in programs]
    terms = Terms(problem.repetitions, limit, math.inf)
    with TemporaryDirectory(prefix="mixedsparse-benchmark-") as directory, ExitStack() as stack:
        data = Path(directory) / f"{problem.name}.csv"
        problem.load().to_csv(data, index=False)
        contestants = [Contestant(name, problem.name, problem.n, StructuredReply, terms) for name in chosen]
        for contestant in contestants:
            say(f"{problem.name}: starting {contestant.engine}")
            command = _command(contestant.engine, problem, data)
            if shutil.which(command[0]) is None:
                contestant.error = f"{command[0]} was not found"
            else:
                contestant.start(command, stack)
        for _ in range(problem.repetitions):
            for contestant in contestants:
                contestant.call()
        return [_row(contestant, problem) for contestant in contestants]


def _command(program: str, problem: StructuredProblem, data: Path) -> list[str]:
    """Command line of a worker."""
    if program == OWN:
        return [sys.executable, "-m", "benchmarks.structured.ours", problem.name]
    call = problem.programs[program]
    return ["Rscript", str(R_WORKER), program, str(data), call, ",".join(problem.factors)]


def _row(contestant: Contestant[StructuredReply], problem: StructuredProblem) -> StructuredRow:
    """Summarise the calls."""
    known = contestant.origin() | {"n_parameters": problem.n_parameters}
    if contestant.error is not None:
        return StructuredRow(**known)
    last = contestant.replies[-1]
    return StructuredRow(**known, **contestant.cpu_seconds(), evaluations=last.evaluations, criterion=last.criterion)
