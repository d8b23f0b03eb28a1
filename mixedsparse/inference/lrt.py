"""Likelihood-ratio table of several fits to the same data."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import chdtrc

from mixedsparse.caller import user_level
from mixedsparse.errors import DataError, OptionError, RefitWarning
from mixedsparse.inference.comparable import check_same_data, same_fixed_part
from mixedsparse.inference.refit import check_exact
from mixedsparse.inference.refit import refit as refit_by
from mixedsparse.results import MixedResults

__all__ = ["anova"]


def anova(*models: MixedResults, refit: bool = True, names: Sequence[str] | None = None) -> pd.DataFrame:
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

    Returns
    -------
    DataFrame
        A row per model by number of parameters: ``npar``, ``AIC``, ``BIC``, ``logLik``, ``deviance`` (-2 log L),
        ``Chisq``, ``Df``, ``p``. When the smaller model sets a variance to 0, p is conservative: see
        `MixedResults.ranova`. That models are nested is for the caller to know.

    Raises
    ------
    OptionError
        Fewer than two models, something else than results, or REML and ML fits together with ``refit=False``.
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
    """
    _check(models)
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
    return table


def _check(models: Sequence[MixedResults]) -> None:
    if len(models) < 2:
        raise OptionError("anova needs at least two fits, as in anova(m0, m1); for one fit use its own .anova().")
    for model in models:
        if not isinstance(model, MixedResults):
            raise OptionError(f"anova compares results of fits, not {type(model).__name__}: pass what lmer returns.")
        check_exact(model)


def _by_ml(models: Sequence[MixedResults], labels: Sequence[str]) -> list:
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
