"""Marginal means with limits, and arrows that compare them; contrasts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedsparse.ground.errors import OptionError
from mixedsparse.inference.contrasts_of_means import by_groups
from mixedsparse.plotting.arrows import arrow_lengths
from mixedsparse.plotting.effects import scale_words
from mixedsparse.plotting.forest import Rows, draw_rows

if TYPE_CHECKING:
    from mixedsparse.inference.contrasts import Contrasts
    from mixedsparse.inference.means import MarginalMeans

__all__ = ["draw_contrasts", "draw_means"]

# Means of a family that arrows are made for.
_MOST = 60


def draw_means(means: MarginalMeans, comparisons: bool, adjust: str | None, ax: Any) -> np.ndarray:
    """See `MarginalMeans.plot`."""
    table = means.table
    estimate = table.columns[-5]
    frame = table[[name for name in means.frame.columns if name not in means.by]]
    labels = _labels(frame) if len(frame.columns) else ["overall"] * len(table)
    *ends, wrong = _arrow_ends(means, adjust) if comparisons else (None,)
    families = []
    for rows in by_groups(means.frame, means.by):
        limits = table[[estimate, "lower", "upper"]].to_numpy(dtype=float)[rows].T
        arrows = [end[rows] for end in ends]
        families.append(Rows(_title(means.frame, means.by, rows), [labels[i] for i in rows], *limits, *arrows))
    what = "Slope" if means.estimand == "trend" else scale_words(means.fitted, means.scale)
    told = f"overlap: no difference{f', but for {wrong}' if wrong else ''}"
    return draw_rows(families, f"{what}, {100 * means.level:g} % interval", None, ax, told)


def _arrow_ends(means: MarginalMeans, adjust: str | None) -> tuple[np.ndarray, np.ndarray, str]:
    """Find the ends of the arrows, on the scale of the table, and the pairs that they mislead about.

    NaN for means that the data do not determine.
    """
    plain = replace(means, scale=None)
    middle = plain.table[means.estimand].to_numpy(dtype=float)
    left, right = np.full(len(middle), np.nan), np.full(len(middle), np.nan)
    wrong: list[str] = []
    pairs = plain.contrast("pairwise", adjust=adjust)  # type: ignore[arg-type]
    limits, frame = pairs.table[["lower", "upper"]].to_numpy(dtype=float), pairs.frame
    families = by_groups(means.frame, means.by)
    for rows, places in zip([r for r in families if len(r) > 1], by_groups(frame, means.by), strict=True):
        if len(rows) > _MOST:
            raise OptionError(
                f"comparisons=True draws arrows for {_MOST} means at most, and a family here has {len(rows)}: give by=."
            )
        first, second = np.triu_indices(len(rows), 1)
        half = 0.5 * (limits[places, 1] - limits[places, 0])
        known = np.isfinite(half)
        if not known.any():
            continue
        value = np.nan_to_num(middle[rows])
        lengths = arrow_lengths(value, first[known], second[known], half[known])
        left[rows], right[rows] = value - lengths[0], value + lengths[1]
        wrong += [str(name) for name in frame["contrast"].to_numpy()[places][known][lengths[2]]]
    left[np.isnan(middle)] = right[np.isnan(middle)] = np.nan
    misled = ", ".join(wrong)
    if means.scale is None:
        return left, right, misled
    table = means.scale.means(plain.table.assign(lower=left, upper=right), means.estimand)
    return table["lower"].to_numpy(dtype=float), table["upper"].to_numpy(dtype=float), misled


def draw_contrasts(contrasts: Contrasts, ax: Any) -> np.ndarray:
    """See `Contrasts.plot`."""
    table = contrasts.table
    estimate = table.columns[len(contrasts.frame.columns)]
    labels = _labels(contrasts.frame[[name for name in contrasts.frame.columns if name not in contrasts.by]])
    families = [
        Rows(
            _title(contrasts.frame, contrasts.by, rows),
            [labels[i] for i in rows],
            *table[[estimate, "lower", "upper"]].to_numpy(dtype=float)[rows].T,
        )
        for rows in by_groups(contrasts.frame, contrasts.by)
    ]
    along = f"{str(estimate).replace('_', ' ').capitalize()}, {100 * contrasts.level:g} % interval"
    return draw_rows(families, along, 0.0 if estimate == "estimate" else 1.0, ax)


def _labels(frame: pd.DataFrame) -> list[str]:
    return [", ".join(_shown(value) for value in row) for row in frame.to_numpy(dtype=object)]


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _title(frame: pd.DataFrame, by: Sequence[str], rows: np.ndarray) -> str:
    return ", ".join(f"{name}: {_shown(frame[name].iloc[rows[0]])}" for name in by)
