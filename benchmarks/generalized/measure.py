"""One problem, all engines: alternating calls, processor time, and everybody's criterion by the same judge."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.contest.engines.base import EngineUnavailableError
from benchmarks.generalized.engines.base import GeneralizedEngine, GeneralizedJob, GeneralizedReply
from benchmarks.generalized.judge import GeneralizedJudge
from benchmarks.generalized.problems import GeneralizedProblem
from benchmarks.generalized.rows import GeneralizedRow
from benchmarks.shared.records import cores, machine
from benchmarks.shared.workers import Worker, WorkerError

__all__ = ["GeneralizedTerms", "measure"]

# A first call this long says nothing about start-up any more: it is timed instead of repeated.
LONG_CALL = 5.0


@dataclass(frozen=True)
class GeneralizedTerms:
    """At most so many timed calls; wall seconds after which a call is given up, and after which none begins."""

    repetitions: int
    limit: float = 60.0
    budget: float = 60.0


class Contestant:
    """One engine on one problem, on one thread. The first failure is final and becomes the row's error."""

    def __init__(self, engine: GeneralizedEngine, problem: GeneralizedProblem, terms: GeneralizedTerms) -> None:
        self.engine = engine
        self.problem = problem
        self.terms = terms
        self.replies: list[GeneralizedReply] = []
        self.version: str | None = None
        self.error: str | None = None
        self._spent = 0.0
        self._worker: Worker | None = None

    def start(self, job: GeneralizedJob, stack: ExitStack) -> None:
        """Prepare the engine, start its worker and warm it up; or note why not."""
        refusal = self.engine.refusal(job)
        if refusal is not None:
            self.error = f"cannot express: {refusal}"
            return
        try:
            self.engine.prepare()
            self._worker = stack.enter_context(Worker(self.engine.command(job), threads=1, limit=self.terms.limit))
            greeting = self._worker.answer()
            self.version = str(greeting["version"])
            if greeting["n"] != self.problem.n:
                raise WorkerError(f"read {greeting['n']} rows instead of {self.problem.n}")
            first = self._fit()
        except (EngineUnavailableError, WorkerError) as err:
            self.error = str(err)
            return
        if first.cpu_seconds > LONG_CALL:
            self.replies.append(first)

    def call(self) -> None:
        """Time one call, unless the engine has failed, has all its calls, or has spent its time."""
        enough = len(self.replies) >= self.terms.repetitions or (self.replies and self._spent > self.terms.budget)
        if self.error is not None or enough:
            return
        try:
            self.replies.append(self._fit())
        except WorkerError as err:
            self.error = str(err)

    def row(self, judge: GeneralizedJudge) -> GeneralizedRow:
        """Summarise the calls."""
        bare = GeneralizedRow(
            date=date.today().isoformat(),
            machine=machine(),
            cores=cores(),
            load=round(os.getloadavg()[0], 1),
            problem=self.problem.name,
            engine=self.engine.name,
            version=self.version,
            n=self.problem.n,
            q=self.problem.q,
            n_parameters=self.problem.p + self.problem.n_theta,
            repetitions=len(self.replies),
            error=self.error,
        )
        if self.error is not None:
            return bare
        last = self.replies[-1]
        seconds = [reply.cpu_seconds for reply in self.replies]
        return replace(
            bare,
            cpu_seconds=statistics.median(seconds),
            cpu_seconds_min=min(seconds),
            seconds=statistics.median(reply.seconds for reply in self.replies),
            evaluations=last.evaluations,
            criterion=judge.criterion(last.beta, last.covariances),
            reported=last.reported,
            peak_mb=max(reply.peak_mb for reply in self.replies),
        )

    def _fit(self) -> GeneralizedReply:
        assert self._worker is not None
        start = time.monotonic()
        reply = GeneralizedReply(**self._worker.ask("fit"))
        self._spent += time.monotonic() - start
        return reply


def measure(
    problem: GeneralizedProblem,
    engines: Sequence[GeneralizedEngine],
    terms: GeneralizedTerms,
    *,
    say: Callable[[str], None] = lambda text: None,
) -> list[GeneralizedRow]:
    """Run all engines on one problem, call by call in turn.

    Returns
    -------
    list of GeneralizedRow
        One per engine, in the given order, with criteria but without `excess`.
    """
    contestants = [Contestant(engine, problem, terms) for engine in engines]
    with TemporaryDirectory(prefix="mixedsparse-benchmark-") as directory, ExitStack() as stack:
        job = GeneralizedJob(Path(directory) / f"{problem.name}.csv", problem.formula, problem.family, problem.factors)
        problem.load().to_csv(job.data, index=False)
        for contestant in contestants:
            say(f"{problem.name}: starting {contestant.engine.name}")
            contestant.start(job, stack)
        for _ in range(terms.repetitions):
            for contestant in contestants:
                contestant.call()
        judge = GeneralizedJudge(problem)
        return [contestant.row(judge) for contestant in contestants]
