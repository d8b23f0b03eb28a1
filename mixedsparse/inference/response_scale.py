"""Estimates of the linear predictor on the scale of the response: means, and ratios of them for contrasts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import numpy as np
import pandas as pd

from mixedsparse.ground.checks import one_of
from mixedsparse.ground.choices import Scale

if TYPE_CHECKING:
    from mixedsparse.core.likelihood.family import Family
    from mixedsparse.fitted.generalized import GeneralizedFitted

__all__ = ["SCALES", "ResponseScale", "scale_of"]

SCALES = get_args(Scale)
# Links whose differences are logarithms of ratios, and the column of these.
_RATIOS = {"logit": "odds_ratio", "log": "ratio"}


@dataclass(frozen=True, eq=False)
class ResponseScale:
    """The way from the linear predictor to the response.

    Attributes
    ----------
    family : Family
    """

    family: Family

    @property
    def mean(self) -> str:
        """Column of means: ``"prob"``, ``"rate"`` or ``"response"``."""
        kinds = {"binomial": "prob", "poisson": "rate", "negative_binomial": "rate", "nb1": "rate"}
        return kinds.get(self.family.name, "response")

    @property
    def ratio(self) -> str | None:
        """Column of the exponentials of contrasts; None where differences of this link are no logarithms."""
        return _RATIOS.get(self.family.link.name)

    @property
    def note(self) -> str:
        """What a reader of a table of contrasts must know."""
        link = self.family.link.name
        return "" if self.ratio else f"Contrasts are differences on the scale of the {link} link."

    def means(self, table: pd.DataFrame, column: str) -> pd.DataFrame:
        """Table of means with estimates, standard errors (delta method) and limits on the scale of the response."""
        eta = table[column].to_numpy()
        known = ~np.isnan(eta)
        slope = np.full(len(eta), np.nan)
        slope[known] = self.family.link.means(eta[known]).d1
        ends = np.sort([self._mean(table["lower"].to_numpy()), self._mean(table["upper"].to_numpy())], axis=0)
        changed = {column: self._mean(eta), "SE": np.abs(slope) * table["SE"], "lower": ends[0], "upper": ends[1]}
        return table.assign(**changed).rename(columns={column: self.mean})

    def _mean(self, eta: np.ndarray) -> np.ndarray:
        out = np.full(len(eta), np.nan)
        known = ~np.isnan(eta)
        out[known] = self.family.mean(eta[known])
        return out

    def contrasts(self, table: pd.DataFrame) -> pd.DataFrame:
        """Table of contrasts with ratios, their standard errors and limits; tests are those of the differences."""
        if self.ratio is None:
            return table
        ratio = np.exp(table["estimate"])
        changed = {"SE": ratio * table["SE"], "lower": np.exp(table["lower"]), "upper": np.exp(table["upper"])}
        return table.assign(estimate=ratio, **changed).rename(columns={"estimate": self.ratio})


def scale_of(fitted: GeneralizedFitted, type: str) -> ResponseScale | None:
    """Return the scale that ``type`` names; None for that of the link."""
    one_of("type", type, SCALES)
    return ResponseScale(fitted.family) if type == "response" else None
