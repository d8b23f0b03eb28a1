"""What comes of trying thetas: the criterion there, the ends of searches from there, and the best of these."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from mixedsparse.core.engines.criteria import make_criterion
from mixedsparse.core.fitting.optimize import search
from mixedsparse.core.fitting.outcome import Search, Stop
from mixedsparse.core.fitting.unbounded import vanishes
from mixedsparse.core.likelihood.interface import Engine
from mixedsparse.core.problem.problem import Problem
from mixedsparse.ground.errors import NotPositiveDefiniteError

__all__ = ["LOWER", "SAME", "Ends", "criteria_at", "is_better", "searched"]

# A fall that makes another optimum, and the difference up to which ends agree.
LOWER, SAME, _RELATIVE = 1e-6, 1e-4, 1e-9
# A share of the sum of squares that the residual keeps at least: below, the model fits perfectly, which is refused.
_PERFECT = 1e-11


# Absurd theta overflow, as in `optimize.search`.
@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def criteria_at(engine: Engine, reml: bool, thetas: Sequence[np.ndarray]) -> list[float]:
    """Criterion at each of the thetas (m,), infinite where there is none."""
    criterion = make_criterion(engine, reml)
    out = []
    for theta in thetas:
        try:
            value = float(criterion.evaluate(theta).criterion)
        except NotPositiveDefiniteError:
            value = np.inf
        out.append(value if np.isfinite(value) else np.inf)
    return out


def searched(engine: Engine, reml: bool, start: np.ndarray, limits: Any) -> Search | None:
    """End of the search from `start` (m,), None where the criterion cannot be evaluated."""
    try:
        return search(engine, reml, start=start, **limits)
    except NotPositiveDefiniteError:
        return None


class Ends:
    """Ends of searches: the best that is an optimum, and the lowest on its way to no residual variance."""

    def __init__(self, engine: Engine, first: Search) -> None:
        self.engine, self.best, self.values = engine, first, [first.pls.criterion]
        self.best_vanishes = vanishes(engine, first)
        self.limit = first.pls.criterion if self.best_vanishes else np.inf

    def add(self, end: Search | None) -> None:
        """Take note of an end; None where the criterion could not be evaluated."""
        if end is None:
            return
        value = end.pls.criterion
        self.values.append(value)
        perfect = end.pls.pwrss <= _PERFECT * float(self.engine.problem.xy[-1, -1])
        gone = perfect or vanishes(self.engine, end)
        if gone and end.noise <= SAME:
            self.limit = min(self.limit, value)
        # An optimum is better than a limit that is hardly lower; a limit is reported only if there is nothing else.
        lower = value < self.best.pls.criterion + (SAME if self.best_vanishes and not gone else -LOWER)
        if lower and not perfect and end.stop is Stop.CONVERGED and (self.best_vanishes or not gone):
            self.best, self.best_vanishes = end, gone

    @property
    def agreed(self) -> int:
        """Number of ends at the criterion of the best."""
        value = self.best.pls.criterion
        return int(sum(abs(other - value) <= _same(value) for other in self.values))

    def judged(self, starts: int) -> Search:
        """Return the best, with the number of `starts` and of those that ended at its criterion."""
        value = self.best.pls.criterion
        lower = self.best_vanishes or self.limit < value - _same(value)
        return dataclasses.replace(self.best, starts=starts, agreed=self.agreed, lower_at_zero=lower)


def _same(value: float) -> float:
    return SAME + _RELATIVE * abs(value)


def is_better(problem: Problem, again: Search, found: Search) -> bool:
    """Whether the second end is an optimum, and lower than the first."""
    perfect = again.pls.pwrss <= _PERFECT * float(problem.xy[-1, -1])
    lower = again.pls.criterion < found.pls.criterion - LOWER
    return lower and not perfect and again.stop is Stop.CONVERGED
