"""Single-term deletions of the fixed part."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, get_args

import numpy as np
import pandas as pd
from scipy.special import chdtrc

from mixedsparse.ground.checks import one_of
from mixedsparse.ground.choices import Drop1Test
from mixedsparse.inference.anova import f_table
from mixedsparse.inference.hypotheses import FixedTerms, fixed_terms, type3
from mixedsparse.inference.refit import Likelihood, fit_columns, of_fit, refit

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["SMALL_SAMPLES", "deletion_table", "deletions", "likelihood_table"]

_TESTS = get_args(Drop1Test)
SMALL_SAMPLES = (
    "Chi-square p-values of fixed effects are too small in small designs: F tests of one fit, as drop1(test='F') and "
    "anova(ddf='kenward-roger'), and ms.anova(smaller, larger, test='bootstrap') hold their level."
)


def deletions(fitted: Fitted, test: str, ddf: str) -> pd.DataFrame:
    """Test the terms that are no part of others; see `MixedResults.drop1`."""
    one_of("test", test, _TESTS)
    terms = fixed_terms(fitted)
    droppable = terms.structure.droppable()
    if test == "F":
        # Nothing contains these terms, so that their type III hypotheses are what their deletion says.
        every = type3(terms)
        labels = [terms.structure.labels[i] for i in droppable]
        return f_table(fitted, terms, {label: every[label] for label in labels}, ddf)
    return _likelihood_ratios(fitted, terms, droppable)


def _likelihood_ratios(fitted: Fitted, terms: FixedTerms, droppable: list[int]) -> pd.DataFrame:
    fit = refit(fitted, reml=False)

    def without(columns: np.ndarray, what: str) -> Likelihood:
        return fit_columns(fitted, columns, False, fit.theta, what)

    table = deletion_table(terms, droppable, of_fit(fitted, fit), without)
    table.attrs["note"] = SMALL_SAMPLES
    return table


def deletion_table(
    terms: FixedTerms, droppable: list[int], whole: Likelihood, fit: Callable[[np.ndarray, str], Likelihood]
) -> pd.DataFrame:
    """Likelihood ratios of the model without each of the terms `droppable`.

    `fit` takes how the fixed part combines the columns that were kept, and the model's name in warnings.
    """
    rows = {"<none>": whole}
    for i in droppable:
        label = terms.structure.labels[i]
        rows[label] = fit(terms.without(i), f"the model without {label!r}")
    return likelihood_table(rows)


def likelihood_table(rows: dict[str, Likelihood]) -> pd.DataFrame:
    """Lay out likelihood ratios of every model against the first; p is NaN where no parameter is lost."""
    full = next(iter(rows.values()))
    table = pd.DataFrame(
        [(model.npar, model.logLik, model.aic) for model in rows.values()],
        index=list(rows),
        columns=["npar", "logLik", "AIC"],
    )
    risen = np.array([m.criterion - full.criterion for m in list(rows.values())[1:]])
    table["LRT"] = [np.nan, *np.maximum(0.0, risen)]
    table["Df"] = [np.nan, *(float(full.npar - m.npar) for m in list(rows.values())[1:])]
    lost = table["Df"].to_numpy() > 0
    table["p"] = np.where(lost, chdtrc(np.where(lost, table["Df"], 1.0), table["LRT"]), np.nan)
    return table
