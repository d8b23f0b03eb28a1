"""Refuse what has no estimate: no residual degrees of freedom, or no residual at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixedsparse.core.fit import Fit
from mixedsparse.core.problem import Problem
from mixedsparse.errors import DataError

if TYPE_CHECKING:
    from mixedsparse.formula.design import Design

__all__ = ["check_estimable", "is_perfect", "perfect_fit"]

# A residual sum of squares below this share of that of y is rounding noise.
_PERFECT = 1e-20


def check_estimable(problem: Problem, design: Design) -> None:
    """Refuse what has no estimate: no residual degrees of freedom, or nothing left for the random effects."""
    if problem.n <= problem.p:
        raise DataError(
            f"{problem.n} rows cannot estimate {problem.p} fixed effects and a residual variance; "
            "use fewer terms or more data."
        )
    if problem.xy[-1, -1] <= _PERFECT * float(np.square(design.y - design.y.mean()).sum()):
        raise perfect_fit(design)


def perfect_fit(design: Design) -> DataError:
    """Build the error for a response that the model reproduces."""
    return DataError(
        f"The model fits {design.response!r} perfectly: no residual variance is left to estimate. "
        "Check that the response is not a function of the predictors or constant within groups."
    )


def is_perfect(fit: Fit, problem: Problem) -> bool:
    """Whether the residual variance vanished beside the variation that X leaves."""
    return fit.sigma2 * problem.n <= _PERFECT * float(problem.xy[-1, -1])
