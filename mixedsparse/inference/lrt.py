"""Likelihood-ratio table of several fits to the same data."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import chdtrc

from mixedsparse.api.results import MixedResults
from mixedsparse.core.fitting.fit import Fit
from mixedsparse.ground.caller import user_level
from mixedsparse.ground.checks import check_draws, one_of
from mixedsparse.ground.errors import DataError, OptionError, RefitWarning
from mixedsparse.ground.foreign import explains_arguments
from mixedsparse.ground.progress import CountOption
from mixedsparse.inference.comparable import check_same_data, same_fixed_part
from mixedsparse.inference.drop1 import SMALL_SAMPLES
from mixedsparse.inference.lrt_bootstrap import bootstrap_tail
from mixedsparse.inference.refit import check_exact
from mixedsparse.inference.refit import refit as refit_by

__all__ = ["anova"]


_TESTS = ("Chisq", "bootstrap")


@explains_arguments
def anova(
    *models: MixedResults,
    refit: bool = True,
    names: Sequence[str] | None = None,
    test: str = "Chisq",
    nsim: int = 1000,
    seed: int | None = None,
    n_jobs: int = 1,
    progress: CountOption = None,
) -> pd.DataFrame:
    """Compare fits of nested models by likelihood ratios, each with the next smaller one.

    Parameters
    ----------
    *models : MixedResults
        At least two, of the same response, rows and weights, in any order.
    refit : bool
        Refit REML fits by ML first (lme4's default), with a warning: restricted likelihoods of different fixed parts
        cannot be compared. False keeps REML and refuses different fixed parts.
    names : sequence of str, optional
        Names of the models; ``m0, m1, ...`` in the order given by default. The formulas are in ``.attrs["formulas"]``.
    test : {"Chisq", "bootstrap"}
        Where p comes from: the chi-square distribution, or likelihood ratios of both models fitted to responses that
        are simulated from the smaller one (pbkrtest's ``PBmodcomp``).
    nsim, seed, n_jobs, progress
        Of the bootstrap of each pair of models; see `MixedResults.bootstrap`.

    Returns
    -------
    DataFrame
        A row per model by number of parameters: ``npar``, ``AIC``, ``BIC``, ``logLik``, ``deviance`` (-2 log L),
        ``Chisq``, ``Df``, ``p``; with ``test="bootstrap"`` p is the bootstrap's, chi-square's is beside it as
        ``p_chisq``, ``replicates`` is the number in use, and the seed is in ``.attrs["seed"]``. That models are nested
        is for the caller to know.

    Notes
    -----
    The chi-square distribution holds for large samples only. With few levels it rejects true hypotheses about fixed
    effects too often (9.9 % at the 5 % level with 6 groups of 4 rows); with the random effects, where the smaller model
    sets a variance to 0, too seldom (see `MixedResults.ranova`). The bootstrap has neither fault. Its p-value is
    (1 + replicates at least as large) / (1 + replicates).

    References
    ----------
    Halekoh & Hojsgaard (2014), Journal of Statistical Software 59(9).

    Raises
    ------
    OptionError
        Fewer than two models, something else than results, REML and ML fits together with ``refit=False``, or `test`,
        `nsim` or `seed` has a value that is not known.
    DataError
        The models differ in response, rows or weights, or in their fixed parts with ``refit=False`` and REML.

    Warns
    -----
    RefitWarning
        REML fits were refitted by ML.

    Examples
    --------
    >>> import mixedsparse as ms
    >>> data = ms.datasets.load("sleepstudy")
    >>> m0 = ms.lmer("Reaction ~ Days + (1 | Subject)", data, reml=False)
    >>> m1 = ms.lmer("Reaction ~ Days + (Days | Subject)", data, reml=False)
    >>> anova(m0, m1)[["npar", "logLik", "Chisq", "Df"]].round(3)
        npar   logLik   Chisq   Df
    m0     4 -897.039     NaN  NaN
    m1     6 -875.970  42.139  2.0
    >>> anova(m0, m1, test="bootstrap", nsim=99, seed=1)[["Chisq", "p"]].round(3)
         Chisq     p
    m0     NaN   NaN
    m1  42.139  0.01
    """
    _check(models)
    one_of("test", test, _TESTS)
    check_draws(nsim, seed)
    labels = [f"m{i}" for i in range(len(models))] if names is None else [str(name) for name in names]
    if len(labels) != len(models):
        raise OptionError(f"names has {len(labels)} entries for {len(models)} models: give one each.")
    check_same_data(dict(zip(labels, models, strict=True)))
    if refit:
        fits = _by_ml(models, labels)
    else:
        _check_reml(models)
        fits = [m.fit for m in models]
    npar = np.array([m.df_model for m in models])
    fixed_differ = not all(same_fixed_part(models[0], other) for other in models[1:])
    order = np.argsort(npar, kind="stable")
    criterion = np.array([fit.criterion for fit in fits])[order]
    npar = npar[order]
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
    table.attrs["formulas"] = {labels[i]: models[i].formula for i in order}
    if test == "bootstrap":
        return _bootstrapped(table, [models[i] for i in order], [fits[i] for i in order], nsim, seed, n_jobs, progress)
    if fixed_differ:
        table.attrs["note"] = SMALL_SAMPLES
    return table


def _bootstrapped(
    table: pd.DataFrame,
    models: Sequence[MixedResults],
    fits: Sequence[Fit],
    nsim: int,
    seed: int | None,
    n_jobs: int,
    progress: CountOption,
) -> pd.DataFrame:
    """`table` with the bootstrap's p in place of chi-square's; models and fits by number of parameters."""
    root = np.random.SeedSequence(seed)
    table["p_chisq"], table["replicates"] = table["p"], np.nan
    for i in range(1, len(models)):
        if table["Df"].iloc[i] > 0:
            pair = slice(i - 1, i + 1)
            tail = bootstrap_tail(tuple(models[pair]), tuple(fits[pair]), root.spawn(nsim), n_jobs, progress)
            table.iloc[i, table.columns.get_indexer(["p", "replicates"])] = tail.p, tail.replicates
    table.attrs["seed"] = int(root.entropy)
    return table


def _check(models: Sequence[MixedResults]) -> None:
    if len(models) < 2:
        raise OptionError("anova needs at least two fits, as in anova(m0, m1); for one fit use its own .anova().")
    for model in models:
        if not isinstance(model, MixedResults):
            raise OptionError(f"anova compares results of fits, not {type(model).__name__}: pass what lmer returns.")
        check_exact(model)


def _by_ml(models: Sequence[MixedResults], labels: Sequence[str]) -> list[Fit]:
    again = [label for model, label in zip(models, labels, strict=True) if model.reml]
    if again:
        warnings.warn(
            f"Refitted by ML instead of REML for the likelihood ratio: {', '.join(again)}. "
            "Use refit=False to compare REML fits with the same fixed part.",
            RefitWarning,
            stacklevel=user_level(),
        )
    return [refit_by(model, reml=False) for model in models]


def _check_reml(models: Sequence[MixedResults]) -> None:
    if len({model.reml for model in models}) > 1:
        raise OptionError("Some of the fits are by REML and some by ML: use refit=True, which fits all by ML.")
    if not models[0].reml:
        return
    for model in models[1:]:
        if not same_fixed_part(models[0], model):
            raise DataError(
                f"The fixed parts of {models[0].formula!r} and {model.formula!r} differ, so their restricted "
                "likelihoods cannot be compared: use refit=True, which fits all by ML."
            )
