"""Confidence intervals of the parameters of generalized models."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, get_args

import numpy as np
import pandas as pd
from scipy.special import ndtri

from mixedsparse.ground.checks import one_of
from mixedsparse.ground.choices import BootstrapLimits, IntervalMethod
from mixedsparse.ground.errors import OptionError
from mixedsparse.ground.progress import CountOption
from mixedsparse.inference.denominators import denominator
from mixedsparse.inference.generalized.bootstrap import generalized_bootstrap
from mixedsparse.inference.generalized.profile import generalized_profile
from mixedsparse.inference.parameters import Parameter, parameters, select_parameters

if TYPE_CHECKING:
    from mixedsparse.fitted.generalized import GeneralizedFitted

__all__ = ["generalized_conf_int"]

_METHODS = get_args(IntervalMethod)
# A standard deviation below this, or a correlation this close to 1, is on the boundary.
_BOUNDARY = 1e-6


def generalized_conf_int(
    fitted: GeneralizedFitted,
    alpha: float = 0.05,
    method: IntervalMethod = "wald",
    which: str | Iterable[str] = "fixed",
    *,
    ddf: str | None = None,
    nsim: int = 1000,
    seed: int | None = None,
    n_jobs: int = 1,
    kind: BootstrapLimits = "perc",
    progress: CountOption = None,
) -> pd.DataFrame:
    """Confidence limits; see `GeneralizedResults.conf_int`."""
    if not (isinstance(alpha, float | int | np.number) and 0 < alpha < 1):
        raise OptionError(f"alpha={alpha!r} must lie between 0 and 1: 0.05 for 95 % intervals.")
    one_of("method", method, _METHODS)
    if ddf is not None and method != "wald":
        raise OptionError(f"ddf={ddf!r} is for method='wald'; method={method!r} has no degrees of freedom.")
    if method == "wald":
        return _wald_limits(fitted, alpha, which, ddf or "normal")
    names = [p.name for p in select_parameters(parameters(fitted), which)]
    level = 1.0 - alpha
    if method == "profile":
        return generalized_profile(fitted, names, level=level, n_jobs=n_jobs, progress=progress).conf_int(level)
    return generalized_bootstrap(fitted, nsim, seed, n_jobs=n_jobs, progress=progress).conf_int(level, kind).loc[names]


def _wald_limits(fitted: GeneralizedFitted, alpha: float, which: str | Iterable[str], ddf: str) -> pd.DataFrame:
    """Limits from the joint covariance of all estimates.

    Of standard deviations and dispersions on the log scale, of correlations on Fisher's; NaN on the boundary, and
    where the joint Hessian is not positive definite.
    """
    denominator(fitted, ddf)
    chosen = select_parameters(parameters(fitted), which)
    half = float(ndtri(1.0 - 0.5 * alpha)) * np.array([-1.0, 1.0])
    limits = [_limits(fitted, parameter, half) for parameter in chosen]
    table = np.array(limits).reshape(len(chosen), 2)
    return pd.DataFrame(table, index=[p.name for p in chosen], columns=["lower", "upper"])


def _limits(fitted: GeneralizedFitted, parameter: Parameter, half: np.ndarray) -> np.ndarray:
    """Limits (2,) of one parameter; `half` holds the normal quantiles of both sides."""
    fit = fitted.fit
    if parameter.kind == "fixed":
        i = parameter.places[0]
        return np.asarray(fit.beta[i] + half * np.sqrt(fitted.cov_beta[i, i]))
    if fit.covariance is None:
        return np.full(2, np.nan)
    if parameter.kind == "dispersion":
        return np.asarray(np.exp(fit.psi + half * np.sqrt(fit.covariance[-1, -1])))
    lam = fit.templates[parameter.term]
    first, second = lam[parameter.places[0]], lam[parameter.places[-1]]
    sizes = np.linalg.norm(first), np.linalg.norm(second)
    if min(sizes) < _BOUNDARY:
        return np.full(2, np.nan)
    if parameter.kind == "sd":
        # d log |row| = row / |row|^2
        error = _error(fitted, parameter, {parameter.places[0]: first / sizes[0] ** 2})
        with np.errstate(over="ignore"):  # hardly above 0: no upper limit
            return np.asarray(sizes[0] * np.exp(half * error))
    units = first / sizes[0], second / sizes[1]
    cosine = float(units[0] @ units[1])
    if 1.0 - abs(cosine) < _BOUNDARY:
        return np.full(2, np.nan)
    slopes = {
        parameter.places[0]: (units[1] - cosine * units[0]) / sizes[0],
        parameter.places[1]: (units[0] - cosine * units[1]) / sizes[1],
    }
    error = _error(fitted, parameter, slopes) / (1.0 - cosine**2)
    return np.asarray(np.tanh(np.arctanh(cosine) + half * error))


def _error(fitted: GeneralizedFitted, parameter: Parameter, slopes: dict[int, np.ndarray]) -> float:
    """Return the standard error of a function of rows of one Lambda_t by the delta method.

    `slopes` holds its derivatives (k,) in each row that it depends on.
    """
    layout, cov = fitted.problem.theta_layout, fitted.fit.covariance
    assert cov is not None
    gradient = np.zeros(len(cov))
    for i in np.flatnonzero(layout.term == parameter.term):
        if layout.row[i] in slopes:
            gradient[i] = slopes[int(layout.row[i])][layout.col[i]]
    used = gradient != 0.0
    return float(np.sqrt(gradient[used] @ cov[np.ix_(used, used)] @ gradient[used]))
