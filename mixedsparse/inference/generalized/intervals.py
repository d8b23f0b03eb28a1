"""Confidence intervals of the parameters of generalized models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import ndtri

from mixedsparse.ground.checks import check_level
from mixedsparse.inference.denominators import denominator
from mixedsparse.inference.parameters import Parameter, parameters

if TYPE_CHECKING:
    from mixedsparse.fitted.generalized import GeneralizedFitted

__all__ = ["generalized_covariance_table", "generalized_limits", "wald_error"]

# A standard deviation below this, or a correlation this close to 1, is on the boundary.
_BOUNDARY = 1e-6


def generalized_limits(
    fitted: GeneralizedFitted, alpha: float, chosen: Sequence[Parameter], ddf: str | None
) -> np.ndarray:
    """Wald limits (r, 2) of the parameters `chosen`, from the joint covariance of all estimates.

    Of standard deviations and dispersions on the log scale, of correlations on Fisher's; NaN on the boundary, and
    where the joint Hessian is not positive definite.
    """
    denominator(fitted, ddf or "normal")
    half = float(ndtri(1.0 - 0.5 * alpha)) * np.array([-1.0, 1.0])
    return np.array([_limits(fitted, parameter, half) for parameter in chosen]).reshape(len(chosen), 2)


def _limits(fitted: GeneralizedFitted, parameter: Parameter, half: np.ndarray) -> np.ndarray:
    """Limits (2,) of one parameter; `half` holds the normal quantiles of both sides."""
    value, error = wald_error(fitted, parameter)
    if np.isnan(error):
        return np.full(2, np.nan)
    if parameter.kind == "fixed":
        return np.asarray(value + half * error)
    if parameter.kind == "cor":
        return np.asarray(np.tanh(np.arctanh(value) + half * error / (1.0 - value**2)))
    with np.errstate(over="ignore"):  # hardly above 0: no upper limit
        return np.asarray(value * np.exp(half * error / value))


def wald_error(fitted: GeneralizedFitted, parameter: Parameter) -> tuple[float, float]:
    """Estimate and standard error of one parameter.

    By the delta method; the error is NaN on the boundary, and where the joint Hessian is not positive definite.
    """
    fit = fitted.fit
    if parameter.kind == "fixed":
        i = parameter.places[0]
        return float(fit.beta[i]), float(np.sqrt(fitted.cov_beta[i, i]))
    cov = fit.covariance
    if parameter.kind == "dispersion":
        return fit.dispersion, np.nan if cov is None else float(fit.dispersion * np.sqrt(cov[-1, -1]))
    lam = fit.templates[parameter.term]
    first, second = lam[parameter.places[0]], lam[parameter.places[-1]]
    sizes = float(np.linalg.norm(first)), float(np.linalg.norm(second))
    units = [own / size if size else own for own, size in zip((first, second), sizes, strict=True)]
    if parameter.kind == "sd":
        boundary, value = sizes[0] < _BOUNDARY, sizes[0]
        slopes = {parameter.places[0]: units[0]}
    else:
        value = float(units[0] @ units[1])
        boundary = min(sizes) < _BOUNDARY or 1.0 - abs(value) < _BOUNDARY
        value = value if min(sizes) >= _BOUNDARY else np.nan
        slopes = {
            place: (unit_of_other - value * unit) / size
            for place, unit_of_other, unit, size in zip(parameter.places, units[::-1], units, sizes, strict=True)
            if size
        }
    return value, np.nan if cov is None or boundary else _error(fitted, parameter, slopes)


def generalized_covariance_table(fitted: GeneralizedFitted, level: float = 0.95) -> pd.DataFrame:
    """Table of the covariance parameters and the dispersion; see `GeneralizedResults.covariance_parameters`."""
    check_level(level)
    half = float(ndtri(0.5 + 0.5 * level)) * np.array([-1.0, 1.0])
    rows = []
    for parameter in parameters(fitted):
        if parameter.kind == "fixed":
            continue
        value, error = wald_error(fitted, parameter)
        if parameter.kind == "dispersion":
            what = ("Residual", fitted.family.name, "dispersion")
        else:
            names = fitted.problem.terms[parameter.term].columns
            inside = ",".join(names[i] for i in parameter.places)
            what = (fitted.term_labels[parameter.term], "us", f"{parameter.kind}({inside})")
        rows.append((*what, value, error, *_limits(fitted, parameter, half)))
    return pd.DataFrame(rows, columns=["term", "structure", "parameter", "estimate", "se", "lower", "upper"])


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
