"""Confidence intervals of `GeneralizedResults`, and the profiles and replicates that they rest on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pandas as pd

from mixedsparse.api.results.base import ResultsBase

if TYPE_CHECKING:
    from mixedsparse.fitted.generalized import GeneralizedFitted

__all__ = ["IntervalsMixin"]


class IntervalsMixin(ResultsBase):
    """Interval side of `GeneralizedResults`."""

    _fitted: GeneralizedFitted  # type: ignore[assignment]

    def conf_int(
        self,
        alpha: float = 0.05,
        method: str = "wald",
        which: str | Iterable[str] = "fixed",
        *,
        ddf: str | None = None,
    ) -> pd.DataFrame:
        """Confidence intervals of coefficients, standard deviations, correlations and the dispersion.

        Parameters
        ----------
        alpha : float
            1 - confidence level.
        method : {"wald"}
            ``"wald"``: from the joint covariance of all estimates; standard deviations and dispersions have their
            limits on the log scale, correlations on Fisher's z; NaN on the boundary.
        which : {"fixed", "random", "all"} or name or sequence of these
            Coefficients by default; ``"random"`` means standard deviations, correlations and the dispersion.
        ddf : {"normal"}, optional

        Returns
        -------
        DataFrame
            Columns ``lower``, ``upper``, rows as in `MixedResults.conf_int`, ``dispersion`` in place of ``sigma``.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", ms.datasets.load("cbpp"))
        >>> fit.conf_int(which="all").round(2)
                            lower  upper
        Intercept           -1.85  -0.94
        period[T.2]         -1.59  -0.39
        period[T.3]         -1.77  -0.49
        period[T.4]         -2.42  -0.74
        sd(Intercept|herd)   0.37   1.11
        """
        from mixedsparse.inference.generalized.intervals import check_alpha, wald_limits

        check_alpha(alpha, method, ddf)
        return wald_limits(self._fitted, alpha, which, ddf or "normal")
