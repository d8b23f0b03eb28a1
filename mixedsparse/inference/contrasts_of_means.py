"""Coefficients of contrasts among k means, with emmeans' names and default adjustments."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from mixedsparse.data.formula.alignment import named_columns
from mixedsparse.ground.errors import OptionError

__all__ = ["METHODS", "Coefficients", "by_groups", "coefficients", "labels"]

# Signs in a label that would read as arithmetic, and labels that are bare numbers.
_ARITHMETIC = re.compile(r"[-+*/]")
_POLYNOMIALS = ("linear", "quadratic", "cubic", "quartic")
_MOST_POLYNOMIALS = 6


@dataclass(frozen=True, eq=False)
class Coefficients:
    """Contrasts among k means.

    Attributes
    ----------
    names : tuple of str, length c
    matrix : ndarray, shape (c, k)
    adjust : str
        Adjustment by default.
    pairwise : bool
        Whether these are all pairs, for which Tukey's method is meant.
    """

    names: tuple[str, ...]
    matrix: np.ndarray
    adjust: str
    pairwise: bool = False


def labels(frame: pd.DataFrame, prefix: bool = True) -> list[str]:
    """Label of each mean, ``"A x"``: arithmetic signs get brackets, numbers the name of their factor (emmeans).

    Without `prefix` numbers stand alone.
    """
    columns = []
    for name in frame.columns:
        texts = [str(value) for value in frame[name]]
        columns.append([f"{name}{text}" for text in texts] if prefix and all(map(_is_number, texts)) else texts)
    joined = [" ".join(parts) for parts in zip(*columns, strict=True)] if columns else ["overall"] * len(frame)
    return [f"({text})" if _ARITHMETIC.search(text) else text for text in joined]


def by_groups(frame: pd.DataFrame, by: Sequence[str]) -> list[np.ndarray]:
    """Positions of the rows of each combination of the columns `by`, in the order they come."""
    if not by or not len(frame):
        return [np.arange(len(frame))] if len(frame) else []
    codes = frame.groupby(list(by), sort=False, observed=True).ngroup().to_numpy()
    return [np.flatnonzero(codes == group) for group in range(codes.max() + 1)]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def coefficients(method: Any, names: Sequence[str], ref: Hashable | None = None) -> Coefficients:
    """Coefficients of the contrasts that `method` names or gives.

    Parameters
    ----------
    method : str, dict, DataFrame, sequence or function
        One of `METHODS`, or ``{name: k numbers}``, or ``{name: {label: number}}``; or a DataFrame with a column per
        contrast, whose index, if it is not just numbered, says which mean a row is for; or k numbers, or rows of them;
        or a function of the labels that returns any of these.
    names : sequence of str, length k
        Labels of the means.
    ref : int or str, optional
        Control of ``"trt.vs.ctrl"``: position or label.

    Raises
    ------
    OptionError
        The method is not known, a contrast has another length, or a label does not exist.
    """
    if callable(method):
        try:
            method = method(list(names))
        except Exception as err:
            raise OptionError(f"The function method={method!r} failed for {list(names)!r}: {err!r}.") from err
    if isinstance(method, pd.DataFrame):
        method = {name: method[name] for name in method.columns}
    elif _are_rows(method):
        method = _by_coefficients(method)
    if isinstance(method, Mapping):
        return _given(method, names)
    method = _OTHER_NAMES.get(method, method) if isinstance(method, str) else method
    if not isinstance(method, str) or method not in METHODS:
        raise OptionError(
            f"method={method!r} is not known; use one of {', '.join(map(repr, METHODS))}, or a dict "
            "{'name': [one number per mean]}."
        )
    if ref is not None and method != "trt.vs.ctrl":
        raise OptionError(f"ref={ref!r} is for method='trt.vs.ctrl' only, not for {method!r}.")
    if method == "trt.vs.ctrl":
        return _against(names, 0 if ref is None else _position(ref, names))
    return METHODS[method](names)


def _are_rows(value: Any) -> bool:
    """Whether `value` holds several things side by side."""
    if isinstance(value, np.ndarray):
        return value.ndim > 0
    return isinstance(value, Sequence | pd.Series) and not isinstance(value, str | bytes)


def _by_coefficients(rows: Any) -> dict[str, Any]:
    """Contrasts that are given as numbers alone, one or several, named by these."""
    several = [rows] if isinstance(rows, pd.Series) or all(isinstance(value, Real) for value in rows) else list(rows)
    if not several or not all(map(_are_rows, several)):
        raise OptionError(f"method={rows!r} is no contrast: give one number per mean, or rows of them.")
    return {f"({', '.join(map(_shown, row))})": row for row in several}


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, Real) else repr(value)


def _given(method: Mapping[Any, Any], names: Sequence[str]) -> Coefficients:
    if not method:
        raise OptionError("The dict of contrasts is empty; give {'name': [one number per mean]}.")
    rows = []
    for name, values in method.items():
        if isinstance(values, Mapping) or (isinstance(values, pd.Series) and named_columns(values) is not None):
            row = _by_label(name, values.items(), names)
        else:
            row = _numbers(name, values, names)
        rows.append(row)
    return Coefficients(tuple(map(str, method)), np.array(rows), "none")


def _by_label(name: Any, weights: Iterable[tuple[Any, Any]], names: Sequence[str]) -> np.ndarray:
    row = np.full(len(names), np.nan)
    for label, weight in weights:
        place = _position(label, names)
        if not np.isnan(row[place]):
            raise OptionError(f"The contrast {name!r} has several weights for {names[place]!r}: keep one.")
        row[place] = _number(name, weight)
    return np.nan_to_num(row)


def _number(name: Any, value: Any) -> float:
    if not isinstance(value, Real) or not np.isfinite(float(value)):
        raise OptionError(f"The contrast {name!r} says {value!r} of a mean: give a finite number.")
    return float(value)


def _numbers(name: Any, values: Any, names: Sequence[str]) -> np.ndarray:
    try:
        row = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as err:
        raise OptionError(f"The contrast {name!r} is not numeric: {values!r}.") from err
    if row.shape != (len(names),) or not np.isfinite(row).all():
        raise OptionError(
            f"The contrast {name!r} has {row.size} coefficients for {len(names)} means; give one finite number for "
            f"each of {', '.join(map(repr, names))}."
        )
    return row


def _position(label: Any, names: Sequence[str]) -> int:
    bare = [name.strip("()") for name in names]
    if isinstance(label, int | np.integer) and str(label) not in bare and -len(names) <= label < len(names):
        return int(label) % len(names)
    for known in (list(names), bare):
        if str(label) in known:
            return known.index(str(label))
    raise OptionError(f"There is no mean {label!r}; the means are {', '.join(map(repr, names))}.")


def _pairwise(names: Sequence[str]) -> Coefficients:
    k = len(names)
    pairs = [(i, j) for i in range(k) for j in range(i + 1, k)]
    return _differences(names, pairs, "tukey", pairwise=True)


def _reversed(names: Sequence[str]) -> Coefficients:
    pairs = [(i, j) for i in range(len(names)) for j in range(i)]
    return _differences(names, pairs, "tukey", pairwise=True)


def _against(names: Sequence[str], ref: int) -> Coefficients:
    return _differences(names, [(i, ref) for i in range(len(names)) if i != ref], "dunnettx")


def _consecutive(names: Sequence[str]) -> Coefficients:
    return _differences(names, [(i + 1, i) for i in range(len(names) - 1)], "mvt")


def _differences(
    names: Sequence[str], pairs: Sequence[tuple[int, int]], adjust: str, pairwise: bool = False
) -> Coefficients:
    eye = np.eye(len(names))
    matrix = np.array([eye[i] - eye[j] for i, j in pairs]).reshape(-1, len(names))
    return Coefficients(tuple(f"{names[i]} - {names[j]}" for i, j in pairs), matrix, adjust, pairwise)


def _effects(names: Sequence[str]) -> Coefficients:
    k = len(names)
    return Coefficients(tuple(f"{name} effect" for name in names), np.eye(k) - 1.0 / k, "fdr")


def _effects_among_others(names: Sequence[str]) -> Coefficients:
    k = len(names)
    matrix = (np.eye(k) - 1.0 / k) * (k / (k - 1.0)) if k > 1 else np.empty((0, k))
    return Coefficients(tuple(f"{name} effect" for name in names[: len(matrix)]), matrix, "fdr")


def _mean_changes(names: Sequence[str]) -> Coefficients:
    """Mean of the means after each place less mean of those up to it."""
    k = len(names)
    after = np.arange(k) > np.arange(k - 1)[:, None]
    matrix = after / np.maximum(after.sum(axis=1, keepdims=True), 1) - ~after / (~after).sum(axis=1, keepdims=True)
    return Coefficients(tuple(f"{names[i]}|{names[i + 1]}" for i in range(k - 1)), matrix, "mvt")


def _polynomial(names: Sequence[str]) -> Coefficients:
    """Orthogonal polynomials on equidistant scores, scaled to whole numbers as in tables (and emmeans)."""
    k = len(names)
    powers = np.vander(np.linspace(-1.0, 1.0, k), min(k, _MOST_POLYNOMIALS + 1), increasing=True)
    rows = np.linalg.qr(powers)[0].T[1:]
    rows = np.array([_whole(row * np.sign(row[-1])) for row in rows]).reshape(-1, k)
    titles = [*_POLYNOMIALS, *(f"degree {d}" for d in range(len(_POLYNOMIALS) + 1, k))]
    return Coefficients(tuple(titles[: len(rows)]), rows, "none")


def _whole(row: np.ndarray) -> np.ndarray:
    """`row` over its smallest positive entry, then over what is left of a whole number until little is."""
    row = row / row[row > 0.01].min()
    left = np.abs(row - np.round(row)).max()
    while left > 0.05:
        row = row / left
        left = np.abs(row - np.round(row)).max()
    return np.asarray(np.round(row))


METHODS: dict[str, Callable[[Sequence[str]], Coefficients]] = {
    "pairwise": _pairwise,
    "revpairwise": _reversed,
    "trt.vs.ctrl": lambda names: _against(names, 0),
    "trt.vs.ctrlk": lambda names: _against(names, len(names) - 1),
    "consec": _consecutive,
    "mean_chg": _mean_changes,
    "eff": _effects,
    "del.eff": _effects_among_others,
    "poly": _polynomial,
}
# Names of the same contrasts elsewhere.
_OTHER_NAMES = {"tukey": "pairwise", "trt.vs.ctrl1": "trt.vs.ctrl", "dunnett": "trt.vs.ctrl"}
