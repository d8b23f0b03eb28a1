"""Signed-root profiles: from the optimum outwards, all parameters and both directions in step.

For parameter u, zeta(u) = sign(u - u_hat) sqrt(F(u) - F_min), F minimised over everything else (Bates & Watts 1988,
section 6.1). Each point starts where the path x(u) leads: its tangent is -H_ff^-1 H_fu, f the free coordinates, and by
the envelope theorem d zeta / du = (dF / du) / (2 zeta), so that few points determine zeta(u).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mixedsparse.core.charts import Chart
from mixedsparse.core.joint import JointCriterion, JointPoint
from mixedsparse.core.lockstep import minimise

__all__ = ["Path", "march"]

# Distance of neighbouring points in zeta, and the largest that is let pass.
_SPACING = 0.7
_WIDEST = 1.3
# Longest step of a coordinate: they are angles, logs, standard errors, or of the size of sigma.
_LONGEST = 0.5
_SHORTEST = 1e-6
_MOST_POINTS = 200
_FLAT = 1e-10


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """Profile of one parameter, points in increasing order of its coordinate.

    Attributes
    ----------
    coordinate, zeta, slope : ndarray, shape (K,)
        Coordinate of the chart, signed root, and its derivative in the coordinate.
    x : ndarray, shape (K, m + 2)
    gamma : ndarray, shape (K, p)
    closed : tuple of bool
        Whether the path ends, below and above, where the parameter's range does.
    """

    coordinate: np.ndarray
    zeta: np.ndarray
    slope: np.ndarray
    x: np.ndarray
    gamma: np.ndarray
    closed: tuple[bool, bool]


@dataclass(slots=True, eq=False)
class _Branch:
    """One parameter in one direction: the points so far, the last one first in mind."""

    chart: int
    sign: int
    end: float
    xs: list[np.ndarray]
    gammas: list[np.ndarray]
    zetas: list[float]
    slopes: list[float]
    tangent: np.ndarray
    bend: np.ndarray
    reach: float = math.inf
    finished: bool = False

    @property
    def closed(self) -> bool:
        return self.us[-1] == self.end

    us: list[float] = None  # type: ignore[assignment]


def march(criterion: JointCriterion, charts: Sequence[Chart], x: np.ndarray, minimum: float, cutoff: float) -> list[Path]:
    raise NotImplementedError
