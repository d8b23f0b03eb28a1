"""Formulas for sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mixedsparse.core.structures.kinds import US
from mixedsparse.data.formula.frames import column_error
from mixedsparse.data.formula.names import caller_names, candidates
from mixedsparse.data.formula.parse import ParsedFormula, UnknownNames, parse
from mixedsparse.ground.errors import FormulaError, OptionError

__all__ = ["column_argument", "read_formula"]


def read_formula(formula: Any, names: tuple[str, ...], env: Mapping[str, Any]) -> tuple[ParsedFormula, dict[str, Any]]:
    """Read `formula` for the columns of a source; also return what it takes from the caller's names."""
    if not isinstance(formula, str):
        raise FormulaError(f"The formula must be text such as 'y ~ x + (1 | g)', not of type {type(formula).__name__}.")
    present = tuple(name for name in candidates(formula) if name in names)
    outer = caller_names(formula, present, env)
    for name, value in outer.items():
        if np.ndim(value) > 0:
            raise FormulaError(f"{name!r} in {formula!r} is an array of yours: add it to the source as a column.")
    try:
        parsed = parse(formula, present, tuple(outer))
    except UnknownNames as err:
        raise column_error(err.names, names, f"the formula {formula!r}") from None
    for bar in parsed.bars:
        if bar.kind is not None and not isinstance(bar.kind, US):
            raise FormulaError(
                f"The covariance structure of {bar.text!r} is one of models whose rows are in memory: read the columns "
                "that the model needs into a data frame, or write '(x | g)' or '(x || g)'."
            )
    return parsed, outer


def column_argument(what: str, value: Any) -> str | None:
    """Column that an argument names; rows of a source take no arrays."""
    if value is None or isinstance(value, str):
        return value
    raise OptionError(
        f"{what} is of type {type(value).__name__}, but the rows are in a source: add {what} to it as a column, and "
        "give the column's name."
    )
