"""Predictions of generalized models, of the linear predictor or of the mean."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pandas as pd

from mixedsparse.core.fitting.laplace.modes import mode_motion, parameter_covariance
from mixedsparse.data.formula.newdata import Encoding, encode_outcome
from mixedsparse.fitted.warnings import warn_of_range
from mixedsparse.ground.checks import check_level, one_of, shown
from mixedsparse.ground.choices import Interval, Scale
from mixedsparse.ground.errors import OptionError
from mixedsparse.ground.progress import CountOption
from mixedsparse.inference.adjust import t_quantile
from mixedsparse.inference.generalized.responses import warn_of_weights
from mixedsparse.prediction.generalized_draws import row_prior
from mixedsparse.prediction.generalized_limits import response_limits
from mixedsparse.prediction.intervals import random_parts, random_variance, unknown_variance
from mixedsparse.prediction.output import Output
from mixedsparse.prediction.predict import check_new_levels
from mixedsparse.prediction.rows import Rows, check_known, chosen_groups, read_rows
from mixedsparse.prediction.stream import StreamOptions, prediction_batches, stream_predictions

if TYPE_CHECKING:
    import pyarrow as pa

    from mixedsparse.core.likelihood.family import Family
    from mixedsparse.fitted.generalized import GeneralizedFitted

__all__ = [
    "INTERVALS",
    "SCALES",
    "GeneralizedOutput",
    "generalized_batches",
    "link_variance",
    "predict_generalized",
    "stream_generalized",
]

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
    _check(type, interval, level, trials, weights)
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
    lower, upper = _limits(fitted, rows, groups, eta, interval, level, type == "link", trials, weights)
    return pd.DataFrame({"predicted": scale(eta), "lower": lower, "upper": upper}, index=rows.index)


def _check(type: str, interval: str | None, level: float, trials: Any, weights: Any) -> None:
    """Refuse arguments that are not known, or do not go together."""
    one_of("type", type, SCALES)
    one_of("interval", interval, INTERVALS)
    if interval == "prediction" and type == "link":
        raise OptionError("interval='prediction' is of a new response, which has no linear predictor: type='response'.")
    if interval != "prediction" and not (trials is None and weights is None):
        raise OptionError("trials= and weights= say how a new response varies, which only interval='prediction' uses.")
    check_level(level)


def _limits(
    fitted: GeneralizedFitted,
    rows: Rows,
    groups: Collection[str],
    eta: np.ndarray,
    interval: str,
    level: float,
    link: bool,
    trials: Any,
    weights: Any,
) -> np.ndarray:
    """Lower and upper limits (2, r) of the means of rows, of their linear predictors `eta`, or of new responses."""
    variance = link_variance(fitted, rows, groups)
    if interval == "prediction":
        prior = row_prior(fitted, rows, trials, weights)
        warn_of_weights(fitted.family, prior)
        return np.array(response_limits(fitted.family, fitted.psi, eta, variance, prior, level))
    half = t_quantile(np.inf, level) * np.sqrt(variance)
    ends = eta - half, eta + half
    return np.array(ends if link else fitted.family.link.extremes(*ends))


@dataclass(frozen=True)
class GeneralizedOutput(Output):
    """Means, or linear predictors, their limits, and deviance residuals of a generalized model.

    Attributes
    ----------
    family : Family
    psi : float
    link : bool
        Whether the linear predictor itself is written.
    trials, weights : str or None
        Columns that say how a new response varies.
    """

    family: Family
    psi: float
    link: bool
    trials: str | None = None
    weights: str | None = None

    def predicted(self, eta: np.ndarray) -> np.ndarray:
        """See `Output.predicted`."""
        if self.link:
            return eta
        warn_of_range(self.family, eta)
        return self.family.mean(eta)

    def limits(
        self, fitted: Any, rows: Rows, groups: Collection[str], interval: str, level: float, ddf: str
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """See `Output.limits`."""
        eta = rows.means(fitted, groups)
        lower, upper = _limits(fitted, rows, groups, eta, interval, level, self.link, self.trials, self.weights)
        return eta, lower, upper

    def columns(self) -> list[str]:
        """See `Output.columns`."""
        return [name for name in (self.trials, self.weights) if name is not None]

    def residuals(self, encoding: Encoding, rows: Any, eta: np.ndarray) -> np.ndarray | None:
        """See `Output.residuals`; trials that the fit got as an array are not known here."""
        if encoding.outcome is None:
            return None
        y, m = encode_outcome(encoding, rows)
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.family.deviance_residuals(y, m, self.family.mean(eta), self.psi)


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
    interval: str | None = None,
    level: float = 0.95,
    trials: str | None = None,
    weights: str | None = None,
    row_number: str | None = None,
    offset: str | None = None,
    progress: CountOption = None,
) -> int:
    """Write predictions; see `GeneralizedResults.stream_predictions`."""
    output = _output(fitted, type, interval, level, trials, weights)
    options = StreamOptions(columns, random, new_levels, interval, level, "normal", offset, row_number, output)
    return stream_predictions(fitted, path, source, options, table=table, progress=progress)


def generalized_batches(
    fitted: GeneralizedFitted,
    source: Any = None,
    columns: Sequence[str] | None = None,
    random: str | Sequence[str] = "conditional",
    new_levels: str = "error",
    *,
    type: str = "response",
    interval: str | None = None,
    level: float = 0.95,
    trials: str | None = None,
    weights: str | None = None,
    row_number: str | None = None,
    offset: str | None = None,
) -> Iterator[pa.RecordBatch]:
    """Yield predictions as Arrow batches; see `GeneralizedResults.prediction_batches`."""
    output = _output(fitted, type, interval, level, trials, weights)
    options = StreamOptions(columns, random, new_levels, interval, level, "normal", offset, row_number, output)
    return prediction_batches(fitted, source, options)


def _output(
    fitted: GeneralizedFitted, type: str, interval: str | None, level: float, trials: Any, weights: Any
) -> GeneralizedOutput:
    """Return what is written of rows, once the arguments are known to go together.

    Raises
    ------
    OptionError
        They do not, or `trials` or `weights` are no names.
    """
    _check(type, interval, level, trials, weights)
    fitted.needs_optimum("A prediction")
    for what, name in (("trials", trials), ("weights", weights)):
        if not (name is None or isinstance(name, str)):
            raise OptionError(f"{what}={shown(name)} is not the name of a column: the rows are read from the source.")
    return GeneralizedOutput(fitted.family, fitted.psi, type == "link", trials, weights)


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
