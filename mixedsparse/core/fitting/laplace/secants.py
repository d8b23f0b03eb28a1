"""What the Hessian of the criterion lacks, learnt from how the gradient changes along the steps of a search."""

from __future__ import annotations

import numpy as np
from scipy.linalg import lapack

from mixedsparse.core.likelihood.laplace.criterion import Curvature
from mixedsparse.core.newton.trust import secant

__all__ = ["learnt"]

# The secant in units of the Hessian that it corrects.
_CLIP = (-0.9, 1.0)
# Share of how the Hessian changes along a step that what is to be learnt from the step must exceed.
_BEYOND = 0.5


def learnt(known: np.ndarray, missing: np.ndarray, move: np.ndarray, old: Curvature, new: Curvature) -> np.ndarray:
    """Update what the Hessian lacks beyond what is `known` of that, and clip it in units of the Hessian.

    Nothing is learnt from a step along which the Hessian itself changed by more than is missing: its mean over both
    ends is that of a straight line, and wrong by a share of the change.
    """
    mean, seen = 0.5 * (old.hessian + new.hessian) + known, new.gradient - old.gradient
    rest = float((seen - (mean + missing) @ move) @ move)
    if abs(rest) < _BEYOND * abs(float(move @ (new.hessian - old.hessian) @ move)):
        return missing
    updated = secant(missing, move, seen, mean)
    unit = new.hessian + known
    if all(_is_positive(matrix) for matrix in (unit, updated - _CLIP[0] * unit, _CLIP[1] * unit - updated)):
        return updated
    values, vectors = np.linalg.eigh(unit)
    size = np.abs(values)
    root = np.sqrt(np.maximum(size, 1e-10 * size.max()))
    scaled = (vectors / root).T @ updated @ (vectors / root)
    inner, axes = np.linalg.eigh(0.5 * (scaled + scaled.T))
    back = (vectors * root) @ axes
    return np.asarray((back * np.clip(inner, *_CLIP)) @ back.T)


def _is_positive(matrix: np.ndarray) -> bool:
    return bool(lapack.dpotrf(matrix, lower=1)[1] == 0)
