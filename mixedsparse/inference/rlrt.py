"""The exact distribution of the restricted likelihood ratio for one variance, when the variance is 0.

With mu_s the eigenvalues of Z'P_0 Z, P_0 the projection off X, and lambda the variance relative to sigma^2,

    RLRT = sup over lambda >= 0 of (n - p) log(1 + N / D) - sum_s log(1 + lambda mu_s)
    N = sum_s lambda mu_s w_s^2 / (1 + lambda mu_s),   D = sum_s w_s^2 / (1 + lambda mu_s) + sum of the other w^2

with n - p independent standard normal w. Source: Crainiceanu & Ruppert (2004), J. R. Statist. Soc. B 66, 165-185,
theorem 1, and R's RLRsim (Scheipl, Greven & Kuechenhoff 2008).
"""

from __future__ import annotations

import numpy as np

from mixedsparse.core.problem.problem import Problem

__all__ = ["null_ratios", "null_spectrum"]

# Grid of log lambda: points, and how far it reaches beyond where the eigenvalues meet 1 (n / mu and 1 / mu).
_POINTS = 120
_REACH = 1e4
# Halvings of the interval around the best point of the grid.
_HALVINGS = 30
# Numbers of the grid that are held at a time.
_NUMBERS = 4_000_000
_GOLDEN = 0.5 * (np.sqrt(5.0) - 1.0)


def null_spectrum(problem: Problem) -> np.ndarray:
    """Eigenvalues of Z'P_0 Z that are not 0, for a model with one random effect per level of one factor."""
    H = problem.Zxy[0][:, 0, : problem.p]
    values = np.linalg.eigvalsh(np.diag(problem.grams[0][:, 0, 0]) - H @ H.T)
    return values[values > 1e-10 * values[-1]]


def null_ratios(mu: np.ndarray, df: int, nsim: int, rng: np.random.Generator) -> np.ndarray:
    """Draw restricted likelihood ratios (nsim,) under a variance of 0.

    Parameters
    ----------
    mu : ndarray, shape (s,)
        See `null_spectrum`.
    df : int
        n - p.
    """
    step = max(1, _NUMBERS // (_POINTS * len(mu)))
    out = np.empty(nsim)
    for start in range(0, nsim, step):
        size = min(step, nsim - start)
        squares = rng.chisquare(1.0, size=(size, len(mu)))
        rest = rng.chisquare(df - len(mu), size=size) if df > len(mu) else np.zeros(size)
        out[start : start + size] = _suprema(mu, df, squares, rest)
    return out


def _suprema(mu: np.ndarray, df: int, squares: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Largest value over lambda for each draw: on a grid, then by golden sections around its best point."""
    grid = np.geomspace(1.0 / (_REACH * mu[-1]), _REACH / mu[0], _POINTS)
    shrink = 1.0 / (1.0 + grid[:, None] * mu)
    total = squares.sum(axis=1) + rest
    D = squares @ shrink.T + rest[:, None]
    values = df * np.log(total[:, None] / D) + np.log(shrink).sum(axis=1)
    best = values.argmax(axis=1)
    logs = np.log(grid)
    low, high = logs[np.maximum(best - 1, 0)], logs[np.minimum(best + 1, len(grid) - 1)]

    def value(at: np.ndarray) -> np.ndarray:
        own = 1.0 / (1.0 + np.exp(at)[:, None] * mu)
        return df * np.log(total / ((squares * own).sum(axis=1) + rest)) + np.log(own).sum(axis=1)

    for _ in range(_HALVINGS):
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        up = value(left) < value(right)
        low, high = np.where(up, left, low), np.where(up, high, right)
    return np.maximum(0.0, np.maximum(value(0.5 * (low + high)), values.max(axis=1)))
