"""Residuals of all kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import numpy as np
import pandas as pd

from mixedsparse.diagnostics.leverage import hat_of
from mixedsparse.ground.checks import one_of
from mixedsparse.ground.choices import Residual
from mixedsparse.inference.labels import per_row

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["KINDS", "residual_values", "residuals"]

KINDS = get_args(Residual)


def residuals(fitted: Fitted, kind: str = "response") -> pd.Series:
    """Residuals of one kind; see `MixedResults.residuals`."""
    one_of("kind", kind, KINDS)
    return per_row(fitted, residual_values(fitted, kind), f"{kind}_residuals")


def residual_values(fitted: Fitted, kind: str) -> np.ndarray:
    """Residuals (n,) of one kind, which is known."""
    root = fitted.problem.root_weights
    if kind in ("response", "conditional"):
        return fitted.residuals
    if kind == "marginal":
        return fitted.marginal_residuals
    if kind == "pearson":
        return fitted.residuals * (1.0 if root is None else root)
    scaled = fitted.scaled_residuals
    if kind == "scaled":
        return scaled
    if kind == "normalized":
        return fitted.normalized_residuals
    standardized = scaled / np.sqrt(hat_of(fitted).spread)
    return standardized if kind == "standardized" else standardized / _inflation(fitted, standardized)


def _inflation(fitted: Fitted, standardized: np.ndarray) -> np.ndarray:
    """Sigma without row i over sigma, theta as it is: r^2 falls by (P_0 y)_i^2 over the diagonal of P_0.

    That is the square of the standardized residual where residuals are independent.
    """
    df = fitted.problem.degrees(fitted.reml)
    if fitted.problem.whitener is not None:
        own = hat_of(fitted)
        standardized = own.residual / np.sqrt(own.spare) / fitted.sigma
    return np.sqrt(np.maximum(df - standardized**2, 0.0) / (df - 1))
