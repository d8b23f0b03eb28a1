"""Layout of tables for Markdown."""

from __future__ import annotations

from collections.abc import Iterable

from mixedsparse.report.table import Table

__all__ = ["escape", "markdown_table"]

_SPECIAL = str.maketrans({char: f"\\{char}" for char in "\\`*_|<>[]#~"})


def escape(text: str) -> str:
    r"""Text as Markdown shows it.

    >>> escape("a_b | c*")
    'a\\_b \\| c\\*'
    """
    return text.translate(_SPECIAL)


def markdown_table(table: Table) -> str:
    """Lay `table` out with pipes: labels on the left, numbers on the right."""
    marks = [":--" if j < table.labels else "--:" for j in range(len(table.header))]
    return "\n".join([_line(map(escape, table.header)), _line(marks), *(_line(map(escape, row)) for row in table.rows)])


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
