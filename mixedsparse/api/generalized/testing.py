"""Tests of `GeneralizedResults`: Wald's of the coefficients, and likelihood ratios."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from mixedsparse.api.results.base import ResultsBase

if TYPE_CHECKING:
    from mixedsparse.fitted.generalized import GeneralizedFitted

__all__ = ["TestingMixin"]


class TestingMixin(ResultsBase):
    """Tests; all are normal or chi-squared, since a generalized model has no residual variance to estimate."""

    __test__ = False  # not a class of tests, whatever pytest makes of the name
    _fitted: GeneralizedFitted  # type: ignore[assignment]

    def anova(self, type: int | str = 3, ddf: str = "normal") -> pd.DataFrame:
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

    def t_test(self, L: Any, ddf: str = "normal") -> pd.DataFrame:
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

    def wald_test(self, L: Any, ddf: str = "normal") -> pd.DataFrame:
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
        self, by: str | Sequence[str] | None = None, *, at: Mapping[str, Any] | None = None, ddf: str = "normal"
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
