"""Layout of tables and paragraphs for a terminal."""

from __future__ import annotations

import textwrap

from mixedsparse.report.numbers import align_points
from mixedsparse.report.table import Table

__all__ = ["lay_out", "paragraph", "width_of"]

_GAP = 2
# Labels are never squeezed below this many characters.
_NARROWEST = 12


def width_of(table: Table) -> int:
    """Characters that `table` takes when no label is wrapped."""
    return sum(_natural_widths(table)) + _GAP * (len(table.header) - 1)


def lay_out(table: Table, width: int) -> str:
    """Text of `table`: numbers right-aligned on the point, labels left-aligned and wrapped to fit `width`."""
    columns = _cells(table)
    widths = _squeeze(_natural_widths(table), table.labels, width)
    lines = [table.caption] if table.caption else []
    lines.append(_line(table.header, widths, table.labels))
    lines += [_row(cells, widths, table.labels) for cells in zip(*columns, strict=True)]
    return "\n".join(lines)


def paragraph(text: str, width: int, label: str = "", indent: int = 0) -> str:
    """Wrap `text` after `label`, continuation lines indented."""
    head = f"{label}:".ljust(indent) if label else ""
    return textwrap.fill(
        text, width, initial_indent=head, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
    )


def _cells(table: Table) -> list[list[str]]:
    return [cells if j < table.labels else align_points(cells) for j, cells in enumerate(table.columns)]


def _natural_widths(table: Table) -> list[int]:
    columns = _cells(table)
    return [max(map(len, [title, *cells])) for title, cells in zip(table.header, columns, strict=True)]


def _squeeze(widths: list[int], labels: int, width: int) -> list[int]:
    """Take what is too wide from the widest labels."""
    widths = list(widths)
    excess = sum(widths) + _GAP * (len(widths) - 1) - width
    while excess > 0 and labels:
        widest = max(range(labels), key=widths.__getitem__)
        if widths[widest] <= _NARROWEST:
            break
        widths[widest] -= 1
        excess -= 1
    return widths


def _row(cells: tuple[str, ...], widths: list[int], labels: int) -> str:
    """One row; a label that is wrapped continues below, its numbers stand in the first line."""
    wrapped = [_wrap(cell, width) for cell, width in zip(cells[:labels], widths[:labels], strict=True)]
    height = max(map(len, wrapped), default=1)
    lines = []
    for i in range(height):
        names = [lines_of[i] if i < len(lines_of) else "" for lines_of in wrapped]
        rest = cells[labels:] if i == 0 else [""] * (len(cells) - labels)
        lines.append(_line([*names, *rest], widths, labels))
    return "\n".join(lines)


def _line(cells: list[str] | tuple[str, ...], widths: list[int], labels: int) -> str:
    padded = [
        cell.ljust(width) if j < labels else cell.rjust(width)
        for j, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return (" " * _GAP).join(padded).rstrip()


def _wrap(name: str, width: int) -> list[str]:
    """Break `name` into lines of at most `width`, where it reads best; later lines are indented."""
    lines: list[str] = []
    indent = ""
    while len(indent) + len(name) > width:
        room = width - len(indent)
        # After a colon; else after a space; else before a bracket; else anywhere.
        cut = name.rfind(":", 1, room) + 1 or name.rfind(" ", 1, room) + 1 or max(name.rfind("[", 1, room), 0) or room
        lines.append(indent + name[:cut].rstrip())
        name, indent = name[cut:], " "
    return [*lines, indent + name]
