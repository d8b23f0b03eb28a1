"""Tables of text with a title, as text, HTML and LaTeX."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

__all__ = ["TextTable", "labelled_rows", "lay_out"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TextTable:
    """Cells under a title: ``print`` it, or ``as_text``, ``as_html``, ``as_latex``.

    Attributes
    ----------
    title : str
    table : DataFrame
        Of text.
    """

    title: str
    table: pd.DataFrame

    def as_text(self) -> str:
        """Text."""
        header = ["", *self.table.columns]
        lines = lay_out([header, *([name, *row] for name, row in labelled_rows(self.table))], "<" + ">" * len(header))
        width = max(map(len, [self.title, *lines]))
        double, single = "=" * width, "-" * width
        title = [self.title.center(width).rstrip()] if self.title else []
        return "\n".join([*title, double, lines[0], single, *lines[1:], double])

    def as_html(self) -> str:
        """HTML."""
        return self.table.to_html()

    def as_latex(self) -> str:
        """LaTeX; needs ``booktabs``."""
        from mixedsparse.report.latex import latex_table
        from mixedsparse.report.table import Table

        rows = [[name, *row] for name, row in labelled_rows(self.table)]
        return latex_table(Table.of(self.title, ["", *self.table.columns], rows))

    def _repr_html_(self) -> str:
        return self.as_html()

    def __repr__(self) -> str:
        return self.as_text()


def labelled_rows(table: pd.DataFrame) -> list[tuple[str, list[str]]]:
    """Label and cells of each row."""
    return list(zip(map(str, table.index), table.to_numpy(dtype=str).tolist(), strict=True))


def lay_out(rows: Sequence[Sequence[str]], align: str) -> list[str]:
    """Lines of a table whose columns are aligned by ``<`` and ``>``."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [[f"{cell:{a}{w}}" for cell, a, w in zip(row, align, widths, strict=False)] for row in rows]
    return [" ".join(line).rstrip() for line in lines]
