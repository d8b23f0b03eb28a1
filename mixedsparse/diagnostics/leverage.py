"""Leverage of single rows, and Cook's distance from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mixedsparse.core.leverage import Hat, hat

if TYPE_CHECKING:
    from mixedsparse.results import MixedResults

__all__ = ["cooks_distance", "hat_of", "leverage", "spare"]

# 1 - h below this is rounding: the fit reproduces the row whatever its response.
_NEEDED = 1e-10


def hat_of(results: MixedResults) -> Hat:
    """Leverages and their ingredients, computed once per results."""
    return results._hat


def make_hat(results: MixedResults) -> Hat:
    """Compute them."""
    return hat(results.model.engine(), results.fit.search.pls)


def leverage(results: MixedResults) -> pd.Series:
    """Diagonal of the hat matrix; see `MixedResults.leverage`."""
    return results._per_row(hat_of(results).diagonal, "leverage")


def spare(results: MixedResults) -> np.ndarray:
    """1 - h (n,), NaN where a row has leverage 1."""
    left = 1.0 - hat_of(results).diagonal
    return np.where(left > _NEEDED, left, np.nan)


def cooks_distance(results: MixedResults) -> pd.Series:
    """Cook's distance of each row from its leverage; see `MixedResults.cooks_distance`."""
    own = hat_of(results)
    p = results.model.problem.p
    size = (own.residual / spare(results)) ** 2 * own.diagonal
    values = size / (results.scale * p) if p else np.full(len(size), np.nan)
    return results._per_row(values, "cooks_distance")
