"""What approximate Hessians lack close to the optimum, learnt from the gradients at both ends of each step."""

from __future__ import annotations

import numpy as np

from mixedsparse.core.likelihood.derivatives import Derivatives
from mixedsparse.core.newton.boundary import Coordinates
from mixedsparse.core.newton.trust import Step, secant

__all__ = ["CLOSE", "lacking"]

# Scaled gradient below which steps tell of the optimum, and the exact Hessian takes over where it is affordable.
CLOSE = 2.0


def lacking(
    layout: Coordinates, missing: np.ndarray, theta: np.ndarray, old: Derivatives, new: Derivatives, step: Step
) -> np.ndarray:
    """Update `missing` (m, m) after a step from `theta` (m,).

    The search turns columns of Lambda that have crossed 0, which leaves the covariance as it is. The derivatives behind
    are turned back, so that they belong to one path: on the boundary every step crosses, and would teach nothing.
    """
    if new.kind == "exact" or old.hessian is None or new.hessian is None:
        return np.zeros_like(missing)
    sign = layout.signs(theta + step.move)
    if step.scaled_gradient <= CLOSE and new.finite:
        mean = 0.5 * (old.hessian + _turned(new.hessian, sign))
        missing = secant(missing, step.move, sign * new.gradient - old.gradient, mean)
    return _turned(missing, sign)


def _turned(matrix: np.ndarray, sign: np.ndarray) -> np.ndarray:
    return sign[:, None] * matrix * sign
