"""The summary of a generalized fit, and its tables for papers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mixedsparse.inference.components import varcorr
from mixedsparse.inference.labels import residual_quantiles
from mixedsparse.inference.wald import z_table
from mixedsparse.report import latex, parts
from mixedsparse.report.journal import Journal, side_by_side
from mixedsparse.report.summary import Summary

if TYPE_CHECKING:
    from mixedsparse.fitted.generalized import GeneralizedFitted

__all__ = ["generalized_journal", "generalized_latex", "summarize_generalized"]


def summarize_generalized(fitted: GeneralizedFitted, ddf: str = "normal") -> Summary:
    """Collect what a summary shows; see `GeneralizedResults.summary`."""
    criteria = {"-2 log L": fitted.criterion, "log L": fitted.llf, "AIC": fitted.aic, "BIC": fitted.bic}
    residuals = {"residuals": residual_quantiles(fitted)} if fitted.design.observed.has_quantiles else {}
    return Summary(
        title=fitted.title,
        facts=_facts(fitted),
        tables={
            "criteria": pd.Series(criteria),
            **residuals,
            "random": varcorr(fitted),
            "fixed": z_table(fitted, ddf=ddf),
        },
        notes=tuple(_notes(fitted)),
    )


def generalized_latex(fitted: GeneralizedFitted, exp: bool, caption: str | None, label: str | None) -> str:
    """See `GeneralizedResults.to_latex`."""
    tables = [parts.random_table(parts.terms_of(varcorr(fitted)), correlations=True)]
    if len(fitted.fit.beta):
        tables.insert(0, parts.fixed_table(z_table(fitted, exp)))
    facts = [f"{name}: {value}." for name, value in _facts(fitted).items()]
    notes = [f"{fitted.title}.", *facts, *_limits(exp), *_notes(fitted)]
    return latex.float_of(map(latex.latex_table, tables), notes, caption, label)


def generalized_journal(fitted: GeneralizedFitted, exp: bool = False) -> Journal:
    """See `GeneralizedResults.journal`."""
    table, _ = side_by_side(fitted, z_table(fitted, exp))
    facts = [f"{name}: {value}." for name, value in _facts(fitted).items()]
    shown = f"SD: standard deviation of the random effects, scale of the linear predictor. {fitted.title}."
    *remarks, verdict = _notes(fitted)
    doubt = [verdict] if fitted.singular or not fitted.converged else []
    return Journal(table, (*facts, shown, *_limits(exp), *remarks, *doubt), "Generalized linear mixed model")


def _limits(exp: bool) -> list[str]:
    return ["lower, upper: 95 % limits of the ratio."] if exp else []


def _facts(fitted: GeneralizedFitted) -> dict[str, str]:
    """Return formula, response, sizes and dispersion."""
    facts = parts.facts(fitted)
    facts = {"Formula": facts.pop("Formula"), "Response": fitted.design.response, **facts}
    if fitted.model.several_trials is not None:
        facts["Observations"] += f", {fitted.model.several_trials} trials"
    if np.isfinite(fitted.dispersion):
        given = "" if fitted.family.has_dispersion else " (given)"
        facts["Dispersion"] = f"{_DISPERSIONS[fitted.family.name]} {fitted.dispersion:.4g}{given}"
    return facts


_DISPERSIONS = {
    "gamma": "shape",
    "inverse_gaussian": "precision",
    "negative_binomial": "size",
    "nb1": "variance over mean less 1:",
}


def _notes(fitted: GeneralizedFitted) -> list[str]:
    out = ["p-values: two-sided, normal reference distribution."]
    if fitted.conditional and fitted.converged:
        out.append(
            "Standard errors take the covariance parameters as known: the joint Hessian is not positive definite."
        )
    if fitted.fit.nodes == 0:
        out.append("nAGQ=0: coefficients by penalised least squares, not at the maximum of the likelihood.")
    if fitted.dropped_columns:
        out.append(f"Dropped columns (linear combinations of earlier ones): {', '.join(fitted.dropped_columns)}.")
    return [
        *out,
        *parts.notes_of_order(fitted),
        *parts.notes_of_probes(fitted),
        *fitted.fit.certificate.hints,
        fitted.message,
    ]
