"""Confidence limits from bootstrap replicates of one parameter."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import numpy as np
from scipy.special import ndtr, ndtri

from mixedsparse.ground.choices import BootstrapLimits

__all__ = ["KINDS", "limits", "skewness"]

KINDS = get_args(BootstrapLimits)
Transform = Callable[[np.ndarray], np.ndarray]
# Kind of parameter -> scale without bounds, the way back, and the range.
_SCALES: dict[str, tuple[Transform, Transform, tuple[float, float]]] = {
    "sd": (np.log, np.exp, (0.0, np.inf)),
    "sigma": (np.log, np.exp, (0.0, np.inf)),
    "dispersion": (np.log, np.exp, (0.0, np.inf)),
    "cor": (np.arctanh, np.tanh, (-1.0, 1.0)),
}


def limits(
    kind: str, values: np.ndarray, estimate: float, level: float, parameter: str, acceleration: float
) -> tuple[float, float]:
    """Lower and upper limit.

    Parameters
    ----------
    kind : {"perc", "basic", "norm", "bca"}
    values : ndarray, shape (B,)
        Replicates; those that are NaN do not count.
    estimate, level : float
    parameter : {"sd", "sigma", "dispersion", "cor", "fixed"}
        What it is, which says the scale of basic and normal limits.
    acceleration : float
        For ``"bca"``.
    """
    values = values[np.isfinite(values)]
    if not len(values):
        return np.nan, np.nan
    if kind == "perc":
        return _percentiles(values, 0.5 - 0.5 * level, 0.5 + 0.5 * level)
    if kind == "bca":
        return _bca(values, estimate, level, acceleration)
    forward, back, (low, high) = _SCALES.get(parameter, (_same, _same, (-np.inf, np.inf)))
    every = np.append(values, estimate)
    if not (low < every.min() and every.max() < high):
        forward = back = _same
    moved, best = forward(values), float(forward(np.asarray(estimate)))
    if kind == "norm":
        half = float(ndtri(0.5 + 0.5 * level)) * (moved.std(ddof=1) if len(moved) > 1 else np.nan)
        found = 2.0 * best - moved.mean() + half * np.array([-1.0, 1.0])
    else:
        lower, upper = _percentiles(moved, 0.5 - 0.5 * level, 0.5 + 0.5 * level)
        found = np.array([2.0 * best - upper, 2.0 * best - lower])
    lower, upper = np.clip(back(found), low, high)
    return float(lower), float(upper)


def _same(values: np.ndarray) -> np.ndarray:
    return values


def _percentiles(values: np.ndarray, low: float, high: float) -> tuple[float, float]:
    """Percentiles (B + 1) alpha of the replicates."""
    lower, upper = np.quantile(values, [low, high], method="weibull")
    return float(lower), float(upper)


def _bca(values: np.ndarray, estimate: float, level: float, acceleration: float) -> tuple[float, float]:
    """Percentiles at Phi(z0 + (z0 + z) / (1 - a (z0 + z))); replicates equal to the estimate count half."""
    below = (values < estimate).mean() + 0.5 * (values == estimate).mean()
    if not 0.0 < below < 1.0:
        return np.nan, np.nan
    z0 = float(ndtri(below))
    z = z0 + ndtri([0.5 - 0.5 * level, 0.5 + 0.5 * level])
    room = 1.0 - acceleration * z
    if (room <= 0.0).any():
        return np.nan, np.nan
    low, high = ndtr(z0 + z / room)
    return _percentiles(values, float(low), float(high))


def skewness(without: np.ndarray) -> np.ndarray:
    """Accelerations (p,) from the estimates (levels, p) without each level: sum d^3 / (6 (sum d^2)^(3/2)).

    Levels without which there is no estimate do not count; 0 where nothing moves.
    """
    moved = np.nan_to_num(np.nanmean(without, axis=0) - without) if len(without) else without
    squares = np.square(moved).sum(axis=0)
    cubes = (moved**3).sum(axis=0)
    return np.divide(cubes, 6.0 * squares**1.5, out=np.zeros(len(cubes)), where=squares > 0)
