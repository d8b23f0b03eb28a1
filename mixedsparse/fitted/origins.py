"""The data that a model was made from, as long as its user keeps them: a fit itself keeps the columns that it uses."""

from __future__ import annotations

import weakref
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mixedsparse.data.formula.design import Design
    from mixedsparse.fitted.model import Model

__all__ = ["count_left_out", "left_out_before", "origin_of", "remember"]

_ORIGINS: weakref.WeakKeyDictionary[Design, Any] = weakref.WeakKeyDictionary()
_BEFORE: weakref.WeakKeyDictionary[Design, int] = weakref.WeakKeyDictionary()


def remember(design: Design, data: Any) -> None:
    """Note what `design` was made from; nothing is kept alive by it."""
    try:
        _ORIGINS[design] = weakref.ref(data)
    except TypeError:
        return  # a dict, or another object that nobody can point at


def origin_of(design: Design) -> Any:
    """Return the data that `design` was made from; None where they are gone."""
    found = _ORIGINS.get(design)
    return None if found is None else found()


def count_left_out(model: Model, before: Design) -> None:
    """Count the rows that `before` left out among those that a model of its remaining rows leaves out."""
    if before.nmissing:
        design = model.design
        missing = dict(Counter(before.missing) + Counter(design.missing))
        model.design = replace(design, nmissing=before.nmissing + design.nmissing, missing=missing)
        _BEFORE[model.design] = before.nmissing


def left_out_before(design: Design) -> int:
    """Return how many of the rows that are left out the fit that `design` goes back to has told of already."""
    return _BEFORE.get(design, 0)
