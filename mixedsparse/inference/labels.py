"""Labels on arrays of a fit: rows of the data, coefficients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted
    from mixedsparse.fitted.parameters import Parameters

__all__ = ["per_coefficient", "per_row", "read_only", "residual_quantiles"]


def read_only(array: np.ndarray) -> np.ndarray:
    """View of `array` that cannot be written to."""
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view


def per_row(parameters: Parameters, values: np.ndarray, name: str) -> pd.Series:
    """Label `values` (n,) by the index of the data, dropped rows left out."""
    return pd.Series(read_only(values), index=parameters.design.index, name=name)


def per_coefficient(parameters: Parameters, values: np.ndarray, name: str) -> pd.Series:
    """Label `values` (p,) by the names of the coefficients."""
    # An object index: inferring a text type from a handful of names takes longer than everything else here.
    return pd.Series(read_only(values), index=pd.Index(parameters.x_names, dtype=object), name=name)


def residual_quantiles(fitted: Fitted) -> pd.Series:
    """Minimum, quartiles and maximum of the scaled residuals."""
    values = fitted.design.observed.quantiles(lambda: fitted.scaled_residuals)
    return pd.Series(values, index=["Min", "1Q", "Median", "3Q", "Max"], name="resid_scaled")
