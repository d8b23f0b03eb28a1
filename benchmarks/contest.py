"""One problem, all engines: alternating calls, medians, and the comparison with the best known criterion."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.engines.base import Engine, EngineUnavailableError, Job, Reply
from benchmarks.engines.session import Session, WorkerError
from benchmarks.problems import Problem
from benchmarks.rows import Row, cores, machine

__all__ = ["judge", "measure"]

# A first call this long says nothing about start-up any more: it is timed instead of repeated.
LONG_CALL = 5.0


class Contestant:
    """One engine on one problem. The first failure is final and becomes the row's error."""

    def __init__(self, engine: Engine, problem: Problem) -> None:
        self.engine = engine
        self.problem = problem
        self.replies: list[Reply] = []
        self.version: str | None = None
        self.error: str | None = None
        self._session: Session | None = None

    def start(self, job: Job, threads: int, stack: ExitStack) -> None:
        """Prepare the engine, start its worker and warm it up."""
        try:
            self.engine.prepare()
            session = Session(self.engine.command(job), threads=threads, limit=self.problem.limit)
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

    def call(self, repetitions: int) -> None:
        """Time one call, unless the engine has failed or has `repetitions` calls already."""
        if self.error is not None or len(self.replies) >= repetitions:
            return
        try:
            self.replies.append(self._fit())
        except WorkerError as err:
            self.error = str(err)

    def row(self, threads: int) -> Row:
        """Summarise the calls."""
        bare = Row(
            date=date.today().isoformat(),
            machine=machine(),
            cores=cores(),
            problem=self.problem.name,
            engine=self.engine.name,
            version=self.version,
            n=self.problem.n,
            q=self.problem.q,
            p=self.problem.p,
            n_theta=self.problem.n_theta,
            threads=threads,
            repetitions=len(self.replies),
            error=self.error,
        )
        if self.error is not None:
            return bare
        seconds = [reply.seconds for reply in self.replies]
        return replace(
            bare,
            seconds=statistics.median(seconds),
            seconds_min=min(seconds),
            seconds_max=max(seconds),
            cpu_seconds=statistics.median(reply.cpu_seconds for reply in self.replies),
            evaluations=self.replies[-1].evaluations,
            criterion=max(reply.criterion for reply in self.replies),
            peak_mb=max(reply.peak_mb for reply in self.replies),
        )

    def _fit(self) -> Reply:
        assert self._session is not None
        reply = self._session.fit()
        fitted, expected = (reply.p, len(reply.theta)), (self.problem.p, self.problem.n_theta)
        if fitted != expected:
            raise WorkerError(f"fitted another model: p and number of theta are {fitted}, expected {expected}")
        if not math.isfinite(reply.criterion):
            raise WorkerError(f"the criterion at the solution is {reply.criterion}")
        return reply


def measure(
    problem: Problem,
    engines: Sequence[Engine],
    *,
    repetitions: int,
    threads: int,
    say: Callable[[str], None] = lambda text: None,
) -> list[Row]:
    """Time `engines` on `problem`, call by call in turn so that drift of the machine meets them all.

    Parameters
    ----------
    problem : Problem
        What to fit.
    engines : sequence of Engine
        Who takes part.
    repetitions : int
        Timed calls per engine, after one call to warm up.
    threads : int
        Thread limit of every worker.
    say : callable
        Receives a line of progress before every round.

    Returns
    -------
    list of Row
        One per engine, in the given order, judged.
    """
    with TemporaryDirectory(prefix="mixedsparse-benchmark-") as directory, ExitStack() as stack:
        job = Job(Path(directory) / f"{problem.name}.csv", problem.formula, problem.reml, problem.factors)
        problem.load().to_csv(job.data, index=False)
        contestants = [Contestant(engine, problem) for engine in engines]
        for contestant in contestants:
            say(f"{problem.name}: starting {contestant.engine.name}")
            contestant.start(job, threads, stack)
        for number in range(repetitions):
            say(f"{problem.name}: round {number + 1} of {repetitions}")
            for contestant in contestants:
                contestant.call(repetitions)
    return judge([contestant.row(threads) for contestant in contestants], {problem.name: problem.best_known})


def judge(rows: Sequence[Row], best_known: Mapping[str, float | None]) -> list[Row]:
    """Fill in `excess`: the criterion minus the lowest of the rows' and `best_known`, problem by problem."""
    best: dict[str, float] = {name: value for name, value in best_known.items() if value is not None}
    for row in rows:
        if row.criterion is not None:
            best[row.problem] = min(row.criterion, best.get(row.problem, row.criterion))
    return [row if row.criterion is None else replace(row, excess=row.criterion - best[row.problem]) for row in rows]
