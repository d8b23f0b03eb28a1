"""Sizes of the numbers of a design: those whose squares leave the range of numbers are refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mixedsparse.core.problem.absent_rows import are_here
from mixedsparse.core.problem.sparse_columns import is_sparse
from mixedsparse.ground.errors import DataError

if TYPE_CHECKING:
    from mixedsparse.data.formula.design import Design

__all__ = ["LARGEST", "Sizes", "check_sizes", "checked_sizes", "too_large"]

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
        if is_sparse(design.X):
            largest = np.abs(design.X.bounds).max(axis=0)
        else:
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
