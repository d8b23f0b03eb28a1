"""Programs that take turns on one problem, each in a worker of its own: one that fails is out, and its row says why."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from typing import Any, Generic, Protocol, TypeVar

from benchmarks.shared.records import cores, machine
from benchmarks.shared.workers import Worker, WorkerError

__all__ = ["LONG_CALL", "Contestant", "Origin", "Reply", "Terms"]

# A first call this long says nothing about start-up any more: it is timed instead of repeated.
LONG_CALL = 5.0


class Reply(Protocol):
    """What a worker answers to a call."""

    @property
    def cpu_seconds(self) -> float:
        """Processor time of the call."""


R = TypeVar("R", bound=Reply)


@dataclass(frozen=True)
class Terms:
    """At most so many timed calls; wall seconds after which a call is given up, and after which none begins."""

    repetitions: int
    limit: float = 60.0
    budget: float = 60.0


@dataclass(frozen=True, kw_only=True)
class Origin:
    """How the row of results begins that one program has on one problem.

    Parameters
    ----------
    date, machine : str
        Day of the run (ISO 8601), model of the processor.
    cores : int
        Logical processors.
    load : float
        Processes that waited for a processor, this benchmark's own included: mean of the minute before the row.
    problem, engine, version : str
        Names of problem and program; version of the program with its language, None if it never started.
    n : int
        Rows of the data.
    """

    date: str
    machine: str
    cores: int
    load: float
    problem: str
    engine: str
    version: str | None
    n: int


class Contestant(Generic[R]):
    """One program, called `engine`, on one problem, on one thread. The first failure is final and becomes the error.

    Parameters
    ----------
    engine, problem : str
    n : int
        Rows of the problem, which the worker must have read.
    reply : callable
        Makes the reply of what the worker answers.
    terms : Terms
    """

    def __init__(self, engine: str, problem: str, n: int, reply: Callable[..., R], terms: Terms) -> None:
        self.engine, self.problem, self.n, self.reply, self.terms = engine, problem, n, reply, terms
        self.replies: list[R] = []
        self.version: str | None = None
        self.error: str | None = None
        self._spent = 0.0
        self._worker: Worker | None = None

    def start(self, command: Sequence[str], stack: ExitStack) -> None:
        """Start the worker of `command` and warm it up; or note why not."""
        try:
            self._worker = stack.enter_context(Worker(command, threads=1, limit=self.terms.limit))
            greeting = self._worker.answer()
            self.version = str(greeting["version"])
            if greeting["n"] != self.n:
                raise WorkerError(f"read {greeting['n']} rows instead of {self.n}")
            first = self._fit()
        except WorkerError as err:
            self.error = str(err)
            return
        if first.cpu_seconds > LONG_CALL:
            self.replies.append(first)

    def call(self) -> None:
        """Time one call, unless the program has failed, has all its calls, or has spent its time."""
        enough = len(self.replies) >= self.terms.repetitions or (self.replies and self._spent > self.terms.budget)
        if self.error is not None or enough:
            return
        try:
            self.replies.append(self._fit())
        except WorkerError as err:
            self.error = str(err)

    def origin(self) -> dict[str, Any]:
        """Fields of `Origin`, with `repetitions` and `error`."""
        return {
            "date": date.today().isoformat(),
            "machine": machine(),
            "cores": cores(),
            "load": round(os.getloadavg()[0], 1),
            "problem": self.problem,
            "engine": self.engine,
            "version": self.version,
            "n": self.n,
            "repetitions": len(self.replies),
            "error": self.error,
        }

    def cpu_seconds(self) -> dict[str, Any]:
        """Median and least processor time, by the names of the columns."""
        seconds = [reply.cpu_seconds for reply in self.replies]
        return {"cpu_seconds": statistics.median(seconds), "cpu_seconds_min": min(seconds)}

    def _fit(self) -> R:
        assert self._worker is not None
        start = time.monotonic()
        reply = self.reply(**self._worker.ask("fit"))
        self._spent += time.monotonic() - start
        return reply
