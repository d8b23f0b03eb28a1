"""Layout of tables for LaTeX: booktabs rules, every name escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from mixedsparse.inference.coefficients import coef_table
from mixedsparse.inference.components import varcorr
from mixedsparse.report import parts
from mixedsparse.report.table import Table

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["escape", "float_of", "latex_table", "to_latex"]

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    **{char: f"\\{char}" for char in "&%$#_{}"},
}
_NUMBER = re.compile(r"(<?)(-?)(\d+(?:\.\d+)?)(?:e([+-]\d+))?")
# At the start of a row these would be read as arguments of the line end before it.
_ARGUMENT = ("[", "*")


def escape(text: str) -> str:
    r"""Text as LaTeX prints it.

    >>> escape("100% of x_1 & {y}")
    '100\\% of x\\_1 \\& \\{y\\}'
    """
    return "".join(_ESCAPES.get(char, char) for char in text)


def _number(cell: str) -> str:
    r"""Set a number with a minus sign and powers of ten; anything else as text.

    >>> _number("-1.5"), _number("2.1e-05"), _number("<1e-4"), _number("n/a")
    ('$-1.5$', '$2.1 \\times 10^{-5}$', '$<10^{-4}$', 'n/a')
    """
    match = _NUMBER.fullmatch(cell)
    if match is None:
        return escape(cell)
    below, minus, digits, power = match.groups()
    if power is not None:
        factor = "" if digits == "1" else rf"{digits} \times "
        return f"${below}{minus}{factor}10^{{{int(power)}}}$"
    return f"${below}{minus}{digits}$" if below or minus else cell


def latex_table(table: Table) -> str:
    r"""One ``tabular`` with the rules of booktabs; needs ``\usepackage{booktabs}``."""
    numbers = len(table.header) - table.labels
    rows = [" & ".join([*map(escape, row[: table.labels]), *map(_number, row[table.labels :])]) for row in table.rows]
    lines = [
        rf"\begin{{tabular}}{{{'l' * table.labels}{'r' * numbers}}}",
        r"\toprule",
        rf"{_header(table)} \\",
        r"\midrule",
        *(rf"{{}}{row} \\" if row.startswith(_ARGUMENT) else rf"{row} \\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines)


def _header(table: Table) -> str:
    """Titles; one that the empty titles after it continue spans them."""
    cells: list[str] = []
    for j, title in enumerate(table.header):
        if j < table.labels:
            cells.append(escape(title))
        elif title:
            span = 1
            while j + span < len(table.header) and not table.header[j + span]:
                span += 1
            cells.append(escape(title) if span == 1 else rf"\multicolumn{{{span}}}{{c}}{{{escape(title)}}}")
    return " & ".join(cells)


def float_of(bodies: Iterable[str], notes: Iterable[str], caption: str | None, label: str | None) -> str:
    """Put `bodies`, LaTeX already, and `notes`, text, into a ``table``; the caption is text too."""
    head = [r"\begin{table}", r"\centering"]
    head += [rf"\caption{{{escape(caption)}}}"] if caption else []
    head += [rf"\label{{{label}}}"] if label else []
    body = "\n\n\\medskip\n".join(bodies)
    foot = [r"", r"\medskip", r"\begin{minipage}{\linewidth}\footnotesize"]
    foot += [rf"{escape(note)}\par" for note in notes]
    return "\n".join([*head, body, *foot, r"\end{minipage}", r"\end{table}"]) + "\n"


def to_latex(fitted: Fitted, ddf: str = "satterthwaite", caption: str | None = None, label: str | None = None) -> str:
    """See `MixedResults.to_latex`."""
    tables = [parts.random_table(parts.terms_of(varcorr(fitted)), correlations=True)]
    if len(fitted.fit.beta):
        tables.insert(0, parts.fixed_table(coef_table(fitted, ddf=ddf)))
    facts = [f"{name}: {value}." for name, value in parts.facts(fitted).items()]
    notes = [f"Linear mixed model fitted by {fitted.method}.", *facts, *parts.notes(fitted, ddf)]
    return float_of(map(latex_table, tables), notes, caption, label)
