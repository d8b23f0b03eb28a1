"""Labels that fit: wrapped, turned, or left out where there are too many."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = [
    "MOST_LABELS",
    "WITHIN",
    "Ticks",
    "clean",
    "columns_of",
    "name_rows",
    "name_ticks",
    "rows_of",
    "ticks",
    "wrapped",
]

# Levels whose labels can be read on a page.
MOST_LABELS = 60
# Share of its place that an axis fills from left to right.
WITHIN = 0.85
# Width of a character and height of a line, in sizes of the font.
_CHARACTER, _LEADING = 0.56, 1.3
_POINTS = 72.0
# Characters in a line: of labels beside rows, and of turned labels. Lines of a label below an axis.
_BESIDE, _TURNED = 42, 22
_LINES = 3
# Places where a label may be broken: after blanks and after signs that join words.
_BREAKS = re.compile(r"(?<=[\s_:/,;.\-])")
# Inches: the least row, and what else a row needs beside its lines.
_ROW, _SPARE = 0.19, 0.05
_SMALL = 0.833  # matplotlib's "small"


def clean(text: Hashable) -> str:
    """`text` on one line, with no sign that matplotlib would read as mathematics."""
    return " ".join(str(text).split()).replace("$", r"\$")


def columns_of(text: str) -> int:
    """Width in characters: Chinese, Japanese and Korean ones count twice, combining ones not at all."""
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text
    )


def wrapped(text: Hashable, width: int) -> str:
    """`text` in lines of at most `width` characters, broken between words where it can be."""
    lines, line = [], ""
    for piece in _BREAKS.split(clean(text)):
        if line and columns_of((line + piece).rstrip()) > width:
            lines.append(line.rstrip())
            line = ""
        while columns_of(piece.rstrip()) > width:
            cut = _cut(piece, width)
            lines.append(piece[:cut])
            piece = piece[cut:]
        line += piece
    return "\n".join([*lines, line.rstrip()]) if line.rstrip() or not lines else "\n".join(lines)


def _cut(text: str, width: int) -> int:
    """How many signs of `text` have this width, one at least."""
    used = 0
    for place, sign in enumerate(text):
        used += columns_of(sign)
        if used > width:
            return max(place, 1)
    return len(text)


@dataclass(frozen=True)
class Ticks:
    """Labels below an axis.

    Attributes
    ----------
    texts : list of str
        Empty where there are too many.
    turned : bool
    extra : float
        Inches that they need below the axis beyond a single line.
    """

    texts: list[str]
    turned: bool = False
    extra: float = 0.0


def ticks(labels: Sequence[Hashable], width: float) -> Ticks:
    """Labels for an axis `width` inches long: as they are, wrapped, or turned, whichever comes first that fits."""
    size = _size("xtick.labelsize") / _POINTS
    if len(labels) > MOST_LABELS or len(labels) * _LEADING * size > width:
        return Ticks([])
    room = max(int(width / max(len(labels), 1) / (_CHARACTER * size)) - 1, 1)
    longest = max((columns_of(word) for label in labels for word in _BREAKS.split(clean(label))), default=0)
    texts = [wrapped(label, room) for label in labels]
    if longest <= room and max(map(_height, texts), default=1) <= _LINES:
        return Ticks(texts, False, (max(map(_height, texts), default=1) - 1) * _LEADING * size)
    room = max(int(width / len(labels) / (_LEADING * size)), 1)
    # As many lines as fit beside each other, and no more than that many.
    needed = max(-(-columns_of(clean(label)) // room) + 2 for label in labels)
    texts = [wrapped(label, max(_TURNED, needed)) for label in labels]
    return Ticks(texts, True, _longest(texts) * _CHARACTER * size)


def name_ticks(panel: Any, places: Sequence[float], labels: Sequence[Hashable]) -> None:
    """Label the x axis of `panel` at `places`; levels of thousands stay without labels."""
    found = ticks(labels, _room(panel))
    if not found.texts:
        panel.set_xticks([])
    elif found.turned:
        panel.set_xticks(places, found.texts, rotation=90, ha="center", va="top")
    else:
        panel.set_xticks(places, found.texts)


def _room(panel: Any) -> float:
    """Inches along the x axis of `panel`, those that a layout engine will make of it if there is one."""
    figure, place = panel.get_figure(), panel.get_subplotspec()
    if place is None or figure.get_layout_engine() is None:
        return float(panel.get_window_extent().width / figure.dpi)
    return float(WITHIN * figure.bbox.width / figure.dpi * len(place.colspan) / place.get_gridspec().ncols)


def rows_of(labels: Sequence[Hashable], width: int = _BESIDE) -> tuple[list[str], float, float]:
    """Labels of rows, wrapped; inches for a row, and for the longest line. No labels where there are too many."""
    if len(labels) > MOST_LABELS:
        return [], 0.0, 0.0
    size = _SMALL * _size("font.size") / _POINTS
    texts = [wrapped(label, width) for label in labels]
    height = max(map(_height, texts), default=1) * _LEADING * size + _SPARE
    return texts, max(_ROW, height), _longest(texts) * _CHARACTER * size


def name_rows(panel: Any, places: Sequence[float], texts: Sequence[str]) -> None:
    """Label the rows of `panel`, if there are `texts`."""
    panel.set_yticks(places if texts else [], list(texts))
    panel.tick_params(axis="y", labelsize="small", length=0)


def _height(text: str) -> int:
    return text.count("\n") + 1


def _longest(texts: Iterable[str]) -> int:
    return max((columns_of(line) for text in texts for line in text.split("\n")), default=0)


def _size(parameter: str) -> float:
    """Size of a font in points."""
    from matplotlib import rcParams
    from matplotlib.font_manager import FontProperties

    return float(FontProperties(size=rcParams[parameter]).get_size_in_points())
