"""Likelihood ratios of generalized models: of several fits, without each term, without each random effect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, get_args

import numpy as np
import pandas as pd

from mixedsparse.ground.checks import check_draws, one_of
from mixedsparse.ground.choices import GeneralizedDrop1Test, LrtTest
from mixedsparse.ground.errors import DataError
from mixedsparse.ground.progress import CountOption
from mixedsparse.inference.comparable import check_same_data
from mixedsparse.inference.drop1 import deletion_table
from mixedsparse.inference.generalized.ratio_bootstrap import GeneralizedRatios
from mixedsparse.inference.generalized.refits import (
    check_maximum,
    fit_fewer_columns,
    fit_simpler_terms,
    likelihood_of,
)
from mixedsparse.inference.generalized.tables import chisq_rows
from mixedsparse.inference.hypotheses import fixed_terms, type3
from mixedsparse.inference.lrt import bootstrapped, by_size, model_labels, ratio_table
from mixedsparse.inference.ranova import Effects, random_deletion_table
from mixedsparse.inference.refit import Likelihood

if TYPE_CHECKING:
    from mixedsparse.fitted.generalized import GeneralizedFitted

__all__ = ["generalized_deletions", "generalized_random_deletions", "generalized_ratios"]

BOUNDARY = (
    "A variance of 0 lies on the boundary: p of chi-squared is conservative, p_boundary is from the equal mixture of "
    "chi-squared with Df - 1 and Df, right when one effect is left out and an upper limit when several are."
)


def generalized_ratios(
    models: Sequence[GeneralizedFitted],
    names: Sequence[str] | None,
    test: str = "Chisq",
    nsim: int = 1000,
    seed: int | None = None,
    n_jobs: int = 1,
    progress: CountOption = None,
) -> pd.DataFrame:
    """Compare fits of nested models; see `mixedsparse.anova`."""
    labels = model_labels(models, names)
    one_of("test", test, get_args(LrtTest))
    check_draws(nsim, seed)
    for label, model in zip(labels, models, strict=True):
        check_maximum(model, f"The likelihood ratio of {label}")
    first = models[0]
    for label, model in zip(labels[1:], models[1:], strict=True):
        if model.family.name != first.family.name:
            raise DataError(
                f"{labels[0]} is {first.family!r} and {label} is {model.family!r}: likelihood ratios compare models of "
                "one family; compare these by their AIC."
            )
        if model.family.link.name != first.family.link.name:
            raise DataError(
                f"{labels[0]} has the {first.family.link.name} link and {label} the {model.family.link.name} link, so "
                "that neither model contains the other: compare them by their AIC."
            )
        if None not in (known := {first.family.dispersion, model.family.dispersion}) and len(known) > 1:
            raise DataError(
                f"{labels[0]} has the known dispersion {first.family.dispersion:g} and {label} "
                f"{model.family.dispersion:g}, so that neither model contains the other: compare them by their AIC."
            )
        if model.fit.nodes != first.fit.nodes:
            raise DataError(
                f"{labels[0]} was fitted with nAGQ={first.fit.nodes} and {label} with nAGQ={model.fit.nodes}: "
                "approximations of likelihoods compare only by the same nAGQ."
            )
    check_same_data(dict(zip(labels, models, strict=True)))
    table = ratio_table(models, labels, [model.criterion for model in models])
    if test == "Chisq":
        return table
    order = by_size(models)

    def ratios(small: int, large: int) -> GeneralizedRatios:
        return GeneralizedRatios(models[int(order[small])], models[int(order[large])])

    return bootstrapped(table, ratios, nsim, seed, n_jobs, progress)


def generalized_deletions(fitted: GeneralizedFitted, test: GeneralizedDrop1Test = "Chisq") -> pd.DataFrame:
    """Delete each term of the fixed part that is no part of another; see `GeneralizedResults.drop1`."""
    one_of("test", test, get_args(GeneralizedDrop1Test))
    terms = fixed_terms(fitted)
    droppable = terms.structure.droppable()
    if test == "Wald":
        every = type3(terms)
        labels = [terms.structure.labels[i] for i in droppable]
        return chisq_rows(fitted, terms, {label: every[label] for label in labels}, "normal")
    check_maximum(fitted)

    def without(columns: np.ndarray, what: str) -> Likelihood:
        return fit_fewer_columns(fitted, columns, what)

    return deletion_table(terms, droppable, likelihood_of(fitted), without)


def generalized_random_deletions(fitted: GeneralizedFitted, reduce_terms: bool) -> pd.DataFrame:
    """Leave out random effects one at a time; see `GeneralizedResults.ranova`."""
    check_maximum(fitted)

    def simpler(effects: Effects, starts: Sequence[np.ndarray], what: str) -> Likelihood:
        return fit_simpler_terms(fitted, effects, starts, what)

    table = random_deletion_table(fitted, reduce_terms, likelihood_of(fitted), simpler)
    table.attrs["note"] = BOUNDARY
    return table
