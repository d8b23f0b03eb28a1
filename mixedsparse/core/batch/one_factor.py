"""`Batch` for one grouping factor: every level on its own, nothing larger than K x K."""

from __future__ import annotations

import numpy as np

from mixedsparse.core.batch.batch import Condition, Parts, Responses, gram_table, inverses, solve_beta, times, values_of
from mixedsparse.core.problem.problem import Problem

__all__ = ["LevelBatch", "small_inverse"]


class LevelBatch:
    """See the module docstring."""

    together = True

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.gram = problem.grams[0]
        # As it arrives in another process: a product rounds by how its factors lie in memory.
        self.Zx = np.ascontiguousarray(problem.Zxy[0][:, :, : problem.p])
        self.units: np.ndarray = problem.layout.units[0].reshape(problem.n_theta, -1)

    def __call__(
        self, lams: list[np.ndarray], tau: np.ndarray, responses: Responses, condition: Condition, reml: bool
    ) -> Parts:
        """See `Batch`."""
        (lam,), (Zy,), p = lams, responses.Zy, self.problem.p
        k, count = lam.shape[1], len(lam)
        sigma = (lam @ lam.swapaxes(1, 2))[:, None]
        inflation = self.gram @ sigma
        inflation[..., np.arange(k), np.arange(k)] += 1.0
        shrink, logdet = small_inverse(inflation)
        W, H, h = shrink @ self.gram, shrink @ self.Zx, (shrink @ Zy[..., None])[..., 0]
        flat = self.Zx.reshape(k * len(self.Zx), p).T
        spread = (h[:, :, None] @ sigma)[:, :, 0]
        xx = self.problem.xy[:p, :p] - flat @ (sigma @ H).reshape(count, len(self.Zx) * k, p)
        beta = solve_beta(
            xx,
            -(spread.reshape(count, -1) @ flat.T),
            responses.yy - (Zy * spread).reshape(count, -1).sum(axis=1),
            condition,
        )
        zeta = h - (H @ beta.gamma[:, None, :, None])[..., 0]
        outer = zeta[..., :, None] * zeta[..., None, :]
        score, mix = W.sum(axis=1), 2.0 * tau[:, None, None, None] * outer - W
        logdet = logdet.sum(axis=1)
        if reml:
            logdet += np.linalg.slogdet(xx)[1]
            known = (H @ beta.K[:, None]) @ H.swapaxes(2, 3)
            score, mix = score - known.sum(axis=1), mix + 2.0 * known
        slope_pwrss = -(outer.sum(axis=1).reshape(count, -1) @ self.units.T)
        table = gram_table(np.moveaxis(W, 1, 3), np.moveaxis(mix, 1, 3)).reshape(count, k * k, k * k)
        curve = self.units @ table @ self.units.T
        against_x = self.units @ (_sum_levels(zeta[..., None], H)).reshape(count, k * k, p)
        curve -= 2.0 * tau[:, None, None] * (against_x @ beta.K @ against_x.swapaxes(1, 2))
        m = len(self.units)
        xx_slopes = (self.units @ _sum_levels(H, H).reshape(count, k * k, p * p)).reshape(count, m, p, p)
        if reml:
            within = xx_slopes @ beta.K[:, None]
            curve -= within.reshape(count, m, p * p) @ within.swapaxes(2, 3).reshape(count, m, p * p).swapaxes(1, 2)
        slope = score.reshape(count, -1) @ self.units.T + tau[:, None] * slope_pwrss
        cross = 2.0 * times(against_x, beta.gamma_rate)
        return Parts(
            logdet,
            beta.pwrss,
            beta.gamma,
            slope,
            slope_pwrss,
            curve,
            beta.pull,
            beta.bend,
            cross,
            beta.K,
            xx_slopes,
        )

    def values(self, lams: list[np.ndarray], responses: Responses, reml: bool) -> tuple[float, np.ndarray]:
        """See `Batch`."""
        return values_of(self, lams, responses, reml)


def small_inverse(matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Inverses and log-determinants of (..., K, K) with positive determinants; by formula for K <= 2."""
    k = matrices.shape[-1]
    if k > 2:
        return inverses(matrices), np.linalg.slogdet(matrices)[1]
    if k == 1:
        return 1.0 / matrices, np.log(matrices[..., 0, 0])
    (a, b), (c, d) = (matrices[..., 0, 0], matrices[..., 0, 1]), (matrices[..., 1, 0], matrices[..., 1, 1])
    determinant = a * d - b * c
    out = np.empty_like(matrices)
    out[..., 0, 0], out[..., 0, 1], out[..., 1, 0], out[..., 1, 1] = d, -b, -c, a
    out /= determinant[..., None, None]
    return out, np.log(determinant)


def _sum_levels(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Sum over levels of left[a, i] right[b, j], (B, L, K, i) and (B, L, K, j) to (B, K, K, i, j)."""
    count, levels, k, i = left.shape
    j = right.shape[3]
    flat = left.reshape(count, levels, k * i).swapaxes(1, 2) @ right.reshape(count, levels, k * j)
    return flat.reshape(count, k, i, k, j).swapaxes(2, 3)
