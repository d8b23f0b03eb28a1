"""The limit report in Markdown, from the rows of `crossed`, `stages` and `evaluations`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from benchmarks.limits.evaluations import BY_PARAMETERS, SINGULAR, VARIANCE_COMPONENTS, EvaluationRow
from benchmarks.limits.stages import CALL, REFIT, TOTAL, StageRow
from benchmarks.shared.text import milliseconds, table

if TYPE_CHECKING:
    from benchmarks.limits.crossed import LimitRow

__all__ = ["AIMS", "EVALUATION_AIM", "FIT_AIM", "report"]

# Aims, as multiples of the floor, and in seconds for the small model.
EVALUATION_AIM, FIT_AIM = 2.0, 12.0
AIMS = {CALL: 0.003, REFIT: 0.0005}
# Stages below this share of a call are added up.
SMALLEST_SHARE = 0.02


def report(limits: Sequence[LimitRow], stages: Sequence[StageRow], evaluations: Sequence[EvaluationRow]) -> str:
    """Return the whole report."""
    sections = [_head(limits), _crossed(limits), _small(stages), _evaluations(evaluations)]
    return "\n\n".join(sections) + "\n"


def _head(rows: Sequence[LimitRow]) -> str:
    runs = sorted({(row.machine, row.cores, row.date) for row in rows})
    where = "; ".join(f"{machine}, {cores} logical processors, {date}" for machine, cores, date in runs)
    return (
        "# Limits: the engine beside the kernels that nothing exact avoids\n\n"
        "Made by `python -m benchmarks.limits`; do not edit. Medians of alternating calls in one process.\n"
        f"{where}."
    )


def _crossed(rows: Sequence[LimitRow]) -> str:
    measured = [row for row in rows if row.error is None]
    kernels = table(
        [
            *("problem", "rows", "random effects", "Schur complement", "threads"),
            *("potrf", "potri", "pass over cross-products", "floor"),
        ],
        (
            (
                row.problem,
                f"{row.n:,}",
                f"{row.q:,}",
                f"{row.rest:,}",
                row.threads,
                milliseconds(row.potrf),
                milliseconds(row.potri),
                f"{milliseconds(row.cross_products)} ({row.form})",
                milliseconds(row.floor),
            )
            for row in measured
        ),
    )
    times = table(
        [
            *("problem", "threads", "engine", "criterion", "with gradient", "÷ floor"),
            *("with gradient and Hessian", "÷ floor", "fit", "evaluations", "÷ floor", "whole call"),
        ],
        (
            (
                row.problem,
                row.threads,
                row.backend,
                milliseconds(row.value),
                milliseconds(row.gradient),
                _ratio(row.gradient, row.floor, EVALUATION_AIM),
                milliseconds(row.hessian),
                f"{_of(row.hessian, row.floor):.1f}",
                milliseconds(row.fit),
                row.evaluations,
                _ratio(row.fit, row.floor, FIT_AIM),
                milliseconds(row.call),
            )
            for row in measured
        ),
    )
    failures = "".join(f"\n\n{row.problem}: not measured: {row.error}." for row in rows if row.error is not None)
    return (
        "## Crossed problems\n\n"
        "The floor is one Cholesky factor (potrf) and one inverse (potri) of the Schur complement that is left when\n"
        "the largest grouping factor is eliminated, and one pass over the cross-products that make it; `floor.py`\n"
        "says why these. Milliseconds.\n\n"
        f"{kernels}\n\n"
        f"Aims: an evaluation with gradient within {EVALUATION_AIM:g} times the floor, a fit within {FIT_AIM:g} times; "
        "what misses is in bold. A ratio\nbelow 1 is one of an engine that keeps the Schur complement sparse.\n\n"
        f"{times}{failures}"
    )


def _small(rows: Sequence[StageRow]) -> str:
    parts = ["## A small model: sleepstudy, `Reaction ~ Days + (Days | Subject)`"]
    for call, aim in AIMS.items():
        mine = [row for row in rows if row.call == call]
        total = next(row for row in mine if row.stage == TOTAL)
        seconds = f"{milliseconds(total.seconds)} ms"
        verdict = seconds if total.seconds <= aim else f"**{seconds}**"
        parts.append(
            f"`{call}`: median {verdict} (least {milliseconds(total.seconds_min)} ms; aim {milliseconds(aim)} ms), "
            f"evaluations: {total.evaluations}."
        )
        shown = [row for row in mine if row.stage != TOTAL and row.share >= SMALLEST_SHARE]
        lines = [(row.stage, milliseconds(row.seconds), f"{row.share:.1%}", f"{row.error:.1%}") for row in shown]
        left = [row for row in mine if row.share < SMALLEST_SHARE]
        if left:
            share = sum(row.share for row in left)
            lines.append(("stages of less each", milliseconds(share * total.seconds), f"{share:.1%}", ""))
        parts.append(table(["stage", "ms", "share", "standard error"], lines))
    parts.append(
        "The medians are of calls without a profiler. The shares are of samples of the stack at even steps of\n"
        "processor time over repeated calls (`sampling.py`); libraries count for the stage that calls them."
    )
    return "\n\n".join(parts)


def _evaluations(rows: Sequence[EvaluationRow]) -> str:
    bounds = (0, *(parameters for parameters, _ in BY_PARAMETERS))
    classes: list[tuple[str, Callable[[EvaluationRow], bool]]] = [("no correlations", lambda row: not row.correlated)]
    for low, high in pairwise(bounds):
        name = f"correlations, {low + 1} to {high} θ"
        classes.append((name, lambda row, low=low, high=high: row.correlated and low < row.n_theta <= high))
    lines = []
    for name, belongs in classes:
        for singular in (False, True):
            mine = [row for row in rows if belongs(row) and row.singular == singular]
            if mine:
                counts = sorted(row.evaluations for row in mine)
                above = ", ".join(f"{row.model} ({row.evaluations})" for row in mine if not row.met)
                label = f"{name}{', singular' if singular else ''}"
                median, most = counts[len(counts) // 2], counts[-1]
                lines.append((label, len(mine), mine[0].limit, median, most, f"**{above}**" if above else "none"))
    aims = " and ".join(f"{most} up to {parameters} θ" for parameters, most in BY_PARAMETERS)
    return (
        "## Evaluations of the criterion, all bundled models, from the default start\n\n"
        f"Aims: at most {VARIANCE_COMPONENTS} without correlations, {aims}; {SINGULAR:g} times as many where the "
        "optimum is singular.\nModel by model: `evaluations.csv`.\n\n"
        + table(["models", "number", "aim", "median", "most", "above the aim"], lines)
    )


def _of(seconds: float | None, floor: float) -> float:
    assert seconds is not None
    return seconds / floor


def _ratio(seconds: float | None, floor: float, aim: float) -> str:
    ratio = _of(seconds, floor)
    return f"{ratio:.2f}" if ratio <= aim else f"**{ratio:.2f}**"
