"""All that one looks at to judge a fit, on one page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mixedsparse.ground.errors import MixedSparseError
from mixedsparse.plotting.axes import one, panels
from mixedsparse.plotting.looks import LINE, MARK, QUIET
from mixedsparse.plotting.words import name_rows, rows_of, wrapped

__all__ = ["Part", "draw_inflation", "draw_page"]

_SIZE = (3.8, 3.3)
# Characters in a line of a panel's heading, of what stands in place of a plot, and of a term.
_HEADING, _TEXT = 46, 44
_NAME = 20
# Inflation of variances that is moderate and that is high (performance's bounds).
_BOUNDS = (5.0, 10.0)


@dataclass(frozen=True)
class Part:
    """One panel: what it is about, what it looks like where all is well, and how it is drawn into Axes."""

    title: str
    hint: str
    draw: Callable[[Any], Any]


def draw_page(parts: Sequence[Part], ax: Any) -> np.ndarray:
    """Draw each part in a panel, or say in its place why there is nothing to draw."""
    axes = panels(ax, [""] * len(parts), _SIZE)
    for panel, part in zip(axes, parts, strict=True):
        try:
            part.draw(panel)
        except MixedSparseError as err:
            panel.clear()
            panel.set_axis_off()
            panel.text(
                0.5, 0.5, wrapped(err, _TEXT), ha="center", va="center", transform=panel.transAxes, fontsize="small"
            )
        legend = panel.get_legend()
        if legend is not None:  # the heading says what lines are for
            legend.remove()
        _head(panel, part)
    return axes


def _head(panel: Any, part: Part) -> None:
    """Title, and the hint in smaller letters below it."""
    hint = wrapped(part.hint, _HEADING)
    panel.set_title("")
    panel.set_title(part.title, loc="left", fontsize="medium", pad=6.0 + 11.0 * (hint.count("\n") + 1))
    above = {"xytext": (0.0, 4.0), "textcoords": "offset points", "xycoords": "axes fraction"}
    panel.annotate(hint, (0.0, 1.0), va="bottom", fontsize="small", color=QUIET, annotation_clip=False, **above)


def draw_inflation(table: pd.DataFrame, ax: Any) -> Any:
    """Draw the inflation of variances, for a coefficient of each term; `table` is what `vif` returns."""
    panel = one(ax)
    texts, _, _ = rows_of(list(table.index), _NAME)
    rows = np.arange(len(table))[::-1]
    values = np.square(table["inflation"].to_numpy())
    for bound, style in zip(_BOUNDS, (":", "--"), strict=True):
        panel.axvline(bound, color=LINE, linewidth=1, linestyle=style)
    panel.hlines(rows, 1.0, values, color=QUIET, linewidth=0.8)
    panel.plot(values, rows, "o", color=MARK, markersize=5)
    name_rows(panel, rows, texts)
    panel.set(xlabel="Variance inflation", ylim=(-0.7, len(table) - 0.3))
    panel.set_xlim(left=0.9)
    return panel
