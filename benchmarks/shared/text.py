"""Tables and numbers in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["milliseconds", "ratio", "seconds", "table"]


def table(header: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    """Return a table whose first column is text and whose others are numbers, aligned to the right."""
    rule = ["---"] + ["---:"] * (len(header) - 1)
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in (header, rule, *lines))


def seconds(value: float) -> str:
    """Three significant digits, in the unit that avoids leading zeros."""
    return f"{milliseconds(value)} ms" if value < 1 else f"{_three_digits(value)} s"


def milliseconds(value: float) -> str:
    """Return seconds as milliseconds without their unit, three significant digits, none of whole ones lost."""
    thousandfold = 1000.0 * value
    return f"{thousandfold:,.0f}" if thousandfold >= 1000 else _three_digits(thousandfold)


def ratio(value: float) -> str:
    """Two significant digits, none of whole ones lost."""
    return f"{value:.2g}×" if value < 10 else f"{value:.0f}×"


def _three_digits(value: float) -> str:
    return f"{float(f'{value:.3g}'):g}"
