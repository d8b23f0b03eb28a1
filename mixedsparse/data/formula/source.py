"""What a design was made from, kept for reference grids and for further models of the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from mixedsparse.data.formula.frames import Table, natural
from mixedsparse.data.formula.kinds import Sort, sort_of
from mixedsparse.data.relations import Relation

__all__ = ["Covariate", "Source"]


@dataclass(frozen=True, slots=True)
class Covariate:
    """Mean and range of a column of numbers over the rows of a fit; `binary`: both ends, and nothing between, occur."""

    mean: float
    low: float
    high: float
    binary: bool = False


@dataclass(frozen=True, eq=False)
class Source:
    """Columns and arguments of a call, rows with missing values left out.

    The columns are the data's own arrays wherever no row was dropped: nothing is copied.

    Parameters
    ----------
    columns : Mapping
        Columns that the formula uses, and those that `weights` and `offset` name.
    index : pandas.Index, length n
    weights, offset : str, ndarray of shape (n,), or None
        As given: a column's name or values.
    contrasts : Mapping or None
    env : Mapping
        Functions and constants of the caller that the formula uses.
    relations : Mapping
        Known relationships of factors.
    """

    columns: Mapping[str, Any]
    index: pd.Index
    weights: str | np.ndarray | None
    offset: str | np.ndarray | None
    contrasts: Mapping[str, Any] | None
    env: Mapping[str, Any]
    relations: Mapping[str, Relation] = field(default_factory=dict)

    @property
    def table(self) -> Table:
        """The rows of the fit as a table that `make_design` reads."""
        return Table(tuple(self.columns), len(self.index), self.index, self.columns.__getitem__)

    def values(self, column: str) -> Any:
        """Values (n,) of `column` in their plain type."""
        return natural(self.columns[column])

    def summary(self, column: str, factor: bool) -> Covariate | tuple[Any, ...]:
        """Moments of a column of numbers; levels, in order, of any other and of one that stands for a `factor`."""
        values = self.values(column)
        if not factor and sort_of(values) is Sort.NUMBERS:
            low, high = np.min(values), np.max(values)
            binary = low < high and bool(((values == low) | (values == high)).all())
            return Covariate(float(np.mean(values)), float(low), float(high), binary)
        return tuple(values.categories if isinstance(values, pd.Categorical) else sorted(pd.unique(values)))
