"""Tests of fixed and random effects."""

from __future__ import annotations

from typing import Any

import pandas as pd

from mixedsparse.api.results.base import ResultsBase
from mixedsparse.ground.choices import AnovaType, Ddf, Drop1Test, Information, RanovaTest

__all__ = ["TestingMixin"]


class TestingMixin(ResultsBase):
    """Tests of `MixedResults`. Degrees of freedom are computed when first asked for, and kept."""

    __test__ = False  # not a class of tests, whatever pytest makes of the name

    def anova(
        self, type: AnovaType = 3, ddf: Ddf = "satterthwaite", *, information: Information | None = None
    ) -> pd.DataFrame:
        """Analysis of variance: an F test of each term of the fixed part.

        Parameters
        ----------
        type : {3, 2, 1}
            3: each term after all others, means weighing all levels equally, whatever the contrasts; 2: each term
            after those that do not contain it; 1: each term after those before it. In types 2 and 3 a hypothesis
            involves no parameters of terms that do not contain the term, with or without an intercept.
        ddf : {"satterthwaite", "kenward-roger", "normal"}
            Denominator degrees of freedom; see `coef_table`.
        information : {"expected", "observed"}, optional
            Of the covariance parameters, for Kenward-Roger: ``"observed"`` (SAS PROC MIXED, R's mmrm) where there is
            ``residual=`` or ``dispersion=``, ``"expected"`` (R's pbkrtest) in other models, by default.

        Returns
        -------
        DataFrame
            A row per term as written in the formula; ``SumSq``, ``MeanSq`` (in y^2, relative to the residual
            variance), ``NumDF``, ``DenDF``, ``F``, ``p``. Values as lmerTest's ``anova``. A term none of whose
            columns was kept has NumDF 0 and no test. A column ``note`` says which rows, if any, test that means are
            zero rather than equal: those of ``A`` in ``0 + A``, but not in ``0 + A + B``.

        Raises
        ------
        OptionError
            `type` or `ddf` is not known.

        Notes
        -----
        Satterthwaite's DenDF of several rows together is made of those of their principal axes, and these depend on
        the rows that span a hypothesis. Whoever asks (`anova`, `drop1`, `wald_test`, `joint_tests`) gets the same:
        differences of levels from the first; in a model with one term, and where hypotheses come in a sequence (type 1,
        and type 2 of terms that others contain), the rows of the triangular factor of X'X, one per column as it is
        coded. lmerTest takes these rows too, but for type 2 and `drop1` under contrasts other than treatment, where its
        rows are those of the coding.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.lmer("score ~ Machine + (1 | Worker) + (1 | Worker:Machine)", ms.datasets.load("Machines"))
        >>> fit.anova()[["NumDF", "DenDF", "F"]].round(3)
                 NumDF  DenDF       F
        Machine      2   10.0  20.576
        """
        from mixedsparse.inference.anova import anova_table

        return anova_table(self._fitted, type, ddf, information=information)

    def t_test(self, L: Any, ddf: Ddf = "satterthwaite", *, information: Information | None = None) -> pd.DataFrame:
        """Test linear functions of the coefficients, each on its own.

        Parameters
        ----------
        L : array of shape (p,) or (r, p), dict, str, or list of dict or str
            Weights of the coefficients in the order of `params`; a dict coefficient -> weight; or text such as
            ``"Days = 10, A[S.a] - B = 0"`` (coefficients as `params` names them, in backticks if need be). A DataFrame
            goes by the names of its columns and a Series by its index, in whatever order they are.
        ddf : {"satterthwaite", "kenward-roger", "normal"}
        information : {"expected", "observed"}, optional
            Of the covariance parameters, for Kenward-Roger: ``"observed"`` (SAS PROC MIXED, R's mmrm) where there is
            ``residual=`` or ``dispersion=``, ``"expected"`` (R's pbkrtest) in other models, by default.

        Returns
        -------
        DataFrame
            A row per function: ``Estimate``, ``SE``, ``df``, ``t``, ``p`` (two-sided, of the value after ``=``, or 0).

        Raises
        ------
        DataError
            The shape is wrong, or there is no such coefficient; the message lists those that there are.
        FormulaError
            The text cannot be read.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
        >>> fit.t_test("Days = 10, Intercept + 9*Days")[["Estimate", "df", "t"]].round(2)
                            Estimate    df      t
        Days = 10              10.47  17.0   0.30
        Intercept + 9*Days    345.61  17.0  23.63
        """
        from mixedsparse.inference.anova import t_table

        return t_table(self._fitted, L, ddf, information=information)

    def wald_test(self, L: Any, ddf: Ddf = "satterthwaite", *, information: Information | None = None) -> pd.DataFrame:
        """Test linear functions of the coefficients all together, by an F statistic.

        Parameters
        ----------
        L, ddf
            See `t_test`. Rows that are combinations of others count once.
        information : {"expected", "observed"}, optional
            Of the covariance parameters, for Kenward-Roger: ``"observed"`` (SAS PROC MIXED, R's mmrm) where there is
            ``residual=`` or ``dispersion=``, ``"expected"`` (R's pbkrtest) in other models, by default.

        Returns
        -------
        DataFrame
            One row: ``NumDF``, ``DenDF``, ``F``, ``p``. A hypothesis about a term has the DenDF of `anova`, however
            its rows are written. lmerTest: ``contest``, whose DenDF depends on the rows; pbkrtest: ``KRmodcomp``.

        Raises
        ------
        DataError, FormulaError
            As `t_test`; also if the right sides of dependent rows contradict each other.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
        >>> fit.wald_test("Intercept = 250, Days = 10").round(3)
                                    NumDF  DenDF      F      p
        Intercept = 250, Days = 10      2   17.0  0.077  0.926
        """
        from mixedsparse.inference.anova import wald_table

        return wald_table(self._fitted, L, ddf, information=information)

    def drop1(
        self, test: Drop1Test = "Chisq", ddf: Ddf = "satterthwaite", *, information: str | None = None
    ) -> pd.DataFrame:
        """Delete each term of the fixed part that is no part of another one, and compare.

        Parameters
        ----------
        test : {"Chisq", "F"}
            Likelihood ratio of ML fits, whatever the fit of these results; or F test of the fit as it is. In small
            designs chi-square rejects too often: see the notes of `mixedsparse.anova`, or take the F test.
        ddf : {"satterthwaite", "kenward-roger", "normal"}
            For the F test.
        information : {"expected", "observed"}, optional
            For Kenward-Roger; see `coef_table`.

        Returns
        -------
        DataFrame
            ``"Chisq"``: the model itself in the first row (``<none>``), then a row for the model without each term;
            ``npar``, ``logLik``, ``AIC``, ``LRT``, ``Df``, ``p``. ``"F"``: columns as `anova`.

        Raises
        ------
        OptionError
            `test` or `ddf` is not known.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
        >>> fit.drop1()[["npar", "LRT", "Df"]].round(3)
                npar     LRT   Df
        <none>     6     NaN  NaN
        Days       5  23.537  1.0
        """
        from mixedsparse.inference.denominators import with_information
        from mixedsparse.inference.drop1 import deletions

        return deletions(self._fitted, test, with_information(ddf, information))

    def ranova(
        self, reduce_terms: bool = True, *, test: RanovaTest = "Chisq", nsim: int = 10_000, seed: int | None = None
    ) -> pd.DataFrame:
        """Likelihood-ratio tests of the random effects, by the criterion of the fit (REML is kept).

        Parameters
        ----------
        reduce_terms : bool
            Simplify each term by one effect at a time that is no part of another, ``(1 + x | g)`` to ``(1 | g)``; a
            term with a single effect is left out. False leaves out whole terms.
        test : {"Chisq", "exact"}
            ``"exact"`` adds the column ``p_exact``, for REML fits with one variance besides the residual's.
        nsim, seed : int
            Draws from the exact distribution, and their seed.

        Returns
        -------
        DataFrame
            The model itself in the first row (``<none>``), then a row per simpler model: ``npar``, ``logLik``, ``AIC``,
            ``LRT``, ``Df``, ``p`` and ``p_boundary``. ``p`` is from chi-square with Df, as in lmerTest. It is
            conservative, because a variance of 0 lies on the boundary. ``p_boundary`` is from the equal mixture of
            chi-square with Df - 1 and Df (Self & Liang 1987; Stram & Lee 1994), right when one effect is left out, and
            an upper limit when several are (Silvapulle & Sen 2005, section 3.6). Both are for many levels; with few
            the ratio is 0 more often than in half of all samples, and ``p_exact`` has its exact distribution
            (Crainiceanu & Ruppert 2004; R's RLRsim). For more than one variance see `mixedsparse.anova`,
            ``test="bootstrap"``.

        Raises
        ------
        OptionError
            `test` is not known, or ``"exact"`` for another model.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
        >>> fit.ranova()[["npar", "LRT", "Df"]].round(3)
                                  npar     LRT   Df
        <none>                       6     NaN  NaN
        Days in (Days | Subject)     4  42.837  2.0
        """
        from mixedsparse.inference.ranova import random_deletions

        return random_deletions(self._fitted, reduce_terms, test, nsim, seed)
