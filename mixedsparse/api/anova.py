"""Likelihood-ratio table of several fits to the same data."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from mixedsparse.api.generalized.results import GeneralizedResults
from mixedsparse.api.results import MixedResults
from mixedsparse.ground.choices import LrtTest
from mixedsparse.ground.errors import OptionError
from mixedsparse.ground.foreign import explains_arguments
from mixedsparse.ground.progress import CountOption

__all__ = ["anova"]


@explains_arguments
def anova(
    *models: MixedResults | GeneralizedResults,
    refit: bool = True,
    names: Sequence[str] | None = None,
    test: LrtTest = "Chisq",
    nsim: int = 1000,
    seed: int | None = None,
    n_jobs: int = 1,
    progress: CountOption = None,
) -> pd.DataFrame:
    """Compare fits of nested models by likelihood ratios, each with the next smaller one.

    Parameters
    ----------
    *models : MixedResults or GeneralizedResults
        At least two, of the same response, rows and weights, in any order; generalized ones also of the same family,
        link and nAGQ.
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
    from mixedsparse.inference.lrt import likelihood_ratios

    for model in models:
        if not isinstance(model, MixedResults | GeneralizedResults):
            raise OptionError(f"anova compares results of fits, not {type(model).__name__}: pass what lmer returns.")
    generalized = [model for model in models if isinstance(model, GeneralizedResults)]
    if generalized:
        if len(generalized) < len(models):
            raise OptionError(
                "anova got linear and generalized fits, whose likelihoods are of different distributions: compare fits "
                "of one kind."
            )
        from mixedsparse.inference.generalized.ratios import generalized_ratios

        return generalized_ratios([m._fitted for m in generalized], names, test, nsim, seed, n_jobs, progress)
    linear = [model._fitted for model in models if isinstance(model, MixedResults)]
    return likelihood_ratios(linear, names, refit, test, nsim, seed, n_jobs, progress)
