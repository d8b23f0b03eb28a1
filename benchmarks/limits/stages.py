"""Where the time of a small model goes: a whole call and a refit on sleepstudy, stage by stage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.limits.sampling import sample
from benchmarks.problems import select
from benchmarks.shared.clock import repeated, seconds_of, spread

__all__ = ["CALL", "REFIT", "TOTAL", "StageRow", "measure_stages"]

PROBLEM = "sleepstudy"
CALL, REFIT = "lmer(formula, data)", "results.refit(y)"
TOTAL = "total"
CALLS = 500
SAMPLED_SECONDS = 8.0


@dataclass(frozen=True, kw_only=True)
class StageRow:
    """One stage of a call.

    Parameters
    ----------
    call, stage : str
        What was called; stage of it, or ``total``.
    evaluations : int
        Evaluations of the criterion in one call.
    seconds, seconds_min : float
        Median and least seconds of a call; of a stage, its share of them.
    share, error : float
        Share of the processor time in the stage, and its standard error.
    """

    call: str
    stage: str
    evaluations: int
    seconds: float
    seconds_min: float
    share: float
    error: float


def measure_stages(calls: int = CALLS, sampled_seconds: float = SAMPLED_SECONDS) -> list[StageRow]:
    """Time the whole call and the refit without a profiler, then sample where they are."""
    import mixedsparse as ms

    problem = select([PROBLEM])[0]
    frame = problem.load()
    results = ms.lmer(problem.formula, frame)
    # Another response of the same kind: the fit's own simulation.
    y = np.asarray(results.simulate(1, seed=1)).ravel()
    return [
        *_rows(CALL, lambda: ms.lmer(problem.formula, frame), results.optim.nfev, calls, sampled_seconds),
        *_rows(REFIT, lambda: results.refit(y), results.refit(y).optim.nfev, calls, sampled_seconds),
    ]


def _rows(name: str, call: Callable[[], object], nfev: int, calls: int, sampled_seconds: float) -> list[StageRow]:
    whole = spread(repeated(lambda: seconds_of(call), calls))
    shares = sample(call, sampled_seconds)

    def row(stage: str, share: float, error: float) -> StageRow:
        return StageRow(
            call=name,
            stage=stage,
            evaluations=nfev,
            seconds=share * whole["seconds"],
            seconds_min=share * whole["seconds_min"],
            share=share,
            error=error,
        )

    return [row(TOTAL, 1.0, 0.0), *(row(s.stage, s.share, s.error) for s in shares)]
