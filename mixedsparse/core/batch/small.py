"""`Batch` for several grouping factors with few random effects in total: W is written out, (q, q) per problem."""

from __future__ import annotations

import numpy as np

from mixedsparse.core.batch.batch import Pieces, Pin, Responses, gram_table, inverses, solve_beta, times
from mixedsparse.core.problem.blocks import BlockLayout
from mixedsparse.core.problem.problem import Problem

__all__ = ["DenseBatch", "dense_gram", "trace_entries"]


class DenseBatch:
    """See the module docstring."""

    together = True

    def __init__(self, problem: Problem) -> None:
        self.problem, layout = problem, problem.layout
        sizes = [k * n for k, n in zip(layout.widths, layout.n_levels, strict=True)]
        self.starts = np.concatenate([[0], np.cumsum(sizes)])
        self.gram = dense_gram(problem)
        stacked = [z.swapaxes(0, 1).reshape(-1, z.shape[2]) for z in problem.Zxy]
        self.Zx = np.concatenate(stacked)[:, : problem.p]
        self.weights = np.where(layout.is_diagonal, 1.0, 2.0)
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

    def __call__(
        self, factors: list[np.ndarray], tau: np.ndarray, responses: Responses, pin: Pin, reml: bool
    ) -> Pieces:
        """See `Batch`."""
        p, count, q = self.problem.p, len(tau), len(self.gram)
        sigmas = [lam @ lam.swapaxes(1, 2) for lam in factors]
        Zy = np.concatenate([z.swapaxes(1, 2).reshape(count, -1) for z in responses.Zy], axis=1)[..., None]
        inflation = self._spread(sigmas, np.broadcast_to(self.gram, (count, q, q))).swapaxes(1, 2)
        inflation[:, np.arange(q), np.arange(q)] += 1.0
        logdet = np.linalg.slogdet(inflation)[1]
        shrink = inverses(inflation)
        W, H, h = shrink @ self.gram, shrink @ self.Zx, shrink @ Zy
        spread = self._spread(sigmas, h)
        xx = self.problem.xy[:p, :p] - self.Zx.T @ self._spread(sigmas, H)
        beta = solve_beta(xx, -(self.Zx.T @ spread)[..., 0], responses.yy - (Zy * spread).sum(axis=(1, 2)), pin)
        zeta = h[..., 0] - times(H, beta.gamma)
        # W is symmetric up to rounding, which `gram_table` would not forgive for long.
        W = 0.5 * (W + W.swapaxes(1, 2))
        residual = W - H @ beta.K @ H.swapaxes(1, 2)
        projection = residual if reml else W
        if reml:
            logdet = logdet + np.linalg.slogdet(xx)[1]
        pointed = self._pointed(zeta)
        curve = 2.0 * tau[:, None, None] * (pointed.swapaxes(1, 2) @ residual @ pointed) - trace_entries(
            self.problem.layout, projection
        )
        slope_pwrss = -(pointed * zeta[..., None]).sum(axis=1)
        trace = np.stack([np.trace(projection[:, r, c], axis1=1, axis2=2) for r, c in self.slabs], axis=1)
        slope = trace * self.weights + tau[:, None] * slope_pwrss
        cross = 2.0 * times(pointed.swapaxes(1, 2), times(H, beta.lift))
        return Pieces(logdet, beta.pwrss, beta.gamma, slope, slope_pwrss, curve, beta.pull, beta.bend, cross)

    def _pointed(self, zeta: np.ndarray) -> np.ndarray:
        """S_i zeta for every entry, (B, q, m)."""
        out = np.zeros((*zeta.shape, len(self.slabs)))
        for i, (row, col) in enumerate(self.slabs):
            out[:, row, i] = zeta[:, col]
            out[:, col, i] = zeta[:, row]
        return out


def effect_slabs(layout: BlockLayout) -> dict[tuple[int, int], slice]:
    """Rows of (block, effect) in effect-major order: all levels of one effect together, blocks one after the other."""
    out, start = {}, 0
    for b, (k, levels) in enumerate(zip(layout.widths, layout.n_levels, strict=True)):
        for effect in range(k):
            out[b, effect] = slice(start, start + levels)
            start += levels
    return out


def dense_gram(problem: Problem) -> np.ndarray:
    """Z'Z (q, q), effect-major."""
    slabs, widths = effect_slabs(problem.layout), problem.layout.widths
    out = np.zeros((problem.layout.q, problem.layout.q))
    for b, gram in enumerate(problem.grams):
        for a in range(widths[b]):
            for c in range(widths[b]):
                np.fill_diagonal(out[slabs[b, a], slabs[b, c]], gram[:, a, c])
    for (s, t), pairs in problem.pairs.items():
        values = pairs.dense()
        for a in range(widths[s]):
            for c in range(widths[t]):
                out[slabs[s, a], slabs[t, c]] = values[:, a, c]
                out[slabs[t, c], slabs[s, a]] = values[:, a, c].T
    return out


def trace_entries(layout: BlockLayout, projection: np.ndarray) -> np.ndarray:
    """tr(P S_i P S_j) for all pairs of entries, (B, m, m), P = `projection` (B, q, q), effect-major in each block."""
    count, m = len(projection), len(layout.block)
    starts = np.concatenate([[0], np.cumsum([k * n for k, n in zip(layout.widths, layout.n_levels, strict=True)])])
    out = np.empty((count, m, m))
    for s in range(len(layout.widths)):
        for t in range(s + 1):
            part = projection[:, starts[s] : starts[s + 1], starts[t] : starts[t + 1]]
            part = part.reshape(count, layout.widths[s], layout.n_levels[s], layout.widths[t], layout.n_levels[t])
            part = part.swapaxes(2, 3).reshape(count, layout.widths[s], layout.widths[t], -1)
            table = gram_table(part, part)
            mine, other = np.flatnonzero(layout.block == s), np.flatnonzero(layout.block == t)
            values = _symmetric_entries(table, layout.row[mine], layout.col[mine], layout.row[other], layout.col[other])
            out[:, mine[:, None], other] = values
            out[:, other[:, None], mine] = values.swapaxes(1, 2)
    return out


def _symmetric_entries(table: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Contract a table (B, K, K, L, L) with the symmetric unit matrices of entries (a, b) and (c, d)."""
    half = np.where(a == b, 0.5, 1.0)[:, None] * np.where(c == d, 0.5, 1.0)
    a, b = a[:, None], b[:, None]
    total = table[:, a, b, c, d] + table[:, b, a, c, d] + table[:, a, b, d, c] + table[:, b, a, d, c]
    return half * total
