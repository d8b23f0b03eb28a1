"""The summary of a generalized fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from mixedsparse.inference.components import varcorr
from mixedsparse.inference.labels import residual_quantiles
from mixedsparse.inference.wald import z_table
from mixedsparse.report import parts
from mixedsparse.report.summary import Summary

if TYPE_CHECKING:
    from mixedsparse.fitted.generalized import GeneralizedFitted

__all__ = ["summarize_generalized"]


def summarize_generalized(fitted: GeneralizedFitted) -> Summary:
    """Collect what a summary shows; see `GeneralizedResults.summary`."""
    criteria = {"-2 log L": fitted.criterion, "log L": fitted.llf, "AIC": fitted.aic, "BIC": fitted.bic}
    facts = parts.facts(fitted)
    facts = {"Formula": facts.pop("Formula"), "Response": fitted.design.response, **facts}
    if fitted.model.several_trials is not None:
        facts["Observations"] += f", {fitted.model.several_trials} trials"
    if fitted.family.has_dispersion:
        facts["Dispersion"] = f"{_DISPERSIONS[fitted.family.name]} {fitted.dispersion:.4g}"
    return Summary(
        title=fitted.title,
        facts=facts,
        tables={
            "criteria": pd.Series(criteria),
            "residuals": residual_quantiles(fitted),
            "random": varcorr(fitted),
            "fixed": z_table(fitted),
        },
        notes=tuple(_notes(fitted)),
    )


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
    return [*out, *fitted.fit.certificate.hints, fitted.message]
