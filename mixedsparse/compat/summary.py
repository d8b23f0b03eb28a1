"""Summary of a fit in statsmodels' layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from mixedsparse.compat.tables import labelled_rows, lay_out
from mixedsparse.ground.errors import OptionError

if TYPE_CHECKING:
    from mixedsparse.compat.estimates import EstimatesMixin

__all__ = ["MixedLMSummary", "make_summary"]

_TITLE = "Mixed Linear Model Regression Results"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MixedLMSummary:
    """Summary: ``print`` it, show it in a notebook, or read `tables`.

    Attributes
    ----------
    title : str
    tables : list of DataFrame
        Facts in two pairs of columns, and parameters as formatted cells.
    note : str
        Verdict on convergence.
    """

    title: str
    tables: list[pd.DataFrame]
    note: str

    def as_text(self) -> str:
        """Text."""
        facts, parameters = self.tables
        top = lay_out(facts.to_numpy(dtype=str).tolist(), "<<<<")
        cells = [["", *parameters.columns], *([name, *row] for name, row in labelled_rows(parameters))]
        below = lay_out(cells, "<" + ">" * parameters.shape[1])
        width = max(map(len, [self.title, *top, *below]))
        double, single = "=" * width, "-" * width
        lines = [self.title.center(width).rstrip(), double, *top, single, below[0], single, *below[1:], double]
        return "\n".join([*lines, self.note])

    def as_latex(self, label: str = "") -> str:
        """LaTeX, a ``table`` with the parameters under the facts; needs ``booktabs``."""
        from mixedsparse.report.latex import float_of, latex_table
        from mixedsparse.report.table import Table

        facts, parameters = self.tables
        top = Table.of("", ["", "", "", ""], facts.to_numpy(dtype=str).tolist(), labels=4)
        rows = [[name, *row] for name, row in labelled_rows(parameters)]
        below = Table.of("", ["", *parameters.columns], rows)
        return float_of([latex_table(top), latex_table(below)], [self.note], self.title, label or None)

    def as_html(self) -> str:
        """HTML."""
        from mixedsparse.report import html
        from mixedsparse.report.table import Table

        facts, parameters = self.tables
        pairs = [pair for row in facts.to_numpy(dtype=str).tolist() for pair in (row[:2], row[2:]) if pair[0]]
        table = Table.of("", ["", *parameters.columns], [[name, *row] for name, row in labelled_rows(parameters)])
        body = [html.facts_table({k.rstrip(":"): v for k, v in pairs}), html.html_table(table)]
        return html.document(self.title, [*body, html.html_paragraph(self.note)])

    def _repr_html_(self) -> str:
        return self.as_html()

    def __str__(self) -> str:
        return self.as_text()

    def __repr__(self) -> str:
        return self.as_text()


def make_summary(
    results: EstimatesMixin,
    yname: str | None,
    xname_fe: Sequence[str] | None,
    xname_re: Sequence[str] | None,
    title: str | None,
    alpha: float,
) -> MixedLMSummary:
    """Collect what a summary shows; see `MixedLMResults.summary`."""
    model = results.model
    fixed = _names("xname_fe", xname_fe, model.exog_names)
    random = _names("xname_re", xname_re, model.structure.parameter_names)
    sizes = model.structure.sizes
    left = {
        "Model:": "MixedLM",
        "No. Observations:": f"{model.nobs}",
        "No. Groups:": f"{model.n_groups}",
        "Min. group size:": f"{sizes.min()}",
        "Max. group size:": f"{sizes.max()}",
        "Mean group size:": f"{sizes.mean():.1f}",
    }
    right = {
        "Dependent Variable:": yname or model.endog_names,
        "Method:": results._mixed.method,
        "Scale:": f"{results.scale:.4f}",
        "Log-Likelihood:": f"{results._mixed.llf:.4f}",
        "Converged:": "Yes" if results._mixed.converged else "No",
        "": "",
    }
    facts = pd.DataFrame([(*a, *b) for a, b in zip(left.items(), right.items(), strict=True)])
    estimate = np.asarray(results.fe_params)
    error = np.asarray(results.bse_fe)
    z = estimate / error
    reach = -ndtri(alpha / 2) * error
    columns = [estimate, error, z, 2.0 * ndtr(-np.abs(z)), estimate - reach, estimate + reach]
    cells = [[f"{value:.3f}" for value in row] for row in zip(*columns, strict=True)]
    blank = [""] * 4
    for value, spread in zip(results.scale * results.relative_covariances, np.asarray(results.bse_re), strict=True):
        cells.append([f"{value:.3f}", f"{spread:.3f}" if spread > 0 else "", *blank])
    header = ["Coef.", "Std.Err.", "z", "P>|z|", f"[{alpha / 2:g}", f"{1 - alpha / 2:g}]"]
    parameters = pd.DataFrame(cells, index=[*fixed, *random], columns=header)
    return MixedLMSummary(title or _TITLE, [facts, parameters], results._mixed.certificate.message)


def _names(what: str, given: Sequence[str] | None, known: list[str]) -> list[str]:
    if given is not None and len(given) != len(known):
        raise OptionError(f"{what} has {len(given)} names for {len(known)} parameters: {', '.join(map(repr, known))}.")
    return known if given is None else list(given)
