"""Partial effects: the population mean along a predictor, the others averaged over, with bands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedsparse.ground.errors import OptionError
from mixedsparse.inference.emmeans import emmeans
from mixedsparse.inference.grid import Predictor, check_known, predictors
from mixedsparse.plotting.axes import alone, panels

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted
    from mixedsparse.inference.response_scale import ResponseScale

__all__ = ["effects"]

# Points along a covariate; quantiles of one that tells lines apart (``by``).
_POINTS = 61
_QUANTILES = (0.1, 0.5, 0.9)
# Shift of the lines of a factor against each other, in steps between its levels.
_DODGE = 0.08
# Inches of a panel, without and with a legend.
_SIZE, _WIDE = (3.4, 2.8), (4.8, 3.6)


def effects(
    fitted: Fitted,
    terms: str | Iterable[str] | None,
    by: str | None,
    at: Mapping[str, Any] | None,
    level: float,
    ddf: str,
    ax: Any,
    scale: ResponseScale | None = None,
) -> Any:
    """See `Plots.effects`; `scale` is that of the response of a generalized fit."""
    known = predictors(fitted)
    names = [name for name in known if name != by] if terms is None else [terms] if isinstance(terms, str) else [*terms]
    check_known([*names, *([] if by is None else [by])], known, "effects")
    if not names:
        raise OptionError("The fixed part has no predictors besides the intercept: there is no effect to draw.")
    if by in names:
        raise OptionError(f"by={by!r} tells lines apart, so it cannot be on the axis too: drop it from the terms.")
    held = dict(at or {})
    if by is not None and by not in held and not known[by].is_factor:
        held[by] = np.unique(np.quantile(np.asarray(known[by].values, dtype=float), _QUANTILES))
    axes = panels(ax, names, _SIZE if by is None else _WIDE, sharey=True)
    for panel, name in zip(axes, names, strict=True):
        grid = held if known[name].is_factor or name in held else {**held, name: _range(known[name])}
        table = emmeans(fitted, [name], by, at=grid or None, ddf=ddf, level=level, scale=scale).table
        table = table if scale is None else table.rename(columns={scale.mean: "emmean"})
        _draw(panel, table, known[name], by)
        panel.set_xlabel(name)
        panel.set_title("")
    on_link = scale is None and not fitted.has_residual
    axes[0].set_ylabel("Linear predictor" if on_link else fitted.design.response)
    if by is not None:
        axes[-1].legend(title=by, fontsize="small")
    return alone(axes)


def _range(predictor: Predictor) -> np.ndarray:
    return np.linspace(*predictor.span, _POINTS)


def _draw(panel: Any, table: pd.DataFrame, predictor: Predictor, by: str | None) -> None:
    """One panel: a line with its band, or points with bars, for each value of `by`."""
    parts = [(None, table)] if by is None else list(table.groupby(by, sort=False, observed=True))
    for number, (value, part) in enumerate(parts):
        label = f"{value:.4g}" if isinstance(value, float) else value
        if not predictor.is_factor:
            x = part[predictor.name].to_numpy(dtype=float)
            panel.plot(x, part["emmean"], color=f"C{number % 10}", label=label)
            panel.fill_between(x, part["lower"], part["upper"], color=f"C{number % 10}", alpha=0.2, linewidth=0)
            continue
        x = np.arange(len(part)) + _DODGE * (number - 0.5 * (len(parts) - 1))
        middle = part["emmean"].to_numpy()
        bars = np.abs(part[["lower", "upper"]].to_numpy().T - middle)
        panel.errorbar(x, middle, bars, fmt="o-" if by else "o", color=f"C{number % 10}", capsize=3, label=label)
        panel.set_xticks(np.arange(len(part)), [str(level) for level in part[predictor.name]])
        panel.set_xlim(-0.5, len(part) - 0.5)
