"""What a user means by L: numbers, weights by coefficient, or text such as ``"Days = 0, A[S.a] - B = 2"``."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mixedsparse.data.formula.alignment import named_columns
from mixedsparse.data.formula.frames import open_table
from mixedsparse.ground.checks import is_number, shown
from mixedsparse.ground.errors import DataError, FormulaError

__all__ = ["Linear", "read_linear"]

_NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_WORD = re.compile(r"[^\s+\-*/=,()]+")
_MARKS = "+-*/=,()"


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """Hypotheses L beta = rhs: L (r, p), rhs (r,), and a label for each row."""

    L: np.ndarray
    rhs: np.ndarray
    labels: tuple[str, ...]


def read_linear(given: Any, names: Sequence[str], dropped: Sequence[str] = ()) -> Linear:
    """Read the hypotheses that a user gives.

    Parameters
    ----------
    given : str, dict, array_like of shape (p,) or (r, p), or sequence of str and dict
        A Series is read by its index, and a table by its columns, where these are not just numbered.
    names : sequence of str
        Coefficients, in the order of the columns.
    dropped : sequence of str
        Coefficients that the model left out, for the message.

    Raises
    ------
    DataError
        The shape is not that of the coefficients, a value is not finite, or a coefficient is not known.
    FormulaError
        The text cannot be read.
    """
    many = list(given) if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    many = [_by_name(one) if isinstance(one, pd.Series) else one for one in many]
    given = _as_pandas(given)
    if isinstance(given, pd.DataFrame) and named_columns(given) is not None:
        return _of_table(given, names, dropped)
    if many and all(isinstance(one, str | Mapping) for one in many):
        rows, values, labels = zip(*(row for one in many for row in _read_one(one, names, dropped)), strict=True)
        return Linear(np.array(rows), np.array(values), labels)
    L = _matrix(given, names)
    labels = map(str, given.index) if isinstance(given, pd.DataFrame) else (_spell(row, names) for row in L)
    return Linear(L, np.zeros(len(L)), tuple(labels))


def _by_name(weights: pd.Series) -> Any:
    """Weights as a dict by coefficient, or as they are where the index names nothing."""
    if named_columns(weights) is None:
        return weights
    _check_unique(weights.index, "weights for")
    return weights.to_dict()


def _as_pandas(given: Any) -> Any:
    """Tables of polars and pyarrow have names of columns too."""
    if isinstance(given, pd.DataFrame) or not hasattr(given, "columns"):
        return given
    table = open_table(given)
    return pd.DataFrame(table.read(table.names, "L"))


def _check_unique(labels: pd.Index, what: str) -> None:
    if not labels.is_unique:
        raise DataError(f"L has several {what} {labels[labels.duplicated()][0]!r}: keep one.")


def _of_table(table: pd.DataFrame, names: Sequence[str], dropped: Sequence[str]) -> Linear:
    """Hypotheses in the rows of a table whose columns are called as coefficients, in any order; others weigh 0."""
    _check_unique(table.columns, "columns called")
    L = np.zeros((len(table), len(names)))
    at = [_place(name, names, dropped) for name in table.columns]
    L[:, at] = _matrix(table.to_numpy(), list(table.columns))
    return Linear(L, np.zeros(len(L)), tuple(map(str, table.index)))


def _matrix(given: Any, names: Sequence[str]) -> np.ndarray:
    try:
        L = np.atleast_2d(np.asarray(given, dtype=float))
    except (TypeError, ValueError) as err:
        raise DataError(
            f"L={given!r} cannot be read: give numbers (one per coefficient), a dict of weights by coefficient, or "
            f"text such as {names[0] + ' = 0' if names else '1'!r}."
        ) from err
    if L.ndim != 2 or L.shape[1] != len(names):
        raise DataError(
            f"L has shape {np.shape(given)}, but the model has {len(names)} coefficients: give one weight for each of "
            f"{_listed(names)}."
        )
    if not np.isfinite(L).all():
        raise DataError("L has values that are not finite: give numbers.")
    return L


def _read_one(one: str | Mapping[str, float], names: Sequence[str], dropped: Sequence[str]) -> list:
    if isinstance(one, str):
        return _Reader(one, names, dropped).hypotheses()
    row = np.zeros(len(names))
    for name, weight in one.items():
        if not is_number(weight):
            raise DataError(f"L says {shown(weight)} of {name!r}: give a number for each coefficient.")
        row[_place(name, names, dropped)] = float(weight)
    return [(row, 0.0, _spell(row, names))]


def _place(name: str, names: Sequence[str], dropped: Sequence[str]) -> int:
    """Position of a coefficient; its absence is an error that lists what there is."""
    if name in names:
        return list(names).index(name)
    if name in dropped:
        raise DataError(
            f"The coefficient {name!r} was left out of the model (a linear combination of earlier columns), so it "
            f"cannot be tested. Coefficients: {_listed(names)}."
        )
    near = difflib.get_close_matches(str(name), names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise DataError(f"There is no coefficient {name!r}. Coefficients: {_listed(names)}.{hint}")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names)) or "none"


def _spell(row: np.ndarray, names: Sequence[str]) -> str:
    """Write a row as ``A - 0.5*B``."""
    text = ""
    for weight, name in zip(row, names, strict=True):
        if weight:
            sign = "-" if weight < 0 else "+"
            size = "" if abs(weight) == 1 else f"{abs(weight):.4g}*"
            text += f" {sign} {size}{name}" if text else f"{sign.replace('+', '')}{size}{name}"
    return text or "0"


class _Reader:
    """Recursive descent over sums of coefficients; an expression is a row (p,) and a constant."""

    def __init__(self, text: str, names: Sequence[str], dropped: Sequence[str]) -> None:
        self.text, self.names, self.dropped = text, list(names), dropped
        self.longest = sorted(self.names, key=len, reverse=True)
        self.at = 0

    def hypotheses(self) -> list[tuple[np.ndarray, float, str]]:
        out = []
        while True:
            start = self.at
            row, constant = self._sum()
            if self._take("="):
                right, value = self._sum()
                row, constant = row - right, constant - value
            if not row.any():
                said = self.text[start : self.at].strip()
                raise FormulaError(f"{said!r} names no coefficient: name at least one of {_listed(self.names)}.")
            out.append((row, -constant, self.text[start : self.at].strip()))
            if not self._take(","):
                break
        if self._peek():
            raise self._error()
        return out

    def _sum(self) -> tuple[np.ndarray, float]:
        sign = -1.0 if self._take("-") else 1.0
        if sign > 0:
            self._take("+")
        row, constant = self._product()
        row, constant = sign * row, sign * constant
        while self._peek() in ("+", "-"):
            sign = 1.0 if self._take("+") else -1.0
            if sign < 0:
                self._take("-")
            more, value = self._product()
            row, constant = row + sign * more, constant + sign * value
        return row, constant

    def _product(self) -> tuple[np.ndarray, float]:
        row, constant = self._atom()
        while self._peek() in ("*", "/"):
            times = self._take("*")
            if not times:
                self._take("/")
            other, value = self._atom()
            if times and not row.any():
                row, constant = constant * other, constant * value
            elif other.any() or (not times and value == 0.0):
                raise FormulaError(f"{self.text!r} is not linear: multiply and divide coefficients by numbers only.")
            else:
                factor = value if times else 1.0 / value
                row, constant = row * factor, constant * factor
        return row, constant

    def _atom(self) -> tuple[np.ndarray, float]:
        name = self._name()
        if name is not None:
            row = np.zeros(len(self.names))
            row[self.names.index(name)] = 1.0
            return row, 0.0
        number = _NUMBER.match(self.text, self.at)
        if number:
            self.at = number.end()
            return np.zeros(len(self.names)), float(number.group())
        if self._take("("):
            inside = self._sum()
            if not self._take(")"):
                raise self._error()
            return inside
        word = _WORD.match(self.text, self.at)
        if word:
            _place(word.group().strip("`"), self.names, self.dropped)
        raise self._error()

    def _name(self) -> str | None:
        """Coefficient that starts here: the longest one, bare or in backticks."""
        self._peek()
        for name in self.longest:
            for spelling in (name, f"`{name}`"):
                end = self.at + len(spelling)
                after = self.text[end : end + 1]
                if self.text.startswith(spelling, self.at) and not (after and (after.isalnum() or after in "_[:.")):
                    self.at = end
                    return name
        return None

    def _peek(self) -> str:
        """Next character that is not a space; the empty string at the end."""
        while self.text[self.at : self.at + 1].isspace():
            self.at += 1
        return self.text[self.at : self.at + 1]

    def _take(self, mark: str) -> bool:
        found = self._peek() == mark
        self.at += found
        return found

    def _error(self) -> FormulaError:
        left = self.text[self.at :].strip() or "the end"
        return FormulaError(
            f"The hypothesis {self.text!r} cannot be read from {left!r} on: write sums of coefficients such as "
            f"'2 * a - b = 0', separated by commas. Coefficients: {_listed(self.names)}."
        )
