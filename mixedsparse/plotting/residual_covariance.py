"""Residuals within groups: autocorrelations, and the fitted against the empirical covariance of visits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mixedsparse.core.residual.visits import Visits
from mixedsparse.ground.errors import OptionError
from mixedsparse.inference.autocorrelation import autocorrelation
from mixedsparse.inference.residual_parameters import residual_cov
from mixedsparse.plotting.axes import one
from mixedsparse.plotting.looks import LINE, MARK, QUIET, key

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["draw_acf", "draw_residual_covariance", "empirical_covariance"]


def draw_acf(fitted: Fitted, kind: str, group: str | None, lags: int | None, ax: Any) -> Any:
    """See `Plots.residual_acf`."""
    table = autocorrelation(fitted, kind, group, lags)
    panel = one(ax)
    panel.axhline(0.0, color=QUIET, linewidth=0.8)
    limit = 1.96 / np.sqrt(table["pairs"].to_numpy())
    for side in (-1.0, 1.0):
        (limits,) = panel.plot(table["lag"], side * limit, color=QUIET, linestyle=":")
    panel.vlines(table["lag"], 0.0, table["acf"], color=LINE)
    key(panel, {"95 % limits of independent residuals": limits}, ax)
    panel.set(xlabel="Lag", ylabel=f"Autocorrelation of {kind} residuals")
    return panel


def empirical_covariance(fitted: Fitted) -> np.ndarray:
    """Covariance (k, k) of marginal residuals between visits, from the groups that have both; NaN where none has."""
    side = fitted.design.residual
    inner = None if side is None else getattr(side.structure, "inner", side.structure)
    if not isinstance(inner, Visits):
        raise OptionError(
            "The empirical covariance is one between visits: it is there for residual='us(visit | group)', 'cs', "
            "'toep' and 'hetar1'; residual_acf() shows correlations by distance."
        )
    k, e = len(inner.labels), fitted.marginal_residuals
    sums, counts = np.zeros((k, k)), np.zeros((k, k))
    for pattern in inner.patterns:
        own, place = e[pattern.rows], np.ix_(pattern.visits, pattern.visits)
        sums[place] += own.T @ own
        counts[place] += len(own)
    with np.errstate(invalid="ignore"):
        return sums / counts


def draw_residual_covariance(fitted: Fitted, ax: Any) -> Any:
    """See `Plots.residual_covariance`."""
    found, fit = empirical_covariance(fitted), residual_cov(fitted)
    panel = one(ax)
    rows, columns = np.triu_indices(len(fit))
    is_variance = rows == columns
    fitted_values, seen = fit.to_numpy()[rows, columns], found[rows, columns]
    ends = [np.nanmin([fitted_values, seen]), np.nanmax([fitted_values, seen])]
    panel.plot(ends, ends, color=QUIET, linewidth=0.8)
    variances = panel.scatter(fitted_values[is_variance], seen[is_variance], color=MARK, marker="s")
    covariances = panel.scatter(fitted_values[~is_variance], seen[~is_variance], color=LINE, marker="o")
    panel.set(xlabel="Fitted covariance", ylabel="Empirical covariance of visits")
    key(panel, {"Variance": variances, "Covariance": covariances}, ax)
    return panel
