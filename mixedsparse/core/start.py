"""Starting values: one variance per effect by the method of moments, each effect on its own."""

from __future__ import annotations

import numpy as np

from mixedsparse.core.problem import Problem

__all__ = ["moment_start"]

# Share of the variance inside levels that the residual keeps at least, and the smallest variance ratio to start from:
# a start at 0 would be stationary.
_RESIDUAL_SHARE = 0.2
_SMALLEST_RATIO = 0.01
_RIDGE = 1e-9


def moment_start(problem: Problem) -> np.ndarray:
    """Return theta (m,) of the whitened bases, no correlations.

    With the least-squares residual r and a_l = z_l'z_l, the sum over levels of (z_l'r)^2 / a_l exceeds the degrees of
    freedom times the mean square inside levels by about the effect's variance times (n - sum a_l^2 / n): the one-way
    analysis of variance (Searle, Casella & McCulloch 1992, section 3.6), other factors counted as noise.
    """
    layout = problem.layout
    total = float(problem.xy[-1, -1]) / problem.n
    within = [_within(problem, b) for b in range(len(layout.widths))]
    variances = np.zeros(len(layout.block))
    for i in np.flatnonzero(layout.is_diagonal):
        sizes = problem.grams[layout.block[i]][:, layout.row[i], layout.row[i]]
        sums = problem.Zxy[layout.block[i]][:, layout.row[i], -1]
        used = sizes > 0
        between = float((sums[used] ** 2 / sizes[used]).sum()) - (used.sum() - 1) * within[layout.block[i]]
        spread = float(sizes.sum() - (sizes**2).sum() / max(sizes.sum(), 1e-300))
        variances[i] = max(between / spread, 0.0) if spread > 0 else 0.0
    # What varies inside the levels of any one factor bounds the residual variance from above.
    smallest = min(within)
    residual = min(max(total - variances.sum(), _RESIDUAL_SHARE * smallest), smallest)
    ratios = np.maximum(variances / residual, _SMALLEST_RATIO) if residual > 0 else np.ones_like(variances)
    return np.where(layout.is_diagonal, np.sqrt(ratios), 0.0)


def _within(problem: Problem, block: int) -> float:
    """Mean square inside the levels of one factor, after its own effects are fitted level by level."""
    grams, sums = problem.grams[block], problem.Zxy[block][:, :, -1]
    levels, k = sums.shape
    # A trace of ridge stands in for a pseudo-inverse where a level has fewer rows than effects.
    ridge = _RIDGE * np.trace(grams, axis1=1, axis2=2)[:, None, None] + np.finfo(float).tiny
    solved = (
        sums[:, :, None] / (grams + ridge) if k == 1 else np.linalg.solve(grams + ridge * np.eye(k), sums[:, :, None])
    )
    fitted = np.vdot(sums, solved)
    df = problem.n - levels * k
    return max(float(problem.xy[-1, -1]) - float(fitted), 0.0) / max(df, 1)
