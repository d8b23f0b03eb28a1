"""Residual variances of rows by the residual covariance of a fit, and how they move with its parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixedsparse.data.formula.frames import Table
from mixedsparse.data.formula.new_residuals import NewResiduals, new_residuals

if TYPE_CHECKING:
    from mixedsparse.fitted.parameters import Parameters

__all__ = ["log_slopes", "variances_of"]

# Step of the differences of log variance, which is smooth in the parameters.
_STEP = 1e-6


def variances_of(parameters: Parameters, table: Table | None) -> np.ndarray | None:
    """Residual variances (r,) over sigma^2 of prior weight 1, of new rows or of those of the fit; None where all are 1.

    Raises
    ------
    DataError
        A row has a visit or a stratum that the fit has not seen.
    """
    phi = _phi(parameters)
    return None if phi is None else _variances(parameters, _keys(parameters, table), phi)


def log_slopes(parameters: Parameters, table: Table | None) -> np.ndarray:
    """Return the derivatives (r, size) of their logarithms in the residual parameters."""
    phi = _phi(parameters)
    if phi is None:
        return np.zeros((0, 0))
    keys = _keys(parameters, table)
    moved = []
    for i in range(len(phi)):
        step = np.zeros(len(phi))
        step[i] = _STEP * max(1.0, abs(float(phi[i])))
        high, low = (np.log(_variances(parameters, keys, phi + s)) for s in (step, -step))
        moved.append((high - low) / (2.0 * step[i]))
    return np.array(moved).T


def _phi(parameters: Parameters) -> np.ndarray | None:
    fit = getattr(parameters, "fit", None)
    found: np.ndarray | None = None if fit is None else fit.residual
    return found


def _keys(parameters: Parameters, table: Table | None) -> NewResiduals | None:
    """Read what is to be known of new rows; None for those of the fit."""
    design = parameters.design
    if table is None or design.residual is None:
        return None
    return new_residuals(design.residual, table)


def _variances(parameters: Parameters, keys: NewResiduals | None, phi: np.ndarray) -> np.ndarray:
    side = parameters.design.residual
    assert side is not None
    return side.structure.at(phi).variances() if keys is None else keys.variances(side.structure, phi)
