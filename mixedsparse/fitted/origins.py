"""The data that a model was made from, as long as its user keeps them: a fit itself keeps the columns that it uses."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mixedsparse.data.formula.design import Design

__all__ = ["origin_of", "remember"]

_ORIGINS: weakref.WeakKeyDictionary[Design, Any] = weakref.WeakKeyDictionary()


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
