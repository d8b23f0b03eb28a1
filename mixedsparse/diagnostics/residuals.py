"""Residuals of all kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mixedsparse.ground.checks import one_of

if TYPE_CHECKING:
    from mixedsparse.api.results import MixedResults

__all__ = ["KINDS", "residuals"]

KINDS = ("response", "conditional", "marginal", "pearson", "scaled", "standardized", "studentized")


def residuals(results: MixedResults, kind: str = "response") -> pd.Series:
    """Residuals of one kind; see `MixedResults.residuals`."""
    one_of("kind", kind, KINDS)
    return results._per_row(_values(results, kind), f"{kind}_residuals")


def _values(results: MixedResults, kind: str) -> np.ndarray:
    design, root = results.model.design, results.model.problem.root_weights
    if kind in ("response", "conditional"):
        return results.resid.to_numpy()
    if kind == "marginal":
        mean = results._get_X() @ results.fit.beta
        return design.y - (mean if design.offset is None else mean + design.offset)
    if kind == "pearson":
        return results.resid.to_numpy() * (1.0 if root is None else root)
    scaled = results.resid_scaled.to_numpy()
    if kind == "scaled":
        return scaled
    standardized = scaled / np.sqrt(results._hat.spare)
    return standardized if kind == "standardized" else standardized / _inflation(results, standardized)


def _inflation(results: MixedResults, standardized: np.ndarray) -> np.ndarray:
    """Sigma without row i over sigma, theta as it is: r^2 falls by e_i^2 / (1 - h_i)."""
    df = results.model.problem.degrees(results.fit.reml)
    return np.sqrt(np.maximum(df - standardized**2, 0.0) / (df - 1))
