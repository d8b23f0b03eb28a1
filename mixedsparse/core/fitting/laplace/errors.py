"""Covariance of the estimates: the exact Hessian of the criterion, by differences of its exact gradient."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mixedsparse.core.likelihood.laplace.criterion import Curvature, LaplaceCriterion, Point, solved
from mixedsparse.ground.errors import NotPositiveDefiniteError

__all__ = ["Covariances", "covariances", "exact_hessian", "is_flat_in_dispersion", "positive_inverse"]

# Step of the differences, in whitened parameters: the error of a forward difference is of this size, the noise of the
# gradient over it not yet larger.
_STEP = 1e-6
# How much longer they are where the dispersion lies at the end of its range.
_WIDER = 30.0
# Second derivative of the criterion in psi below which the dispersion lies at the end of its range.
_NO_BEND = 1e-3
# An eigenvalue of the scaled Hessian below this is none.
_FLAT = 1e-8


class Covariances(NamedTuple):
    """Covariances of the estimates, in whitened parameters.

    Attributes
    ----------
    joint : ndarray, shape (r, r), or None
        Of theta, gamma and psi, NaN for entries that are held at the boundary; None where the Hessian is not positive
        definite.
    conditional : ndarray, shape (p, p)
        Of gamma with theta and psi known, (Q'V_0^-1 Q)^-1.
    hessian : ndarray, shape (r, r)
        NaN for entries that are held.
    """

    joint: np.ndarray | None
    conditional: np.ndarray
    hessian: np.ndarray


def covariances(
    criterion: LaplaceCriterion, point: Point, curvature: Curvature, steps: np.ndarray | float = _STEP
) -> Covariances:
    """Invert half the Hessian at the optimum, by differences over `steps`.

    Columns of Lambda with a zero pivot, and a dispersion without limit, are left out.
    """
    flat = is_flat_in_dispersion(criterion, curvature)
    # Responses that are next to exact have scores of rows that cancel, and gradients with fewer digits.
    hessian = exact_hessian(criterion, point, curvature, not flat, _WIDER * steps if flat else steps)
    free = np.isfinite(np.diagonal(hessian))
    conditional = solved(curvature.information, np.eye(criterion.p))
    inverse = positive_inverse(hessian[np.ix_(free, free)])
    if inverse is None:
        return Covariances(None, conditional, hessian)
    joint = np.full_like(hessian, np.nan)
    joint[np.ix_(free, free)] = 2.0 * inverse
    return Covariances(joint, conditional, hessian)


def positive_inverse(hessian: np.ndarray) -> np.ndarray | None:
    """Inverse of a Hessian (r, r); None where it is not positive definite, whatever the units of the parameters."""
    scale = np.sqrt(np.diagonal(hessian)) if (np.diagonal(hessian) > 0.0).all() else np.zeros(0)
    if not len(scale) or not np.isfinite(scaled := hessian / np.outer(scale, scale)).all():
        return None
    values, vectors = np.linalg.eigh(scaled)
    return None if values[0] < _FLAT else ((vectors / values) @ vectors.T) / np.outer(scale, scale)


def exact_hessian(
    criterion: LaplaceCriterion,
    point: Point,
    curvature: Curvature,
    dispersion: bool = True,
    steps: np.ndarray | float = _STEP,
) -> np.ndarray:
    """Hessian of the criterion, (r, r), by forward differences from the predicted modes.

    NaN where theta is held, and in psi where `dispersion` is not wanted. `steps` are those of the parameters, (r,), or
    one for all.
    """
    size = criterion.size
    steps = np.broadcast_to(steps, (size,))
    held = _held(criterion, point.vector)
    if not dispersion:
        held[-1] = True
    free = np.flatnonzero(~held)
    hessian = np.full((size, size), np.nan)
    for i in free:
        vector = point.vector.copy()
        vector[i] += steps[i]
        zeta = [z + steps[i] * d[:, :, i] for z, d in zip(point.mode.zeta, curvature.motion, strict=True)]
        try:
            # The predicted mode is off by the square of the step, which the differences would blow up.
            there = criterion.gradient_near(point, vector, zeta)
        except NotPositiveDefiniteError:
            there = np.full(size, np.nan)
        hessian[free, i] = (there - curvature.gradient)[free] / steps[i]
    return 0.5 * (hessian + hessian.T)


def is_flat_in_dispersion(criterion: LaplaceCriterion, curvature: Curvature) -> bool:
    """Whether the criterion hardly bends in psi: it falls for ever as the dispersion goes to the end of its range."""
    estimated = criterion.size > criterion.m + criterion.p
    return estimated and bool(abs(curvature.hessian[-1, -1]) < _NO_BEND)


def _held(criterion: LaplaceCriterion, vector: np.ndarray) -> np.ndarray:
    """Mask of the parameters of columns of Lambda whose pivot is 0."""
    layout = criterion.layout
    theta = vector[: criterion.m]
    zero = {(layout.block[i], layout.col[i]) for i in np.flatnonzero(layout.is_diagonal & (theta == 0.0))}
    held = np.zeros(criterion.size, dtype=bool)
    held[: criterion.m] = [(b, c) in zero for b, c in zip(layout.block, layout.col, strict=True)]
    return held
