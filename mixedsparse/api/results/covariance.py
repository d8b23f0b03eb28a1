"""Covariance parameters: of the random effects, and of the residual."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mixedsparse.api.results.base import ResultsBase, table_property
from mixedsparse.inference.components import cov_re, varcorr, vcomp
from mixedsparse.inference.labels import read_only
from mixedsparse.inference.natural import covariance_table

__all__ = ["CovarianceMixin"]


class CovarianceMixin(ResultsBase):
    """Covariance side of `MixedResults`. Everything is in theta order: factors by decreasing number of levels."""

    @property
    def theta(self) -> np.ndarray:
        """Relative covariance parameters (m,), no units: lower triangles column by column, terms in theta order."""
        return read_only(self._fitted.theta)

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
        0    Worker     homcs        sd     5.134
        1    Worker     homcs       cor     0.619
        2  Residual       iid     sigma     0.962
        """
        return covariance_table(self._fitted, level)

    @table_property
    def cov_re(self) -> dict[str, pd.DataFrame]:
        """Covariance of the random effects, grouping factor -> DataFrame (k, k), in y^2 per unit of both effects.

        Several terms on one factor make one frame, with zeros between the terms.
        """
        return cov_re(self._fitted)

    @table_property
    def vcomp(self) -> pd.Series:
        """Variances of the random effects, indexed by (group, effect); the residual's is `scale`."""
        return vcomp(self._fitted)
