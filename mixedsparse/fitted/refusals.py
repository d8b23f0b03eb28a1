"""Refuse what has no estimate: no residual degrees of freedom, or no residual at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mixedsparse.core.fitting.fit import Fit
from mixedsparse.core.likelihood.rows import can_use_rows
from mixedsparse.core.problem.absent_rows import are_here
from mixedsparse.core.problem.problem import Problem
from mixedsparse.ground.errors import DataError

if TYPE_CHECKING:
    from mixedsparse.data.formula.design import Design

__all__ = [
    "LARGEST",
    "Sizes",
    "check_estimable",
    "check_sizes",
    "checked_sizes",
    "is_perfect",
    "perfect_fit",
    "too_large",
]

# A residual sum of squares below this share of that of y is rounding noise: cross-products keep 16 digits, from which
# it is a difference, and rows give it as a sum of squares.
_PERFECT, _PERFECT_OF_ROWS = 1e-12, 1e-20
# The same when the search could not end.
_PERFECT_IF_STUCK = 1e-11
# Least squares leave this share of the sum of squares of y behind as rounding.
_ROUNDING = 1e-28
# Sizes of numbers whose squares stay far from overflow and underflow.
_SMALLEST, LARGEST = 1e-140, 1e140


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
        with np.errstate(over="ignore"):
            squares = float(np.square(design.y).sum())
        return cls(float(np.abs(design.y).max()), squares, largest)


def checked_sizes(design: Design) -> Sizes:
    """Sizes in a design with rows, once `check_sizes` has let them pass."""
    sizes = Sizes.of(design)
    check_sizes(design, sizes)
    return sizes


def check_sizes(design: Design, sizes: Sizes) -> None:
    """Refuse numbers whose squares leave the range of numbers."""
    if not _SMALLEST < sizes.response < LARGEST:
        raise too_large(f"The response {design.response!r}", sizes.response)
    for name, column in zip(design.x_names, sizes.columns, strict=True):
        if column > LARGEST:
            raise too_large(f"The column {name!r}", float(column))
    if not are_here(design.y):
        return
    given = {f"The effects of {term.group!r}": term.z for term in design.terms}
    for subject, values in {"The offset": design.offset, "The weights": design.weights, **given}.items():
        largest = 0.0 if values is None else float(np.abs(values).max(initial=0.0))
        if largest > LARGEST:
            raise too_large(subject, largest)


def too_large(subject: str, size: float) -> DataError:
    """Build the error for values of a `size` that cannot be squared."""
    verb = "have" if subject.startswith(("The weights", "The effects")) else "has"
    return DataError(
        f"{subject} {verb} values of size {size:.0e}, whose squares leave the range of numbers; change its unit."
    )


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
    elsewhere = (
        " Its rows stay in their source, whose sums keep 16 digits: subtract a constant from a response far from 0."
    )
    unbounded = (
        " By ML the likelihood of this model is unbounded: fixed and random effects together can reproduce the "
        "response, whatever its residuals. Fit by REML (reml=True), or use fewer random or fixed effects."
    )
    return DataError(
        f"The model fits {design.response!r} perfectly: no residual variance is left to estimate. "
        "Check that the response is not a function of the predictors or constant within groups."
        + unbounded * (fit is not None and fit.certificate.unbounded and not fit.reml)
        + elsewhere * (design.plain is not None)
    )


def is_perfect(fit: Fit, problem: Problem) -> bool:
    """Whether the residual variance vanished beside the variation that X leaves."""
    limit = _PERFECT_OF_ROWS if can_use_rows(problem) else _PERFECT
    if not fit.certificate.converged:
        limit = _PERFECT_IF_STUCK
    return fit.sigma2 * problem.n <= limit * float(problem.xy[-1, -1])
