"""Covariance parameters of `GeneralizedResults`, on the scale of the linear predictor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from mixedsparse.api.results.base import ResultsBase
from mixedsparse.inference.components import varcorr

if TYPE_CHECKING:
    from mixedsparse.core.fitting.laplace import GeneralizedFit
    from mixedsparse.fitted.generalized import GeneralizedFitted

__all__ = ["CovarianceMixin"]


class CovarianceMixin(ResultsBase):
    """Covariance side of `GeneralizedResults`. Everything is in theta order: factors by decreasing number of levels."""

    fit: GeneralizedFit  # type: ignore[assignment]
    _fitted: GeneralizedFitted  # type: ignore[assignment]

    @property
    def dispersion(self) -> float:
        """Shape (gamma), precision (inverse Gaussian), size (negative binomial), phi (nb1); NaN for other families."""
        return self.fit.dispersion

    def varcorr(self) -> pd.DataFrame:
        """Variances and covariances of the random effects, one row each, as `MixedResults.varcorr`; no residual."""
        return varcorr(self._fitted)

    def covariance_parameters(self, level: float = 0.95) -> pd.DataFrame:
        """Covariance parameters and the dispersion, one row each, with standard errors and Wald limits.

        As `MixedResults.covariance_parameters`, on the scale of the linear predictor, from the joint covariance of all
        estimates; the dispersion, where it is estimated, is last, under the name of the family.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", ms.datasets.load("cbpp"))
        >>> fit.covariance_parameters()[["term", "parameter", "estimate", "se"]].round(2)
           term      parameter  estimate    se
        0  herd  sd(Intercept)      0.64  0.18
        """
        from mixedsparse.inference.generalized.intervals import generalized_covariance_table

        return generalized_covariance_table(self._fitted, level)
