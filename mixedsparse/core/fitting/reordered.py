"""Newton's step on another triangle of the same covariance, where that of theta turns about a small pivot.

A triangle Lambda with a pivot that is small beside what stands below and to the right of it is nearly that of a
covariance of lower rank, whose columns from the pivot on may be turned at will: one covariance is reached along a
circle, the criterion has a curved valley there, and steps that are straight in theta creep along it. With the effects
in the order of pivoted elimination, the one of greatest remaining variance first, no pivot is small unless all that is
left is small. There the directions of the face (the covariances of that rank) and those that leave it stand in columns
of their own, and the curvature of these, 2 G on what is left, says whether the criterion falls off the face.

The step is taken on that triangle, and its end is carried back: Lambda' = R of a QR factorisation.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.linalg import qr

from mixedsparse.core.likelihood.derivatives import Derivatives, in_theta
from mixedsparse.core.newton.boundary import relative_step
from mixedsparse.core.newton.trust import Step
from mixedsparse.core.problem.blocks import BlockLayout
from mixedsparse.core.problem.entries import symmetric

__all__ = ["reordered_step"]

# Pivot over the largest norm of the rows below, from its column on, below which theta turns about it.
_SMALL = 0.3


def reordered_step(layout: BlockLayout, theta: np.ndarray, found: Derivatives, radius: float) -> Step | None:
    """Newton's step within `radius` from `theta` (m,), by exact derivatives; None where no order is better.

    Its `lowest` is that of theta all the same, which tells what the data do not identify.
    """
    if found.in_entries is None or found.kind != "exact":
        return None
    lams = layout.lams(theta)
    orders = [_order(layout, b, lam) for b, lam in enumerate(lams)]
    if all((order[1:] > order[:-1]).all() for order in orders):
        return None
    curve, scores = found.in_entries
    places = _places(layout, orders)
    scores = [score[np.ix_(order, order)] for score, order in zip(scores, orders, strict=True)]
    factors = [_triangle(lam[order]) for lam, order in zip(lams, orders, strict=True)]
    gradient = 2.0 * layout.gather([score @ factor for score, factor in zip(scores, factors, strict=True)])
    hessian = in_theta(layout, factors, curve[np.ix_(places, places)], scores)
    x = layout.gather(factors)
    step = relative_step(layout, x, gradient, hessian, radius)
    assert found.hessian is not None
    lowest = relative_step(layout, theta, found.gradient, found.hessian, radius).lowest
    ends = [_triangle(end[np.argsort(order)]) for end, order in zip(layout.lams(x + step.move), orders, strict=True)]
    return replace(step, move=layout.gather(ends) - theta, lowest=lowest)


def _order(layout: BlockLayout, b: int, lam: np.ndarray) -> np.ndarray:
    """Order of the effects of block b: term by term that of pivoted elimination where a pivot is small."""
    order = np.arange(len(lam))
    for place, start, whiten in zip(layout.term_block, layout.term_start, layout.whiten, strict=True):
        own = slice(start, start + len(whiten))
        if place == b and _turns(lam[own, own]):
            order[own] = start + qr(lam[own, own].T, mode="r", pivoting=True)[1]
    return order


def _turns(lam: np.ndarray) -> bool:
    """Whether a pivot is small beside the rows below it, from its column on."""
    left = np.tril(np.cumsum(np.square(lam)[:, ::-1], axis=1)[:, ::-1])
    return bool((np.square(np.diagonal(lam)) < _SMALL**2 * left.max(axis=0)).any())


def _places(layout: BlockLayout, orders: list[np.ndarray]) -> np.ndarray:
    """Where the entries of the reordered covariances stand in the old ones, (m,)."""
    number = np.arange(len(layout.block), dtype=float)
    numbers = [symmetric(layout, b, number)[np.ix_(order, order)] for b, order in enumerate(orders)]
    return layout.gather(numbers).astype(int)


def _triangle(matrix: np.ndarray) -> np.ndarray:
    """Lower triangle with the cross-products of the rows of `matrix`, (K, K), its diagonal not negative."""
    root = qr(matrix.T, mode="r")[0].T
    return np.where(np.diagonal(root) < 0, -root, root)
