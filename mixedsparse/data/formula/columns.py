"""The columns of one call: read once, rows with missing values dropped, coded for the encoders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from mixedsparse.data.formula.alignment import aligned
from mixedsparse.data.formula.contrasts import Coding, Contrast, make_coding
from mixedsparse.data.formula.encoders import evaluate
from mixedsparse.data.formula.frames import missing_rows, natural
from mixedsparse.data.formula.kinds import Sort, as_fitted, check_text, numbers, sort_of, stands_for_levels
from mixedsparse.data.formula.levels import factorise, index_of, match_levels
from mixedsparse.data.formula.parse import Expression
from mixedsparse.data.formula.translate import is_coerced
from mixedsparse.ground.errors import DataError

__all__ = ["Columns", "complete_rows"]

# Labels that a message shows.
_MOST = 8


def complete_rows(raw: Mapping[str, Any], n: int) -> tuple[np.ndarray | None, dict[str, int]]:
    """Mask of the rows without a missing value (None: all of them), and the number missing in each column."""
    masks = {name: mask for name, values in raw.items() if (mask := missing_rows(values)) is not None}
    if not masks:
        return None, {}
    keep = ~np.logical_or.reduce(list(masks.values()))
    return keep, {name: int(mask.sum()) for name, mask in masks.items()}


@dataclass(frozen=True, eq=False)
class Columns:
    """Complete columns under their aliases.

    Parameters
    ----------
    raw : Mapping
        Columns by name, nothing missing, all of length `n`.
    names : Mapping
        Column of each alias.
    n : int
        Number of rows.
    env : Mapping
        Functions and constants of the caller.
    fitted : Mapping, optional
        What columns held in the fit, for new rows.
    """

    raw: Mapping[str, Any]
    names: Mapping[str, str]
    n: int
    env: Mapping[str, Any]
    fitted: Mapping[str, Sort] = field(default_factory=dict)
    _natural: dict[str, Any] = field(default_factory=dict)
    _sorts: dict[str, Sort] = field(default_factory=dict)

    def natural(self, alias: str) -> Any:
        """Values of the column itself, in new rows as the fit had them."""
        column = self.names[alias]
        if column not in self._natural:
            values = natural(self.raw[column])
            if column in self.fitted:
                values = as_fitted(values, self.fitted[column], f"The column {column!r}")
            self._natural[column] = values
        return self._natural[column]

    @property
    def sorts(self) -> dict[str, Sort]:
        """What the columns hold that stand in a side or in an expression, as far as they were read."""
        return {column: self._sort(column) for column in self._natural}

    def _sort(self, column: str) -> Sort:
        if column not in self._sorts:
            self._sorts[column] = sort_of(self._natural[column])
        return self._sorts[column]

    def expression(self, expression: Expression) -> Any:
        """Values (n,) of a column or of a Python expression."""
        if expression.alias:
            return self.natural(expression.alias)
        found = expression_values(expression.code, expression.label, self)
        if np.ndim(found) == 0:
            raise DataError(f"{expression.label!r} gives one value instead of {self.n}: use a column in it.")
        if len(found) != self.n:
            raise DataError(f"{expression.label!r} gives {len(found)} values for {self.n} rows: one per row is needed.")
        return found

    def factor(self, code: str, label: str, alias: str | None) -> tuple[np.ndarray, np.ndarray]:
        """Codes (n,) and levels of a grouping factor."""
        if alias is not None:
            return factorise(natural(self.raw[self.names[alias]], labels=True), label)
        values = self.expression(Expression(label, code, None))
        if missing_rows(values) is not None:
            raise DataError(f"The grouping factor {label!r} is missing in some rows: remove these rows first.")
        return factorise(values, label)

    def code(self, alias: str, contrast: Contrast | None) -> tuple[np.ndarray, Coding | None]:
        """Numbers (n,) of a bare column, or codes and coding when it is a factor."""
        values, column = self.natural(alias), self.names[alias]
        what, sort = f"The column {column!r}", self._sort(column)
        is_named = contrast is not None or is_coerced(alias)  # the user says that it is a factor
        if not is_named and not stands_for_levels(sort, what, values):
            return numbers(values, what), None
        codes, levels = factorise(values, column)
        if not is_named and sort in (Sort.TEXT, Sort.CATEGORIES):
            check_text(levels, self.n, what)
        if is_coerced(alias) and values.dtype.kind == "f":
            levels = levels.astype(float)  # C(x) of decimal numbers has C(x)[T.2.0], to formulaic and patsy alike
        coding = make_coding(column, levels.tolist(), contrast or Contrast())
        is_ordered = contrast is None and getattr(values.dtype, "ordered", False)
        return codes, replace(coding, ordered=True) if is_ordered else coding

    def recode(self, alias: str, coding: Coding | None) -> np.ndarray:
        """Numbers (n,) or codes of new rows by the `coding` of the fit.

        Raises
        ------
        DataError
            A factor has a level that the fit has not seen.
        """
        column = self.names[alias]
        if coding is None:
            return numbers(self.natural(alias), f"The column {column!r}")
        raw = self.raw[column]
        values = raw if isinstance(raw, pd.Categorical) else natural(raw)  # unused categories are no matter
        codes, found, labels = match_levels(values, index_of(coding.levels), column)
        if (codes < 0).any():
            unseen = [str(labels[i]) for i in np.unique(found[codes < 0])]
            raise DataError(
                f"The factor {column!r} has levels that the fit has not seen: {_listed(unseen)}. "
                f"Levels of the fit: {_listed(map(str, coding.levels))}. Leave these rows out, or refit with them."
            )
        return codes


def expression_values(code: str, label: str, columns: Columns) -> Any:
    """Array that the Python expression `code` gives on `columns`."""
    values = {alias: columns.natural(alias) for alias in columns.names if alias in code}
    found = evaluate(code, label, values, columns.names, columns.env)
    if isinstance(found, pd.Series):
        found = aligned(found, pd.RangeIndex(columns.n), f"the value of {label!r}")
        found = found.array if isinstance(found.dtype, pd.api.extensions.ExtensionDtype) else found.to_numpy()
    return found if np.ndim(found) == 0 else natural(found if hasattr(found, "dtype") else np.asarray(found))


def _listed(labels: Iterable[str]) -> str:
    labels = list(labels)
    return ", ".join(repr(label) for label in labels[:_MOST]) + (", ..." if len(labels) > _MOST else "")
