"""One trust-region step on a quadratic model whose Hessian may be indefinite.

Source: Conn, Gould & Toint (2000), Trust-Region Methods, section 7.3. The matrices are small (one row per
covariance parameter), so the eigen-decomposition is taken outright and the hard case is handled exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Step", "secant", "trust_step"]

# Eigenvalues within this share of the largest count as zero.
_FLAT = 1e-11
# A secant whose cosine with the step is below this says nothing about the curvature along it.
_ALONG = 1e-3
# Relative error of the length of a step on the boundary, and evaluations that finding it may take.
_ROOT, _MOST = 1e-9, 100


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """A step, the fall of the quadratic model over it, and whether the radius limited it.

    Attributes
    ----------
    move : ndarray, shape (m,)
    length : float
        Of the step over the scale.
    predicted : float
        Fall of the model, at least 0.
    limited : bool
    lowest : float
        Smallest eigenvalue of the Hessian.
    scaled_gradient : float
        sqrt(g' |H|^-1 g) over the directions that are not flat: the gradient in units that no rescaling changes.
    """

    move: np.ndarray
    length: float
    predicted: float
    limited: bool
    lowest: float
    scaled_gradient: float


def trust_step(gradient: np.ndarray, hessian: np.ndarray, radius: float, scale: np.ndarray | None = None) -> Step:
    """Minimise g's + s'Hs / 2 over |s / scale| <= radius (scale 1 when not given)."""
    scale = np.ones(len(gradient)) if scale is None else scale
    values, vectors = np.linalg.eigh(scale[:, None] * hessian * scale)
    g = vectors.T @ (scale * gradient)
    size = np.abs(values)
    floor = _FLAT * max(float(size.max()), 1e-300)
    curved = size > floor
    scaled = float(np.sqrt((g[curved] ** 2 / size[curved]).sum()))
    if values[0] > floor:
        newton = -g / values
        length = float(np.linalg.norm(newton))
        if length <= radius:
            return Step(scale * (vectors @ newton), length, 0.5 * scaled**2, False, float(values[0]), scaled)
    move = _boundary_step(g, values, radius, floor)
    # Beside huge curvatures the shift is lost in rounding, and the step can come out too long.
    move *= min(1.0, radius / max(float(np.linalg.norm(move)), 1e-300))
    predicted = -float(g @ move + 0.5 * (values * move**2).sum())
    length = float(np.linalg.norm(move))
    return Step(scale * (vectors @ move), length, max(predicted, 0.0), length > 0.99 * radius, float(values[0]), scaled)


def _boundary_step(g: np.ndarray, values: np.ndarray, radius: float, floor: float) -> np.ndarray:
    """Step in eigen-coordinates with a shift that makes the Hessian positive and meets the radius."""
    least = max(0.0, -float(values[0])) + floor

    def excess(shift: float) -> float:
        return float(np.linalg.norm(g / (values + shift))) / radius - 1.0

    if excess(least) <= 0.0:
        move = -g / (values + least)
        if values[0] < -floor:
            # Hard case: the gradient has no part along the negative curvature, which still leads down.
            rest = np.sqrt(max(radius**2 - float(move @ move), 0.0))
            move[0] += rest if move[0] >= 0 else -rest
        return move
    return -g / (values + _shift(g, values, radius, least))


def _shift(g: np.ndarray, values: np.ndarray, radius: float, least: float) -> float:
    """Shift > `least` at which the step has the length `radius`: Newton on 1 / length, which is nearly linear in it.

    Source: More & Sorensen (1983), SIAM J. Sci. Stat. Comput. 4, 553-572. The bracket takes over where it leaves it.
    """
    low, high = least, least + 2.0 * float(np.linalg.norm(g)) / radius
    shift = low
    for _ in range(_MOST):
        move = g / (values + shift)
        length = float(np.linalg.norm(move))
        if abs(length - radius) <= _ROOT * radius or high - low <= _ROOT * _ROOT * high:
            break
        if length > radius:
            low = shift
        else:
            high = shift
        bent = float((move**2 / (values + shift)).sum())
        shift += (length / radius - 1.0) * length**2 / bent
        if not low < shift < high:
            shift = 0.5 * (low + high)
    return shift


def secant(missing: np.ndarray, move: np.ndarray, seen: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Update what approximate Hessians lack, by the symmetric rank one that explains how the gradient changed.

    Source: Dennis, Gay & Welsch (1981), ACM TOMS 7, 348-368 (the idea; their update is of rank two).

    Parameters
    ----------
    missing : ndarray, shape (m, m)
        So far.
    move, seen : ndarray, shape (m,)
        A step, and the change of the gradient over it.
    mean : ndarray, shape (m, m)
        Mean of the approximate Hessians at both ends.
    """
    rest = seen - (mean + missing) @ move
    along = float(rest @ move)
    if abs(along) <= _ALONG * float(np.linalg.norm(rest) * np.linalg.norm(move)):
        return missing
    return missing + np.outer(rest, rest) / along
