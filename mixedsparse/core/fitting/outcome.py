"""How a search for theta went: its lines, and where and why it ended."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mixedsparse.core.likelihood.derivatives import Derivatives
from mixedsparse.core.likelihood.pls import Pls
from mixedsparse.core.newton.single import Stop
from mixedsparse.core.newton.trust import Step
from mixedsparse.ground.progress import Iteration

__all__ = ["Search", "Stop"]


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
