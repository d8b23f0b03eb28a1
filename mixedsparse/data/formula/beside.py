"""Weights and offset: values that a call gives beside the data, by a column's name or one per row."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixedsparse.data.formula import checks
from mixedsparse.data.formula.columns import Columns
from mixedsparse.data.formula.frames import Table
from mixedsparse.data.formula.parse import ParsedFormula
from mixedsparse.ground.checks import as_array
from mixedsparse.ground.errors import DataError

__all__ = ["given_values", "phrase", "total_offset"]


def given_values(what: str, value: Any, table: Table) -> Any:
    """Column (rows of the data,) that `weights` or `offset` names or gives."""
    if isinstance(value, str):
        return table.read([value], f"{what}={value!r}")[value]
    values = as_array(table.aligned(value, what), what)
    if values.ndim == 0 and what == "offset":
        return np.full(table.n, values)
    if values.shape != (table.n,):
        raise DataError(f"{what} has shape {values.shape}, but the data have {table.n} rows: give one value per row.")
    return values


def phrase(what: str, given: Any) -> str:
    """Subject of a message about the argument `what`."""
    return f"The {what} {given!r}" if isinstance(given, str) else f"The {what}"


def total_offset(parsed: ParsedFormula, columns: Columns, given: Any, what: str) -> np.ndarray | None:
    """Sum of the offset argument and the formula's ``offset(...)`` terms, None when there is none."""
    parts = [checks.offset(columns.expression(e), phrase("offset", e.label)) for e in parsed.offsets]
    if given is not None:
        parts.append(checks.offset(given, what))
    return np.sum(parts, axis=0) if parts else None
