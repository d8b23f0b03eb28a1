"""How objects of one class become the fields of a record, and come back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Fields", "Record", "record"]

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Record:
    """How objects of one class become fields, and come back.

    Attributes
    ----------
    cls : type
    fields : tuple of str
        Attributes that are stored under their own names.
    more : callable or None
        Further fields of an object.
    build : callable
        Takes the fields, returns the object; the class itself by default.
    rebuilt : tuple of str
        Fields of the class that are not stored, since the others tell them.
    """

    cls: type
    fields: tuple[str, ...]
    more: Callable[[Any], Fields] | None = None
    build: Callable[[Fields], Any] | None = None
    rebuilt: tuple[str, ...] = ()

    def take_apart(self, value: Any) -> Fields:
        """Fields of an object."""
        return {name: getattr(value, name) for name in self.fields} | (self.more(value) if self.more else {})

    def put_together(self, fields: Fields) -> Any:
        """Object of these fields."""
        return self.build(fields) if self.build else self.cls(**fields)


def record(cls: type, fields: str, **how: Any) -> Record:
    """Record of a class, its fields in one text."""
    return Record(cls, tuple(fields.split()), **how)
