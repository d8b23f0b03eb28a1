"""`Batch` for several grouping factors with few random effects in total: W is written out, (q, q) per problem."""

from __future__ import annotations

import numpy as np

from mixedsparse.core.batch.batch import Responses, inverses
from mixedsparse.core.batch.written import Second, WrittenBatch
from mixedsparse.core.likelihood.interface import Engine, Written
from mixedsparse.core.likelihood.traces import contract
from mixedsparse.core.problem.whole import whole

__all__ = ["DenseBatch"]


class DenseBatch(WrittenBatch):
    """See the module docstring: W = (I + Z'Z Sigma)^-1 Z'Z."""

    def __init__(self, engine: Engine) -> None:
        problem, layout = engine.problem, engine.problem.layout
        super().__init__(engine, range(len(layout.widths)))
        products = whole(problem)
        # As they arrive in another process: a product rounds by how its factors lie in memory.
        self.gram = np.ascontiguousarray(products[: layout.q, : layout.q])
        self.Zx = np.ascontiguousarray(products[: layout.q, layout.q : -1])

    def reduce(self, lams: list[np.ndarray]) -> _Dense:
        """See `WrittenBatch`."""
        return _Dense(self, [lam @ lam.swapaxes(1, 2) for lam in lams])

    def spread(self, sigmas: list[np.ndarray], vectors: np.ndarray) -> np.ndarray:
        """Sigma times vectors (B, q, r), `sigmas` of as many problems or of one."""
        count, _, width = vectors.shape
        out = np.empty((count, self.q, width))
        for (b, start), sigma in zip(self.places.items(), sigmas, strict=True):
            k, levels = sigma.shape[1], self.problem.layout.n_levels[b]
            rows = slice(start, start + k * levels)
            mixed = sigma @ vectors[:, rows].reshape(count, k, levels * width)
            out[:, rows] = mixed.reshape(count, k * levels, width)
        return out


class _Dense:
    """See `Reduced`."""

    def __init__(self, batch: DenseBatch, sigmas: list[np.ndarray]) -> None:
        self.batch, self.sigmas = batch, sigmas
        count, q, p = len(sigmas[0]), batch.q, batch.problem.p
        inflation = batch.spread(sigmas, np.broadcast_to(batch.gram, (count, q, q))).swapaxes(1, 2)
        inflation[:, np.arange(q), np.arange(q)] += 1.0
        self.logdet = np.linalg.slogdet(inflation)[1]
        self.shrink = inverses(inflation)
        self.H = self.shrink @ batch.Zx
        self.xx = batch.problem.xy[:p, :p] - batch.Zx.T @ batch.spread(sigmas, self.H)

    def solve(self, responses: Responses) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """See `Reduced`."""
        count = len(responses.yy)
        Zy = np.concatenate([z.swapaxes(1, 2).reshape(count, -1) for z in responses.Zy], axis=1)[..., None]
        h = self.shrink @ Zy
        spread = self.batch.spread(self.sigmas, h)
        xy = -(self.batch.Zx.T @ spread)[..., 0]
        return xy, responses.yy - (Zy * spread).sum(axis=(1, 2)), h[..., 0]

    def second(self, moved: np.ndarray, K: np.ndarray | None) -> Second:
        """See `Reduced`."""
        batch = self.batch
        P = self.shrink @ batch.gram
        # W is symmetric up to rounding, which tables of its products would not forgive for long.
        P = 0.5 * (P + P.swapaxes(1, 2))
        if K is not None:
            P = P - self.H @ K @ self.H.swapaxes(1, 2)
        return Second(
            moved @ P @ moved.swapaxes(1, 2),
            contract(Written(P, batch.places), batch.problem.layout, batch.copied),
            np.stack([np.trace(P[:, r, c], axis1=1, axis2=2) for r, c in batch.slabs], axis=1),
        )
