"""Estimates of the linear predictor on the scale of the response: means, and ratios of them for contrasts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import numpy as np
import pandas as pd

from mixedsparse.fitted.warnings import warn_of_range
from mixedsparse.ground.checks import one_of
from mixedsparse.ground.choices import Scale
from mixedsparse.inference.back_transformation import transformation_of

if TYPE_CHECKING:
    from mixedsparse.core.likelihood.family import Family
    from mixedsparse.fitted.fitted import Fitted
    from mixedsparse.fitted.generalized import GeneralizedFitted
    from mixedsparse.inference.back_transformation import Transformation

__all__ = ["SCALES", "FamilyScale", "ResponseScale", "TransformedScale", "modelled_scale", "response_scale", "scale_of"]

SCALES = get_args(Scale)
# Links whose differences are logarithms of ratios, and the column of these.
_RATIOS = {"logit": "odds_ratio", "log": "ratio"}
_MEANS = {"binomial": "prob", "poisson": "rate", "negative_binomial": "rate", "nb1": "rate"}


class ResponseScale:
    """The way from the linear predictor to the response.

    Attributes
    ----------
    name : str
        Scale of the linear predictor: ``"the logit link"``, ``"log(y)"``.
    mean : str
        Column of means: ``"prob"``, ``"rate"`` or ``"response"``.
    ratio : str or None
        Column of the exponentials of contrasts; None where differences on this scale are no logarithms.
    """

    name: str
    mean: str
    ratio: str | None

    @property
    def note(self) -> str:
        """What a reader of a table of contrasts must know."""
        return "" if self.ratio else f"Contrasts are differences on the scale of {self.name}."

    def means(self, table: pd.DataFrame, column: str) -> pd.DataFrame:
        """Table of means with estimates, standard errors (delta method) and limits on the scale of the response."""
        eta = table[column].to_numpy()
        known = ~np.isnan(eta)
        slope = np.full(len(eta), np.nan)
        slope[known] = self._slope(eta[known])
        low, high = self._limits(table["lower"].to_numpy(), table["upper"].to_numpy(), eta)
        changed = {column: self._back(eta, eta), "SE": np.abs(slope) * table["SE"], "lower": low, "upper": high}
        return table.assign(**changed).rename(columns={column: self.mean})

    def _limits(self, lower: np.ndarray, upper: np.ndarray, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Limits on the scale of the response from those about `eta`."""
        low, high = np.sort([self._back(lower, eta), self._back(upper, eta)], axis=0)
        return low, high

    def _back(self, values: np.ndarray, eta: np.ndarray) -> np.ndarray:
        out = np.full(len(values), np.nan)
        known = ~np.isnan(values)
        out[known] = self._mean(values[known], eta[known])
        return out

    def contrasts(self, table: pd.DataFrame) -> pd.DataFrame:
        """Table of contrasts with ratios, their standard errors and limits; tests are those of the differences."""
        if self.ratio is None:
            return table
        factor = self._factor
        ratio = np.exp(factor * table["estimate"])
        ends = np.sort([np.exp(factor * table["lower"]), np.exp(factor * table["upper"])], axis=0)
        changed = {"SE": ratio * abs(factor) * table["SE"], "lower": ends[0], "upper": ends[1]}
        return table.assign(estimate=ratio, **changed).rename(columns={"estimate": self.ratio})

    @property
    def _factor(self) -> float:
        """What turns differences into natural logarithms."""
        return 1.0

    def _mean(self, values: np.ndarray, eta: np.ndarray) -> np.ndarray:
        """`values` of the linear predictor, limits about `eta`, on the scale of the response."""
        raise NotImplementedError

    def _slope(self, eta: np.ndarray) -> np.ndarray:
        """Differentiate the response by the linear predictor."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class FamilyScale(ResponseScale):
    """Through the link of a family."""

    family: Family

    @property
    def name(self) -> str:  # type: ignore[override]
        """Scale of the linear predictor."""
        return f"the {self.family.link.name} link"

    @property
    def mean(self) -> str:  # type: ignore[override]
        """Column of means."""
        return _MEANS.get(self.family.name, "response")

    @property
    def ratio(self) -> str | None:  # type: ignore[override]
        """Column of the exponentials of contrasts."""
        return _RATIOS.get(self.family.link.name)

    def means(self, table: pd.DataFrame, column: str) -> pd.DataFrame:
        """Warn where there is no mean."""
        warn_of_range(self.family, table[column].to_numpy())
        return super().means(table, column)

    def _limits(self, lower: np.ndarray, upper: np.ndarray, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.family.link.extremes(lower, upper)

    def _mean(self, values: np.ndarray, eta: np.ndarray) -> np.ndarray:
        return np.asarray(self.family.mean(values))

    def _slope(self, eta: np.ndarray) -> np.ndarray:
        inside = self.family.link.in_domain(eta)
        return np.where(inside, self.family.link.means(np.where(inside, eta, 1.0)).d1, np.nan)


@dataclass(frozen=True, eq=False)
class TransformedScale(ResponseScale):
    """Through the function of a column that the response is: ``log(y)``, ``sqrt(y)``, ``1 / y``."""

    transformation: Transformation

    @property
    def name(self) -> str:  # type: ignore[override]
        """Scale of the linear predictor."""
        return self.transformation.label

    @property
    def mean(self) -> str:  # type: ignore[override]
        """Column of means."""
        return "response"

    @property
    def ratio(self) -> str | None:  # type: ignore[override]
        """Column of the exponentials of contrasts."""
        return None if self.transformation.ratio is None else "ratio"

    @property
    def _factor(self) -> float:
        assert self.transformation.ratio is not None
        return self.transformation.ratio

    def _mean(self, values: np.ndarray, eta: np.ndarray) -> np.ndarray:
        return self.transformation.back(values, eta)

    def _slope(self, eta: np.ndarray) -> np.ndarray:
        return self.transformation.slope(eta)


def scale_of(fitted: GeneralizedFitted, type: str) -> ResponseScale | None:
    """Return the scale that ``type`` names; None for that of the link."""
    one_of("type", type, SCALES)
    return FamilyScale(fitted.family) if type == "response" else None


def response_scale(fitted: Fitted, type: str) -> ResponseScale | None:
    """Return the scale that ``type`` names of a linear model; None for that of the response as it is modelled."""
    one_of("type", type, SCALES)
    found = transformation_of(fitted) if type == "response" else None
    return None if found is None else TransformedScale(found)


def modelled_scale(fitted: Fitted) -> str:
    """Scale of the linear predictor where it is not that of a column: ``"log(y)"``, ``"the logit link"``."""
    if not fitted.has_residual:
        scale = FamilyScale(fitted.family)  # type: ignore[attr-defined]
        return "" if scale.family.link.name == "identity" else scale.name
    encoding = fitted.design.encoding
    response = None if encoding is None else encoding.parsed.response
    return "" if response is None or response.alias is not None else response.label
