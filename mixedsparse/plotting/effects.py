"""Partial effects: the population mean along a predictor, the others averaged over, with bands, over the data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedsparse.ground.errors import OptionError
from mixedsparse.inference.emmeans import emmeans
from mixedsparse.inference.grid import Predictor, check_known, predictors
from mixedsparse.plotting.axes import alone, corner, leftmost, panels
from mixedsparse.plotting.looks import key, look
from mixedsparse.plotting.observed import Observed
from mixedsparse.plotting.words import MOST_LABELS, WITHIN, name_ticks, ticks, wrapped

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted
    from mixedsparse.inference.response_scale import ResponseScale

__all__ = ["effects", "scale_words"]

# Points along a covariate; quantiles of one that tells lines or panels apart (``by``).
_POINTS = 61
_QUANTILES = (0.1, 0.5, 0.9)
# Shift of the groups of a factor against each other, in steps between its levels, and the share that all take at most.
_DODGE, _SPREAD = 0.12, 0.7
# Inches of a panel, without and with a legend, and of a level; characters in a line of an axis.
_SIZE, _WIDE, _LEVEL = (3.4, 2.8), (4.8, 3.6), 0.22
_LABEL = 38


def effects(
    fitted: Fitted,
    terms: str | Iterable[str] | None,
    by: str | Sequence[str] | None,
    at: Mapping[str, Any] | None,
    level: float,
    ddf: str,
    ax: Any,
    scale: ResponseScale | None = None,
    observed: np.ndarray | None = None,
    units: np.ndarray | None = None,
) -> Any:
    """See `Plots.effects`.

    `scale` is that of the response of a generalized fit, `observed` the responses (n,), `units` as of `Observed`.
    """
    fitted.needs_optimum("A plot of effects")
    known = predictors(fitted)
    by = () if by is None else (by,) if isinstance(by, str) else tuple(by)
    names = (
        [name for name in known if name not in by] if terms is None else [terms] if isinstance(terms, str) else [*terms]
    )
    check_known([*names, *by], known, "effects")
    _check(names, by)
    held = dict(at or {})
    for name in by:
        if name not in held and not known[name].is_factor:
            held[name] = np.unique(np.quantile(np.asarray(known[name].values, dtype=float), _QUANTILES))
    tables = {name: _table(fitted, known[name], by, held, level, ddf, scale) for name in names}
    facets = [None] if len(by) < 2 else list(dict.fromkeys(tables[names[0]][by[1]]))
    places = [(name, value) for name in names for value in facets]
    titles = ["" if value is None else f"{by[1]}: {_shown(value)}" for _, value in places]
    axes = panels(ax, titles, _size(tables, known, by), sharey=True)
    entries: dict[str, Any] = {}
    for panel, (name, value) in zip(axes, places, strict=True):
        inside = {} if value is None else {by[1]: value}
        view = _View(known[name], by[0] if by else None, tables[name], inside)
        if observed is not None:
            data = Observed(known, observed, inside, facets, units)
            data.draw(panel, view.predictor, view.levels, view.by, view.values)
        entries |= view.draw(panel)
        panel.set_xlabel(wrapped(_along(known[name], tables[name]), _LABEL))
    for panel in leftmost(axes):
        panel.set_ylabel(wrapped(scale_words(fitted, scale), _LABEL))
    if by:
        key(corner(axes), entries, ax, title=by[0])
    return alone(axes)


def scale_words(fitted: Fitted, scale: ResponseScale | None) -> str:
    """Say on an axis what means are means of."""
    if scale is None:
        return str(fitted.design.response) if fitted.has_residual else "Linear predictor"
    return f"Response, back from {fitted.design.response}" if fitted.has_residual else str(fitted.design.response)


def _check(names: Sequence[str], by: Sequence[str]) -> None:
    if not names:
        raise OptionError("The fixed part has no predictors besides the intercept: there is no effect to draw.")
    if len(by) > 2 or len(set(by)) < len(by):
        raise OptionError(f"by={by!r}: give one predictor for lines and colours, and a second one for panels.")
    if both := [name for name in by if name in names]:
        raise OptionError(f"by={both[0]!r} tells lines apart, so it cannot be on the axis too: drop it from the terms.")


def _table(
    fitted: Fitted,
    predictor: Predictor,
    by: Sequence[str],
    held: Mapping[str, Any],
    level: float,
    ddf: str,
    scale: ResponseScale | None,
) -> pd.DataFrame:
    """Means along a predictor in the column ``emmean``."""
    name, at = predictor.name, dict(held)
    if not predictor.is_factor and name not in at:
        at[name] = np.linspace(*predictor.span, _POINTS)
    table = emmeans(fitted, [name], list(by) or None, at=at or None, ddf=ddf, level=level, scale=scale).table
    return table if scale is None else table.rename(columns={scale.mean: "emmean"})


def _size(tables: Mapping[str, pd.DataFrame], known: Mapping[str, Predictor], by: Sequence[str]) -> tuple[float, float]:
    """Inches of a panel that labels of levels fit into."""
    width, height = _WIDE if by else _SIZE
    levels = [list(dict.fromkeys(table[name])) for name, table in tables.items() if known[name].is_factor]
    width = max([width, *(_LEVEL * len(names) for names in levels if len(names) <= MOST_LABELS)])
    return width, height + max((ticks(names, WITHIN * width).extra for names in levels), default=0.0)


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _along(predictor: Predictor, table: pd.DataFrame) -> str:
    count = table[predictor.name].nunique()
    return f"{predictor.name} ({count} levels)" if predictor.is_factor and count > MOST_LABELS else predictor.name


@dataclass(frozen=True)
class _View:
    """One panel: means along `predictor`, a group for each value of `by`, `inside` a value of the second of them."""

    predictor: Predictor
    by: str | None
    table: pd.DataFrame
    inside: Mapping[str, Any]

    @property
    def values(self) -> list[Any]:
        """Values that tell groups apart; None for a single group."""
        return [None] if self.by is None else list(dict.fromkeys(self.table[self.by]))

    @property
    def levels(self) -> list[Any]:
        """Values of the predictor."""
        return list(dict.fromkeys(self.table[self.predictor.name]))

    def draw(self, panel: Any) -> dict[str, Any]:
        """Draw a line with its band, or points with bars, for each group; what the legend has to say."""
        table, entries = self.table, {}
        for name, value in self.inside.items():
            table = table[table[name] == value]
        levels = self.levels
        step = min(_DODGE, _SPREAD / len(self.values))
        for number, value in enumerate(self.values):
            part = table if self.by is None else table[table[self.by] == value]
            if self.predictor.is_factor:
                shift = step * (number - 0.5 * (len(self.values) - 1))
                entries[_shown(value)] = self._points(panel, part, levels, shift, number)
            else:
                entries[_shown(value)] = self._line(panel, part, number)
        if self.predictor.is_factor:
            name_ticks(panel, np.arange(len(levels)), levels)
            panel.set_xlim(-0.5, len(levels) - 0.5)
        return entries

    def _line(self, panel: Any, part: pd.DataFrame, number: int) -> Any:
        x, style = part[self.predictor.name].to_numpy(dtype=float), look(number)
        marked = {} if self.by is None else {"markevery": max(len(x) // 5, 1), "markersize": 4}
        style["marker"] = style["marker"] if self.by else "none"
        (line,) = panel.plot(x, part["emmean"], **style, **marked)
        panel.fill_between(x, part["lower"], part["upper"], color=style["color"], alpha=0.2, linewidth=0)
        return line

    def _points(self, panel: Any, part: pd.DataFrame, levels: Sequence[Any], shift: float, number: int) -> Any:
        style = look(number)
        style["linestyle"] = style["linestyle"] if self.by else "none"
        middle = part["emmean"].to_numpy()
        bars = np.abs(part[["lower", "upper"]].to_numpy().T - middle)
        x = np.array([levels.index(level) for level in part[self.predictor.name]], dtype=float) + shift
        size = {"capsize": 3 if len(levels) <= MOST_LABELS else 0, "markersize": 5 if len(levels) <= MOST_LABELS else 2}
        return panel.errorbar(x, middle, bars, **style, **size)
