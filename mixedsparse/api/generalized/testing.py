"""Tests of `GeneralizedResults`: Wald's of the coefficients, and likelihood ratios."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from mixedsparse.api.results.base import ResultsBase
from mixedsparse.ground.choices import AnovaType, Ddf, GeneralizedDrop1Test

if TYPE_CHECKING:
    from mixedsparse.fitted.generalized import GeneralizedFitted

__all__ = ["TestingMixin"]


class TestingMixin(ResultsBase):
    """Tests; all are normal or chi-squared, since a generalized model has no residual variance to estimate."""

    __test__ = False  # not a class of tests, whatever pytest makes of the name
    _fitted: GeneralizedFitted  # type: ignore[assignment]

    def anova(self, type: AnovaType = 3, ddf: Ddf = "normal") -> pd.DataFrame:
        """Analysis of deviance: Wald's chi-squared test of each term of the fixed part.

        Parameters
        ----------
        type : {3, 2, 1}
            Hypotheses as in `MixedResults.anova`; those of types 1 and 2 are orthogonal by X'X, as there.
        ddf : {"normal"}
            Others are refused: there is no residual variance whose degrees of freedom they would estimate.

        Returns
        -------
        DataFrame
            A row per term: ``Chisq``, ``Df``, ``p``. A column ``note`` says which rows, if any, test that means are
            zero rather than equal. Likelihood ratios, which hold their level better, are in `drop1`.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", ms.datasets.load("cbpp"))
        >>> fit.anova()[["Chisq", "Df"]].round(2)
                Chisq  Df
        period  24.95   3
        """
        from mixedsparse.inference.generalized.tables import chisq_anova

        return chisq_anova(self._fitted, type, ddf)

    def t_test(self, L: Any, ddf: Ddf = "normal") -> pd.DataFrame:
        """Test linear functions of the coefficients, each on its own, by the normal distribution.

        Parameters
        ----------
        L : array of shape (p,) or (r, p), dict, str, or list of dict or str
            As in `MixedResults.t_test`.
        ddf : {"normal"}

        Returns
        -------
        DataFrame
            A row per function: ``Estimate``, ``SE``, ``z``, ``p`` (two-sided, of the value after ``=``, or 0).

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", ms.datasets.load("cbpp"))
        >>> fit.t_test("period[T.2] - period[T.4] = 0").round(3)
                                       Estimate    SE     z      p
        period[T.2] - period[T.4] = 0     0.588  0.47  1.25  0.211
        """
        from mixedsparse.inference.generalized.tables import z_tests

        return z_tests(self._fitted, L, ddf)

    def wald_test(self, L: Any, ddf: Ddf = "normal") -> pd.DataFrame:
        """Test linear functions of the coefficients all together, by Wald's chi-squared statistic.

        Parameters
        ----------
        L, ddf
            See `t_test`. Rows that are combinations of others count once.

        Returns
        -------
        DataFrame
            One row: ``Chisq``, ``Df``, ``p``.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", ms.datasets.load("cbpp"))
        >>> fit.wald_test("period[T.2] = period[T.3], period[T.3] = period[T.4]").round(2).to_numpy().tolist()
        [[1.58, 2.0, 0.45]]
        """
        from mixedsparse.inference.generalized.tables import chisq_table

        return chisq_table(self._fitted, L, ddf)

    def joint_tests(
        self, by: str | Sequence[str] | None = None, *, at: Mapping[str, Any] | None = None, ddf: Ddf = "normal"
    ) -> pd.DataFrame:
        """Chi-squared tests of the interaction contrasts of marginal means, term by term; of simple effects with `by`.

        Parameters
        ----------
        by, at
            See `MixedResults.joint_tests`; means are those of the linear predictor.
        ddf : {"normal"}

        Returns
        -------
        DataFrame
            Columns ``term``, the `by` factors, ``Chisq``, ``Df``, ``p``, and ``note`` where contrasts were left out.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", ms.datasets.load("cbpp"))
        >>> fit.joint_tests()[["term", "Chisq", "Df"]].round(2)
             term  Chisq  Df
        0  period  24.95   3
        """
        from mixedsparse.inference.generalized.tables import chisq_joint_tests

        return chisq_joint_tests(self._fitted, by, at=at, ddf=ddf)

    def drop1(self, test: GeneralizedDrop1Test = "Chisq") -> pd.DataFrame:
        """Delete each term of the fixed part that is no part of another one, and compare.

        Parameters
        ----------
        test : {"Chisq", "Wald"}
            Likelihood ratio, each smaller model fitted from the optimum of this one; or Wald's test of this fit.

        Returns
        -------
        DataFrame
            ``"Chisq"``: the model itself in the first row (``<none>``), then a row for the model without each term;
            ``npar``, ``logLik``, ``AIC``, ``LRT``, ``Df``, ``p``. ``"Wald"``: columns as `anova`.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", ms.datasets.load("cbpp"))
        >>> fit.drop1()[["npar", "LRT", "Df"]].round(3)
                npar    LRT   Df
        <none>     5    NaN  NaN
        period     2  25.61  3.0
        """
        from mixedsparse.inference.generalized.ratios import generalized_deletions

        return generalized_deletions(self._fitted, test)

    def ranova(self, reduce_terms: bool = True) -> pd.DataFrame:
        """Likelihood-ratio tests of the random effects.

        Parameters
        ----------
        reduce_terms : bool
            Simplify each term by one effect at a time that is no part of another, ``(1 + x | g)`` to ``(1 | g)``; a
            term with a single effect is left out. False leaves out whole terms.

        Returns
        -------
        DataFrame
            The model itself in the first row (``<none>``), then a row per simpler model: ``npar``, ``logLik``, ``AIC``,
            ``LRT``, ``Df``, ``p`` and ``p_boundary``. ``p`` is from chi-squared with Df and conservative, because a
            variance of 0 lies on the boundary; ``p_boundary`` is from the equal mixture of chi-squared with Df - 1 and
            Df (Self & Liang 1987; Stram & Lee 1994), right when one effect is left out and an upper limit when several
            are. ``.attrs["note"]`` says so too.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", ms.datasets.load("cbpp"))
        >>> fit.ranova()[["npar", "LRT", "Df"]].round(2)
                    npar    LRT   Df
        <none>         5    NaN  NaN
        (1 | herd)     4  14.01  1.0
        """
        from mixedsparse.inference.generalized.ratios import generalized_random_deletions

        return generalized_random_deletions(self._fitted, reduce_terms)
