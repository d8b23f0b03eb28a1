"""Covariances of the random effects, of fits and of what somebody thinks of."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mixedsparse.api.results.base import ResultsBase, table_property
from mixedsparse.inference.components import cov_re, vcomp
from mixedsparse.inference.labels import read_only

__all__ = ["VariancesMixin"]


class VariancesMixin(ResultsBase):
    """Covariance parameters under the names of lme4 and of statsmodels."""

    @property
    def theta(self) -> np.ndarray:
        """Covariance parameters (m,), lower triangles of Lambda column by column, terms in theta order.

        Relative to sigma, without units; of a generalized model on the scale of the linear predictor, where Lambda
        Lambda' is `cov_re`.
        """
        return read_only(self._fitted.theta)

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
