"""Observed Hessian by differencing the exact gradient."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["observed_hessian"]

# Fourth-order central differences balance truncation (h^4) against rounding (1e-16 / h) near this step.
_STEP = 1e-3


def observed_hessian(gradient: Callable[[np.ndarray], np.ndarray], theta: np.ndarray) -> np.ndarray:
    """Return the symmetric Jacobian (m, m) of `gradient` at `theta` by fourth-order central differences.

    Source: Fornberg (1988), Math. Comp. 51, 699-706, table 1. The criterion is even in the columns of Lambda and
    smooth across 0, so no side needs care.
    """
    m = len(theta)
    out = np.empty((m, m))
    for i in range(m):
        h = _STEP * max(abs(theta[i]), 0.1 * float(np.abs(theta).max(initial=0.0)), 1e-8)
        step = np.zeros(m)
        step[i] = h
        out[i] = (
            8.0 * (gradient(theta + step) - gradient(theta - step))
            - (gradient(theta + 2 * step) - gradient(theta - 2 * step))
        ) / (12.0 * h)
    return 0.5 * (out + out.T)
