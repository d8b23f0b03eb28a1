"""Stored dataclasses that were written before they had all of their fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, fields
from typing import Any, TypeVar

__all__ = ["fills_defaults"]

Class = TypeVar("Class", bound=type)


def fills_defaults(cls: Class) -> Class:
    """Make a frozen dataclass with slots take its newer fields' defaults where an old pickle has no values for them."""

    def set_state(self: Any, state: Sequence[Any]) -> None:
        known = fields(cls)
        for field, value in zip(known, state, strict=False):
            object.__setattr__(self, field.name, value)
        for field in known[len(state) :]:
            assert field.default is not MISSING
            object.__setattr__(self, field.name, field.default)

    cls.__setstate__ = set_state
    return cls
