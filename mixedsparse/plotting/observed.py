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
    """

    known: Mapping[str, Predictor]
    response: np.ndarray
    inside: Mapping[str, Any]
    facets: Sequence[Any]

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
        if predictor.is_factor:
            code = self.codes(predictor.name, levels)
            there &= code >= 0
            x = code + np.random.default_rng(0).uniform(-_JITTER, _JITTER, size=len(code))
        else:
            x = np.asarray(predictor.values, dtype=float)
        if by is None:
            cloud(panel, x[there], self.response[there], QUIET)
            return
        groups = self.codes(by, values)
        for number in range(len(values)):
            own, style = there & (groups == number), look(number)
            cloud(panel, x[own], self.response[own], style["color"], style["marker"])
