"""Hessian of the criterion at the optimum, exact in every entry that Satterthwaite's method needs.

What the engine knows exactly is taken from it; the rows that are left are central differences of the exact gradient.
Columns of Lambda that are zero (a singular fit) are left out: the criterion and the covariance of beta are even in
them, so that they are uncorrelated with all other parameters and move neither.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mixedsparse.core.engines.criteria import criterion_at
from mixedsparse.core.fitting.outcome import Search
from mixedsparse.core.likelihood.derivatives import Derivatives
from mixedsparse.core.likelihood.interface import Engine
from mixedsparse.core.likelihood.pls import Pls
from mixedsparse.core.problem.blocks import BlockLayout

__all__ = ["Curvature", "curvature", "curvature_of_search"]

# Where a diagonal entry is exactly 0, the curvature of its column is read off this far away (theta has no units).
_OFF_ZERO = 1e-7
# Relative step of the differences: truncation (h^2) and rounding (1e-14 / h) are both below 1e-7 of the Hessian.
_STEP = 2e-4


@dataclass(frozen=True, slots=True, eq=False)
class Curvature:
    """Second derivatives at the optimum, theta of the whitened bases.

    Attributes
    ----------
    active : ndarray of bool, shape (m,)
        Parameters that are not in a zero column of Lambda.
    hessian : ndarray, shape (active, active)
        Of the profiled criterion.
    pls : Pls
        Penalised least squares at the optimum.
    """

    active: np.ndarray
    hessian: np.ndarray
    pls: Pls


def curvature(engine: Engine, theta: np.ndarray, reml: bool) -> Curvature:
    """Differentiate the criterion twice at the optimum `theta` of the whitened bases, shape (m,)."""
    layout = engine.problem.layout
    at = np.where(layout.is_diagonal & (theta == 0.0), _OFF_ZERO, theta)
    criterion, point = criterion_at(engine, reml, at)
    active = _in_nonzero_column(layout, theta)
    derivatives = criterion.differentiate(point, exact=True)
    assert derivatives.hessian is not None
    hessian = derivatives.hessian.copy()
    rows = np.flatnonzero(active & ~_exact_rows(derivatives))
    largest = float(np.abs(theta).max(initial=0.0))
    for i in rows:
        step = np.zeros(len(theta))
        step[i] = _STEP * max(abs(theta[i]), 0.1 * largest)
        high, low = (criterion.gradient(criterion.evaluate(at + s)) for s in (step, -step))
        hessian[i] = (high - low) / (2.0 * step[i])
    if len(rows):
        hessian[:, rows] = hessian[rows].T
        inner = np.ix_(rows, rows)
        hessian[inner] = 0.5 * (hessian[inner] + hessian[inner].T)
    return Curvature(active, hessian[np.ix_(active, active)], criterion.pls(point))


def curvature_of_search(search: Search, layout: BlockLayout) -> Curvature:
    """Take the average information with which an iterative search ended: differences would differ by their probes.

    It is the mean of observed and expected information (Gilmour, Thompson & Cullis 1995), exact in balanced designs.
    """
    hessian = search.derivatives.hessian
    assert hessian is not None
    active = _in_nonzero_column(layout, search.theta)
    return Curvature(active, hessian[np.ix_(active, active)], search.pls)


def _in_nonzero_column(layout: BlockLayout, theta: np.ndarray) -> np.ndarray:
    """Mask (m,) of the parameters whose column of Lambda is not zero."""
    filled = {(b, c) for b, c, value in zip(layout.block, layout.col, theta, strict=True) if value != 0.0}
    return np.array([key in filled for key in zip(layout.block, layout.col, strict=True)], dtype=bool)


def _exact_rows(derivatives: Derivatives) -> np.ndarray:
    """Mask (m,) of the parameters among which the entries of the Hessian are exact."""
    known = derivatives.known
    return np.zeros(len(derivatives.gradient), dtype=bool) if known is None else np.diagonal(known)
