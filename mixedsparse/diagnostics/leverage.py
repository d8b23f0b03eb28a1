"""Leverage of single rows, and Cook's distance from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from mixedsparse.api.results import MixedResults

__all__ = ["cooks_distance", "leverage"]


def leverage(results: MixedResults) -> pd.Series:
    """Diagonal of the hat matrix; see `MixedResults.leverage`."""
    return results._per_row(results._hat.diagonal, "leverage")


def cooks_distance(results: MixedResults) -> pd.Series:
    """Cook's distance of each row from its leverage; see `MixedResults.cooks_distance`."""
    own, p = results._hat, results.model.problem.p
    size = (own.residual / own.spare) ** 2 * own.diagonal
    return results._per_row(size / (results.scale * p) if p else np.full(len(size), np.nan), "cooks_distance")
