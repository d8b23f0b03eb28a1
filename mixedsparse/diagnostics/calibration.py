"""Calibration of a generalized fit: observed means beside fitted ones, in bins of rows with like fitted values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import ndtri

from mixedsparse.ground.checks import check_level, is_whole, shown
from mixedsparse.ground.errors import OptionError

if TYPE_CHECKING:
    from mixedsparse.fitted.generalized import GeneralizedFitted

__all__ = ["calibration"]


def calibration(fitted: GeneralizedFitted, bins: int = 10, level: float = 0.95) -> pd.DataFrame:
    """Observed and fitted means by bins of the fitted value.

    Parameters
    ----------
    fitted : GeneralizedFitted
    bins : int
        With about equal numbers of rows; fewer where many rows have the same fitted value.
    level : float
        Of the limits, for independent rows given the fitted values: Wilson's (1927) for proportions, those of a normal
        distribution with the variance of the family for other means.

    Returns
    -------
    DataFrame
        A row per bin: ``rows``; ``fitted``, ``observed``: means over rows, weighted by trials or prior weights;
        ``lower``, ``upper``.
    """
    if not is_whole(bins) or bins < 2:
        raise OptionError(f"bins={shown(bins)} must be a whole number of at least 2.")
    check_level(level)
    mu, y = fitted.values, fitted.model.response
    m = np.ones(len(mu)) if fitted.weights is None else fitted.weights
    bins = min(bins, len(mu))
    edges = np.unique(np.quantile(mu, np.arange(1, bins) / bins))
    found, at = np.unique(np.searchsorted(edges, mu, side="right"), return_inverse=True)
    rows, total = np.bincount(at), np.bincount(at, m)
    expected, observed = np.bincount(at, m * mu) / total, np.bincount(at, m * y) / total
    z = float(ndtri(0.5 + 0.5 * level))
    if fitted.family.name == "binomial":
        centre = (observed + 0.5 * z**2 / total) / (1.0 + z**2 / total)
        half = z * np.sqrt(observed * (1.0 - observed) / total + 0.25 * (z / total) ** 2) / (1.0 + z**2 / total)
    else:
        psi = fitted.psi
        variance = np.square(m) * fitted.family.variance(mu, m, psi)
        centre, half = observed, z * np.sqrt(np.bincount(at, variance)) / total
    columns = {"fitted": expected, "observed": observed, "lower": np.maximum(centre - half, 0.0)}
    return pd.DataFrame({"rows": rows, **columns, "upper": centre + half}, index=pd.RangeIndex(len(found)))
