"""Estimates with limits, a row for each: coefficients, marginal means, contrasts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedsparse.ground.checks import check_level
from mixedsparse.ground.errors import OptionError
from mixedsparse.inference.adjust import t_quantile
from mixedsparse.inference.contrast import contrast_tests
from mixedsparse.plotting.axes import alone, corner, panels
from mixedsparse.plotting.looks import LINE, MARK, QUIET, key
from mixedsparse.plotting.words import MOST_LABELS, name_rows, rows_of, wrapped

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["Rows", "coefficients", "draw_rows"]

# Inches of a panel, and of one whose rows have no labels; what a panel needs beside its rows.
_WIDTH, _HIGH, _FRAME = 4.2, 5.0, 0.9
_ROW, _LOW = 0.26, 1.6
_LABEL = 44
# Ticks of an axis of ratios.
_TICKS = 5


@dataclass(frozen=True)
class Rows:
    """Estimates of one panel, the first on top; limits that are not known are NaN."""

    title: str
    labels: Sequence[str]
    estimate: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    # Ends of arrows to the left and to the right, if any.
    left: np.ndarray | None = None
    right: np.ndarray | None = None


def coefficients(
    fitted: Fitted,
    which: Any,
    labels: Mapping[str, str] | None,
    intercept: bool,
    level: float,
    ddf: str,
    exp: bool,
    values: bool,
    ax: Any,
) -> Any:
    """See `Plots.coefficients`."""
    check_level(level)
    fitted.needs_optimum("A plot of coefficients")
    chosen = _chosen(list(fitted.x_names), which, intercept)
    tests = contrast_tests(fitted, np.eye(len(fitted.fit.beta))[chosen], ddf)
    half = tests.se * t_quantile(np.asarray(tests.df), level)
    limits = np.array([tests.estimate, tests.estimate - half, tests.estimate + half])
    limits = np.exp(limits) if exp else limits
    shown = [(labels or {}).get(fitted.x_names[j], fitted.x_names[j]) for j in chosen]
    along = f"{'exp(estimate)' if exp else 'Estimate'}, {100 * level:g} % interval"
    axes = draw_rows([Rows("", shown, *limits)], along, 1.0 if exp else 0.0, ax)
    if exp:
        _ratios(axes[0])
    if values:
        _write(axes[0], limits.T)
    return alone(axes)


def _chosen(names: list[str], which: Any, intercept: bool) -> list[int]:
    """Positions of the coefficients to show."""
    if which is None:
        chosen = [j for j, name in enumerate(names) if intercept or name != "Intercept"]
        if not chosen:
            raise OptionError("The model has no coefficient but the intercept: write intercept=True to show it.")
        return chosen
    wanted = [which] if isinstance(which, str) else list(which)
    if unknown := [name for name in wanted if name not in names]:
        raise OptionError(f"which={unknown[0]!r} is no coefficient; the model has {', '.join(map(repr, names))}.")
    return [names.index(name) for name in wanted]


def draw_rows(families: Sequence[Rows], along: str, reference: float | None, ax: Any, told: str = "") -> np.ndarray:
    """Draw a panel for each family, all on the same axis.

    `reference` is where nothing is going on; `told` what arrows say.
    """
    from matplotlib.lines import Line2D

    texts = [rows_of(family.labels) for family in families]
    heights = [max(_ROW, row) * len(names) if names else _HIGH for names, row, _ in texts]
    size = (_WIDTH + max(width for _, _, width in texts), max(_LOW, max(heights) + _FRAME))
    axes = panels(ax, [family.title for family in families], size, sharex=True)
    for panel, family, (names, _, _) in zip(axes, families, texts, strict=True):
        rows = np.arange(len(family.labels))[::-1]
        if reference is not None:
            panel.axvline(reference, color=QUIET, linewidth=0.8)
        if family.left is not None:
            _arrows(panel, family, rows)
        style = {"color": MARK, "linewidth": 1.4, "alpha": 0.7}
        if family.left is not None:
            style |= {"linewidth": 7.0, "alpha": 0.3}
        panel.hlines(rows, family.lower, family.upper, **style)
        panel.plot(family.estimate, rows, "o", color=MARK, markersize=5 if names else 2)
        panel.set_ylim(-0.7, len(rows) - 0.3)
        name_rows(panel, rows, names)
        if not names:
            panel.set_ylabel(f"{len(rows)} rows")
        panel.set_xlabel(wrapped(along, _LABEL))
        panel.tick_params(axis="x", labelbottom=True)
    if any(family.left is not None for family in families):
        key(corner(axes), {told: Line2D([], [], color=LINE, marker=">", markersize=4)}, ax)
    return axes


def _arrows(panel: Any, family: Rows, rows: np.ndarray) -> None:
    """Arrows from the estimates."""
    style = {"arrowstyle": "->", "color": LINE, "linewidth": 1.4, "shrinkA": 0.0, "shrinkB": 0.0}
    for ends in (family.left, family.right):
        assert ends is not None
        seen = np.isfinite(ends) & (ends != family.estimate)
        for row, start, end in zip(rows[seen], family.estimate[seen], ends[seen], strict=True):
            panel.annotate("", (end, row), (start, row), arrowprops=style)
        # Annotations do not widen the axis.
        panel.update_datalim(np.column_stack([ends[seen], rows[seen]]))


def _ratios(panel: Any) -> None:
    """Logarithmic axis with plain numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    panel.set_xscale("log")
    panel.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=_TICKS))
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panel.xaxis.set_minor_formatter(NullFormatter())


def _write(panel: Any, rows: np.ndarray) -> None:
    """Estimate and limits in numbers, to the right of each row."""
    if len(rows) > MOST_LABELS:
        return
    for place, (estimate, lower, upper) in zip(range(len(rows) - 1, -1, -1), rows, strict=True):
        text = f"{estimate:.3g} [{lower:.3g}, {upper:.3g}]"
        panel.text(1.02, place, text, transform=panel.get_yaxis_transform(), va="center", fontsize="small")
