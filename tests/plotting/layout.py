"""What must hold of every picture: texts can be read, and nothing lies over the points."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from matplotlib.text import Annotation, Text

# Pixels by which boxes of texts may touch: they are a little larger than the letters.
TOUCH = 2.0


def render(axes):
    """Draw the figure of one Axes or of an array; return the panels as a list."""
    panels = list(np.ravel(np.asarray(axes, dtype=object)))
    assert all(panel.figure is panels[0].figure for panel in panels)
    panels[0].figure.canvas.draw()
    return panels


def texts_of(figure):
    """All texts that are drawn, with their boxes in pixels."""
    found = {}
    for text in figure.findobj(Text):
        if not text.get_visible() or not text.get_text().strip():
            continue
        panel = text.axes
        if panel is not None and not panel.get_visible():
            continue
        if isinstance(text, Annotation) and text.arrowprops is not None:
            continue
        box = text.get_window_extent()
        if box.width > 0 and box.height > 0:
            found[id(text)] = (text, box)
    hidden = {id(label) for panel in figure.axes for label in _unseen(panel)}
    return [pair for key, pair in found.items() if key not in hidden]


def _unseen(panel):
    """Labels of ticks that are outside of the range shown, or of an axis that is off."""
    for axis, limits in ((panel.xaxis, panel.get_xlim()), (panel.yaxis, panel.get_ylim())):
        low, high = sorted(limits)
        slack = 1e-9 * max(abs(low), abs(high), 1e-300)
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            out = not low - slack <= tick.get_loc() <= high + slack
            for label, shown in ((tick.label1, tick.label1.get_visible()), (tick.label2, tick.label2.get_visible())):
                if out or not shown or not panel.axison:
                    yield label


def check_layout(axes):
    """Assert that no two texts overlap, all are within the figure, and no legend covers a panel."""
    panels = render(axes)
    figure = panels[0].figure
    texts = texts_of(figure)
    width, height = figure.bbox.width, figure.bbox.height
    inside = [min(b.x0, b.y0, width - b.x1, height - b.y1) >= -TOUCH for _, b in texts]
    cut = [text.get_text() for (text, _), there in zip(texts, inside, strict=True) if not there]
    assert not cut, f"beyond the figure: {cut}"
    for (one, a), (other, b) in combinations(texts, 2):
        over = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        assert min(over) <= TOUCH, f"{one.get_text()!r} and {other.get_text()!r} overlap"
    for legend in [panel.get_legend() for panel in figure.axes if panel.get_legend() is not None]:
        box = legend.get_window_extent()
        for panel in figure.axes:
            own = panel.get_window_extent()
            over = min(box.x1, own.x1) - max(box.x0, own.x0), min(box.y1, own.y1) - max(box.y0, own.y0)
            assert min(over) <= TOUCH, "a legend covers a panel"
    return panels
