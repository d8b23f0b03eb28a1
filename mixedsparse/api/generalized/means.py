"""Marginal means of `GeneralizedResults`, with the meanings of R's emmeans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mixedsparse.api.results.base import ResultsBase
from mixedsparse.ground.choices import Ddf, Scale, Weighting

if TYPE_CHECKING:
    from mixedsparse.fitted.generalized import GeneralizedFitted
    from mixedsparse.inference.means import MarginalMeans

__all__ = ["MeansMixin"]


class MeansMixin(ResultsBase):
    """Marginal means and trends of generalized fits; tests and intervals are normal."""

    _fitted: GeneralizedFitted  # type: ignore[assignment]

    def emmeans(
        self,
        specs: Any,
        by: str | Sequence[str] | None = None,
        *,
        at: Mapping[str, Any] | None = None,
        weights: Weighting = "equal",
        type: Scale = "link",
        ddf: Ddf = "normal",
        level: float = 0.95,
    ) -> MarginalMeans:
        """Estimated marginal means: linear predictors at the combinations of some factors, averaged over the others.

        Parameters
        ----------
        specs, by, at, weights, level
            See `MixedResults.emmeans`.
        type : {"link", "response"}
            Scale of the tables. ``"response"`` shows the means that belong to the averages of the linear predictor, in
            a column ``prob``, ``rate`` or ``response``, with standard errors by the delta method and the limits of the
            link scale taken there; contrasts become ratios where the link is a logarithm: ``odds_ratio`` (logit) or
            ``ratio`` (log). Random effects are 0: these are not averages over levels.
        ddf : {"normal"}
            Others are refused: there is no residual variance whose degrees of freedom they would estimate.

        Returns
        -------
        MarginalMeans

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", ms.datasets.load("cbpp"))
        >>> means = fit.emmeans("period", type="response")
        >>> means.table[["period", "prob", "SE", "lower", "upper"]].round(3)
          period   prob     SE  lower  upper
        0      1  0.198  0.037  0.135  0.280
        1      2  0.084  0.024  0.047  0.144
        2      3  0.074  0.023  0.040  0.132
        3      4  0.048  0.020  0.021  0.106
        >>> means.contrast("trt.vs.ctrl").table[["contrast", "odds_ratio", "p"]].round(3)
                    contrast  odds_ratio      p
        0  period2 / period1       0.371  0.004
        1  period3 / period1       0.323  0.002
        2  period4 / period1       0.206  0.001
        """
        from mixedsparse.inference.denominators import denominator
        from mixedsparse.inference.emmeans import emmeans
        from mixedsparse.inference.response_scale import scale_of

        denominator(self._fitted, ddf)
        scale = scale_of(self._fitted, type)
        return emmeans(self._fitted, specs, by, at=at, weights=weights, ddf=ddf, level=level, scale=scale)

    def emtrends(
        self,
        specs: Any,
        var: str,
        by: str | Sequence[str] | None = None,
        *,
        at: Mapping[str, Any] | None = None,
        weights: Weighting = "equal",
        ddf: Ddf = "normal",
        level: float = 0.95,
    ) -> MarginalMeans:
        """Slopes of the linear predictor in the covariate `var`; see `MixedResults.emtrends`."""
        from mixedsparse.inference.denominators import denominator
        from mixedsparse.inference.emmeans import emtrends

        denominator(self._fitted, ddf)
        return emtrends(self._fitted, specs, var, by, at=at, weights=weights, ddf=ddf, level=level)
