"""Layout of tables and paragraphs for a notebook: semantic tables, every name escaped, nothing loaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape

from mixedsparse.report.table import Table

__all__ = ["document", "facts_table", "html_paragraph", "html_table"]

_STYLE = (
    ".mixedsparse table {margin: 0 0 1em 0; border-collapse: collapse} "
    ".mixedsparse caption {text-align: left; font-weight: bold} "
    ".mixedsparse td {text-align: right; font-variant-numeric: tabular-nums} "
    ".mixedsparse td.label, .mixedsparse th.label {text-align: left}"
)


def document(title: str, parts: Iterable[str]) -> str:
    """Wrap `parts`, HTML already, under a title."""
    body = "\n".join(parts)
    heading = f"<h4>{escape(title)}</h4>\n" if title else ""
    return f'<div class="mixedsparse">\n<style>{_STYLE}</style>\n{heading}{body}\n</div>'


def html_paragraph(text: str) -> str:
    """One paragraph."""
    return f"<p>{escape(text)}</p>"


def facts_table(facts: Mapping[str, str]) -> str:
    """Label and value, one row each."""
    rows = "\n".join(
        f'<tr><th scope="row" class="label">{escape(label)}</th><td class="label">{escape(value)}</td></tr>'
        for label, value in facts.items()
    )
    return f"<table>\n<tbody>\n{rows}\n</tbody>\n</table>"


def html_table(table: Table) -> str:
    """One table: caption, header, a row header per row where there are labels."""
    caption = f"<caption>{escape(table.caption)}</caption>\n" if table.caption else ""
    rows = "\n".join(f"<tr>{_row(row, table.labels)}</tr>" for row in table.rows)
    return f"<table>\n{caption}<thead>\n<tr>{_header(table)}</tr>\n</thead>\n<tbody>\n{rows}\n</tbody>\n</table>"


def _header(table: Table) -> str:
    cells = []
    for j, title in enumerate(table.header):
        if not title and j >= table.labels:
            continue  # covered by the span of the title on its left
        span = 1
        while j + span < len(table.header) and j >= table.labels and not table.header[j + span]:
            span += 1
        spans = f' colspan="{span}"' if span > 1 else ""
        label = ' class="label"' if j < table.labels else ""
        cells.append(f'<th scope="col"{label}{spans}>{escape(title)}</th>')
    return "".join(cells)


def _row(row: tuple[str, ...], labels: int) -> str:
    names = [f'<th scope="row" class="label">{escape(cell)}</th>' for cell in row[:labels]]
    return "".join([*names, *(f"<td>{escape(cell)}</td>" for cell in row[labels:])])
