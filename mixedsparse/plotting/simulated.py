"""Residuals by simulation, and simulated responses beside those of the data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.special import betaincinv
from scipy.stats import rankdata

from mixedsparse.plotting.axes import cloud, panels, thinned
from mixedsparse.plotting.looks import LINE, MARK, QUIET, key
from mixedsparse.plotting.residuals import draw_boxes
from mixedsparse.plotting.words import WITHIN, ticks, wrapped

__all__ = ["draw_predictive", "draw_scaled"]

_QUARTILES = (0.25, 0.5, 0.75)
_LABEL = 40
# Bins of a density at most, and for each cube root of rows (Rice's rule); more different values are drawn as one.
_BINS, _RICE, _MOST_VALUES = 60, 2.0, 25
# Rows along the axis that quartiles are taken of: at most this many groups, of at least so many rows.
_GROUPS, _LEAST = 12, 10
_SIZE = (4.4, 3.6)


def draw_scaled(table: pd.DataFrame, tests: pd.DataFrame, x: Any, along: str, level: float, ax: Any) -> np.ndarray:
    """Draw uniform quantiles, and residuals along `x` (n,), numbers or a Categorical; see `scaled_residuals`."""
    p = tests.loc["uniformity", "p"]
    expected = tests.loc["outliers", "expected"]
    titles = [f"Uniform? p = {p:.3g}", f"Outliers: {int(table['outlier'].sum())} ({expected:.3g} expected)"]
    extra = ticks(list(x.categories), WITHIN * _SIZE[0]).extra if isinstance(x, pd.Categorical) else 0.0
    axes = panels(ax, titles, (_SIZE[0], _SIZE[1] + extra))
    values = table["residual"].to_numpy()
    band = _uniform(axes[0], np.sort(values), level)
    if isinstance(x, pd.Categorical):
        draw_boxes(axes[1], x, values)
        lines = None
    else:
        lines = _along(axes[1], rankdata(x) / len(x), values, table["outlier"].to_numpy())
        along = f"{along}, ranks"
    for height in _QUARTILES:
        axes[1].axhline(height, color=QUIET, linewidth=0.8, linestyle=":")
    axes[1].set(xlabel=wrapped(along, _LABEL), ylabel="Scaled residual", ylim=(-0.02, 1.02))
    key(axes[1], {f"{100 * level:g} % band": band, "quartiles": lines}, ax)
    return axes


def _uniform(panel: Any, ordered: np.ndarray, level: float) -> Any:
    """Ordered residuals against uniform quantiles, with the band of independent ones."""
    n = len(ordered)
    order = thinned(n)
    tail = 0.5 * (1.0 - level)
    lower, upper = (betaincinv(order + 1, n - order, share) for share in (tail, 1.0 - tail))
    quantiles = (order + 0.5) / n
    band = panel.fill_between(quantiles, lower, upper, color=QUIET, alpha=0.3, linewidth=0)
    panel.plot([0.0, 1.0], [0.0, 1.0], color=QUIET, linewidth=0.8)
    panel.plot(quantiles, ordered[order], "o", color=MARK, markersize=3, markeredgewidth=0)
    panel.set(xlabel="Uniform quantile", ylabel="Scaled residual")
    return band


def _along(panel: Any, x: np.ndarray, values: np.ndarray, outlier: np.ndarray) -> Any:
    """Residuals along the ranks `x`, their quartiles by groups of neighbours."""
    cloud(panel, x, values)
    panel.plot(x[outlier], values[outlier], "s", color=LINE, markersize=5, markerfacecolor="none")
    groups = np.array_split(np.argsort(x, kind="stable"), min(_GROUPS, max(len(x) // _LEAST, 1)))
    middle = [x[group].mean() for group in groups]
    line = None
    for share in _QUARTILES:
        (line,) = panel.plot(middle, [np.quantile(values[group], share) for group in groups], color=LINE, linewidth=1.2)
    return line


def draw_predictive(panel: Any, response: np.ndarray, draws: np.ndarray, words: str) -> None:
    """Draw the distribution of the `response` (n,), and that of each of the `draws` (n, nsim), which look like it."""
    values = np.unique(np.concatenate([response, draws.ravel()]))
    if len(values) <= _MOST_VALUES:
        share = np.array([[np.mean(column == value) for value in values] for column in (response, *draws.T)])
        low, high = share[1:].min(axis=0), share[1:].max(axis=0)
        simulated = panel.vlines(values, low, high, color=QUIET, linewidth=5, alpha=0.6)
        (seen,) = panel.plot(values, share[0], "o", color=MARK, markersize=5)
        panel.set(ylabel="Share of rows", ylim=(0.0, None))
    else:
        edges = np.linspace(*np.quantile(values, [0.001, 0.999]), min(_BINS, int(_RICE * np.cbrt(len(response)))) + 2)
        middle = 0.5 * (edges[:-1] + edges[1:])
        heights = [np.histogram(column, edges)[0] / (len(column) * np.diff(edges)) for column in (*draws.T, response)]
        for height in heights[:-1]:
            (simulated,) = panel.plot(middle, height, color=QUIET, linewidth=0.7, alpha=0.6)
        (seen,) = panel.plot(middle, heights[-1], color=MARK, linewidth=1.8)
        panel.set(ylabel="Density", ylim=(0.0, None))
    panel.set_xlabel(wrapped(words, _LABEL))
    key(panel, {"data": seen, "simulated": simulated}, panel)
