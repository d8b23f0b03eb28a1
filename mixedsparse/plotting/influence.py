"""Cook's distances: the rows, or the levels, that move the estimates most are named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mixedsparse.ground.errors import DataError
from mixedsparse.plotting.axes import one
from mixedsparse.plotting.looks import LINE, MARK, QUIET, key
from mixedsparse.plotting.words import MOST_LABELS, clean, name_rows, rows_of, wrapped

__all__ = ["draw_distances"]

# Distances that are named, where not every one is; inches of the plot and of a frame around rows.
_NAMED = 5
_WIDTH, _HEIGHT, _FRAME, _LOW = 5.5, 4.0, 0.9, 2.5
_LABEL = 40
# Distance between names, in shares of the axes; characters of a name beside a point.
_AWAY = (0.2, 0.07)
_NAME = 20


def draw_distances(distances: pd.Series, group: str | None, ax: Any) -> Any:
    """Draw Cook's distances of rows in their order, or of the levels of `group` by size, and the limit 4 / n."""
    known = distances.dropna()
    if not len(known):
        raise DataError("No Cook's distance is known: there are no estimates without any one of these.")
    limit = 4.0 / len(distances)
    if group is not None and len(known) <= MOST_LABELS:
        return _levels(known.sort_values(kind="stable"), group, limit, ax)
    panel = one(ax, (_WIDTH, _HEIGHT))
    place = np.flatnonzero(distances.notna().to_numpy())
    values = known.to_numpy()
    panel.vlines(place, 0.0, values, color=MARK, linewidth=0.8, alpha=0.7)
    panel.plot(place, values, "o", color=MARK, markersize=2)
    line = panel.axhline(limit, color=LINE, linewidth=1, linestyle="--")
    top = max(float(values.max()), limit)
    for i in _apart(place / len(distances), values / top if top > 0 else values):
        if values[i] > limit:
            _name(panel, place[i], values[i], known.index[i], len(distances))
    panel.set(ylim=(0.0, 1.12 * top if top > 0 else 1.0), ylabel="Cook's distance")
    panel.set_xlabel("Row" if group is None else wrapped(f"{group} ({len(distances)} levels)", _LABEL))
    key(panel, {"4 / n": line}, ax)
    return panel


def _apart(x: np.ndarray, y: np.ndarray) -> list[int]:
    """Positions of the largest `y`, those left out whose names would lie on each other; both in shares of the axes."""
    chosen: list[int] = []
    for i in np.argsort(-y, kind="stable")[: 2 * _NAMED]:
        if len(chosen) < _NAMED and all(abs(x[i] - x[j]) > _AWAY[0] or abs(y[i] - y[j]) > _AWAY[1] for j in chosen):
            chosen.append(int(i))
    return chosen


def _name(panel: Any, x: float, y: float, label: Any, count: int) -> None:
    """Name a point on the side where there is room."""
    side = "left" if x < 0.5 * count else "right"
    text = wrapped(label, _NAME).split("\n")[0] if len(clean(label)) <= _NAME else f"{clean(label)[:_NAME]}..."
    offset = (4 if side == "left" else -4, 2)
    panel.annotate(text, (x, y), offset, textcoords="offset points", ha=side, va="bottom", fontsize="small")


def _levels(known: pd.Series, group: str, limit: float, ax: Any) -> Any:
    texts, row, beside = rows_of(list(known.index))
    panel = one(ax, (_WIDTH + beside, max(_LOW, row * len(known) + _FRAME)))
    rows = np.arange(len(known))
    line = panel.axvline(limit, color=LINE, linewidth=1, linestyle="--")
    panel.hlines(rows, 0.0, known, color=QUIET, linewidth=0.8)
    panel.plot(known, rows, "o", color=MARK, markersize=4)
    name_rows(panel, rows, texts)
    panel.set(ylim=(-1, len(known)), xlabel="Cook's distance")
    panel.set_xlim(left=0.0)
    panel.set_ylabel(wrapped(group, _LABEL))
    key(panel, {"4 / n": line}, ax)
    return panel
