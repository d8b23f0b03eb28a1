"""One problem, all engines: alternating calls, medians, and everybody's criterion by the same judge."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.contest.engines.base import Engine, EngineUnavailableError, Job, Reply
from benchmarks.contest.engines.session import Session
from benchmarks.contest.judge import Judge, ModelJudge
from benchmarks.contest.rows import CANNOT, NOT_RUN, Row, judged
from benchmarks.problems import Problem
from benchmarks.shared.clock import spread
from benchmarks.shared.records import cores, machine
from benchmarks.shared.workers import WorkerError

__all__ = ["Terms", "measure"]

# A first call this long says nothing about start-up any more: it is timed instead of repeated.
LONG_CALL = 5.0
# The engine whose factor the column nnz_L describes.
OWN = "mixedsparse"


@dataclass(frozen=True)
class Terms:
    """The terms of a contest.

    Parameters
    ----------
    repetitions : int
        Timed calls per engine, after one call to warm up.
    threads : int
        Thread limit of every worker.
    limit : float
        Seconds after which one call is given up.
    budget : float
        Seconds of an engine's calls on one problem after which none begins any more.
    """

    repetitions: int
    threads: int = 2
    limit: float = 600.0
    budget: float = 300.0


class Contestant:
    """One engine on one problem. The first failure is final and becomes the row's error."""

    def __init__(self, engine: Engine, problem: Problem, terms: Terms) -> None:
        self.engine = engine
        self.problem = problem
        self.terms = terms
        self.reml = problem.reml and engine.reml
        self.replies: list[Reply] = []
        self.version: str | None = None
        self.error: str | None = None
        self._spent = 0.0
        self._session: Session | None = None

    def start(self, job: Job, not_run: str | None, stack: ExitStack) -> None:
        """Prepare the engine, start its worker and warm it up; or note why not."""
        refusal = self.engine.refusal(job)
        if refusal is not None:
            self.error = f"{CANNOT}{refusal}"
            return
        if not_run is not None:
            self.error = f"{NOT_RUN}{not_run}"
            return
        try:
            self.engine.prepare()
            command = self.engine.command(replace(job, reml=self.reml))
            session = Session(command, threads=self.terms.threads, limit=self.terms.limit)
            self._session = stack.enter_context(session)
            self.version = session.version
            if session.n != self.problem.n:
                raise WorkerError(f"read {session.n} rows instead of {self.problem.n}")
            first = self._fit()
        except (EngineUnavailableError, WorkerError) as err:
            self.error = str(err)
            return
        if first.seconds > LONG_CALL and not self.engine.compiles:
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

    def row(self, judge: Judge) -> Row:
        """Summarise the calls; `excess` is towards the best that the judge knows."""
        bare = Row(
            date=date.today().isoformat(),
            machine=machine(),
            cores=cores(),
            problem=self.problem.name,
            engine=self.engine.name,
            version=self.version,
            method="REML" if self.reml else "ML",
            n=self.problem.n,
            q=self.problem.q,
            p=self.problem.p,
            n_theta=self.problem.n_theta,
            nnz_L=None,
            threads=self.terms.threads,
            repetitions=len(self.replies),
            error=self.error,
        )
        if self.error is not None:
            return bare
        last = self.replies[-1]
        criterion = judge.criterion(last.theta, self.reml)
        return replace(
            bare,
            **spread([reply.seconds for reply in self.replies]),
            cpu_seconds=statistics.median(reply.cpu_seconds for reply in self.replies),
            nnz_L=judge.nonzeros() if self.engine.name == OWN else None,
            evaluations=last.evaluations,
            criterion=criterion,
            reported=last.criterion,
            excess=criterion - judge.best(self.reml),
            peak_mb=max(reply.peak_mb for reply in self.replies),
        )

    def _fit(self) -> Reply:
        assert self._session is not None
        start = time.monotonic()
        reply = self._session.fit()
        self._spent += time.monotonic() - start
        fitted, expected = (reply.p, len(reply.theta)), (self.problem.p, self.problem.n_theta)
        if fitted != expected:
            raise WorkerError(f"fitted another model: p and number of theta are {fitted}, expected {expected}")
        if not all(map(math.isfinite, reply.theta)):
            raise WorkerError(f"the solution is {reply.theta}")
        return reply


def measure(
    problem: Problem,
    engines: Sequence[Engine],
    terms: Terms,
    *,
    not_run: Callable[[str, str], str | None] = lambda engine, problem: None,
    judge: Callable[[Problem], Judge] = ModelJudge,
    say: Callable[[str], None] = lambda text: None,
) -> list[Row]:
    """Time `engines` on `problem`, call by call in turn so that drift of the machine meets them all.

    Parameters
    ----------
    problem : Problem
        What to fit.
    engines : sequence of Engine
        Who takes part.
    terms : Terms
        Repetitions, threads, limits.
    not_run : callable
        From the names of engine and problem to the reason why there is no call, or None.
    judge : callable
        Makes the judge of a problem; it works when all workers have ended.
    say : callable
        Receives a line of progress before every round.

    Returns
    -------
    list of Row
        One per engine, in the given order, judged.
    """
    contestants = [Contestant(engine, problem, terms) for engine in engines]
    with TemporaryDirectory(prefix="mixedsparse-benchmark-") as directory, ExitStack() as stack:
        job = Job(Path(directory) / f"{problem.name}.csv", problem.formula, problem.reml, problem.factors)
        problem.load().to_csv(job.data, index=False)
        for contestant in contestants:
            say(f"{problem.name}: starting {contestant.engine.name}")
            contestant.start(job, not_run(contestant.engine.name, problem.name), stack)
        for number in range(terms.repetitions):
            say(f"{problem.name}: round {number + 1} of {terms.repetitions}")
            for contestant in contestants:
                contestant.call()
    referee = judge(problem)
    return judged([contestant.row(referee) for contestant in contestants], {})
