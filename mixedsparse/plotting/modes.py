"""Conditional modes of the random effects: caterpillar, normal quantiles, pairs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from mixedsparse.ground.checks import check_level
from mixedsparse.ground.errors import OptionError
from mixedsparse.inference.components import cov_re
from mixedsparse.inference.modes import mode_errors, random_effects
from mixedsparse.plotting.axes import alone, grid, leftmost, normal_order, panels
from mixedsparse.plotting.looks import LINE, MARK, QUIET, key
from mixedsparse.plotting.words import MOST_LABELS, clean, name_rows, rows_of, wrapped

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["caterpillar", "choose_effects", "choose_group", "random_pairs", "random_qq"]

_PAIR = 2.3
# Inches of a panel of rows, and of one whose rows have no labels; characters in a line of an axis.
_WIDTH, _HIGH = 3.4, 5.0
_LABEL = 36
# Deviation at which the ellipse of 95 % of a bivariate normal distribution ends, and room around it.
_TITLE = 22
_RADIUS = float(np.sqrt(-2.0 * np.log(0.05)))
_ROOM = 1.08


def choose_group(fitted: Fitted, group: str | None) -> str:
    """Return `group`, checked; the first grouping factor for None."""
    fitted.needs_optimum("A plot of random effects")
    known = list(fitted.ngroups)
    if not known:
        raise OptionError("The model has no random effects: there is nothing to draw.")
    if group is None:
        return known[0]
    if group not in known:
        raise OptionError(f"group={group!r} is not a grouping factor of the model; use one of {_quoted(known)}.")
    return group


def choose_effects(modes: pd.DataFrame, effects: str | Iterable[str] | None, least: int = 1) -> list[int]:
    """Positions of the columns of `modes` that `effects` names; all for None.

    A name that stands twice (several terms on one factor) means both columns.
    """
    names = list(modes.columns)
    wanted = names if effects is None else [effects] if isinstance(effects, str) else list(effects)
    for name in wanted:
        if name not in names:
            raise OptionError(f"effects={name!r} is not an effect of {modes.index.name!r}; use {_quoted(names)}.")
    chosen = [i for name in dict.fromkeys(wanted) for i, other in enumerate(names) if other == name]
    if len(chosen) < least:
        raise OptionError(f"{modes.index.name!r} has {len(chosen)} effects, and this plot needs at least {least}.")
    return chosen


def _quoted(names: Iterable[object]) -> str:
    return ", ".join(map(repr, names))


def _interval_style(n_levels: int) -> dict[str, Any]:
    """Lines that leave the modes in front of them visible."""
    few = n_levels <= MOST_LABELS
    return {"color": MARK, "alpha": 0.6, "linewidth": 1.2} if few else {"color": QUIET, "alpha": 0.4, "linewidth": 0.5}


# What the intervals allow for, in words for the axis.
_ERRORS = {"prediction": "prediction error", "conditional": "given the coefficients"}


def _interval_text(level: float, errors: str) -> str:
    return f"{100 * level:g} % interval, {_ERRORS[errors]}"


def caterpillar(
    fitted: Fitted,
    group: str | None,
    effects: str | Iterable[str] | None,
    level: float,
    sort: str | None,
    errors: str,
    ax: Any,
) -> Any:
    """See `Plots.caterpillar`."""
    check_level(level)
    group = choose_group(fitted, group)
    modes, deviations = random_effects(fitted)[group], mode_errors(fitted, errors)[group]
    chosen = choose_effects(modes, effects)
    order = np.arange(len(modes))[::-1]
    if sort is not None:
        by = chosen[0] if sort == "first" else choose_effects(modes, sort)[0]
        order = np.argsort(modes.iloc[:, by].to_numpy(), kind="stable")
    half = float(ndtri(0.5 + 0.5 * level)) * deviations[order]
    rows = np.arange(len(modes))
    texts, row, beside = rows_of([modes.index[i] for i in order])
    labelled = bool(texts)
    height = max(2.5, row * len(modes) + 0.8) if labelled else _HIGH
    axes = panels(ax, [str(modes.columns[j]) for j in chosen], (_WIDTH + beside / len(chosen), height), sharey=True)
    for panel, j in zip(axes, chosen, strict=True):
        values = modes.iloc[order, j].to_numpy()
        panel.axvline(0.0, color=QUIET, linewidth=0.8)
        panel.hlines(rows, values - half[:, j], values + half[:, j], **_interval_style(len(modes)))
        panel.plot(values, rows, "o", color=MARK, markersize=4 if labelled else 1.5)
        panel.set_ylim(-1, len(modes))
        name_rows(panel, rows, texts)
    for panel in leftmost(axes):
        panel.set_ylabel(wrapped(group if labelled else f"{group} ({len(modes)} levels)", _LABEL))
    for panel in axes:
        panel.set_xlabel(f"Mode, {_interval_text(level, errors)}", fontsize="small")
    return alone(axes)


def random_qq(
    fitted: Fitted, group: str | None, effects: str | Iterable[str] | None, level: float, errors: str, ax: Any
) -> Any:
    """See `Plots.random_qq`."""
    check_level(level)
    group = choose_group(fitted, group)
    modes, deviations = random_effects(fitted)[group], mode_errors(fitted, errors)[group]
    chosen = choose_effects(modes, effects)
    z = float(ndtri(0.5 + 0.5 * level))
    axes = panels(ax, [f"{modes.columns[j]} | {group}" for j in chosen])
    for panel, j in zip(axes, chosen, strict=True):
        order = np.argsort(modes.iloc[:, j].to_numpy(), kind="stable")
        position, quantiles, _, _ = normal_order(len(modes), level)
        values, half = modes.iloc[order[position], j].to_numpy(), z * deviations[order[position], j]
        panel.axhline(0.0, color=QUIET, linewidth=0.8)
        panel.vlines(quantiles, values - half, values + half, **_interval_style(len(modes)))
        panel.plot(quantiles, values, "o", color=MARK, markersize=3)
        line = panel.axline((0.0, values.mean()), slope=values.std(), color=LINE, linewidth=1)
        panel.set_xlabel("Normal quantile")
    for panel in leftmost(axes):
        panel.set_ylabel(f"Mode, {_interval_text(level, errors)}", fontsize="small")
    key(axes[-1], {"mean and SD of the modes": line}, ax)
    return alone(axes)


def random_pairs(fitted: Fitted, group: str | None, effects: str | Iterable[str] | None, ax: Any) -> Any:
    """See `Plots.random_pairs`."""
    group = choose_group(fitted, group)
    modes = random_effects(fitted)[group]
    chosen = choose_effects(modes, effects, least=2)
    cov = cov_re(fitted)[group].to_numpy()
    reach = _ROOM * np.maximum(np.abs(modes.to_numpy()).max(axis=0), _RADIUS * np.sqrt(np.diagonal(cov)))
    reach = np.where(reach > 0, reach, 1.0)
    axes = grid(ax, len(chosen), len(chosen), (_PAIR, _PAIR))
    for row, i in enumerate(chosen):
        for column, j in enumerate(chosen):
            panel = axes[row, column]
            panel.set_xlim(-reach[j], reach[j])
            if row == column:
                _histogram(panel, modes.iloc[:, i].to_numpy(), float(np.sqrt(cov[i, i])))
                panel.set_title(wrapped(modes.columns[i], _TITLE), fontsize="medium")
            elif row > column:
                panel.set_ylim(-reach[i], reach[i])
                panel.plot(modes.iloc[:, j], modes.iloc[:, i], "o", color=MARK, markersize=4, alpha=0.8)
                _ellipse(panel, cov[np.ix_([j, i], [j, i])])
            else:
                _correlation(panel, cov[i, j], np.sqrt(cov[i, i] * cov[j, j]))
            outer = row == len(chosen) - 1, column == 0 and row > 0
            panel.tick_params(labelsize="small", labelbottom=outer[0], labelleft=outer[1])
    axes[0, 0].figure.supxlabel(f"Conditional modes of {clean(group)}", fontsize="medium")
    return axes


def _histogram(panel: Any, values: np.ndarray, sd: float) -> None:
    """Histogram of the modes under the density that was fitted."""
    panel.hist(values, bins="auto", density=True, color=QUIET, alpha=0.4, edgecolor=QUIET, linewidth=0.5)
    if sd > 0:
        x = np.linspace(-3.0, 3.0, 121)
        panel.plot(sd * x, np.exp(-0.5 * x**2) / (sd * np.sqrt(2.0 * np.pi)), color=LINE, linewidth=1)
    panel.set_yticks([])


def _ellipse(panel: Any, cov: np.ndarray) -> None:
    """Ellipse that holds 95 % of the bivariate normal distribution that was fitted."""
    values, vectors = np.linalg.eigh(cov)
    angle = np.linspace(0.0, 2.0 * np.pi, 181)
    circle = np.sqrt(np.clip(values, 0.0, None))[:, None] * np.array([np.cos(angle), np.sin(angle)])
    panel.plot(*(_RADIUS * vectors @ circle), color=LINE, linewidth=1)


def _correlation(panel: Any, covariance: float, product: float) -> None:
    panel.set_axis_off()
    text = f"{covariance / product:.2f}" if product > 0 else "n/a"
    panel.text(0.5, 0.5, text, ha="center", va="center", transform=panel.transAxes)
