"""`Batch` for several grouping factors with few random effects in total: W is written out, (q, q) per problem."""

from __future__ import annotations

import numpy as np

from mixedsparse.core.batch.batch import Condition, Parts, Responses, inverses, solve_beta, times
from mixedsparse.core.likelihood.interface import Engine, Written
from mixedsparse.core.likelihood.traces import contract
from mixedsparse.core.problem.blocks import BlockLayout
from mixedsparse.core.problem.entries import times_units_of
from mixedsparse.core.problem.whole import whole

__all__ = ["DenseBatch"]


class DenseBatch:
    """See the module docstring."""

    together = True

    def __init__(self, engine: Engine) -> None:
        problem, layout = engine.problem, engine.problem.layout
        self.problem, self.copied = problem, engine.limits.copied
        sizes = [k * n for k, n in zip(layout.widths, layout.n_levels, strict=True)]
        self.starts = np.concatenate([[0], np.cumsum(sizes)])
        products = whole(problem)
        self.gram, self.Zx = products[: layout.q, : layout.q], products[: layout.q, layout.q : -1]
        self.places = dict(enumerate(self.starts[:-1].tolist()))
        slabs = effect_slabs(layout)
        places = zip(layout.block.tolist(), layout.row.tolist(), layout.col.tolist(), strict=True)
        self.slabs = [(slabs[b, r], slabs[b, c]) for b, r, c in places]

    def _spread(self, sigmas: list[np.ndarray], vectors: np.ndarray) -> np.ndarray:
        """Sigma times vectors (B, q, r)."""
        count, _, width = vectors.shape
        out = np.empty((count, len(self.gram), width))
        for b, sigma in enumerate(sigmas):
            rows, k = slice(self.starts[b], self.starts[b + 1]), sigma.shape[1]
            levels = self.problem.layout.n_levels[b]
            mixed = sigma @ vectors[:, rows].reshape(count, k, levels * width)
            out[:, rows] = mixed.reshape(count, k * levels, width)
        return out

    def _times_units(self, zeta: np.ndarray) -> np.ndarray:
        """S_i zeta of all entries, (B, m, q)."""
        layout, count = self.problem.layout, len(zeta)
        out = np.zeros((count, len(layout.block), zeta.shape[1]))
        for b, mine in enumerate(layout.members):
            rows = slice(self.starts[b], self.starts[b + 1])
            own = zeta[:, rows].reshape(count, layout.widths[b], -1)
            out[:, mine, rows] = times_units_of(layout, b, own).reshape(count, len(mine), -1)
        return out

    def __call__(
        self, lams: list[np.ndarray], tau: np.ndarray, responses: Responses, condition: Condition, reml: bool
    ) -> Parts:
        """See `Batch`."""
        p, count, q = self.problem.p, len(tau), len(self.gram)
        sigmas = [lam @ lam.swapaxes(1, 2) for lam in lams]
        Zy = np.concatenate([z.swapaxes(1, 2).reshape(count, -1) for z in responses.Zy], axis=1)[..., None]
        inflation = self._spread(sigmas, np.broadcast_to(self.gram, (count, q, q))).swapaxes(1, 2)
        inflation[:, np.arange(q), np.arange(q)] += 1.0
        logdet = np.linalg.slogdet(inflation)[1]
        shrink = inverses(inflation)
        W, H, h = shrink @ self.gram, shrink @ self.Zx, shrink @ Zy
        spread = self._spread(sigmas, h)
        xx = self.problem.xy[:p, :p] - self.Zx.T @ self._spread(sigmas, H)
        beta = solve_beta(xx, -(self.Zx.T @ spread)[..., 0], responses.yy - (Zy * spread).sum(axis=(1, 2)), condition)
        zeta = h[..., 0] - times(H, beta.gamma)
        # W is symmetric up to rounding, which `gram_table` would not forgive for long.
        W = 0.5 * (W + W.swapaxes(1, 2))
        residual = W - H @ beta.K @ H.swapaxes(1, 2)
        projection = residual if reml else W
        if reml:
            logdet = logdet + np.linalg.slogdet(xx)[1]
        moved = self._times_units(zeta)
        curve = 2.0 * tau[:, None, None] * (moved @ residual @ moved.swapaxes(1, 2))
        curve -= contract(Written(projection, self.places), self.problem.layout, self.copied)
        slope_pwrss = -times(moved, zeta)
        trace = np.stack([np.trace(projection[:, r, c], axis1=1, axis2=2) for r, c in self.slabs], axis=1)
        slope = trace * self.problem.layout.multiplicity + tau[:, None] * slope_pwrss
        cross = 2.0 * times(moved, times(H, beta.gamma_rate))
        return Parts(logdet, beta.pwrss, beta.gamma, slope, slope_pwrss, curve, beta.pull, beta.bend, cross)


def effect_slabs(layout: BlockLayout) -> dict[tuple[int, int], slice]:
    """Rows of (block, effect) in effect-major order: all levels of one effect together, blocks one after the other."""
    out, start = {}, 0
    for b, (k, levels) in enumerate(zip(layout.widths, layout.n_levels, strict=True)):
        for effect in range(k):
            out[b, effect] = slice(start, start + levels)
            start += levels
    return out
