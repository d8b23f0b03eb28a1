"""Responses behind the means of a plot of effects: each row at its own value, among those of its group and panel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mixedsparse.inference.grid import Predictor
from mixedsparse.plotting.axes import cloud
from mixedsparse.plotting.looks import QUIET, look

__all__ = ["Observed"]

# Points of a level are moved to the left and right by at most this, in steps between levels.
_JITTER = 0.2
# Parts of the span of a covariate, of as many rows each, within which the outcomes of a unit are counted together.
_PARTS = 10


@dataclass(frozen=True)
class Observed:
    """The rows that belong to one panel.

    Attributes
    ----------
    known : dict
        Predictors of the rows by name.
    response : ndarray, shape (n,)
        On the scale of the axis.
    inside : dict
        Predictor that tells panels apart -> its value in this one; empty without.
    facets : sequence
        All values that it has panels for.
    units : ndarray of int, shape (n,), optional
        Unit of each row, where responses are 0 and 1, which lie on two lines: its proportions are drawn instead.
    """

    known: Mapping[str, Predictor]
    response: np.ndarray
    inside: Mapping[str, Any]
    facets: Sequence[Any]
    units: np.ndarray | None = None

    def codes(self, name: str, values: Sequence[Any]) -> np.ndarray:
        """Position (n,) of each row among `values`: its level, -1 without; the nearest one of a covariate."""
        predictor = self.known[name]
        if predictor.is_factor:
            return pd.Index([str(value) for value in values]).get_indexer([str(value) for value in predictor.values])
        own = np.asarray(predictor.values, dtype=float)
        return np.abs(own[:, None] - np.asarray(values, dtype=float)).argmin(axis=1)

    def draw(
        self, panel: Any, predictor: Predictor, levels: Sequence[Any], by: str | None, values: Sequence[Any]
    ) -> None:
        """Draw them along the predictor, a factor at its `levels`, in the colours of the groups `values` of `by`."""
        there = np.ones(len(self.response), dtype=bool)
        for name, value in self.inside.items():
            there &= self.codes(name, self.facets) == list(self.facets).index(value)
        x = self.codes(predictor.name, levels) if predictor.is_factor else np.asarray(predictor.values, dtype=float)
        if predictor.is_factor:
            there &= x >= 0
        groups = np.zeros(len(x), dtype=int) if by is None else self.codes(by, values)
        rows = pd.DataFrame({"x": x, "y": self.response, "group": groups})[there]
        if self.units is not None and len(rows):
            rows = _proportions(rows, self.units[there], predictor.is_factor)
        shift = np.random.default_rng(0).uniform(-_JITTER, _JITTER, size=len(rows)) if predictor.is_factor else 0.0
        rows = rows.assign(x=rows["x"] + shift)
        for number in range(len(values)):
            own, style = rows[rows["group"] == number], look(number)
            colour = (QUIET,) if by is None else (style["color"], style["marker"])
            cloud(panel, own["x"].to_numpy(), own["y"].to_numpy(), *colour)


def _proportions(rows: pd.DataFrame, units: np.ndarray, by_level: bool) -> pd.DataFrame:
    """Mean outcome of each unit and group at each level, or within each part of the span of a covariate."""
    x = rows["x"].to_numpy()
    part = x if by_level else np.searchsorted(np.quantile(x, np.arange(1, _PARTS) / _PARTS), x)
    return rows.groupby([units, "group", part]).mean().reset_index("group")
