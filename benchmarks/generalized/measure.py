"""One problem, all engines: alternating calls, processor time, and everybody's criterion by the same judge."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.contest.engines.base import EngineUnavailableError
from benchmarks.generalized.engines.base import GeneralizedEngine, GeneralizedJob, GeneralizedReply
from benchmarks.generalized.judge import GeneralizedJudge
from benchmarks.generalized.problems import GeneralizedProblem
from benchmarks.generalized.rows import GeneralizedRow
from benchmarks.shared.contestants import Contestant, Terms

__all__ = ["measure"]


def measure(
    problem: GeneralizedProblem,
    engines: Sequence[GeneralizedEngine],
    terms: Terms,
    *,
    say: Callable[[str], None] = lambda text: None,
) -> list[GeneralizedRow]:
    """Run all engines on one problem, call by call in turn.

    Returns
    -------
    list of GeneralizedRow
        One per engine, in the given order, with criteria but without `excess`.
    """
    contestants = [Contestant(engine.name, problem.name, problem.n, GeneralizedReply, terms) for engine in engines]
    with TemporaryDirectory(prefix="mixedsparse-benchmark-") as directory, ExitStack() as stack:
        job = GeneralizedJob(Path(directory) / f"{problem.name}.csv", problem.formula, problem.family, problem.factors)
        problem.load().to_csv(job.data, index=False)
        for engine, contestant in zip(engines, contestants, strict=True):
            say(f"{problem.name}: starting {engine.name}")
            _start(contestant, engine, job, stack)
        for _ in range(terms.repetitions):
            for contestant in contestants:
                contestant.call()
        judge = GeneralizedJudge(problem)
        return [_row(contestant, problem, judge) for contestant in contestants]


def _start(
    contestant: Contestant[GeneralizedReply], engine: GeneralizedEngine, job: GeneralizedJob, stack: ExitStack
) -> None:
    """Prepare the engine and start its worker; or note why not."""
    refusal = engine.refusal(job)
    if refusal is not None:
        contestant.error = f"cannot express: {refusal}"
        return
    try:
        engine.prepare()
        command = engine.command(job)
    except EngineUnavailableError as err:
        contestant.error = str(err)
        return
    contestant.start(command, stack)


def _row(
    contestant: Contestant[GeneralizedReply], problem: GeneralizedProblem, judge: GeneralizedJudge
) -> GeneralizedRow:
    """Summarise the calls."""
    known = contestant.origin() | {"q": problem.q, "n_parameters": problem.p + problem.n_theta}
    if contestant.error is not None:
        return GeneralizedRow(**known)
    last = contestant.replies[-1]
    return GeneralizedRow(
        **known,
        **contestant.cpu_seconds(),
        seconds=statistics.median(reply.seconds for reply in contestant.replies),
        evaluations=last.evaluations,
        criterion=judge.criterion(last.beta, last.covariances),
        reported=last.reported,
        peak_mb=max(reply.peak_mb for reply in contestant.replies),
    )
