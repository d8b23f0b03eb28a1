"""One problem, all its programs, call by call in turn, each in a process of its own on one thread.

A worker greets with its version and the number of rows that it has read; for every line ``fit`` it answers with
``cpu_seconds``, ``evaluations`` and ``criterion`` of one whole call, or with an ``error``.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.shared.records import cores, machine
from benchmarks.shared.workers import Worker, WorkerError
from benchmarks.structured.problems import StructuredProblem
from benchmarks.structured.rows import OWN, StructuredRow

__all__ = ["measure"]

R_WORKER = Path(__file__).with_name("worker.R")


class _Program:
    """One program on one problem; its first failure is final."""

    def __init__(self, name: str, problem: StructuredProblem) -> None:
        self.name, self.problem = name, problem
        self.replies: list[dict[str, Any]] = []
        self.version: str | None = None
        self.error: str | None = None
        self.worker: Worker | None = None

    def start(self, data: Path, limit: float, stack: ExitStack) -> None:
        """Start the worker and warm it up; or note why not."""
        problem = self.problem
        command = [sys.executable, "-m", "benchmarks.structured.ours", problem.name]
        if self.name != OWN:
            command = ["Rscript", str(R_WORKER), self.name, str(data), problem.programs[self.name]]
            command.append(",".join(problem.factors))
        if shutil.which(command[0]) is None:
            self.error = f"{command[0]} was not found"
            return
        try:
            self.worker = stack.enter_context(Worker(command, threads=1, limit=limit))
            greeting = self.worker.answer()
            self.version = str(greeting["version"])
            if greeting["n"] != problem.n:
                raise WorkerError(f"read {greeting['n']} rows instead of {problem.n}")
            self.worker.ask("fit")
        except WorkerError as err:
            self.error = str(err)

    def call(self) -> None:
        """Time one call."""
        if self.error is None and self.worker is not None:
            try:
                self.replies.append(self.worker.ask("fit"))
            except WorkerError as err:
                self.error = str(err)

    def row(self) -> StructuredRow:
        """Summarise the calls."""
        found: dict[str, Any] = {"error": self.error}
        if self.error is None:
            seconds = [reply["cpu_seconds"] for reply in self.replies]
            found |= {"cpu_seconds": statistics.median(seconds), "cpu_seconds_min": min(seconds)}
            found |= {key: self.replies[-1][key] for key in ("evaluations", "criterion")}
        return StructuredRow(
            date=date.today().isoformat(),
            machine=machine(),
            cores=cores(),
            load=round(os.getloadavg()[0], 1),
            problem=self.problem.name,
            engine=self.name,
            version=self.version,
            n=self.problem.n,
            n_parameters=self.problem.n_parameters,
            repetitions=len(self.replies),
            **found,
        )


def measure(
    problem: StructuredProblem, programs: Sequence[str] | None, limit: float, say: Callable[[str], None]
) -> list[StructuredRow]:
    """Run this package and the chosen `programs` (all by default) that have the model; a row for each."""
    chosen = [name for name in (OWN, *problem.programs) if programs is None or name in programs]
    with TemporaryDirectory(prefix="mixedsparse-benchmark-") as directory, ExitStack() as stack:
        data = Path(directory) / f"{problem.name}.csv"
        problem.load().to_csv(data, index=False)
        running = [_Program(name, problem) for name in chosen]
        for program in running:
            say(f"{problem.name}: starting {program.name}")
            program.start(data, limit, stack)
        for _ in range(problem.repetitions):
            for program in running:
                program.call()
        return [program.row() for program in running]
