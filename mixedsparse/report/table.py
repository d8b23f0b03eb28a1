"""`Table`: formatted cells under a caption, the one form that text and HTML read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Table"]


@dataclass(frozen=True, slots=True)
class Table:
    """Cells under a caption.

    Attributes
    ----------
    caption : str
        Empty for none.
    header : tuple of str
        Column titles; an empty one after the labels continues the title on its left.
    rows : tuple of tuple of str
    labels : int
        Leading columns that hold names; the others hold numbers.
    """

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    labels: int = 1

    @classmethod
    def of(cls, caption: str, header: Iterable[str], rows: Iterable[Iterable[str]], labels: int = 1) -> Table:
        """Make a table from any iterables."""
        return cls(caption, tuple(header), tuple(tuple(row) for row in rows), labels)

    @property
    def columns(self) -> list[list[str]]:
        """Cells column by column."""
        return [[row[j] for row in self.rows] for j in range(len(self.header))]
