"""Residuals: against fitted values or a predictor, their size, and their quantiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedsparse.data.formula.kinds import Sort, sort_of
from mixedsparse.ground.checks import check_level, one_of
from mixedsparse.ground.choices import ResidualPlot
from mixedsparse.ground.errors import OptionError
from mixedsparse.plotting.axes import cloud, normal_order, one, smooth
from mixedsparse.plotting.looks import LINE, MARK, QUIET, key
from mixedsparse.plotting.words import MOST_LABELS, name_ticks, ticks, wrapped

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["against_column", "draw_boxes", "draw_qq", "draw_residuals", "qq", "residuals", "scale_location"]

_KINDS: dict[ResidualPlot, str] = {"scaled": "Scaled residual", "response": "Residual"}
# Inches of a plot, and of the box of a level; characters in a line of an axis.
_WIDTH, _HEIGHT, _BOX = 5.5, 4.0, 0.22
_LABEL = 40


def residuals(fitted: Fitted, against: str | None, kind: str, ax: Any) -> Any:
    """See `Plots.residuals`."""
    one_of("kind", kind, _KINDS)
    values = fitted.scaled_residuals if kind == "scaled" else fitted.residuals
    x = fitted.values if against is None else against_column(fitted, against)
    return draw_residuals(x, values, "Fitted value" if against is None else against, _KINDS[kind], ax)


def draw_residuals(x: Any, values: np.ndarray, along: str, label: str, ax: Any) -> Any:
    """Draw `values` against numbers or a Categorical `x`."""
    if isinstance(x, pd.Categorical):
        ax = _boxes(x, values, ax)
        along = along if len(x.categories) <= MOST_LABELS else f"{along} ({len(x.categories)} levels)"
    else:
        ax = one(ax)
        ax.axhline(0.0, color=QUIET, linewidth=0.8)
        cloud(ax, x, values)
        ax.plot(*smooth(x, values), color=LINE)
    ax.set(xlabel=wrapped(along, _LABEL), ylabel=label)
    return ax


def _boxes(x: pd.Categorical, values: np.ndarray, ax: Any) -> Any:
    """Draw a box for each level, wide enough for its label."""
    width = max(_WIDTH, _BOX * min(len(x.categories), MOST_LABELS))
    ax = one(ax, (width, _HEIGHT + ticks(list(x.categories), width).extra))
    ax.axhline(0.0, color=QUIET, linewidth=0.8)
    draw_boxes(ax, x, values)
    return ax


def draw_boxes(ax: Any, x: pd.Categorical, values: np.ndarray) -> None:
    """Draw a box of `values` (n,) for each level of `x`."""
    groups = [values[x.codes == code] for code in range(len(x.categories))]
    style = {"color": QUIET}
    outside = {"marker": "o", "markersize": 3, "markerfacecolor": MARK, "markeredgewidth": 0, "alpha": 0.6}
    ax.boxplot(
        groups, boxprops=style, whiskerprops=style, capprops=style, medianprops={"color": LINE}, flierprops=outside
    )
    name_ticks(ax, np.arange(1, len(groups) + 1), list(x.categories))


def against_column(fitted: Fitted, name: str) -> Any:
    """Column of the fit's data: numbers as floats, anything else as a Categorical."""
    source = fitted.design.source
    known = [] if source is None else list(source.columns)
    if name not in known:
        listed = ", ".join(map(repr, known)) or "none: the model was made from arrays"
        raise OptionError(f"against={name!r} is not a column of the fit; columns that it used: {listed}.")
    values = source.values(name)
    return np.asarray(values, dtype=float) if sort_of(values) is Sort.NUMBERS else pd.Categorical(values)


def scale_location(fitted: Fitted, ax: Any) -> Any:
    """See `Plots.scale_location`."""
    x = fitted.values
    size = np.sqrt(np.abs(fitted.scaled_residuals))
    ax = one(ax)
    cloud(ax, x, size)
    ax.plot(*smooth(x, size), color=LINE)
    ax.set(xlabel="Fitted value", ylabel="sqrt |scaled residual|")
    ax.set_ylim(bottom=0.0)
    return ax


def qq(fitted: Fitted, level: float, ax: Any) -> Any:
    """See `Plots.qq`."""
    return draw_qq(fitted.scaled_residuals, level, "Scaled residual", ax)


def draw_qq(values: np.ndarray, level: float, label: str, ax: Any) -> Any:
    """Draw `values` against normal quantiles."""
    check_level(level)
    values = np.sort(values)
    order, quantiles, lower, upper = normal_order(len(values), level)
    panel = one(ax)
    band = panel.fill_between(quantiles, lower, upper, color=QUIET, alpha=0.3, linewidth=0)
    panel.plot(quantiles[[0, -1]], quantiles[[0, -1]], color=QUIET, linewidth=0.8)
    panel.plot(quantiles, values[order], "o", color=MARK, markersize=3, markeredgewidth=0)
    panel.set(xlabel="Normal quantile", ylabel=label)
    key(panel, {f"{100 * level:g} % band": band}, ax)
    return panel
