"""Groups and times of new rows in the residual covariance of a fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixedsparse.core.residual.exchangeable import Exchangeable
from mixedsparse.core.residual.visits import Visits
from mixedsparse.data.formula.frames import Table, missing_rows, natural, take
from mixedsparse.data.formula.kinds import Sort, sort_of
from mixedsparse.data.formula.levels import index_of, match_levels
from mixedsparse.data.formula.new_residuals import visits_of
from mixedsparse.ground.errors import DataError

if TYPE_CHECKING:
    from mixedsparse.data.formula.residual import ResidualSide

__all__ = ["new_groups", "new_order"]


def new_groups(side: ResidualSide, table: Table) -> np.ndarray:
    """Group (r,) of each new row among those of the fit; -1 where the fit has none, or a value is missing.

    Raises
    ------
    DataError
        A column is not there.
    """
    assert side.groups is not None
    names = [name.strip() for name in side.group.split(":")]
    values = table.read(names, f"residual={side.residual!r} (new data)")
    if len(names) == 1:
        return match_levels(values[names[0]], index_of(side.groups), side.group)[0]
    parts, missing = [], np.zeros(table.n, dtype=bool)
    for name in names:
        column = values[name]
        absent = missing_rows(column)
        missing |= np.zeros(table.n, dtype=bool) if absent is None else absent
        parts.append([str(value) for value in np.asarray(natural(column, labels=True), dtype=object)])
    places = {str(label): i for i, label in enumerate(side.groups)}
    labels = [":".join(row) for row in zip(*parts, strict=True)]
    return np.array([-1 if gone else places.get(label, -1) for label, gone in zip(labels, missing, strict=True)])


def new_order(side: ResidualSide, table: Table) -> np.ndarray:
    """Time or number of the visit (r,) of each new row, NaN where it is missing; empty for groups without order.

    Raises
    ------
    DataError
        A visit is not one of the fit, or times are not numbers.
    """
    inner = getattr(side.structure, "inner", side.structure)
    if isinstance(inner, Exchangeable):
        return np.empty(0)
    if isinstance(inner, Visits):
        found = visits_of(side, inner.labels, table)
        return np.where(found < 0, np.nan, found)
    column = side.order_column
    values = table.read([column], f"residual={side.residual!r} (new data)")[column]
    missing = missing_rows(values)
    plain = natural(take(values, None if missing is None else ~missing))
    if sort_of(plain) is not Sort.NUMBERS:
        raise DataError(
            f"{column!r} is a factor: the places of its levels in a series are those of the rows of the fit only. "
            "Convert it to numbers before the fit to predict with residual=True."
        )
    out = np.full(table.n, np.nan)
    out[slice(None) if missing is None else ~missing] = np.asarray(plain, dtype=float)
    return out
