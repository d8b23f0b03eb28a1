"""How a search for theta went: its lines, and where and why it ended."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mixedsparse.core.likelihood.derivatives import Derivatives
from mixedsparse.core.likelihood.pls import Pls
from mixedsparse.core.newton.single import Stop
from mixedsparse.core.newton.trust import Step
from mixedsparse.ground.progress import Iteration

__all__ = ["Search", "Stop", "is_saddle"]

# Slack, relative to the largest eigenvalue, before negative curvature counts.
_NEGATIVE = 1e-5
# Rounding of the Hessian, relative to n: its parts are of that size even where they cancel.
_CURVATURE_NOISE = 1e-13


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """Outcome of the search, in theta of the whitened bases or, for structured terms, in the coordinates of a `Chart`.

    Attributes
    ----------
    theta : ndarray, shape (m,)
        Where it ended, zeros exact and signs canonical.
    pls : Pls
        Penalised least squares there.
    derivatives : Derivatives
        At the last point of the search (entries that were set to 0 are still 1e-7 there), in its coordinates.
    step : Step
        The last Newton step, shorter than the criterion can show.
    stop : Stop
    nfev, nit : int
        Evaluations of the criterion; accepted steps.
    seconds : float
    path : tuple of Iteration
    noise : float
        Rounding error of the criterion there.
    starts, agreed : int
        Points that searches set out from, and how many of these ended at this criterion.
    lower_at_zero : bool
        Whether some search ended lower, or this one ended, where the residual variance goes to 0.
    phi : tuple of ndarray, or None
        Parameters of the structure of each term, in theta order; None where all are unstructured.
    residual : ndarray, shape (size,), or None
        Parameters of the residual covariance; `derivatives` have them behind the others.
    """

    theta: np.ndarray
    pls: Pls
    derivatives: Derivatives
    step: Step
    stop: Stop
    nfev: int
    nit: int
    seconds: float
    path: tuple[Iteration, ...]
    noise: float = float("nan")
    starts: int = 1
    agreed: int = 1
    lower_at_zero: bool = False
    phi: tuple[np.ndarray, ...] | None = None
    residual: np.ndarray | None = None


def is_saddle(lowest: float, hessian: np.ndarray | None, theta: np.ndarray, n: int) -> bool:
    """Whether the `lowest` eigenvalue of a `hessian` (m, m) at theta, for n rows, shows curvature that is negative."""
    highest = 1.0 if hessian is None else float(np.abs(hessian).max(initial=0.0))
    widest = max(1.0, float(np.abs(theta).max(initial=0.0)))
    return lowest < -max(_NEGATIVE * highest, _CURVATURE_NOISE * n * widest**2)
