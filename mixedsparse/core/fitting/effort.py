"""What a search costs and how much the data say, by estimates that do not hang on the clock or the machine."""

from __future__ import annotations

from mixedsparse.core.likelihood.interface import Engine
from mixedsparse.core.problem.absent_rows import are_here
from mixedsparse.core.problem.problem import Problem

__all__ = ["milliseconds", "rows_per_effect"]

# Milliseconds of an evaluation with derivatives: a constant, and per million multiply-adds.
_CALL, _PER_MILLION = 0.4, 3.0


def milliseconds(engine: Engine) -> float:
    """Estimate what an evaluation with derivatives takes, the same for all engines: that of the split."""
    problem, layout = engine.problem, engine.problem.layout
    sizes = list(zip(layout.widths, layout.n_levels, strict=True))
    first = problem.eliminable
    rest = layout.q - (0 if first is None else layout.widths[first] * layout.n_levels[first])
    level = sum(n * k * (k + problem.p) ** 2 for k, n in sizes)
    return _CALL + _PER_MILLION * 1e-6 * (float(rest + problem.p) ** 3 + level)


def rows_per_effect(problem: Problem) -> float:
    """Rows per fixed or random effect; of weights that differ, only the large ones count, and no levels without rows.

    Weights that stay where the source is are not at hand: there all rows count.
    """
    weights = problem.root_weights
    rows = float(problem.n)
    if weights is not None and are_here(weights):
        rows = float((weights**2).sum() ** 2 / (weights**4).sum())
    return rows / (problem.p + problem.apart + problem.layout.q - problem.effects_without_rows)
