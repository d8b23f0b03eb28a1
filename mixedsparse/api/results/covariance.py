"""Covariance parameters: of the random effects, and of the residual."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mixedsparse.api.results.base import ResultsBase, table_property
from mixedsparse.inference.components import cov_re, varcorr, vcomp
from mixedsparse.inference.labels import read_only

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
