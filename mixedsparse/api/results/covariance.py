"""Covariance parameters: of the random effects, and of the residual."""

from __future__ import annotations

from typing import Any

import pandas as pd

from mixedsparse.api.results.base import ResultsBase, table_property
from mixedsparse.ground.choices import Autocorrelated
from mixedsparse.inference.components import varcorr
from mixedsparse.inference.natural import covariance_table
from mixedsparse.inference.residual_parameters import residual_cov, residual_params

__all__ = ["CovarianceMixin"]


class CovarianceMixin(ResultsBase):
    """Covariance side of `MixedResults`. Everything is in theta order: factors by decreasing number of levels."""

    @property
    def scale(self) -> float:
        """Residual variance sigma^2, in y^2."""
        return self._fitted.sigma2

    @property
    def sigma(self) -> float:
        """Residual standard deviation, in units of y (of an observation of weight 1)."""
        return self._fitted.sigma

    def varcorr(self) -> pd.DataFrame:
        """Variances and covariances of the random effects and the residual, one row each.

        Returns
        -------
        DataFrame
            The rows of lme4's ``as.data.frame(VarCorr(m))``. ``grp``: grouping factor, with ``.1``, ``.2``, ...
            after the name for its further terms; ``var1``, ``var2``: effects, ``var2`` None for a variance;
            ``vcov``: variance or covariance; ``sdcor``: standard deviation or correlation (NaN where a variance
            is zero). Per term variances first, then the lower triangle by columns; the residual last.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
        >>> fit.varcorr()[["grp", "var1", "sdcor"]].round(3)
                grp       var1   sdcor
        0   Subject  Intercept  24.740
        1   Subject       Days   5.922
        2   Subject  Intercept   0.066
        3  Residual       None  25.592
        """
        return varcorr(self._fitted)

    def covariance_parameters(self, level: float = 0.95) -> pd.DataFrame:
        """Covariance parameters as estimated, one row each, with standard errors and Wald limits.

        Parameters
        ----------
        level : float
            Of the limits.

        Returns
        -------
        DataFrame
            ``term``: grouping factor, as in `varcorr`; ``structure``: ``us``, ``diag``, ``cs``, ``ar1``, ...;
            ``parameter``: ``sd(x)`` of an effect or ``sd`` of all, ``cor(a,b)`` or ``cor``; ``estimate``, ``se``,
            ``lower``, ``upper``. The residual is last. Standard errors are those of the observed information (delta
            method); limits of deviations go by the log, those of correlations by Fisher's z; both are NaN on the
            boundary, and for what is not identified.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.lmer("score ~ Machine + cs(0 + Machine | Worker, hom=True)", ms.datasets.load("Machines"))
        >>> fit.covariance_parameters()[["term", "structure", "parameter", "estimate"]].round(3)
               term structure parameter  estimate
        0    Worker     homcs        sd     6.064
        1    Worker     homcs       cor     0.622
        2  Residual       iid     sigma     0.962
        """
        return covariance_table(self._fitted, level)

    @table_property
    def residual_params(self) -> pd.DataFrame:
        """Parameters of the residual covariance, a row each.

        Returns
        -------
        DataFrame
            ``structure``; ``parameter``: ``sigma`` or ``sd(...)`` of a stratum or visit, ``cor`` or ``cor(...)`` of two
            visits, ``log variance(...)`` of a covariate; ``estimate``; ``se`` from the observed information, and
            limits ``lower``, ``upper`` of 95 % by Wald's method, on the log scale for standard deviations, on Fisher's
            for correlations. In a model without ``residual=`` and ``dispersion=`` sigma alone, without limits.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> sleep = ms.datasets.load("sleepstudy")
        >>> fit = ms.lmer("Reaction ~ Days + (1 | Subject)", sleep, residual="ar1(Days | Subject)")
        >>> fit.residual_params[["parameter", "estimate"]].round(3)
          parameter  estimate
        0     sigma    37.637
        1       cor     0.653
        """
        return residual_params(self._fitted)

    def residual_cov(self, group: Any = None) -> pd.DataFrame:
        """Covariance of the residuals of one group, in y^2.

        Parameters
        ----------
        group : level, optional
            Of the grouping factor of ``residual=``; all visits, or the group with most rows, by default.

        Returns
        -------
        DataFrame
            Visits by visits, strata by strata (a diagonal), or rows of the group by their labels.
        """
        return residual_cov(self._fitted, group)

    def residual_acf(
        self, kind: Autocorrelated = "normalized", *, group: str | None = None, lags: int | None = None
    ) -> pd.DataFrame:
        """Autocorrelation of residuals within groups, by distance in their order.

        Parameters
        ----------
        kind : {"normalized", "scaled", "pearson", "response", "marginal"}
            See `residuals`. Of normalized ones a residual covariance that fits leaves none.
        group : str, optional
            Grouping factor of the random effects; that of ``residual=``, in its order, by default, or else the one with
            most levels. The order of the rows counts for all but the group of ``residual=``.
        lags : int, optional
            Largest distance.

        Returns
        -------
        DataFrame
            ``lag``, ``acf``, and how many ``pairs`` of rows it rests on.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.lmer("Reaction ~ Days + (1 | Subject)", ms.datasets.load("sleepstudy"))
        >>> fit.residual_acf("scaled", lags=2)["acf"].round(3).tolist()
        [1.0, 0.383, 0.089]
        """
        from mixedsparse.inference.autocorrelation import autocorrelation

        return autocorrelation(self._fitted, kind, group, lags)
