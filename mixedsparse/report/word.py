"""Tables for Word, in the style of the APA: rules above and below the header and below the table, none between."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from mixedsparse.ground.errors import BackendError
from mixedsparse.report.table import Table

__all__ = ["write_word"]

# Eighths of a point.
_RULE = 8


def write_word(table: Table, notes: Iterable[str], path: str | os.PathLike[str], caption: str | None) -> None:
    """Write a document with one table, its notes below.

    Raises
    ------
    BackendError
        python-docx is not installed.
    """
    try:
        from docx import Document
        from docx.enum.text import WD_ALIGN_PARAGRAPH
    except ImportError as err:
        raise BackendError("Word documents need the package python-docx: pip install 'mixedsparse[word]'.") from err
    document = Document()
    if caption:
        document.add_paragraph().add_run(caption).italic = True
    made = document.add_table(rows=1 + len(table.rows), cols=len(table.header))
    made.autofit = True
    cells = [table.header, *table.rows]
    for row, texts in zip(made.rows, cells, strict=True):
        for j, (cell, text) in enumerate(zip(row.cells, texts, strict=True)):
            paragraph = cell.paragraphs[0]
            paragraph.add_run(text)
            paragraph.paragraph_format.space_after = 0
            if j >= table.labels:
                paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
    for cell in made.rows[0].cells:
        _rule(cell, "top", "bottom")
    for cell in made.rows[-1].cells:
        _rule(cell, "bottom")
    document.add_paragraph().add_run("Note. ").italic = True
    document.paragraphs[-1].add_run(" ".join(notes))
    document.save(os.fspath(path))


def _rule(cell: Any, *sides: str) -> None:
    """Draw rules at the `sides` of a cell."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    properties = cell._tc.get_or_add_tcPr()
    borders = OxmlElement("w:tcBorders")
    for side in sides:
        border = OxmlElement(f"w:{side}")
        for name, value in (("val", "single"), ("sz", str(_RULE)), ("space", "0"), ("color", "000000")):
            border.set(qn(f"w:{name}"), value)
        borders.append(border)
    properties.append(borders)
