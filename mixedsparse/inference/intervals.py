"""Confidence intervals by three methods, in one shape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, get_args

import numpy as np
import pandas as pd
from scipy.special import ndtri, stdtrit

from mixedsparse.fitted.generalized import GeneralizedFitted
from mixedsparse.ground.checks import one_of
from mixedsparse.ground.choices import IntervalMethod
from mixedsparse.ground.errors import OptionError
from mixedsparse.ground.progress import CountOption
from mixedsparse.inference.bootstrap import bootstrap
from mixedsparse.inference.coefficients import coef_table
from mixedsparse.inference.coordinates import chart_of
from mixedsparse.inference.evidence import evidence_of
from mixedsparse.inference.generalized.bootstrap import generalized_bootstrap
from mixedsparse.inference.generalized.intervals import generalized_limits
from mixedsparse.inference.generalized.profile import generalized_profile
from mixedsparse.inference.held.profiles import held_parameters, held_profile
from mixedsparse.inference.joint_wald import wald_joint
from mixedsparse.inference.natural import natural_errors
from mixedsparse.inference.parameters import Parameter, identified, parameters, select_parameters
from mixedsparse.inference.profile import Profile, profile

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["conf_int", "profile_of"]

_METHODS = get_args(IntervalMethod)
# A standard deviation below this share of sigma, or a correlation this close to 1, is on the boundary.
_BOUNDARY = 1e-6


def conf_int(
    fitted: Fitted,
    alpha: float = 0.05,
    method: str = "wald",
    which: str | Iterable[str] = "fixed",
    *,
    ddf: str | None = None,
    nsim: int = 1000,
    seed: int | None = None,
    n_jobs: int = 1,
    kind: str = "perc",
    progress: CountOption = None,
) -> pd.DataFrame:
    """Confidence limits of `fitted`; see `MixedResults.conf_int`."""
    _check_limits(alpha, method, ddf)
    level = 1.0 - alpha
    known = (
        parameters(fitted) if method != "profile" or isinstance(fitted, GeneralizedFitted) else held_parameters(fitted)
    )
    chosen = select_parameters(known, which)
    names = [p.name for p in chosen]
    if method == "profile":
        return profile_of(fitted)(names, level=level, n_jobs=n_jobs, progress=progress).conf_int(level)
    if method == "boot":
        again = generalized_bootstrap if isinstance(fitted, GeneralizedFitted) else bootstrap
        replicates = again(fitted, nsim, seed, n_jobs=n_jobs, progress=progress)  # type: ignore[arg-type]
        return replicates.conf_int(level, kind).loc[names]
    wald = generalized_limits if isinstance(fitted, GeneralizedFitted) else _wald_limits
    return pd.DataFrame(wald(fitted, alpha, chosen, ddf), index=names, columns=["lower", "upper"])  # type: ignore[arg-type]


def profile_of(fitted: Fitted) -> Callable[..., Profile]:
    """Profile of this kind of model; its arguments are those of `MixedResults.profile`."""
    if isinstance(fitted, GeneralizedFitted):
        return partial(generalized_profile, fitted)
    if fitted.fit.residual is not None or fitted.problem.is_structured:
        return partial(held_profile, fitted)
    return partial(profile, fitted)


def _wald_limits(fitted: Fitted, alpha: float, chosen: Sequence[Parameter], ddf: str | None) -> np.ndarray:
    limits = np.empty((len(chosen), 2))
    fixed = np.array([p.kind == "fixed" for p in chosen], dtype=bool)
    if fixed.any():
        limits[fixed] = _wald_fixed(fitted, alpha, ddf or "satterthwaite")[
            [p.places[0] for p in chosen if p.kind == "fixed"]
        ]
    if not fixed.all():
        limits[~fixed] = _wald_covariance(fitted, alpha, [p for p in chosen if p.kind != "fixed"])
    return limits


def _check_limits(alpha: float, method: str, ddf: str | None) -> None:
    """Refuse what no confidence limits can be had by."""
    if not (isinstance(alpha, float | int | np.number) and 0 < alpha < 1):
        raise OptionError(f"alpha={alpha!r} must lie between 0 and 1: 0.05 for 95 % intervals.")
    one_of("method", method, _METHODS)
    if ddf is not None and method != "wald":
        raise OptionError(f"ddf={ddf!r} is for method='wald'; method={method!r} has no degrees of freedom.")


def _wald_fixed(fitted: Fitted, alpha: float, ddf: str) -> np.ndarray:
    """Limits (p, 2) of the coefficients: estimate -+ quantile of t times standard error."""
    table = coef_table(fitted, ddf)
    quantile = stdtrit(table["df"].to_numpy(), 1.0 - 0.5 * alpha)
    half = quantile * table["SE"].to_numpy()
    return table["Estimate"].to_numpy()[:, None] + half[:, None] * [-1.0, 1.0]


def _wald_covariance(fitted: Fitted, alpha: float, chosen: Sequence[Parameter]) -> np.ndarray:
    """Limits (r, 2) of standard deviations on the log scale, and of correlations on Fisher's.

    NaN on the boundary, and for what is not identified.
    """
    fit, problem = fitted.fit, fitted.problem
    if problem.is_structured:
        return _natural_limits(fitted, alpha, chosen)
    if fit.residual is not None:
        return wald_joint(fitted, alpha, chosen)
    unit = fitted.sigma
    charts = [chart_of(problem, fit, p, unit) for p in chosen]
    x = np.array([chart.coordinates(fit.templates) for chart in charts])
    curvature = evidence_of(fitted).curvatures(charts, x)
    half = float(ndtri(1.0 - 0.5 * alpha))
    known = identified(fitted, chosen)
    out = np.full((len(chosen), 2), np.nan)
    for i, (parameter, chart) in enumerate(zip(chosen, charts, strict=True)):
        at = x[i, chart.position]
        if not known[i] or curvature[i] <= 0 or not np.isfinite(curvature[i]):
            continue
        # The criterion is -2 log-likelihood: the variance is twice the inverse of its curvature.
        error = half * np.sqrt(2.0 / curvature[i])
        if parameter.kind == "sigma":
            out[i] = chart.value(at + error * np.array([-1.0, 1.0]))
        elif parameter.kind == "sd" and at > _BOUNDARY:
            with np.errstate(over="ignore"):  # hardly above 0: no upper limit
                out[i] = chart.value(at) * np.exp(error / at * np.array([-1.0, 1.0]))
        elif parameter.kind == "cor" and min(x[i, chart.angle[0]], x[i, chart.angle[2]], np.cos(at)) > _BOUNDARY:
            out[i] = np.tanh(np.arctanh(np.sin(at)) + error / np.cos(at) * np.array([-1.0, 1.0]))
    return out


def _natural_limits(fitted: Fitted, alpha: float, chosen: Sequence[Parameter]) -> np.ndarray:
    """Limits (r, 2) where terms have structured covariances."""
    identified(fitted, chosen)  # warns
    # In the order of `parameters`, sigma last.
    table = natural_errors(fitted)
    names = [p.name for p in parameters(fitted) if p.kind != "fixed"]
    limits = dict(zip(names, table.limits(1.0 - alpha), strict=True))
    return np.array([limits[p.name] for p in chosen])
