"""Tables of `GeneralizedResults` for other programs and for papers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pandas as pd

from mixedsparse.api.results.base import ResultsBase
from mixedsparse.ground.choices import Errors

if TYPE_CHECKING:
    from mixedsparse.fitted.generalized import GeneralizedFitted

__all__ = ["TablesMixin"]


class TablesMixin(ResultsBase):
    """broom.mixed's tables of generalized fits."""

    _fitted: GeneralizedFitted  # type: ignore[assignment]

    def tidy(
        self,
        effects: str | Iterable[str] = "fixed",
        conf_int: bool = False,
        conf_level: float = 0.95,
        *,
        exponentiate: bool = False,
        errors: Errors = "prediction",
    ) -> pd.DataFrame:
        """Estimates, one row each, under the names of R's broom.mixed.

        Parameters
        ----------
        effects, conf_level, errors
            See `MixedResults.tidy`.
        conf_int : bool
            Add ``conf.low`` and ``conf.high``, normal limits.
        exponentiate : bool
            Of the coefficients: odds ratios (logit) or rate ratios (log), with standard errors by the delta method.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", ms.datasets.load("cbpp"))
        >>> fit.tidy(exponentiate=True)[["term", "estimate", "std.error"]].round(3).head(2)
                  term  estimate  std.error
        0    Intercept     0.247      0.057
        1  period[T.2]     0.371      0.114
        """
        from mixedsparse.report.generalized_tables import tidy_generalized

        return tidy_generalized(self._fitted, effects, conf_int, conf_level, exponentiate, errors)

    def glance(self) -> pd.DataFrame:
        """Fit in one row: ``nobs, logLik, AIC, BIC, deviance`` (-2 log L), ``df.residual``, and ``dispersion``."""
        from mixedsparse.report.generalized_tables import glance_generalized

        return glance_generalized(self._fitted)
