"""Hypotheses about the means of the levels of a factor, turned into the contrasts whose coefficients estimate them.

The contrast matrix is the inverse of the matrix of hypotheses, that of the intercept included.

Source: Schad, Vasishth, Hohenstein & Kliegl (2020), Journal of Memory and Language 110, 104038.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from mixedsparse.ground.errors import DataError, OptionError
from mixedsparse.ground.foreign import Answers, explains_arguments

__all__ = ["Hypotheses", "hypotheses"]

# Sum of weights that counts as 0, or as 1, over the largest of them.
_ZERO = 1e-9
# A hypothesis set equal: "b = a", "b ~ a", "b == a".
_EQUAL = re.compile(r"==|=|~")
_QUOTED = re.compile(r"`([^`]*)`")


@dataclass(frozen=True, slots=True)
class Hypotheses(Answers):
    """What the coefficients of a factor are to estimate; made by `mixedsparse.hypotheses`, given to ``contrasts=``.

    Attributes
    ----------
    names : tuple of str
        Of the coefficients: ``f[name]``.
    weights : tuple
        Of each, pairs of a level and its weight, or numbers in the order of the levels.
    """

    names: tuple[str, ...]
    weights: tuple[tuple[Any, ...], ...]

    def matrix(self, levels: Sequence[Hashable], column: str = "f") -> pd.DataFrame:
        """Contrast matrix: a row per level, a column per coefficient.

        Parameters
        ----------
        levels : sequence
            Levels of the factor, in order.
        column : str
            Name of the factor, for messages.

        Raises
        ------
        DataError
            A level does not exist, or there are too few or too many hypotheses, or they depend on each other.
        """
        rows = np.array(
            [_row(name, pairs, levels, column) for name, pairs in zip(self.names, self.weights, strict=True)]
        )
        sums, sizes = rows.sum(axis=1), np.abs(rows).max(axis=1)
        others = np.flatnonzero(np.abs(sums) > _ZERO * sizes)
        if len(others) > 1 or (len(others) and abs(sums[others[0]] - 1.0) > _ZERO):
            name = self.names[others[-1]]
            raise DataError(
                f"The hypothesis {name!r} about {column!r} has weights that sum to {sums[others[-1]]:g}: those of a "
                "comparison sum to 0, and those of one hypothesis at most, for the intercept, to 1."
            )
        compared = np.delete(rows, others, axis=0)
        names = [name for i, name in enumerate(self.names) if i not in others]
        n = len(levels)
        if len(compared) != n - 1:
            raise DataError(
                f"There are {len(compared)} hypotheses about {column!r}, whose levels in the rows used are "
                f"{list(levels)!r}: {n} levels have {n - 1} comparisons."
            )
        intercept = rows[others[0]] if len(others) else np.full(n, 1.0 / n)
        full = np.vstack([intercept, compared])
        if np.linalg.matrix_rank(full) < n:
            raise DataError(f"The hypotheses about {column!r} depend on each other: give {n - 1} that do not.")
        return pd.DataFrame(np.linalg.inv(full)[:, 1:], index=list(levels), columns=names)


@explains_arguments
def hypotheses(about: Any) -> Hypotheses:
    """Contrasts from hypotheses: each coefficient estimates what its hypothesis says of the means of the levels.

    Parameters
    ----------
    about : dict or DataFrame
        Name of a coefficient -> text such as ``"b - a"``, ``"(b + c) / 2 - a"`` or ``"b = a"``, levels that are no
        plain names in backticks; or a dict of levels and weights, ``{"b": 1, "a": -1}``; or a weight per level in
        order. Of a DataFrame each row is a hypothesis, its columns the levels. k levels take k - 1 comparisons, whose
        weights sum to 0; one more, whose weights sum to 1, says what the intercept is, which otherwise is the mean of
        all levels.

    Returns
    -------
    Hypotheses
        For ``contrasts={"f": ...}``; ``.matrix(levels)`` shows the contrasts.

    Raises
    ------
    OptionError
        A hypothesis cannot be read.

    Examples
    --------
    >>> import mixedsparse as ms
    >>> steps = ms.hypotheses({"b-a": "b - a", "c-ab": {"c": 1, "a": -0.5, "b": -0.5}})
    >>> steps.matrix(["a", "b", "c"]).round(3)
         b-a   c-ab
    a -0.5 -0.333
    b  0.5 -0.333
    c  0.0  0.667
    >>> data = ms.datasets.load("Machines")
    >>> steps = ms.hypotheses({"B": "B - A", "C": "C - B"})
    >>> fit = ms.lmer("score ~ Machine + (1 | Worker)", data, contrasts={"Machine": steps})
    >>> fit.params.round(2).to_dict()
    {'Intercept': 59.65, 'Machine[B]': 7.97, 'Machine[C]': 5.95}
    """
    if isinstance(about, pd.DataFrame):
        about = {
            name: dict(zip(about.columns, row, strict=True))
            for name, row in zip(about.index, about.to_numpy(), strict=True)
        }
    if not isinstance(about, Mapping) or not about:
        raise OptionError(f"Hypotheses are a dict, {{'b-a': 'b - a'}}, not {about!r}.")
    return Hypotheses(tuple(map(str, about)), tuple(_weights(str(name), value) for name, value in about.items()))


def _weights(name: str, value: Any) -> tuple[Any, ...]:
    """Pairs of a level and its weight, or weights alone."""
    if isinstance(value, str):
        return tuple(_read(name, value).items())
    if isinstance(value, pd.Series) and not isinstance(value.index, pd.RangeIndex):
        value = value.to_dict()
    if isinstance(value, Mapping):
        return tuple((level, _number(name, weight)) for level, weight in value.items())
    if isinstance(value, Sequence | np.ndarray | pd.Series):
        return tuple(_number(name, weight) for weight in value)
    raise OptionError(f"The hypothesis {name!r} is {value!r}: give text, a dict of levels and weights, or numbers.")


def _number(name: str, value: Any) -> float:
    if not isinstance(value, Real) or not np.isfinite(float(value)):
        raise OptionError(f"The hypothesis {name!r} has the weight {value!r}: give a finite number.")
    return float(value)


def _row(name: str, pairs: tuple[Any, ...], levels: Sequence[Hashable], column: str) -> np.ndarray:
    """Weight of each of the `levels`."""
    listed = ", ".join(map(repr, levels))
    if pairs and not isinstance(pairs[0], tuple):
        if len(pairs) != len(levels):
            raise DataError(
                f"The hypothesis {name!r} about {column!r} has {len(pairs)} weights for {len(levels)} levels, {listed}."
            )
        return np.array(pairs)
    row, texts = np.zeros(len(levels)), list(map(str, levels))
    for level, weight in pairs:
        if level not in levels and str(level) not in texts:
            raise DataError(
                f"The hypothesis {name!r}: {column!r} has no level {level!r} in the rows used, but {listed}."
            )
        row[list(levels).index(level) if level in levels else texts.index(str(level))] += weight
    return row


def _read(name: str, text: str) -> dict[str, float]:
    """Weights of the levels in ``"(b + c) / 2 - a"``."""
    quoted: list[str] = []

    def hold(match: re.Match[str]) -> str:
        quoted.append(match[1])
        return f"_quoted{len(quoted) - 1}_"

    sides = _EQUAL.split(_QUOTED.sub(hold, text).strip())
    try:
        if len(sides) > 2:
            raise ValueError
        parts = [_linear(ast.parse(side.strip(), mode="eval").body) for side in sides]
    except (SyntaxError, ValueError):
        raise OptionError(
            f"The hypothesis {name!r} cannot be read: {text!r}. Write sums of levels with weights, '(b + c) / 2 - a', "
            "and levels that are no plain names in backticks."
        ) from None
    found = parts[0] if len(parts) == 1 else _sum(parts[0], parts[1], -1.0)
    if found.pop(None, 0.0):
        raise OptionError(f"The hypothesis {name!r} has a number that no level stands beside: {text!r}.")
    held = {f"_quoted{i}_": label for i, label in enumerate(quoted)}
    return {held.get(str(level), str(level)): weight for level, weight in found.items()}


def _sum(one: dict[str | None, float], two: dict[str | None, float], factor: float) -> dict[str | None, float]:
    return {level: one.get(level, 0.0) + factor * two.get(level, 0.0) for level in {**one, **two}}


def _linear(tree: ast.expr) -> dict[str | None, float]:
    """Weight of each name in a linear expression; that of None is its constant.

    Raises
    ------
    ValueError
        It is not linear.
    """
    if isinstance(tree, ast.Name):
        return {tree.id: 1.0}
    if isinstance(tree, ast.Constant) and type(tree.value) in (int, float):
        return {None: float(tree.value)}
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub | ast.UAdd):
        return _sum({}, _linear(tree.operand), -1.0 if isinstance(tree.op, ast.USub) else 1.0)
    if isinstance(tree, ast.BinOp):
        left, right = _linear(tree.left), _linear(tree.right)
        if isinstance(tree.op, ast.Add | ast.Sub):
            return _sum(left, right, 1.0 if isinstance(tree.op, ast.Add) else -1.0)
        if isinstance(tree.op, ast.Mult | ast.Div) and set(right) == {None}:
            factor = right[None]
            return _sum({}, left, factor if isinstance(tree.op, ast.Mult) else 1.0 / factor if factor else np.nan)
        if isinstance(tree.op, ast.Mult) and set(left) == {None}:
            return _sum({}, right, left[None])
    raise ValueError
