"""Predictions of generalized models, of the linear predictor or of the mean."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pandas as pd

from mixedsparse.core.fitting.laplace.modes import mode_motion, parameter_covariance
from mixedsparse.fitted.warnings import warn_of_range
from mixedsparse.ground.checks import check_level, one_of
from mixedsparse.ground.choices import Interval, Scale
from mixedsparse.ground.errors import OptionError
from mixedsparse.ground.progress import CountOption
from mixedsparse.inference.adjust import t_quantile
from mixedsparse.inference.generalized.responses import warn_of_weights
from mixedsparse.prediction.generalized_draws import row_prior
from mixedsparse.prediction.generalized_limits import response_limits
from mixedsparse.prediction.intervals import random_parts, random_variance, unknown_variance
from mixedsparse.prediction.output import GeneralizedOutput
from mixedsparse.prediction.predict import check_new_levels
from mixedsparse.prediction.rows import Rows, check_known, chosen_groups, read_rows
from mixedsparse.prediction.stream import StreamOptions, stream_predictions

if TYPE_CHECKING:
    from mixedsparse.fitted.generalized import GeneralizedFitted

__all__ = ["INTERVALS", "SCALES", "link_variance", "predict_generalized", "stream_generalized"]

SCALES = get_args(Scale)
INTERVALS = (None, *get_args(Interval))
_MEND = "Leave them out, or use new_levels='zero' to predict with random effects of 0."


def predict_generalized(
    fitted: GeneralizedFitted,
    newdata: Any = None,
    random: str | Sequence[str] = "conditional",
    new_levels: str = "error",
    interval: str | None = None,
    level: float = 0.95,
    *,
    type: str = "response",
    trials: Any = None,
    weights: Any = None,
    offset: Any = None,
) -> pd.Series | pd.DataFrame:
    """Predict rows; see `GeneralizedResults.predict`."""
    one_of("type", type, SCALES)
    one_of("interval", interval, INTERVALS)
    if interval == "prediction" and type == "link":
        raise OptionError("interval='prediction' is of a new response, which has no linear predictor: type='response'.")
    if interval != "prediction" and not (trials is None and weights is None):
        raise OptionError("trials= and weights= say how a new response varies, which only interval='prediction' uses.")
    check_level(level)
    check_new_levels(new_levels)
    groups = chosen_groups(fitted, random)
    others = set(fitted.ngroups).difference(groups) if interval == "prediction" else set()
    rows = read_rows(fitted, newdata, groups, others, offset)
    if new_levels == "error":
        check_known(fitted, rows, groups, _MEND)
    eta = rows.means(fitted, groups)
    scale = np.asarray if type == "link" else fitted.family.mean
    if type == "response":
        warn_of_range(fitted.family, eta)
    if interval is None:
        return pd.Series(scale(eta), index=rows.index, name="predicted")
    variance = link_variance(fitted, rows, groups)
    if interval == "prediction":
        prior = row_prior(fitted, rows, trials, weights)
        warn_of_weights(fitted.family, prior)
        lower, upper = response_limits(fitted.family, fitted.psi, eta, variance, prior, level)
        return pd.DataFrame({"predicted": scale(eta), "lower": lower, "upper": upper}, index=rows.index)
    half = t_quantile(np.inf, level) * np.sqrt(variance)
    ends = eta - half, eta + half
    lower, upper = ends if type == "link" else fitted.family.link.extremes(*ends)
    return pd.DataFrame({"predicted": scale(eta), "lower": lower, "upper": upper}, index=rows.index)


def stream_generalized(
    fitted: GeneralizedFitted,
    path: Any,
    source: Any = None,
    columns: Sequence[str] | None = None,
    random: str | Sequence[str] = "conditional",
    new_levels: str = "error",
    *,
    type: str = "response",
    table: str | None = None,
    offset: str | None = None,
    progress: CountOption = None,
) -> int:
    """Write predictions; see `GeneralizedResults.stream_predictions`."""
    one_of("type", type, SCALES)
    fitted.needs_optimum("A prediction")
    output = GeneralizedOutput(fitted.family, fitted.psi, type == "link")
    options = StreamOptions(columns, random, new_levels, offset=offset, output=output)
    return stream_predictions(fitted, path, source, options, table=table, progress=progress)


def link_variance(fitted: GeneralizedFitted, rows: Rows, groups: Collection[str]) -> np.ndarray:
    """Variance (r,) of the error of the linear predictor of `rows` over the random effects of `groups`.

    By the delta method, as in TMB: that of the random effects given y, how their modes and x'beta move with the
    estimates of all parameters, and the prior variance of levels that the fit has not seen.
    """
    if fitted.fit.point is None:  # no optimum, no estimates
        return np.full(rows.n, np.nan)
    m, p = len(fitted.fit.theta), len(fitted.fit.beta)
    parts = random_parts(fitted, rows, groups)
    cov = parameter_covariance(fitted.fit)
    slopes = np.zeros((rows.n, len(cov)))
    slopes[:, m : m + p] = rows.X
    motion = fitted.once("motion of the modes", lambda own: mode_motion(own.fit)) if parts else []
    for part in parts:
        slopes += np.einsum("rk,rks->rs", part.z, motion[part.block][part.codes])
    variance = np.einsum("rs,st,rt->r", slopes, cov, slopes)
    if parts:
        factor, limits = fitted.fit.point.mode.factor, fitted.model.engines.limits
        variance += random_variance(fitted.problem.layout, factor, parts, limits)
    return np.asarray(variance + unknown_variance(fitted, rows, groups))
