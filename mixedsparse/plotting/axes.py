"""Figures and panels, clouds of points, smooth trends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import betaincinv, ndtri

from mixedsparse.ground.errors import BackendError, OptionError
from mixedsparse.plotting.looks import MARK, colour_bar
from mixedsparse.plotting.words import wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    AxesOption = Axes | np.ndarray | None

__all__ = ["alone", "cloud", "corner", "grid", "leftmost", "normal_order", "one", "panels", "smooth", "thinned"]

_SINGLE = (5.5, 4.0)
_PANEL = (3.4, 2.8)
# Panels in a row; one row holds three, since four make a square.
_COLUMNS, _ROW = 4, 3
# Characters in a line of a title.
_TITLE = 32
# Points that can be told apart on a page; more are counted in hexagons.
_MOST_POINTS = 20_000
_OPAQUE = 300
# A trend is drawn through averages of neighbours when there are more points than this.
_NEIGHBOURHOODS = 2000
_TREND_POINTS = 80
_SPAN = 2 / 3


def one(ax: Any, size: tuple[float, float] = _SINGLE) -> Any:
    """`ax`, or the Axes of a new figure of `size` in inches."""
    if ax is None:
        return _pyplot().subplots(figsize=size, layout="constrained")[1]
    if np.size(ax) != 1:
        raise OptionError(f"ax holds {np.size(ax)} Axes, but this plot has one panel: give one.")
    return np.ravel(ax)[0]


def panels(
    ax: Any, titles: Sequence[str], size: tuple[float, float] = _PANEL, most: int = _COLUMNS, **options: Any
) -> np.ndarray:
    """Axes (len(titles),) with a title each: those given, or those of a new figure with at most so many in a row.

    `options` are of `subplots`.
    """
    count = len(titles)
    if ax is None:
        rows, columns = _even(count, most)
        shape = (size[0] * columns, size[1] * rows)
        _, grid = _pyplot().subplots(rows, columns, figsize=shape, layout="constrained", squeeze=False, **options)
        ax = grid.ravel()
        for spare in ax[count:]:
            spare.remove()
        ax = ax[:count]
    found = np.ravel(np.asarray(ax, dtype=object))
    if len(found) != count:
        raise OptionError(f"ax holds {len(found)} Axes, but this plot has {count} panels: give as many, or none.")
    for panel, title in zip(found, titles, strict=True):
        panel.set_title(wrapped(title, _TITLE), fontsize="medium")
    return found


def _even(count: int, most: int) -> tuple[int, int]:
    """Rows and columns of a grid that `count` panels fill as well as they can."""
    rows = 1 if count <= _ROW else max(2, -(-count // most))
    return rows, -(-count // rows)


def leftmost(axes: np.ndarray) -> list[Any]:
    """Those of `axes` that begin a row of their figure, and the first."""
    places = [panel.get_subplotspec() for panel in axes]
    return [axes[i] for i, place in enumerate(places) if i == 0 or (place is not None and place.is_first_col())]


def corner(axes: np.ndarray) -> Any:
    """Panel at the right end of the first row, beside which there is room."""
    places = [panel.get_subplotspec() for panel in axes]
    ends = [panel for panel, place in zip(axes, places, strict=True) if place is not None and place.is_last_col()]
    return ends[0] if ends else axes[-1]


def grid(ax: Any, rows: int, columns: int, size: tuple[float, float]) -> np.ndarray:
    """Axes (rows, columns): those given, or those of a new figure with panels of `size`."""
    if ax is None:
        shape = (size[0] * columns, size[1] * rows)
        return _pyplot().subplots(rows, columns, figsize=shape, layout="constrained", squeeze=False)[1]
    found = np.asarray(ax, dtype=object)
    if found.size != rows * columns:
        raise OptionError(f"ax holds {found.size} Axes, but this plot has {rows} x {columns}: give as many.")
    return found.reshape(rows, columns)


def alone(axes: np.ndarray) -> Any:
    """Return the only one of `axes`, or all of them."""
    return axes.item() if axes.size == 1 else axes


def _pyplot() -> Any:
    try:
        from matplotlib import pyplot
    except ImportError as err:
        raise BackendError("Plots need matplotlib: install mixedsparse[plot].") from err
    return pyplot


def cloud(ax: Any, x: np.ndarray, y: np.ndarray, color: str = MARK, marker: str = "o") -> None:
    """Scatter (n,) points; hexagons shaded by the logarithm of their count where points would cover each other."""
    if len(x) > _MOST_POINTS:
        colour_bar(ax, ax.hexbin(x, y, gridsize=60, bins="log", mincnt=1, cmap="Blues", linewidths=0.1), "Rows")
        return
    alpha = float(np.clip(np.sqrt(_OPAQUE / max(len(x), 1)), 0.1, 0.8))
    style = {"color": color, "markersize": 4, "alpha": alpha, "markeredgewidth": 0}
    ax.plot(x, y, marker, rasterized=len(x) > _NEIGHBOURHOODS, **style)


def smooth(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Local linear trend of y on x: points (m,) and heights there, tricube weights on two thirds of the data.

    Source: Cleveland (1979), J. Am. Stat. Assoc. 74, 829-836, without the robust steps. Many points are averaged with
    their neighbours first. Empty if x takes fewer than four values.
    """
    if len(np.unique(x)) < 4:
        return np.empty(0), np.empty(0)
    order = np.argsort(x, kind="stable")
    parts = np.array_split(order, min(len(x), _NEIGHBOURHOODS))
    size = np.array([len(part) for part in parts], dtype=float)
    x, y = (np.array([v[part].mean() for part in parts]) for v in (x, y))
    at = np.linspace(x[0], x[-1], _TREND_POINTS)
    distance = np.abs(x - at[:, None])
    reach = np.partition(distance, int(_SPAN * len(x)) - 1, axis=1)[:, [int(_SPAN * len(x)) - 1]]
    weight = size * np.clip(1.0 - (distance / (1.0001 * reach)) ** 3, 0.0, None) ** 3
    weight /= weight.sum(axis=1, keepdims=True)
    x_mean, y_mean = weight @ x, weight @ y
    spread = (weight * (x - x_mean[:, None]) ** 2).sum(axis=1)
    covariance = (weight * (x - x_mean[:, None]) * (y - y_mean[:, None])).sum(axis=1)
    slope = np.divide(covariance, spread, out=np.zeros_like(spread), where=spread > 0)
    return at, y_mean + slope * (at - x_mean)


def normal_order(n: int, level: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Positions (m,) among n ordered normal draws, their quantiles, and limits that hold each with probability `level`.

    The i-th of n ordered uniform draws is Beta(i, n + 1 - i). At most about 2000 positions, the tails complete.
    """
    i = thinned(n) + 1
    tail = 0.5 * (1.0 - level)
    lower, upper = (ndtri(betaincinv(i, n + 1 - i, p)) for p in (tail, 1.0 - tail))
    return i - 1, ndtri((i - 0.5) / n), lower, upper


def thinned(n: int) -> np.ndarray:
    """Positions among n ordered values: all of them, or about 2000, the tails complete."""
    i = np.arange(n)
    return i if n <= _NEIGHBOURHOODS else np.unique(np.r_[i[:500], np.linspace(0, n - 1, 1000).astype(int), i[-500:]])
