"""Refuse what has no estimate: no residual degrees of freedom, or no residual at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mixedsparse.core.fit import Fit
from mixedsparse.core.problem import Problem
from mixedsparse.core.rows import can_use_rows
from mixedsparse.errors import DataError

if TYPE_CHECKING:
    from mixedsparse.formula.design import Design

__all__ = ["Sizes", "check_estimable", "is_perfect", "perfect_fit"]

# A residual sum of squares below this share of that of y is rounding noise: cross-products keep 16 digits, from which
# it is a difference, and rows give it as a sum of squares.
_PERFECT, _PERFECT_OF_ROWS = 1e-12, 1e-20
# The same when the search could not end.
_PERFECT_IF_STUCK = 1e-11
# Least squares leave this share of the sum of squares of y behind as rounding.
_ROUNDING = 1e-28
# Sizes of numbers whose squares stay far from overflow and underflow.
_SMALLEST, _LARGEST = 1e-140, 1e140


@dataclass(frozen=True, slots=True, eq=False)
class Sizes:
    """Sizes of numbers.

    Attributes
    ----------
    response, squares : float
        Largest absolute value of y, and its sum of squares.
    columns : ndarray, shape (P,)
        A bound of the absolute values of each column of X.
    """

    response: float
    squares: float
    columns: np.ndarray

    @classmethod
    def of(cls, design: Design) -> Sizes:
        """Sizes in a design with rows."""
        largest = np.abs(design.X).max(axis=0, initial=0.0)
        return cls(float(np.abs(design.y).max()), float(np.square(design.y).sum()), largest)


def check_estimable(problem: Problem, design: Design, sizes: Sizes) -> None:
    """Refuse what has no estimate: no residual degrees of freedom, or nothing left for the random effects."""
    if problem.n <= problem.p:
        raise DataError(
            f"{problem.n} rows cannot estimate {problem.p} fixed effects and a residual variance; "
            "use fewer terms or more data."
        )
    if not _SMALLEST < sizes.response < _LARGEST:
        raise DataError(
            f"The response {design.response!r} has values of size {sizes.response:.0e}, whose squares leave the range "
            "of numbers; change its unit."
        )
    for name, column in zip(design.x_names, sizes.columns, strict=True):
        if column > _LARGEST:
            raise DataError(f"The column {name!r} has values of size {column:.0e}; change its unit.")
    if problem.xy[-1, -1] <= _ROUNDING * sizes.squares:
        raise perfect_fit(design)


def perfect_fit(design: Design) -> DataError:
    """Build the error for a response that the model reproduces."""
    elsewhere = (
        " Its rows stay in their source, whose sums keep 16 digits: subtract a constant from a response far from 0."
    )
    return DataError(
        f"The model fits {design.response!r} perfectly: no residual variance is left to estimate. "
        "Check that the response is not a function of the predictors or constant within groups."
        + elsewhere
        * (design.plain is not None)
    )


def is_perfect(fit: Fit, problem: Problem) -> bool:
    """Whether the residual variance vanished beside the variation that X leaves."""
    limit = _PERFECT_OF_ROWS if can_use_rows(problem) else _PERFECT
    if not fit.certificate.converged:
        limit = _PERFECT_IF_STUCK
    return fit.sigma2 * problem.n <= limit * float(problem.xy[-1, -1])
