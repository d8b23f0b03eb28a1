"""Likelihood-ratio table of several fits to the same data."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import get_args

import numpy as np
import pandas as pd
from scipy.special import chdtrc

from mixedsparse.core.fitting.estimates import Fit
from mixedsparse.fitted.fitted import Fitted
from mixedsparse.ground.caller import user_level
from mixedsparse.ground.checks import check_draws, one_of
from mixedsparse.ground.choices import LrtTest
from mixedsparse.ground.errors import DataError, OptionError, RefitWarning
from mixedsparse.ground.progress import CountOption
from mixedsparse.inference.comparable import check_same_data, same_fixed_part
from mixedsparse.inference.drop1 import SMALL_SAMPLES
from mixedsparse.inference.lrt_bootstrap import Ratios, bootstrap_tail
from mixedsparse.inference.nested_residuals import check_nested_residuals
from mixedsparse.inference.nested_structures import check_nested_structures
from mixedsparse.inference.refit import check_exact
from mixedsparse.inference.refit import refit as refit_by
from mixedsparse.inference.replicates import Replicator

__all__ = ["bootstrapped", "by_size", "likelihood_ratios", "model_labels", "ratio_table"]

_TESTS = get_args(LrtTest)


def likelihood_ratios(
    models: Sequence[Fitted],
    names: Sequence[str] | None,
    refit: bool,
    test: str,
    nsim: int,
    seed: int | None,
    n_jobs: int,
    progress: CountOption,
) -> pd.DataFrame:
    """Compare fits of nested models; see `mixedsparse.anova`."""
    labels = model_labels(models, names)
    for model in models:
        check_exact(model)
    one_of("test", test, _TESTS)
    check_draws(nsim, seed)
    check_same_data(dict(zip(labels, models, strict=True)))
    order = by_size(models)
    check_nested_structures([models[i] for i in order], [labels[i] for i in order])
    check_nested_residuals([models[i] for i in order], [labels[i] for i in order])
    if refit:
        fits = _by_ml(models, labels)
    else:
        _check_reml(models)
        fits = [m.fit for m in models]
    fixed_differ = not all(same_fixed_part(models[0], other) for other in models[1:])
    table = ratio_table(models, labels, [fit.criterion for fit in fits])
    if test == "bootstrap":

        def ratios(small: int, large: int) -> Ratios:
            pair = int(order[small]), int(order[large])
            return Ratios([models[i] for i in pair], [fits[i] for i in pair])

        return bootstrapped(table, ratios, nsim, seed, n_jobs, progress)
    if fixed_differ:
        table.attrs["note"] = SMALL_SAMPLES
    return table


def model_labels(models: Sequence[Fitted], names: Sequence[str] | None) -> list[str]:
    """Names of the models of a comparison, m0, m1, ... without any."""
    if len(models) < 2:
        raise OptionError("anova needs at least two fits, as in anova(m0, m1); for one fit use its own .anova().")
    labels = [f"m{i}" for i in range(len(models))] if names is None else [str(name) for name in names]
    if len(labels) != len(models):
        raise OptionError(f"names has {len(labels)} entries for {len(models)} models: give one each.")
    return labels


def by_size(models: Sequence[Fitted]) -> np.ndarray:
    """Order of the models by number of parameters."""
    return np.argsort([m.npar for m in models], kind="stable")


def ratio_table(models: Sequence[Fitted], labels: Sequence[str], criteria: Sequence[float]) -> pd.DataFrame:
    """Likelihood ratio of each model and the next smaller one, by -2 log L of each; rows by number of parameters."""
    order = by_size(models)
    criterion, npar = np.array(criteria)[order], np.array([m.npar for m in models])[order]
    chisq = np.concatenate([[np.nan], np.maximum(0.0, -np.diff(criterion))])
    df = np.concatenate([[np.nan], np.diff(npar)])
    table = pd.DataFrame(
        {
            "npar": npar,
            "AIC": criterion + 2.0 * npar,
            "BIC": criterion + np.log(models[0].nobs) * npar,
            "logLik": -0.5 * criterion,
            "deviance": criterion,
            "Chisq": chisq,
            "Df": df,
            "p": np.where(df > 0, chdtrc(np.where(df > 0, df, 1.0), chisq), np.nan),
        },
        index=[labels[i] for i in order],
    )
    table.attrs["formulas"] = {labels[i]: models[i].model.formula for i in order}
    return table


def bootstrapped(
    table: pd.DataFrame,
    ratios: Callable[[int, int], Replicator],
    nsim: int,
    seed: int | None,
    n_jobs: int,
    progress: CountOption,
) -> pd.DataFrame:
    """`table` with the bootstrap's p in place of chi-square's; `ratios` draws those of two of its rows."""
    root = np.random.SeedSequence(seed)
    table["p_chisq"], table["replicates"] = table["p"], np.nan
    for i in range(1, len(table)):
        if table["Df"].iloc[i] > 0:
            observed = float(table["Chisq"].iloc[i])
            tail = bootstrap_tail(ratios(i - 1, i), observed, root.spawn(nsim), n_jobs, progress)
            table.iloc[i, table.columns.get_indexer(["p", "replicates"])] = tail.p, tail.replicates
    table.attrs["seed"] = int(root.entropy)
    return table


def _by_ml(models: Sequence[Fitted], labels: Sequence[str]) -> list[Fit]:
    again = [label for model, label in zip(models, labels, strict=True) if model.reml]
    if again:
        warnings.warn(
            f"Refitted by ML instead of REML for the likelihood ratio: {', '.join(again)}. "
            "Use refit=False to compare REML fits with the same fixed part.",
            RefitWarning,
            stacklevel=user_level(),
        )
    return [refit_by(model, reml=False) for model in models]


def _check_reml(models: Sequence[Fitted]) -> None:
    if len({model.reml for model in models}) > 1:
        raise OptionError("Some of the fits are by REML and some by ML: use refit=True, which fits all by ML.")
    if not models[0].reml:
        return
    for model in models[1:]:
        if not same_fixed_part(models[0], model):
            formulas = models[0].model.formula, model.model.formula
            raise DataError(
                f"The fixed parts of {formulas[0]!r} and {formulas[1]!r} differ, so their restricted "
                "likelihoods cannot be compared: use refit=True, which fits all by ML."
            )
