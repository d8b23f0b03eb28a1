"""Variances of zero in a search that knows no bounds: the criterion is even in every column of Lambda.

A zero on the diagonal is an interior stationary line: the curvature says whether it is a minimum or a saddle. Searches
keep diagonal entries a little away from 0, where the curvature is read off without loss, and set those that are zero to
working precision to 0 at their end.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from mixedsparse.core.newton.trust import Step, trust_step

__all__ = ["FIRST_TRIES", "ZERO", "Coordinates", "off_zero", "relative_step", "with_zeros", "within"]

# Distance kept from a zero diagonal (theta has no units in whitened bases; errors are of its square).
_OFF_ZERO = 1e-7
# Diagonal entries below this are zero to working precision.
ZERO = 1e-5
# Times that a start which cannot be evaluated is scaled down.
FIRST_TRIES = 8


class Coordinates(Protocol):
    """What a search asks of the coordinates that it moves in.

    They are theta, whose signs and zeros a `BlockLayout` knows, or the parameters of structured covariances, of which a
    `Chart` does.
    """

    @property
    def is_diagonal(self) -> np.ndarray:
        """Mask of those with a boundary at 0."""
        ...

    def positive(self, theta: np.ndarray) -> np.ndarray:
        """Those of the same covariance that are not negative there."""
        ...

    def signs(self, theta: np.ndarray) -> np.ndarray:
        """Return -1 for the coordinates that `positive` turns round, 1 for others."""
        ...

    def row_norms(self, theta: np.ndarray) -> np.ndarray:
        """Size of the effect that each belongs to."""
        ...

    def canonical(self, theta: np.ndarray) -> np.ndarray:
        """Those of the same covariance in the form in which they are reported, where some are 0."""
        ...


def off_zero(layout: Coordinates, theta: np.ndarray) -> np.ndarray:
    """Theta (m,) with its diagonal entries kept away from 0 from above."""
    return np.where(layout.is_diagonal, np.maximum(theta, _OFF_ZERO), theta)


def with_zeros(layout: Coordinates, theta: np.ndarray) -> np.ndarray | None:
    """Theta with a zero column for every diagonal entry that is zero to working precision; None if there is none."""
    zero = layout.is_diagonal & (np.abs(theta) < ZERO)
    return layout.canonical(np.where(zero, 0.0, theta)) if zero.any() else None


def within(theta: np.ndarray, furthest: float) -> np.ndarray:
    """Theta scaled down to entries of at most `furthest`: a start in the wrong units costs a few evaluations only."""
    return theta * min(1.0, furthest / max(float(np.abs(theta).max(initial=0.0)), 1e-300))


def relative_step(
    layout: Coordinates, theta: np.ndarray, gradient: np.ndarray, hessian: np.ndarray, radius: float
) -> Step:
    """Newton's step within `radius`, relative where variance ratios are large: the criterion grows with their log."""
    return trust_step(gradient, hessian, radius, np.maximum(1.0, layout.row_norms(theta)))
