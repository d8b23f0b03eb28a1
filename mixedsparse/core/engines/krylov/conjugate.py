"""Conjugate gradients for many right-hand sides at once; columns that have converged leave the iteration.

Source: Saad (2003), Iterative Methods for Sparse Linear Systems, algorithm 9.1, column by column; the tridiagonal
matrix of Lanczos from the same coefficients is section 6.7.3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from mixedsparse.ground.errors import NotPositiveDefiniteError
from mixedsparse.ground.limits import LIMITS

__all__ = ["Solution", "column_dots", "conjugate_gradients"]

# Columns leave when at most this share of those that are worked on is left: copying has its price.
_COMPACT = 0.6

Operator = Callable[[np.ndarray], np.ndarray]


@dataclass(slots=True, eq=False)
class Solution:
    """Solutions x (q, r), number of iterations, and the coefficients of each where they were asked for."""

    x: np.ndarray
    iterations: int = 0
    alphas: list[np.ndarray] = field(default_factory=list)
    betas: list[np.ndarray] = field(default_factory=list)


def column_dots(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """A'b column by column, summed in one fixed order."""
    return np.einsum("ij,ij->j", a, b)


def conjugate_gradients(
    apply: Operator,
    precondition: Operator,
    rhs: np.ndarray,
    tolerance: float,
    *,
    start: tuple[np.ndarray, np.ndarray] | None = None,
    coefficients: bool = False,
    max_iterations: int = LIMITS.iterations,
) -> Solution:
    """Solve S x = `rhs`, (q, r), until sqrt(r'P^-1 r) is `tolerance` of that of the right-hand side, in every column.

    Parameters
    ----------
    apply, precondition : callable
        S and P^-1 times columns.
    rhs : ndarray, shape (q, r)
    tolerance : float
    start : tuple of ndarray, shape (q, r), optional
        x and S x to begin with; 0 when not given.
    coefficients : bool
        Keep the coefficients of all columns, for `lanczos`; then no column leaves early, and the limit on iterations
        is no error: the quadrature has as many nodes, far more than it needs.
    max_iterations : int

    Raises
    ------
    NotPositiveDefiniteError
        The operator is not positive definite, so ill-conditioned that the iteration does not end, or not finite.
    """
    out = Solution(np.zeros_like(rhs) if start is None else start[0].copy())
    if not rhs.size:
        return out
    residual = rhs.copy() if start is None else rhs - start[1]
    direction = precondition(residual)
    size = column_dots(residual, direction)
    reference = size if start is None else np.abs(column_dots(rhs, precondition(rhs)))
    goal = tolerance**2 * reference
    active = np.arange(rhs.shape[1])
    x = out.x
    while True:
        if not np.isfinite(size).all():
            raise NotPositiveDefiniteError("Conjugate gradients met a number that is not finite.")
        going = size > goal
        if not going.any():
            break
        if out.iterations == max_iterations:
            if coefficients:
                break
            raise NotPositiveDefiniteError(f"Conjugate gradients did not converge in {max_iterations} iterations.")
        if not coefficients and np.count_nonzero(going) <= _COMPACT * len(active):
            out.x[:, active] = x
            x, residual, direction = (np.ascontiguousarray(v[:, going]) for v in (x, residual, direction))
            size, goal, active = size[going], goal[going], active[going]
        applied = apply(direction)
        curvature = column_dots(direction, applied)
        if (curvature[size > goal] <= 0).any():
            raise NotPositiveDefiniteError("The penalised system is not positive definite at this theta.")
        # A column that has reached 0 exactly stays where it is.
        alpha = np.divide(size, curvature, out=np.zeros_like(size), where=curvature > 0)
        x += alpha * direction
        applied *= alpha
        residual -= applied
        preconditioned = precondition(residual)
        new = column_dots(residual, preconditioned)
        beta = np.divide(new, size, out=np.zeros_like(size), where=size > 0)
        direction *= beta
        direction += preconditioned
        size = new
        out.iterations += 1
        if coefficients:
            out.alphas.append(alpha)
            out.betas.append(beta)
    out.x[:, active] = x
    return out
