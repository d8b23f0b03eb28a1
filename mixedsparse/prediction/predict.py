"""Predicted means, and intervals around them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pandas as pd

from mixedsparse.ground.checks import check_level, shown
from mixedsparse.ground.choices import NewLevels
from mixedsparse.ground.errors import OptionError
from mixedsparse.inference.adjust import t_quantile
from mixedsparse.inference.denominators import check_ddf, denominator
from mixedsparse.prediction.forecast import check_forecast, forecast
from mixedsparse.prediction.freedom import limits_of_unknown, without_known_levels
from mixedsparse.prediction.intervals import error_variance
from mixedsparse.prediction.rows import Rows, check_known, chosen_groups, read_rows, row_weights

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["check_interval", "check_new_levels", "predict", "predicted_limits"]

_INTERVALS = (None, "confidence", "prediction")
_NEW_LEVELS = get_args(NewLevels)


def predict(
    fitted: Fitted,
    newdata: Any = None,
    random: str | Sequence[str] = "conditional",
    new_levels: str = "error",
    interval: str | None = None,
    level: float = 0.95,
    *,
    ddf: str = "satterthwaite",
    weights: Any = None,
    offset: Any = None,
    residual: bool = False,
) -> pd.Series | pd.DataFrame:
    """Predict rows; see `MixedResults.predict`."""
    check_new_levels(new_levels)
    check_interval(interval, level, ddf)
    if weights is not None and interval != "prediction" and not residual:
        raise OptionError("weights= scale the residual variance, which only interval='prediction' uses.")
    groups = chosen_groups(fitted, random)
    if residual:
        check_forecast(fitted, interval, groups)
    others = set(fitted.ngroups).difference(groups) if interval == "prediction" else set()
    rows = read_rows(fitted, newdata, groups, others, offset)
    if new_levels == "error":
        check_known(
            fitted, rows, groups, "Leave them out, or use new_levels='zero' to predict with random effects of 0."
        )
    if interval is None:
        means = rows.means(fitted, groups)
        means = means + forecast(fitted, rows, weights) if residual else means
        return pd.Series(means, index=rows.index, name="predicted")
    mean, lower, upper = predicted_limits(fitted, rows, groups, interval, level, ddf, weights)
    return pd.DataFrame({"predicted": mean, "lower": lower, "upper": upper}, index=rows.index)


def predicted_limits(
    fitted: Fitted, rows: Rows, groups: Collection[str], interval: str, level: float, ddf: str, weights: Any = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means of rows and their limits, (r,) each; see `predict`."""
    mean = rows.means(fitted, groups)
    variance, noise = error_variance(fitted, rows, groups), np.zeros(rows.n)
    if interval == "prediction":
        known = row_weights(fitted, rows, weights)
        noise = np.ones(rows.n) if known is None else 1.0 / known
        variance = variance + fitted.sigma2 * noise
    df = np.full(rows.n, np.inf)
    free = np.flatnonzero(without_known_levels(fitted, rows, groups) & ~np.isnan(mean) & ~np.isnan(variance))
    if len(free) and ddf != "normal":
        method = denominator(fitted, ddf)
        mean[free], variance[free], df[free] = limits_of_unknown(fitted, rows, free, noise[free], method)
    # What is known exactly has no width, whatever its degrees of freedom.
    half = np.where(variance == 0.0, 0.0, t_quantile(df, level) * np.sqrt(variance))
    return mean, mean - half, mean + half


def check_new_levels(new_levels: str) -> None:
    """Refuse an unknown value of ``new_levels``."""
    if new_levels not in _NEW_LEVELS:
        raise OptionError(f"new_levels={shown(new_levels)} is not known; use 'error' or 'zero'.")


def check_interval(interval: str | None, level: float, ddf: str) -> None:
    """Refuse what is no interval, level or way to degrees of freedom."""
    if interval not in _INTERVALS:
        raise OptionError(f"interval={shown(interval)} is not known; use None, 'confidence' or 'prediction'.")
    check_ddf(ddf)
    check_level(level)
