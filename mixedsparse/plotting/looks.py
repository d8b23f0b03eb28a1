"""How things look: colours that everybody can tell apart, marks and lines that tell as much, legends beside the points.

Colours are those of Okabe & Ito (2008), Color Universal Design, without yellow, which white paper swallows, and black,
which dark styles do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mixedsparse.plotting.words import clean, wrapped

__all__ = ["LINE", "MARK", "QUIET", "colour_bar", "key", "look"]

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
_MARKERS = "os^DvPX"
# Colours: what was estimated, what stands beside it, and lines for orientation.
MARK, LINE, QUIET = _COLOURS[0], _COLOURS[1], "0.6"
# Characters in a line of a legend; share of its width that an axis keeps beside one.
_WIDTH = 26
_KEPT = 0.4
# Inches above and below a legend.
_MARGIN = 0.4


def look(number: int) -> dict[str, Any]:
    """Colour, line and marker of the group of this `number`: different ones for 210 groups, colours again after 6."""
    return {
        "color": _COLOURS[number % len(_COLOURS)],
        "linestyle": _LINES[number % len(_LINES)],
        "marker": _MARKERS[number % len(_MARKERS)],
    }


def key(panel: Any, entries: Mapping[str, Any], given: Any, title: str | None = None) -> None:
    """Legend of `entries`, label -> artist, to the right of the panel, where it covers no point.

    The figure grows by it, unless Axes were `given` for the plot.
    """
    shown = {label: artist for label, artist in entries.items() if artist is not None}
    if not shown:
        return
    # Labels are set afterwards: matplotlib would leave out those that begin with an underscore.
    legend = panel.legend(
        list(shown.values()),
        [str(number) for number in range(len(shown))],
        title=None if title is None else wrapped(title, _WIDTH),
        loc="upper left",
        bbox_to_anchor=(1.0, 1.0),
        borderaxespad=0.3,
        fontsize="small",
        title_fontsize="small",
        frameon=False,
    )
    for text, label in zip(legend.get_texts(), shown, strict=True):
        text.set_text(wrapped(label, _WIDTH))
    _make_room(panel, legend, given is None)


def _make_room(panel: Any, legend: Any, is_own: bool) -> None:
    """Widen a figure that was made for the plot; narrow a panel of another one that has no layout engine."""
    figure, size = panel.get_figure(), legend.get_window_extent()
    if is_own:
        width, height = figure.get_size_inches()
        figure.set_size_inches(width + size.width / figure.dpi, max(height, size.height / figure.dpi + _MARGIN))
        return
    if figure.get_layout_engine() is not None:
        return
    box = panel.get_position()
    width = (size.x1 - panel.get_window_extent().x1) / figure.bbox.width
    panel.set_position([box.x0, box.y0, max(box.width - width, _KEPT * box.width), box.height])


def colour_bar(panel: Any, shaded: Any, label: str) -> Any:
    """Draw the scale of the shades of `shaded` beside the panel."""
    bar = panel.get_figure().colorbar(shaded, ax=panel, pad=0.02)
    bar.set_label(clean(label), fontsize="small")
    bar.ax.tick_params(labelsize="small")
    return bar
