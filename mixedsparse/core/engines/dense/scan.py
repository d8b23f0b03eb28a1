"""The criterion of one effect per level at many points at once, and the valleys among them."""

from __future__ import annotations

import numpy as np

from mixedsparse.core.likelihood.pls import criterion_value
from mixedsparse.core.problem.problem import Problem

__all__ = ["downhill", "scanned"]

# Numbers of all points together up to which they are worked out at once.
_MOST = 1_000_000


def scanned(problem: Problem, reml: bool, thetas: np.ndarray) -> np.ndarray | None:
    """Criterion (points,) at `thetas` (points,) of one effect per level, whitened; None where they go one by one.

    Levels are independent: M is diagonal, with 1 + theta^2 a_l for a level of a_l rows.
    """
    layout, p = problem.layout, problem.p
    if layout.widths != (1,) or problem.coupled or len(thetas) * layout.q * (p + 1) > _MOST:
        return None
    cross, squares = problem.Zxy[0][:, 0, :], np.square(thetas)[:, None]
    inflation = 1.0 + squares * problem.grams[0][:, 0, 0]
    inner = problem.xy - (cross.T * (squares / inflation)[:, None, :]) @ cross
    try:
        diagonals = np.diagonal(np.linalg.cholesky(inner), axis1=1, axis2=2)
    except np.linalg.LinAlgError:  # at some of them: which is told one by one
        return None
    logdets = np.log(inflation).sum(axis=1).tolist()
    log_dets_x, sums = (2.0 * np.log(diagonals[:, :p]).sum(axis=1)).tolist(), np.square(diagonals[:, p]).tolist()
    parts = zip(logdets, log_dets_x, sums, strict=True)
    values = np.array([criterion_value(problem, *part, reml) for part in parts])
    return values if np.isfinite(values).all() else None


def downhill(values: np.ndarray) -> np.ndarray:
    """Lowest point of the valley of each point, reached from neighbour to neighbour."""
    points = np.arange(len(values))
    around = np.stack([np.append(np.inf, values[:-1]), values, np.append(values[1:], np.inf)])
    lowest = around.argmin(axis=0)
    down = points + np.where(around.min(axis=0) < values, lowest - 1, 0)
    while (down != (further := down[down])).any():
        down = further
    return down
