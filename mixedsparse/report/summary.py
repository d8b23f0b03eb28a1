"""The summary of a fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from mixedsparse.inference.coefficients import coef_table
from mixedsparse.inference.components import varcorr
from mixedsparse.inference.labels import residual_quantiles
from mixedsparse.report import html, parts, text

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["Summary", "summarize"]

_WIDTH = 88
# A correlation and the space before it: "  -0.12".
_CORRELATION = 7


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Summary:
    """Summary of a fit: ``print`` it, show it in a notebook, or read its numbers from `tables`.

    Attributes
    ----------
    title : str
    facts : dict
        Formula, observations and groups, as sentences.
    tables : dict of DataFrame or Series
        ``"criteria"``, ``"residuals"`` (quantiles; not there for a model whose rows are in a source), ``"random"`` (as
        `MixedResults.varcorr`), ``"fixed"`` (as `MixedResults.coef_table`).
    notes : tuple of str
        The last one is the verdict on convergence.

    Examples
    --------
    >>> import mixedsparse as ms
    >>> fit = ms.lmer("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff"))
    >>> print(fit.summary())
    Linear mixed model fitted by REML
    ...
    Converged: the gradient vanishes and the curvature is positive in every direction.
    """

    title: str
    facts: dict[str, str]
    tables: dict[str, Any]
    notes: tuple[str, ...]

    def as_text(self, width: int = _WIDTH) -> str:
        """Text, wrapped to `width` characters where names allow."""
        indent = max(map(len, self.facts)) + 3
        sections = [
            self.title,
            "\n".join(text.paragraph(value, width, label, indent) for label, value in self.facts.items()),
            text.lay_out(parts.criteria_table(self.tables["criteria"]), width),
            *(text.lay_out(table, width) for table in self._residuals()),
            *self._random_effects(width),
        ]
        if len(self.tables["fixed"]):
            sections.append(text.lay_out(parts.fixed_table(self.tables["fixed"]), width))
        sections.append("\n".join(text.paragraph(note, width) for note in self.notes))
        return "\n\n".join(sections)

    def _residuals(self) -> list[parts.Table]:
        """Quantiles of the residuals, where the rows are in memory."""
        return [parts.quantile_table(self.tables["residuals"])] if "residuals" in self.tables else []

    def _random_effects(self, width: int) -> list[str]:
        """Variances with correlations beside them if they fit, in tables of their own otherwise."""
        terms = parts.terms_of(self.tables["random"])
        inline = parts.random_table(terms, correlations=True)
        if text.width_of(inline) <= width:
            return [text.lay_out(inline, width)]
        tables = [parts.random_table(terms, correlations=False)]
        for term in terms:
            names = min(4 + max(map(len, term.names)), width // 2)
            tables += parts.correlation_tables(term, per_table=max(1, (width - names) // _CORRELATION))
        return [text.lay_out(table, width) for table in tables]

    def _repr_html_(self) -> str:
        terms = parts.terms_of(self.tables["random"])
        tables = [
            parts.criteria_table(self.tables["criteria"]),
            *self._residuals(),
            parts.random_table(terms, correlations=True),
        ]
        if len(self.tables["fixed"]):
            tables.append(parts.fixed_table(self.tables["fixed"]))
        body = [html.facts_table(self.facts), *map(html.html_table, tables), *map(html.html_paragraph, self.notes)]
        return html.document(self.title, body)

    def __str__(self) -> str:
        return self.as_text()

    def __repr__(self) -> str:
        return self.as_text()


def summarize(fitted: Fitted, ddf: str = "satterthwaite") -> Summary:
    """Collect what a summary shows; see `MixedResults.summary`."""
    criterion = "REML criterion" if fitted.reml else "-2 log L"
    criteria = {
        criterion: fitted.criterion,
        "log L": fitted.llf,
        "AIC": fitted.aic,
        "BIC": fitted.bic,
    }
    residuals = {"residuals": residual_quantiles(fitted)} if fitted.design.observed.has_quantiles else {}
    return Summary(
        title=f"Linear mixed model fitted by {fitted.method}",
        facts=parts.facts(fitted),
        tables={
            "criteria": pd.Series(criteria),
            **residuals,
            "random": varcorr(fitted),
            "fixed": coef_table(fitted, ddf=ddf),
        },
        notes=tuple(parts.notes(fitted, ddf)),
    )
