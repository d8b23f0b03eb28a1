"""Residuals of generalized models, and their overdispersion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pandas as pd
from scipy.special import gammaincc, ndtri

from mixedsparse.ground.checks import check_draws, one_of
from mixedsparse.ground.choices import GeneralizedResidual
from mixedsparse.ground.errors import OptionError
from mixedsparse.inference.generalized.responses import warn_of_weights
from mixedsparse.inference.labels import per_row

if TYPE_CHECKING:
    from mixedsparse.fitted.generalized import GeneralizedFitted

__all__ = ["KINDS", "overdispersion", "residuals"]

KINDS = get_args(GeneralizedResidual)


def residuals(fitted: GeneralizedFitted, kind: str = "deviance", seed: Any = None) -> pd.Series:
    """Residuals of one kind; see `GeneralizedResults.residuals`."""
    one_of("kind", kind, KINDS)
    check_draws(1, seed)
    if kind == "response":
        values = fitted.residuals
    elif kind in ("pearson", "normalized"):
        values = fitted.scaled_residuals
    elif kind == "working":
        values = fitted.residuals / fitted.family.link.means(fitted.linear_predictor).d1
    elif kind == "quantile":
        values = _quantile_residuals(fitted, seed)
    else:
        given = fitted.model.response, _prior(fitted), fitted.values, fitted.psi
        values = fitted.family.deviance_residuals(*given)
    return per_row(fitted, values, f"resid_{kind}")


def _quantile_residuals(fitted: GeneralizedFitted, seed: Any) -> np.ndarray:
    """Return normal quantiles of the distribution function at y, uniform between its two sides where it jumps."""
    rng = np.random.default_rng(seed)
    y, prior, mu, psi = fitted.model.response, _prior(fitted), fitted.values, fitted.psi
    warn_of_weights(fitted.family, prior)
    below, upto = fitted.family.cumulative(y, prior, mu, psi)
    share = rng.uniform(size=len(y))
    tiny = np.finfo(float).tiny
    return np.asarray(ndtri(np.clip(below + share * (upto - below), tiny, 1.0 - 1e-16)))


def _prior(fitted: GeneralizedFitted) -> np.ndarray:
    return np.ones(fitted.nobs) if fitted.weights is None else fitted.weights


def overdispersion(fitted: GeneralizedFitted) -> pd.Series:
    """Pearson's chi squared over its degrees of freedom; see `GeneralizedResults.overdispersion`."""
    if fitted.family.has_dispersion:
        raise OptionError(f"The {fitted.family.name} family has a dispersion of its own: see fit.dispersion.")
    if fitted.family.name == "binomial" and _prior(fitted).max() == 1.0:
        raise OptionError(
            "Rows of one trial tell nothing of overdispersion: count the successes of rows that agree, and fit "
            "cbind(successes, failures)."
        )
    chisq = float(np.square(fitted.scaled_residuals).sum())
    df = fitted.nobs - fitted.npar
    p = float(gammaincc(df / 2.0, chisq / 2.0)) if df > 0 else float("nan")
    ratio = chisq / df if df > 0 else np.nan
    return pd.Series({"chisq": chisq, "df": df, "ratio": ratio, "p": p}, name="overdispersion")
