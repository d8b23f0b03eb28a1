"""One table for a paper: fixed effects, and beside each the standard deviations of the random effects of its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedsparse.inference.coefficients import coef_table
from mixedsparse.inference.components import residual_deviations
from mixedsparse.report import html, latex, numbers, parts, text
from mixedsparse.report.table import Table

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["Journal", "deviations", "journal", "side_by_side", "with_deviations"]

_TITLES = {"SE": "Std. Error"}
_SPREAD = "SD "
_RESIDUAL = "Residual"
_DIGITS = 4


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Journal:
    """Fixed effects beside one column of standard deviations per grouping factor.

    Attributes
    ----------
    table : DataFrame
        A row per effect: ``Estimate``, ``SE``, ``df``, ``t``, ``p``; ``SD <factor>`` for each grouping factor and for
        the residual. NaN where an effect is not fixed, or not random. Of a generalized model ``z`` in place of ``df``
        and ``t``, a ratio with limits if it was asked for, and no residual.
    notes : tuple of str
        Formula, sizes, and what the p-values rest on.
    title : str
        What was fitted.
    """

    table: pd.DataFrame
    notes: tuple[str, ...]
    title: str = "Linear mixed model"

    def to_latex(self, caption: str | None = None, label: str | None = None) -> str:
        """LaTeX ``table`` with the rules of booktabs.

        Parameters
        ----------
        caption, label : str, optional
        """
        return latex.float_of([latex.latex_table(self.cells())], self.notes, caption, label)

    def to_html(self) -> str:
        """HTML table with its notes."""
        paragraphs = map(html.html_paragraph, self.notes)
        return html.document(self.title, [html.html_table(self.cells()), *paragraphs])

    def cells(self) -> Table:
        """Rows and columns as text."""
        columns = list(self.table.columns)
        records = zip(self.table.index, self.table.to_dict("records"), strict=True)
        rows = [[str(name), *(_cell(row, column) for column in columns)] for name, row in records]
        return Table.of("", ["", *(_TITLES.get(column, column) for column in columns)], rows)

    def __str__(self) -> str:
        return "\n\n".join([text.lay_out(self.cells(), width=10_000), "\n".join(self.notes)])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return self.to_html()


_LAYOUTS: dict[str, Callable[[float], str]] = {
    "df": numbers.degrees,
    "t": "{:.2f}".format,
    "z": "{:.2f}".format,
    "p": numbers.p_value,
}


def _cell(row: dict[Any, Any], column: Any) -> str:
    """Lay out one number; empty where the effect is not fixed, or not random."""
    if column in ("Estimate", "SE"):
        pair = numbers.estimate(row["Estimate"], row["SE"])
        return "" if np.isnan(row["Estimate"]) else pair[column == "SE"]
    missing = np.isnan(row[column] if column.startswith(_SPREAD) else row["Estimate"])
    return "" if missing else _LAYOUTS.get(column, _significant)(row[column])


def _significant(value: float) -> str:
    return numbers.significant(value, _DIGITS)


def journal(fitted: Fitted, ddf: str = "satterthwaite") -> Journal:
    """See `MixedResults.journal`."""
    table, residuals = with_deviations(fitted, coef_table(fitted, ddf=ddf))
    facts = [f"{name}: {value}." for name, value in parts.facts(fitted).items()] + residuals
    shown = f"SD: standard deviation of the random effects; fitted by {fitted.method}."
    *remarks, verdict = parts.notes(fitted, ddf)
    doubt = [verdict] if fitted.singular or not fitted.converged else []
    return Journal(table, (*facts, shown, *remarks, *doubt))


def with_deviations(fitted: Fitted, fixed: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Put fixed effects beside the deviations of random ones and of the residual; several of the latter in a note."""
    table, home = side_by_side(fitted, fixed, _RESIDUAL if fitted.has_residual else None)
    if not fitted.has_residual:
        return table, []
    # The residual is a random intercept of every observation.
    name = f"{_SPREAD}{_RESIDUAL}" if f"{_SPREAD}{_RESIDUAL}" not in table else f"{_SPREAD}(residual)"
    sizes = residual_deviations(fitted)
    if len(sizes) > 1:
        return table, [f"Residual SD: {', '.join(f'{label} {_significant(sd)}' for label, sd in sizes)}."]
    return table.assign(**{name: np.where(table.index == home, fitted.sigma, np.nan)}), []


def side_by_side(fitted: Fitted, fixed: pd.DataFrame, more: str | None = None) -> tuple[pd.DataFrame, str]:
    """Put fixed effects beside the deviations of random ones; also tell the row of the intercept, else `more`."""
    spread = deviations(fitted)
    home = "Intercept" if "Intercept" in fixed.index or "Intercept" in spread.index else _RESIDUAL
    rows = list(dict.fromkeys([*fixed.index, *spread.index, *([] if more is None else [home])]))
    return fixed.reindex(rows).join(spread.add_prefix(_SPREAD)), home


def deviations(fitted: Fitted) -> pd.DataFrame:
    """Tabulate standard deviations of the random effects: a row per effect, a column per grouping factor.

    Terms on one factor share its column, unless they have an effect in common: then each has its own, ``g.1`` etc.
    """
    columns: dict[str, dict[str, float]] = {}
    for group, label, effect, sd in _each_deviation(fitted):
        column = columns.setdefault(group, {})
        if effect in column:
            column = columns.setdefault(label, {})
        column[effect] = sd
    effects = dict.fromkeys(effect for column in columns.values() for effect in column)
    return pd.DataFrame(columns, index=list(effects), dtype=float)


def _each_deviation(fitted: Fitted) -> Iterator[tuple[str, str, str, float]]:
    """Yield grouping factor, label of the term, effect, standard deviation."""
    terms = fitted.problem.terms
    for term, label, lam in zip(terms, fitted.term_labels, fitted.fit.templates, strict=True):
        spread = fitted.sigma * np.sqrt(np.square(lam).sum(axis=1))
        for effect, sd in zip(term.columns, spread, strict=True):
            yield term.group, label, effect, float(sd)
