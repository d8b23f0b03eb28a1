"""One problem, all engines: alternating calls, and everybody's criterion by the same judge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.contest.contestant import Contestant, Terms
from benchmarks.contest.engines.base import Engine, Job
from benchmarks.contest.judge import Judge, ModelJudge
from benchmarks.contest.rows import Row, judged
from benchmarks.problems import Problem

__all__ = ["Terms", "measure"]


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
        for number in range(terms.tables):
            say(f"{problem.name}: printed tables, round {number + 1} of {terms.tables}")
            for contestant in contestants:
                contestant.call_table()
    referee = judge(problem)
    return judged([contestant.row(referee) for contestant in contestants], {})
