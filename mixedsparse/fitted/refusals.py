"""Refuse what has no estimate: no residual degrees of freedom, or no residual at all."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mixedsparse.core.fitting.estimates import Fit
from mixedsparse.core.likelihood.rows import perfect_share
from mixedsparse.core.problem.problem import Problem
from mixedsparse.core.residual.interface import Residual
from mixedsparse.data.sizes import Sizes
from mixedsparse.ground.errors import DataError

if TYPE_CHECKING:
    from mixedsparse.data.formula.design import Design

__all__ = ["check_estimable", "is_perfect", "perfect_fit"]

# A residual sum of squares below this share of that of y is rounding noise when the search could not end.
_PERFECT_IF_STUCK = 1e-11
# Least squares leave this share of the sum of squares of y behind as rounding.
_ROUNDING = 1e-28


def check_estimable(problem: Problem, design: Design, sizes: Sizes) -> None:
    """Refuse what has no estimate: no residual degrees of freedom, or nothing left for the random effects."""
    if problem.n <= problem.p:
        raise DataError(
            f"{problem.n} rows cannot estimate {problem.p} fixed effects and a residual variance; "
            "use fewer terms or more data."
        )
    if problem.xy[-1, -1] <= _ROUNDING * sizes.squares:
        raise perfect_fit(design)


def perfect_fit(design: Design, fit: Fit | None = None) -> DataError:
    """Build the error for a response that the model reproduces, in `fit` if X does not by itself."""
    unbounded = (
        " By ML the likelihood of this model is unbounded: fixed and random effects together can reproduce the "
        "response, whatever its residuals. Fit by REML (reml=True), or use fewer random or fixed effects."
    )
    return DataError(
        f"The model fits {design.response!r} perfectly: no residual variance is left to estimate. "
        "Check that the response is not a function of the predictors or constant within groups."
        + unbounded * (fit is not None and fit.certificate.unbounded and not fit.reml)
        + design.observed.caution
    )


def is_perfect(fit: Fit, problem: Problem, residual: Residual | None = None) -> bool:
    """Whether the residual variance vanished beside the variation that X leaves, in a problem of rows as they came.

    Where the `residual` covariance has parameters that is its geometric mean: sigma^2 may be one of rows that are not
    there.
    """
    if residual is not None and fit.residual is not None:
        spread = math.exp(residual.at(fit.residual).logdet / problem.n)
        return fit.sigma2 * spread * problem.n <= perfect_share(problem) * float(problem.xy[-1, -1])
    limit = perfect_share(problem) if fit.certificate.converged else _PERFECT_IF_STUCK
    return fit.sigma2 * problem.n <= limit * float(problem.xy[-1, -1])
