"""Models without random effects, for estimators that are given no groups: least squares and binary regression."""

from __future__ import annotations

import warnings

import numpy as np

from mixedsparse.core.likelihood.family import Binomial
from mixedsparse.ground.caller import user_level
from mixedsparse.ground.errors import ConvergenceWarning

__all__ = ["binary", "least_squares", "with_ones"]

_STEPS = 100
_HALVINGS = 20
# Decrement, over the number of rows, at which the search ends.
_DONE = 1e-18
# Penalty, over the number of rows, of squared slopes of standardized columns: too small to be seen in estimates, and
# enough for there to be some where the classes are separated.
_RIDGE = 1e-8


def with_ones(X: np.ndarray) -> np.ndarray:
    """X with a column of ones before it, (n, p + 1)."""
    return np.column_stack([np.ones(len(X)), X])


def least_squares(X: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Intercept and coefficients (p + 1,), the shortest ones where columns depend on each other."""
    root = np.sqrt(weights)
    return np.asarray(np.linalg.lstsq(with_ones(X) * root[:, None], y * root, rcond=None)[0])


def binary(X: np.ndarray, y: np.ndarray, weights: np.ndarray, family: Binomial) -> np.ndarray:
    """Intercept and coefficients (p + 1,) by maximum likelihood, Newton's method on standardized columns.

    Where the columns tell the classes apart there is no maximum: coefficients are those under a very small penalty,
    with a ConvergenceWarning.
    """
    rows = float(weights.sum())
    middle = weights @ X / rows
    size = np.sqrt(weights @ np.square(X - middle) / rows)
    size = np.where(size > 0, size, 1.0)
    design = with_ones((X - middle) / size)
    penalty = np.r_[0.0, np.full(X.shape[1], _RIDGE * rows)]

    def value(beta: np.ndarray) -> float:
        return float(family.rows(y, weights, design @ beta).value.sum() - 0.5 * penalty @ np.square(beta))

    beta = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        terms = family.rows(y, weights, design @ beta)
        score = design.T @ terms.s - penalty * beta
        step = np.linalg.solve(design.T @ (design * terms.w[:, None]) + np.diag(penalty), score)
        if score @ step <= _DONE * rows:
            break
        share, now = 1.0, value(beta)
        while share > 0.5**_HALVINGS and not value(beta + share * step) >= now:
            share *= 0.5
        beta = beta + share * step
    if (np.where(y > 0, 1.0, -1.0) * (design @ beta) > 0).all():
        warnings.warn(
            "The columns of X tell the classes apart: coefficients have no finite estimates.",
            ConvergenceWarning,
            stacklevel=user_level(),
        )
    slopes = beta[1:] / size
    return np.r_[beta[0] - middle @ slopes, slopes]
