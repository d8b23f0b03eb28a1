"""Levels of factors: columns to codes, and new columns to the codes of levels that are known."""

from __future__ import annotations

import weakref
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from mixedsparse.data.formula.frames import missing_rows, natural
from mixedsparse.data.formula.kinds import level_names, sort_of, whole
from mixedsparse.ground.errors import DataError

__all__ = ["count_or_hash", "factorise", "index_of", "match_levels"]

# Integers are counted rather than hashed when they span at most this many times their number (or this number at all).
_DENSE_SPAN = 4
_DENSE_ALWAYS = 10_000
_SIGNED = 2**63
# Labels up to which one look for each is quicker than a table.
_FEW = 8
# Indexes of arrays of levels that are still there, by the identity of the array.
_INDEXES: dict[int, tuple[weakref.ref[np.ndarray], pd.Index]] = {}


def factorise(values: Any, label: str) -> tuple[np.ndarray, np.ndarray]:
    """Codes (n,) and levels of the column `label`, which has no missing values.

    Levels come sorted, or in the order of the categories of a categorical; levels that do not occur are left out.
    The column itself is never sorted.

    Raises
    ------
    DataError
        The column holds objects that cannot be levels, such as lists.
    """
    if isinstance(values, pd.Categorical):
        codes, used = count_or_hash(values.codes, len(values.categories))
        return codes, whole(_categories(values.categories, used))
    kind = values.dtype.kind if isinstance(values, np.ndarray) else "O"
    if kind == "f":
        values = whole(values)
        kind = values.dtype.kind
    if kind in "iu" and len(values):
        low, high = int(values.min()), int(values.max())
        # Unsigned numbers may be beyond the signed ones that codes are counted in.
        if high < _SIGNED and high - low <= max(_DENSE_SPAN * len(values), _DENSE_ALWAYS):
            codes, used = count_or_hash(values - low if low else values, high - low + 1)
            return codes, used + low
    try:
        codes, levels = pd.factorize(values, sort=True)
    except TypeError as err:
        kind = type(values[0]).__name__
        raise DataError(
            f"The factor {label!r} holds objects of type {kind}, which cannot be put in order: convert it to text."
        ) from err
    return codes.astype(np.intp, copy=False), np.asarray(levels)


def count_or_hash(codes: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Renumber non-negative `codes` below `size` without gaps; also return the sorted codes that occur."""
    if size <= max(_DENSE_SPAN * len(codes), _DENSE_ALWAYS):
        present = np.bincount(codes, minlength=size) > 0
        if present.all():
            return codes.astype(np.intp), np.arange(size)  # a copy: `codes` may be the user's own column
        return (np.cumsum(present) - 1)[codes], np.flatnonzero(present)
    new, used = pd.factorize(codes, sort=True)
    return new.astype(np.intp, copy=False), used


def index_of(levels: np.ndarray | tuple[Any, ...]) -> pd.Index:
    """Index of the levels of a factor, made once: its table of places costs more than a few rows of new data."""
    if isinstance(levels, tuple):
        return _index_of_labels(levels, tuple(map(type, levels)))
    key = id(levels)
    known, index = _INDEXES.get(key, (None, None))
    if known is None or index is None or known() is not levels:
        index = _index(levels)
        _INDEXES[key] = (weakref.ref(levels, lambda _: _INDEXES.pop(key, None)), index)
    return index


@lru_cache(maxsize=256)
def _index_of_labels(levels: tuple[Any, ...], kinds: tuple[type, ...]) -> pd.Index:
    # 1 and True are equal, but not the same level.
    return _index(list(levels))


def _index(levels: np.ndarray | list[Any]) -> pd.Index:
    index = pd.Index(levels)
    # Arrow's text would be converted at every look.
    return pd.Index(levels, dtype=object) if isinstance(index.dtype, pd.StringDtype) else index


def match_levels(values: Any, levels: pd.Index, label: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Codes of `values` among `levels` (-1: absent), codes among their own labels (-1: missing), and these labels.

    A level is known by its name where `values` are of another type: the text ``"3"`` is the level 3.
    """
    if missing_rows(values) is None:
        plain = values if isinstance(values, pd.Categorical) else natural(values, labels=True)
        found, labels = factorise(plain, label)
    else:
        found, labels = pd.factorize(values)
        labels = np.asarray(labels)
    if len(labels) == 0:
        return np.full(len(found), -1), found, labels
    place = _places(labels, levels)
    if (place < 0).any():
        place = np.where(place < 0, _places_by_name(labels, levels), place)
    return np.where(found < 0, -1, place[found]), found, labels


def _categories(categories: pd.Index, used: np.ndarray) -> np.ndarray:
    """Return the categories `used`."""
    if len(used) <= _FEW and isinstance(categories.dtype, pd.StringDtype):
        return np.array([categories[i] for i in used.tolist()], dtype=object)
    return np.asarray(categories.take(used))


def _places(labels: np.ndarray, levels: pd.Index) -> np.ndarray:
    """Places of `labels` among `levels`; -1 where there is none."""
    if levels.dtype != object or labels.dtype != object:
        return levels.get_indexer(pd.Index(labels))
    if len(labels) > _FEW or not levels.is_unique:
        return levels.get_indexer(pd.Index(labels, dtype=object))
    return np.array([_place(label, levels) for label in labels])


def _place(label: Any, levels: pd.Index) -> int:
    try:
        found = levels.get_loc(label)
    except (KeyError, TypeError):
        return -1
    return found if isinstance(found, int) else -1


def _places_by_name(labels: np.ndarray, levels: pd.Index) -> np.ndarray:
    """Places of `labels` of one type among `levels` of another, by their names; -1 where there is none."""
    own, known = sort_of(labels), sort_of(np.asarray(levels))
    names = pd.Index(level_names(np.asarray(levels), own)) if own is not known else pd.Index([])
    if not len(names) or not names.is_unique:
        return np.full(len(labels), -1)
    return names.get_indexer(pd.Index(level_names(labels, known)))
