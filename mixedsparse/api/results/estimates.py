"""Fixed effects: estimates, standard errors, tests."""

from __future__ import annotations

import pandas as pd

from mixedsparse.api.results.base import ResultsBase, table_property
from mixedsparse.ground.choices import Ddf, Information

__all__ = ["EstimatesMixin"]


class EstimatesMixin(ResultsBase):
    """Fixed-effects side of `MixedResults`."""

    @table_property
    def tvalues(self) -> pd.Series:
        """`params` / `bse`."""
        return (self.params / self.bse).rename("tvalues")

    @table_property
    def pvalues(self) -> pd.Series:
        """Two-sided p-values of ``params == 0``: the column ``p`` of `coef_table` as it comes by default."""
        return self.coef_table()["p"].rename("pvalues")

    def cov_params(self) -> pd.DataFrame:
        """Covariance of `params`, (p, p): sigma^2 (X'V_0^-1 X)^-1 with V_0 = V / sigma^2; NaN as in `bse`."""
        names = self._fitted.x_names
        return pd.DataFrame(self._fitted.cov_beta.copy(), index=names, columns=names)

    def coef_table(self, ddf: Ddf = "satterthwaite", *, information: Information | None = None) -> pd.DataFrame:
        """Table of the fixed effects: estimates, standard errors and t-tests of ``params == 0``.

        Parameters
        ----------
        ddf : {"satterthwaite", "kenward-roger", "normal"}
            Denominator degrees of freedom. ``"kenward-roger"`` adjusts the standard errors too, and refits an ML fit
            by REML, with a warning; it allows for prior weights, which R's pbkrtest leaves out of the residuals;
            ``"normal"`` has infinitely many.
        information : {"expected", "observed"}, optional
            Of the covariance parameters, for Kenward-Roger: ``"observed"`` (SAS PROC MIXED, R's mmrm) where there is
            ``residual=`` or ``dispersion=``, ``"expected"`` (R's pbkrtest) in other models, by default.

        Returns
        -------
        DataFrame, index as `params`
            Columns ``Estimate``, ``SE``, ``df``, ``t``, ``p`` (two-sided); after an iterative fit ``MC error`` too, the
            Monte-Carlo error of the estimate (one standard deviation over seeds).

        Raises
        ------
        OptionError
            `ddf` is not known.
        BackendError
            Kenward-Roger needs more memory than there is.

        Warns
        -----
        UndefinedTestWarning
            Standard errors hang on covariance parameters that are not identified: SE, df, t and p are NaN.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
        >>> fit.coef_table()[["Estimate", "SE", "df", "t"]].round(3)
                   Estimate     SE    df       t
        Intercept   251.405  6.825  17.0  36.838
        Days         10.467  1.546  17.0   6.771
        """
        from mixedsparse.inference.coefficients import coef_table

        return coef_table(self._fitted, ddf, information=information)
