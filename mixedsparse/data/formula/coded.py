"""Values of the sides of a formula: numbers, codes of factors, and columns of function calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mixedsparse.data.formula.columns import Columns
from mixedsparse.data.formula.contrasts import Coding, Contrast
from mixedsparse.data.formula.encoders import Side

__all__ = ["code_sides"]


def code_sides(
    sides: Iterable[Side], columns: Columns, contrasts: Mapping[str, Contrast]
) -> tuple[dict[str, Any], dict[str, Coding]]:
    """Values of every alias on `sides`, and the codings of factors."""
    values: dict[str, Any] = {}
    codings: dict[str, Coding] = {}
    for side in sides:
        for alias in side.aliases:
            if alias in values:
                continue
            if alias not in side.bare:
                values[alias] = columns.natural(alias)
                continue
            values[alias], coding = columns.code(alias, contrasts.get(columns.names[alias]))
            if coding is not None:
                codings[alias] = coding
    return values, codings
