"""The table of one or several models for a paper, in whatever form the paper is written."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedsparse.ground.errors import MixedSparseError, OptionError
from mixedsparse.inference.components import residual_deviations
from mixedsparse.inference.latent import latent_shares
from mixedsparse.inference.r2 import icc, r2, variance_shares
from mixedsparse.report import html, latex, markdown, numbers, text
from mixedsparse.report.apa import apa_p
from mixedsparse.report.degrees import WORDS
from mixedsparse.report.journal import deviations
from mixedsparse.report.table import Table
from mixedsparse.report.tested import tested_coefficients

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["ModelTable", "model_table"]

# Beginnings of the rows below the coefficients.
_SECTIONS = ("SD ", "N ", "Observations", "ICC", "Marginal", "Conditional", "REML", "-2", "AIC", "BIC")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ModelTable:
    """Coefficients of models side by side, standard deviations of their random effects, sizes and fit.

    Attributes
    ----------
    cells : Table
        As it is printed.
    notes : tuple of str
        What stands below it.
    """

    cells: Table
    notes: tuple[str, ...]

    @property
    def table(self) -> pd.DataFrame:
        """Cells as a DataFrame of text."""
        titles = list(self.cells.header)
        return pd.DataFrame([row[1:] for row in self.cells.rows], [row[0] for row in self.cells.rows], titles[1:])

    def to_text(self) -> str:
        """Plain text."""
        return "\n\n".join([text.lay_out(self.cells, width=10_000), "\n".join(self.notes)])

    def to_markdown(self) -> str:
        """Pipe table of Markdown, the notes below."""
        return "\n\n".join([markdown.markdown_table(self.cells), "  \n".join(map(markdown.escape, self.notes))])

    def to_html(self) -> str:
        """HTML table with its notes."""
        return html.document("", [html.html_table(self.cells), *map(html.html_paragraph, self.notes)])

    def to_latex(self, caption: str | None = None, label: str | None = None) -> str:
        """LaTeX ``table`` with the rules of booktabs.

        Parameters
        ----------
        caption, label : str, optional
        """
        return latex.float_of([latex.latex_table(self.cells)], self.notes, caption, label)

    def to_word(self, path: str | os.PathLike[str], caption: str | None = None) -> None:
        """Word document with the table in the style of the APA; needs the package python-docx.

        Parameters
        ----------
        path : str or path
            Overwritten if it is there.
        caption : str, optional
            Title above the table.
        """
        from mixedsparse.report.word import write_word

        write_word(self.cells, self.notes, path, caption)

    def __str__(self) -> str:
        return self.to_text()

    def __repr__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        return self.to_html()


def model_table(
    fits: Sequence[Fitted], names: Sequence[str], labels: Mapping[str, str], ddf: str, level: float
) -> ModelTable:
    """See `mixedsparse.model_table`."""
    known = dict.fromkeys(name for fitted in fits for name in _names(fitted))
    unknown = [name for name in labels if name not in known]
    if unknown:
        raise OptionError(f"labels: there is no {unknown[0]!r} in these models, which have {', '.join(known)}.")
    made = [_one(fitted, labels, ddf, level, single=len(fits) == 1) for fitted in fits]
    rows = []
    for block in ("fixed", "facts"):
        found = dict.fromkeys(row for part in made for row in getattr(part, block))
        for row in found if block == "fixed" else sorted(found, key=_section):
            own = (getattr(part, block).get(row, [""] * len(part.titles)) for part in made)
            rows.append([row, *(cell for cells in own for cell in cells)])
    titles = [
        title if len(fits) == 1 else f"{name} {title}"
        for part, name in zip(made, names, strict=True)
        for title in part.titles
    ]
    return ModelTable(Table.of("", ["", *titles], rows), _notes(fits, names, ddf))


def _section(row: str) -> tuple[int, bool]:
    """Place of a row below the coefficients: models that have different ones are written side by side."""
    place = next((place for place, start in enumerate(_SECTIONS) if row.startswith(start)), len(_SECTIONS))
    return place, row.startswith("SD residual")


@dataclass(frozen=True, slots=True)
class _Part:
    """Columns of one model: cells by row, of coefficients and of what stands below them."""

    titles: list[str]
    fixed: dict[str, list[str]]
    facts: dict[str, list[str]]


def _relabelled(name: str, labels: Mapping[str, str]) -> str:
    """Label of a coefficient; of an interaction without one the labels of its parts."""
    if name in labels:
        return labels[name]
    parts = name.split(":")
    return " × ".join(labels.get(part, part) for part in parts) if any(part in labels for part in parts) else name


def _names(fitted: Fitted) -> list[str]:
    effects = [name for group in fitted.ngroups for name in fitted.effects_of(group)]
    return list(dict.fromkeys([*fitted.x_names, *effects, *fitted.ngroups]))


def _one(fitted: Fitted, labels: Mapping[str, str], ddf: str, level: float, single: bool) -> _Part:
    """Columns of a model: those of a single one have errors, statistics and deviations too."""
    table = tested_coefficients(fitted, ddf, level)
    statistic = "t" if fitted.has_residual else "z"
    titles = ["Estimate", *(["SE"] if single else []), f"{100 * level:g}% CI", *([statistic] if single else []), "p"]
    fixed = {}
    for name, row in zip(table.index, table.to_dict("records"), strict=True):
        estimate, error = numbers.estimate(row["Estimate"], row["SE"])
        low, high = (numbers.estimate(value, row["SE"])[0] for value in (row["lower"], row["upper"]))
        cells = [estimate, error, f"[{low}, {high}]", f"{row[statistic]:.2f}", apa_p(row["p"])[2:].removeprefix("= ")]
        fixed[str(name)] = cells if single else cells[::2]
    shown = [_relabelled(name, labels) for name in fixed]
    if twice := [label for label in shown if shown.count(label) > 1]:
        raise OptionError(f"labels: {twice[0]!r} would stand for several coefficients: give each a label of its own.")
    spread, facts = deviations(fitted), {}
    for group in spread:
        titles += [f"SD {labels.get(group, group)}"] if single else []
        for effect, value in {} if single else spread[group].dropna().items():
            facts[f"SD {labels.get(group, group)}: {_relabelled(str(effect), labels)}"] = numbers.significant(value, 3)
    if single:
        for name in dict.fromkeys([*fixed, *spread.index]):
            values = [spread[group].get(name, np.nan) for group in spread]
            own = ["" if np.isnan(value) else numbers.significant(value, 3) for value in values]
            fixed[str(name)] = [*fixed.get(str(name), [""] * 5), *own]
    facts |= _facts(fitted, labels)
    rest = [""] * (len(titles) - 1)
    return _Part(
        titles,
        {_relabelled(name, labels): cells for name, cells in fixed.items()},
        {name: [cell, *rest] for name, cell in facts.items()},
    )


def _facts(fitted: Fitted, labels: Mapping[str, str]) -> dict[str, str]:
    """Residual, sizes, shares of variance where they have a meaning, and fit."""
    sizes = {f"N {labels.get(group, group)}": str(levels) for group, levels in fitted.ngroups.items()}
    residual = {}
    if fitted.has_residual:
        each = residual_deviations(fitted)
        residual = {
            ("SD residual" if len(each) == 1 else f"SD residual ({label})"): numbers.significant(value, 3)
            for label, value in each
        }
    return {
        **residual,
        **sizes,
        "Observations": str(fitted.nobs),
        **_shares(fitted),
        "REML criterion" if fitted.reml else "-2 log L": f"{fitted.criterion:.2f}",
        "AIC": f"{fitted.aic:.2f}",
        "BIC": f"{fitted.bic:.2f}",
    }


def _shares(fitted: Fitted) -> dict[str, str]:
    """Intraclass correlation and R squared; nothing where there is no one residual variance, or no rows to know by."""
    shares: Callable[[Any], Any] = variance_shares if fitted.has_residual else latent_shares
    try:
        found = shares(fitted)
    except MixedSparseError:
        return {}
    explained = r2(found)
    within = {"ICC": f"{float(icc(found)['adjusted']):.3f}"} if fitted.ngroups else {}
    named = {"Marginal R²": "marginal", "Conditional R²": "conditional"}
    return within | {name: f"{float(explained[key]):.3f}" for name, key in named.items()}


def _notes(fits: Sequence[Fitted], names: Sequence[str], ddf: str) -> tuple[str, ...]:
    many = len(fits) > 1
    out = [f"{f'{name}: ' if many else ''}{fitted.model.formula}." for fitted, name in zip(fits, names, strict=True)]
    tests = []
    if any(fitted.has_residual for fitted in fits):
        tests.append(f"p-values and intervals: t distribution, {WORDS[ddf].whose} degrees of freedom.")
    if not all(fitted.has_residual for fitted in fits):
        tests.append("Estimates of generalized models are on the scale of the linear predictor, tests are normal.")
    out += [*tests, "SD: standard deviation of the random effects."]
    for fitted, name in zip(fits, names, strict=True):
        if fitted.singular or not fitted.converged:
            out.append(f"{f'{name}: ' if many else ''}{fitted.fit.certificate.message}")
    return tuple(out)
