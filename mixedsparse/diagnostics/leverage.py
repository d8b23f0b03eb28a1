"""Leverage of single rows, and Cook's distance from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mixedsparse.core.deletion.correlated import correlated_hat
from mixedsparse.core.deletion.leverage import Hat, hat
from mixedsparse.inference.labels import per_row

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["cooks_distance", "hat_of", "leverage"]


def hat_of(fitted: Fitted) -> Hat:
    """Diagonal of the hat matrix and what comes with it, made once and kept."""
    fitted.needs("factor", "Leverage, and what rests on it,", "residuals('scaled') is there")
    fitted.needs("rows", "Leverage, and what rests on it,")
    make = hat if fitted.problem.whitener is None else correlated_hat
    return fitted.once("hat", lambda own: make(own.model.engine(), own.fit.search.pls))


def leverage(fitted: Fitted) -> pd.Series:
    """Diagonal of the hat matrix; see `MixedResults.leverage`."""
    return per_row(fitted, hat_of(fitted).diagonal, "leverage")


def cooks_distance(fitted: Fitted) -> pd.Series:
    """Cook's distance of each row from its leverage; see `MixedResults.cooks_distance`."""
    if fitted.problem.whitener is not None:
        fitted.needs_plain(
            "Cook's distance from leverages", "influence().cooks_distance has the change of the estimates itself."
        )
    own, p = hat_of(fitted), fitted.problem.p
    size = (own.residual / own.spare) ** 2 * own.diagonal
    return per_row(fitted, size / (fitted.sigma2 * p) if p else np.full(len(size), np.nan), "cooks_distance")
