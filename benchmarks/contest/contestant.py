"""One engine on one problem: the number of threads that suits it, its calls, and the row that they make."""

from __future__ import annotations

import math
import os
import statistics
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from benchmarks.contest.engines.base import Engine, EngineUnavailableError, Job, Reply, TableReply
from benchmarks.contest.engines.session import Session
from benchmarks.contest.judge import Judge
from benchmarks.contest.rows import CANNOT, NOT_RUN, Row
from benchmarks.problems import Problem
from benchmarks.shared.clock import spread
from benchmarks.shared.records import cores, machine
from benchmarks.shared.workers import WorkerError

__all__ = ["Contestant", "Terms"]

# A first call this long says nothing about start-up any more: it is timed instead of repeated.
LONG_CALL = 5.0
# Calls by which a number of threads is chosen, and the seconds after which no more of them are made.
TRIALS = 5
TRIAL_SECONDS = 2.0
# The engine whose factor the column nnz_L describes.
OWN = "mixedsparse"


@dataclass(frozen=True)
class Terms:
    """The terms of a contest.

    Parameters
    ----------
    repetitions : int
        Timed calls per engine, after one call to warm up.
    threads : tuple of int
        Numbers of threads that are tried; every engine goes on with the one that suits it best.
    limit : float
        Seconds after which one call is given up.
    budget : float
        Seconds of an engine's calls on one problem after which none begins any more; likewise of its tables.
    tables : int
        Timed calls to a printed table.
    """

    repetitions: int
    threads: tuple[int, ...] = (1, 2)
    limit: float = 600.0
    budget: float = 300.0
    tables: int = 5


class Entry:
    """A running worker of one engine with so many threads."""

    def __init__(self, contestant: Contestant, command: list[str], threads: int) -> None:
        self.contestant = contestant
        self.threads = threads
        self.replies: list[Reply] = []
        self.spent = 0.0
        self.session = Session(command, threads=threads, limit=contestant.terms.limit)

    def try_out(self) -> float:
        """Warm the worker up, and return the least seconds of a few calls where there are threads to choose from.

        Raises
        ------
        WorkerError
            A call fails, or fits something else.
        """
        problem = self.contestant.problem
        if self.session.n != problem.n:
            raise WorkerError(f"read {self.session.n} rows instead of {problem.n}")
        first = self.fit()
        if first.seconds > LONG_CALL and not self.contestant.engine.compiles:
            self.replies.append(first)
            return first.seconds
        if len(self.contestant.terms.threads) == 1:
            return first.seconds
        tried: list[float] = []
        while len(tried) < TRIALS and sum(tried) < TRIAL_SECONDS:
            tried.append(self.fit().seconds)
        return min(tried)

    def fit(self) -> Reply:
        """Have the worker fit, and check that it fitted the problem's model."""
        start = time.monotonic()
        reply = self.session.fit()
        self.spent += time.monotonic() - start
        problem = self.contestant.problem
        fitted, expected = (reply.p, len(reply.theta)), (problem.p, problem.n_theta)
        if fitted != expected:
            raise WorkerError(f"fitted another model: p and number of theta are {fitted}, expected {expected}")
        if not all(map(math.isfinite, reply.theta)):
            raise WorkerError(f"the solution is {reply.theta}")
        return reply


class Contestant:
    """One engine on one problem. The first failure after the choice of threads is final and becomes the row's error."""

    def __init__(self, engine: Engine, problem: Problem, terms: Terms) -> None:
        self.engine = engine
        self.problem = problem
        self.terms = terms
        self.reml = problem.reml and engine.reml
        self.version: str | None = None
        self.error: str | None = None
        self.table_error: str | None = None
        self.tables: list[TableReply] = []
        self.other_seconds: float | None = None
        self._tables_spent = 0.0
        self._tables_warm = False
        self._entry: Entry | None = None

    def start(self, job: Job, not_run: str | None, stack: ExitStack) -> None:
        """Prepare the engine, and start the worker with the number of threads that suits it; or note why not."""
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
        except EngineUnavailableError as err:
            self.error = str(err)
            return
        tried: list[tuple[float, Entry]] = []
        failures: list[str] = []
        for threads in self.terms.threads:
            try:
                entry = Entry(self, command, threads)
                stack.callback(entry.session.close)
                self.version = entry.session.version
                tried.append((entry.try_out(), entry))
            except WorkerError as err:
                failures.append(str(err))
        if not tried:
            self.error = "; ".join(dict.fromkeys(failures))
            return
        tried.sort(key=lambda trial: trial[0])
        (_, self._entry), *others = tried
        for seconds, entry in others:
            self.other_seconds = seconds
            entry.session.close()

    def call(self) -> None:
        """Time one call, unless the engine has failed, has all its calls, or has spent its time."""
        entry = self._entry
        if self.error is not None or entry is None:
            return
        enough = len(entry.replies) >= self.terms.repetitions
        if enough or (entry.replies and entry.spent > self.terms.budget):
            return
        try:
            entry.replies.append(entry.fit())
        except WorkerError as err:
            self.error = str(err)

    def call_table(self) -> None:
        """Time one call to a printed table, under the conditions of `call`; the first one is not counted if short."""
        entry = self._entry
        if self.error is not None or self.table_error is not None or entry is None:
            return
        enough = len(self.tables) >= self.terms.tables
        if enough or (self.tables and self._tables_spent > self.terms.budget):
            return
        try:
            table = entry.session.table()
            if not self._tables_warm and table.seconds <= LONG_CALL:
                table = entry.session.table()
        except WorkerError as err:
            self.table_error = str(err)
            return
        self._tables_warm = True
        self._tables_spent += table.seconds
        self.tables.append(table)

    def row(self, judge: Judge) -> Row:
        """Summarise the calls; `excess` is towards the best that the judge knows."""
        entry = self._entry
        replies = [] if entry is None else entry.replies
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
            threads=max(self.terms.threads) if entry is None else entry.threads,
            repetitions=len(replies),
            limit=self.terms.limit,
            budget=self.terms.budget,
            load=round(os.getloadavg()[0], 1),
            error=self.error,
        )
        if self.error is not None:
            return bare
        last = replies[-1]
        criterion = judge.criterion(last.theta, self.reml)
        return replace(
            bare,
            **spread([reply.seconds for reply in replies]),
            cpu_seconds=statistics.median(reply.cpu_seconds for reply in replies),
            nnz_L=judge.nonzeros() if self.engine.name == OWN else None,
            evaluations=last.evaluations,
            criterion=criterion,
            reported=last.criterion,
            excess=criterion - judge.best(self.reml),
            peak_mb=max(reply.peak_mb for reply in replies),
            other_seconds=self.other_seconds,
            **self._table(),
        )

    def _table(self) -> dict[str, Any]:
        if not self.tables:
            return {"table_error": self.table_error}
        seconds = [table.seconds for table in self.tables]
        return {
            "table_seconds": statistics.median(seconds),
            "table_seconds_min": min(seconds),
            "table_repetitions": len(seconds),
            "df": self.tables[-1].df,
        }
