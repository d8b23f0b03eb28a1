"""Shrinkage: conditional modes against least squares within each level."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedsparse.ground.errors import OptionError
from mixedsparse.inference.labels import per_coefficient
from mixedsparse.inference.modes import random_effects
from mixedsparse.plotting.axes import alone, one, panels
from mixedsparse.plotting.looks import LINE, MARK, QUIET, key
from mixedsparse.plotting.modes import choose_effects, choose_group
from mixedsparse.plotting.words import name_rows, rows_of, wrapped

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["shrinkage", "within_estimates"]

# Inches of a panel of rows; characters in a line of an axis.
_WIDTH, _HIGH = 5.0, 5.0
_LABEL = 40
# Singular values below this share of the largest mean that a level does not determine all of its effects.
_RANK = 1e-8


def within_estimates(fitted: Fitted, group: str) -> pd.DataFrame:
    """Least-squares estimates of the effects of each level of `group`, all other parts of the model taken as fitted.

    Minimises sum w (y - X beta - other random effects - z b)^2 over the rows of the level: what b would be without a
    distribution. NaN for levels whose rows do not determine all of their effects.

    Returns
    -------
    DataFrame (levels, effects), as ``results.random_effects[group]``
    """
    problem, own = fitted.problem, fitted.terms_of[group]
    terms = [problem.terms[t] for t in own]
    if not terms[0].is_plain:
        raise OptionError(
            f"Levels of {group!r} have no estimates of their own, since rows belong to several or levels are related: "
            "plot.caterpillar() shows their modes."
        )
    codes, n_levels = terms[0].codes, terms[0].n_levels
    z = np.hstack([term.z for term in terms])
    target = fitted.residuals + sum(
        np.einsum("ij,ij->i", term.z, fitted.fit.modes[t][term.codes]) for t, term in zip(own, terms, strict=True)
    )
    if problem.root_weights is not None:
        z, target = z * problem.root_weights[:, None], target * problem.root_weights
    size = np.sqrt(np.square(z).mean(axis=0))
    z = z / np.where(size > 0, size, 1.0)
    products = z[:, :, None] * np.column_stack([z, target])[:, None, :]
    sums = np.empty((n_levels, *products.shape[1:]))
    for i, j in np.ndindex(products.shape[1:]):
        sums[:, i, j] = np.bincount(codes, weights=products[:, i, j], minlength=n_levels)
    gram, right = sums[:, :, :-1], sums[:, :, -1]
    values = np.linalg.eigvalsh(gram)
    determined = values[:, 0] > _RANK * values[:, -1]
    estimates = np.full(right.shape, np.nan)
    estimates[determined] = np.linalg.solve(gram[determined], right[determined][:, :, None])[:, :, 0]
    modes = random_effects(fitted)[group]
    return pd.DataFrame(estimates / np.where(size > 0, size, 1.0), index=modes.index, columns=modes.columns)


def shrinkage(
    fitted: Any,
    group: str | None,
    effects: str | Iterable[str] | None,
    ax: Any,
    estimates: Callable[[Any, str], pd.DataFrame] = within_estimates,
) -> Any:
    """See `Plots.shrinkage`; `estimates` gives those of each level alone."""
    group = choose_group(fitted, group)
    modes = random_effects(fitted)[group]
    within = estimates(fitted, group)
    chosen = choose_effects(modes, effects)
    params = per_coefficient(fitted, fitted.fit.beta, "params")
    centre = params.reindex(modes.columns).fillna(0.0).to_numpy()
    names = [str(name) if name in params else f"{name} (deviation)" for name in modes.columns]
    before, after = within.to_numpy() + centre, modes.to_numpy() + centre
    if len(chosen) == 1:
        j = chosen[0]
        return _ladder(group, modes.index, names[j], before[:, j], after[:, j], centre[j], ax)
    pairs = list(combinations(chosen, 2))
    axes = panels(ax, [""] * len(pairs), (4.2, 3.8))
    for panel, (i, j) in zip(axes, pairs, strict=True):
        entries = _arrows(panel, before[:, [i, j]], after[:, [i, j]], centre[[i, j]])
        panel.set(xlabel=wrapped(names[i], _LABEL), ylabel=wrapped(names[j], _LABEL))
    axes[0].set_title(wrapped(group, _LABEL), fontsize="medium")
    key(axes[-1], entries, ax)
    return alone(axes)


def _arrows(panel: Any, before: np.ndarray, after: np.ndarray, centre: np.ndarray) -> dict[str, Any]:
    """Arrows (levels, 2) from the estimates of the levels alone to the modes; what the legend has to say."""
    for start, stop in zip(before, after, strict=True):
        if np.isfinite(start).all():
            panel.annotate("", stop, start, arrowprops={"arrowstyle": "->", "color": QUIET, "linewidth": 0.8})
    (alone,) = panel.plot(*before.T, "s", color=QUIET, markersize=4)
    (shrunken,) = panel.plot(*after.T, "o", color=MARK, markersize=4)
    (middle,) = panel.plot(*centre, "+", color=LINE, markersize=12, markeredgewidth=2)
    return {"within group": alone, "mixed model": shrunken, "population": middle}


def _ladder(
    group: str, levels: pd.Index, effect: str, before: np.ndarray, after: np.ndarray, centre: float, ax: Any
) -> Any:
    """One effect: a row per level, by increasing mode."""
    order = np.argsort(after, kind="stable")
    rows = np.arange(len(after))
    texts, row, beside = rows_of([levels[i] for i in order])
    labelled = bool(texts)
    panel = one(ax, (_WIDTH + beside, max(2.5, row * len(after) + 1.0) if labelled else _HIGH))
    middle = panel.axvline(centre, color=LINE, linewidth=1)
    panel.hlines(rows, before[order], after[order], color=QUIET, linewidth=0.8)
    size = 4 if labelled else 1.5
    (alone,) = panel.plot(before[order], rows, "s", color=QUIET, markersize=size)
    (shrunken,) = panel.plot(after[order], rows, "o", color=MARK, markersize=size)
    name_rows(panel, rows, texts)
    panel.set(xlabel=wrapped(effect, _LABEL), ylim=(-1, len(after)))
    panel.set_ylabel(wrapped(group if labelled else f"{group} ({len(after)} levels)", _LABEL))
    key(panel, {"population": middle, "within group": alone, "mixed model": shrunken}, ax)
    return panel
