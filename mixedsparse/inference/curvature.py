"""Hessian of the criterion at the optimum, exact in every entry that Satterthwaite's method needs.

What the engine knows exactly is taken from it; the rows that are left are central differences of the exact gradient.
Columns of Lambda that are zero (a singular fit) are left out: the criterion and the covariance of beta are even in
them, so that they are uncorrelated with all other parameters and move neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mixedsparse.core.engines.criteria import charted_at, criterion_at
from mixedsparse.core.fitting.outcome import Search
from mixedsparse.core.likelihood.criterion import Criterion
from mixedsparse.core.likelihood.derivatives import Derivatives
from mixedsparse.core.likelihood.interface import Engine
from mixedsparse.core.likelihood.pls import Pls
from mixedsparse.core.newton.boundary import off_zero
from mixedsparse.core.problem.blocks import BlockLayout
from mixedsparse.core.problem.chart import Chart, chart_of
from mixedsparse.core.problem.entries import jacobian

__all__ = ["Curvature", "charted_curvature", "curvature", "curvature_of_search"]

# Where a diagonal entry is exactly 0, the curvature of its column is read off this far away (theta has no units).
_OFF_ZERO = 1e-7
# Relative step of the differences: truncation (h^2) and rounding (1e-14 / h) are both below 1e-7 of the Hessian.
_STEP = 2e-4


@dataclass(frozen=True, slots=True, eq=False)
class Curvature:
    """Second derivatives at the optimum, in theta of the whitened bases or in the coordinates of a `Chart`.

    Attributes
    ----------
    active : ndarray of bool, shape (m,)
        Parameters that are not in a zero column of Lambda; of structured terms, those that are not on a boundary.
    hessian : ndarray, shape (active, active)
        Of the profiled criterion.
    pls : Pls
        Penalised least squares at the optimum.
    moves : ndarray, shape (entries, m)
        Derivatives of the entries of the covariances, whitened bases.
    sizes : ndarray, shape (m,)
        Standard deviation over sigma of the effect of each parameter.
    """

    active: np.ndarray
    hessian: np.ndarray
    pls: Pls
    moves: np.ndarray
    sizes: np.ndarray


def curvature(engine: Engine, search: Search, reml: bool) -> Curvature:
    """Differentiate the criterion twice at the optimum that `search` found."""
    problem = engine.problem
    chart = chart_of(problem)
    if chart is not None:
        assert search.phi is not None
        return charted_curvature(engine, chart, chart.x_of(search.phi), reml)
    layout, theta = problem.layout, search.theta
    at = np.where(layout.is_diagonal & (theta == 0.0), _OFF_ZERO, theta)
    criterion, point = criterion_at(engine, reml, at)
    active = _in_nonzero_column(layout, theta)
    hessian = _hessian(criterion, point, at, active, float(np.abs(theta).max(initial=0.0)))
    pls = criterion.pls(point)
    moves = jacobian(layout, pls.lams)
    return Curvature(active, hessian[np.ix_(active, active)], pls, moves, layout.row_norms(theta))


def charted_curvature(engine: Engine, chart: Chart, x: np.ndarray, reml: bool) -> Curvature:
    """Differentiate the criterion twice at the coordinates x (m,)."""
    at = off_zero(chart, chart.positive(x))
    criterion, point = charted_at(engine, reml, chart, at)
    active = chart.moving(x)
    hessian = _hessian(criterion, point, at, active, float(np.abs(x).max(initial=0.0)))
    return Curvature(
        active, hessian[np.ix_(active, active)], criterion.pls(point), chart.slopes(at), chart.row_norms(at)
    )


def _hessian(criterion: Criterion, point: Any, at: np.ndarray, active: np.ndarray, largest: float) -> np.ndarray:
    """Hessian (m, m), exact in the rows of `active` parameters; steps of differences go by the `largest` parameter."""
    derivatives = criterion.differentiate(point, exact=True)
    assert derivatives.hessian is not None
    hessian = derivatives.hessian.copy()
    rows = np.flatnonzero(active & ~_exact_rows(derivatives))
    for i in rows:
        step = np.zeros(len(at))
        step[i] = _STEP * max(abs(at[i]), 0.1 * largest)
        high, low = (criterion.gradient(criterion.evaluate(at + s)) for s in (step, -step))
        hessian[i] = (high - low) / (2.0 * step[i])
    if len(rows):
        hessian[:, rows] = hessian[rows].T
        inner = np.ix_(rows, rows)
        hessian[inner] = 0.5 * (hessian[inner] + hessian[inner].T)
    return hessian


def curvature_of_search(search: Search, layout: BlockLayout) -> Curvature:
    """Take the average information with which an iterative search ended: differences would differ by their probes.

    It is the mean of observed and expected information (Gilmour, Thompson & Cullis 1995), exact in balanced designs.
    """
    hessian = search.derivatives.hessian
    assert hessian is not None
    active = _in_nonzero_column(layout, search.theta)
    moves, sizes = jacobian(layout, search.pls.lams), layout.row_norms(search.theta)
    return Curvature(active, hessian[np.ix_(active, active)], search.pls, moves, sizes)


def _in_nonzero_column(layout: BlockLayout, theta: np.ndarray) -> np.ndarray:
    """Mask (m,) of the parameters whose column of Lambda is not zero."""
    filled = {(b, c) for b, c, value in zip(layout.block, layout.col, theta, strict=True) if value != 0.0}
    return np.array([key in filled for key in zip(layout.block, layout.col, strict=True)], dtype=bool)


def _exact_rows(derivatives: Derivatives) -> np.ndarray:
    """Mask (m,) of the parameters among which the entries of the Hessian are exact."""
    known = derivatives.known
    return np.zeros(len(derivatives.gradient), dtype=bool) if known is None else np.diagonal(known)
