"""Rows of a planned experiment: subjects, items, and factors within and between them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mixedsparse.ground.checks import MOST, is_whole, shown
from mixedsparse.ground.errors import OptionError
from mixedsparse.ground.foreign import explains_arguments

__all__ = ["design", "whole"]

Factors = Mapping[str, Sequence[Any]]


@explains_arguments
def design(
    subjects: int,
    items: int | None = None,
    *,
    within: Factors | None = None,
    between_subjects: Factors | None = None,
    between_items: Factors | None = None,
    latin_square: bool = False,
    repeats: int = 1,
    names: tuple[str, str] = ("subject", "item"),
) -> pd.DataFrame:
    """Lay out an experiment: every subject meets every item, or every condition.

    Parameters
    ----------
    subjects, items : int
        Number of levels. Without `items`, each subject meets each combination of the factors in `within`.
    within : dict, optional
        Factor -> levels, varied within subjects and within items: all combinations are crossed with both.
    between_subjects, between_items : dict, optional
        Factor -> levels; each subject (item) has one combination, dealt out in turn.
    latin_square : bool
        Each subject meets each item once, in one combination of `within`; combinations rotate over subjects and items,
        so that with whole numbers of rounds each occurs equally often for every subject and for every item.
    repeats : int
        Rows per cell.
    names : tuple of str
        Columns of subjects and items.

    Returns
    -------
    DataFrame
        Columns: subject, item, factors of `between_subjects`, `between_items`, `within`. Text levels are Categorical
        in the order given (the first is the reference of treatment contrasts), numbers stay numbers.

    Raises
    ------
    OptionError
        A number of levels is not a whole number, a factor has fewer than two levels, or a name stands twice.

    Examples
    --------
    >>> import mixedsparse as ms
    >>> rows = ms.design(subjects=40, items=20, within={"A": ["a1", "a2"]}, between_items={"freq": ["low", "high"]})
    >>> rows.shape
    (1600, 4)
    >>> square = ms.design(subjects=40, items=20, within={"A": ["a1", "a2"]}, latin_square=True)
    >>> square.groupby("A", observed=True).size().to_dict()
    {'a1': 400, 'a2': 400}
    """
    n_items = 1 if items is None else whole(items, "items")
    n_subjects, repeats = whole(subjects, "subjects"), whole(repeats, "repeats")
    first, second = names
    names = (first, second)
    parts = [dict(factors or {}) for factors in (between_subjects, between_items, within)]
    _check(parts, names, items, latin_square)
    by_subject, by_item, inside = (_combinations(part) for part in parts)
    cells = len(inside)
    shape = (n_subjects, n_items, 1 if latin_square else cells, repeats)
    subject, item, cell, _ = (index.ravel() for index in np.indices(shape))
    if latin_square:
        # A step per round of the factors between, so that these are not confounded with the rotation.
        cell = (subject // len(by_subject) + item // len(by_item)) % cells
    columns = {names[0]: _labels("s", n_subjects)[subject]}
    if items is not None:
        columns[names[1]] = _labels("i", n_items)[item]
    places = (subject % len(by_subject), item % len(by_item), cell)
    for part, combinations, place in zip(parts, (by_subject, by_item, inside), places, strict=True):
        for j, (factor, levels) in enumerate(part.items()):
            columns[factor] = _column(levels, combinations[place, j])
    return pd.DataFrame(columns)


def whole(value: Any, what: str, least: int = 1) -> int:
    """Check that `value` is a whole number of at least `least`."""
    if not is_whole(value) or not least <= value < MOST:
        raise OptionError(f"{what}={shown(value)} must be a whole number of at least {least}.")
    return int(value)


def _check(parts: Sequence[Factors], names: Sequence[str], items: int | None, latin_square: bool) -> None:
    taken = list(names) if items is not None else [names[0]]
    for part in parts:
        for factor, levels in part.items():
            if factor in taken:
                raise OptionError(f"The column {factor!r} is there twice: give each factor a name of its own.")
            taken.append(factor)
            if (
                not isinstance(levels, Collection)
                or isinstance(levels, str | bytes)
                or len(levels) < 2
                or len(set(levels)) < len(levels)
            ):
                raise OptionError(f"The factor {factor!r} needs two or more different levels, not {levels!r}.")
    if items is None and parts[1]:
        raise OptionError("between_items= needs items=, the number of items.")
    if latin_square and (items is None or not parts[2]):
        raise OptionError("latin_square=True rotates the factors of within= over items=: give both.")


def _combinations(factors: Factors) -> np.ndarray:
    """Level numbers of every combination (combinations, factors), the last factor varying fastest."""
    sizes = [len(levels) for levels in factors.values()]
    if not sizes:
        return np.zeros((1, 0), dtype=int)
    return np.stack(np.unravel_index(np.arange(np.prod(sizes)), sizes), axis=1)


def _labels(letter: str, count: int) -> np.ndarray:
    """Return s01, s02, ...: as text, the order is that of the numbers."""
    return np.array([f"{letter}{i:0{len(str(count))}d}" for i in range(1, count + 1)], dtype=object)


def _column(levels: Sequence[Any], codes: np.ndarray) -> Any:
    values = np.asarray(levels)
    return values[codes] if values.dtype.kind in "iuf" else pd.Categorical.from_codes(codes, categories=list(levels))
