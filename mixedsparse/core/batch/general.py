"""`Batch` for any design: one problem after the other through its engine, and the choice of the form that is quickest.

Second derivatives are exact while W can be written out at little cost. Beyond that the traces of logdet give way to
their expectation at the optimum, tau zeta'S_i W_0 S_j zeta: the sum is the average information (`derivatives`).
"""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from mixedsparse.core.batch.batch import Batch, Condition, Parts, Responses, solve_beta, values_of
from mixedsparse.core.batch.one_factor import LevelBatch
from mixedsparse.core.batch.small import DenseBatch
from mixedsparse.core.batch.split import SplitBatch, split_size
from mixedsparse.core.likelihood.derivatives import information, right_divide
from mixedsparse.core.likelihood.interface import Engine, Written
from mixedsparse.core.problem.blocks import effect_major
from mixedsparse.core.problem.chart import refuse_structures
from mixedsparse.core.problem.entries import entry_products
from mixedsparse.core.problem.problem import Problem
from mixedsparse.core.problem.whole import slabs_of, whole
from mixedsparse.ground.errors import NotPositiveDefiniteError
from mixedsparse.ground.threads import blas_threads

__all__ = ["EngineBatch", "make_batch"]

Vectors = list[np.ndarray]

# Distance that a pivot keeps from 0, where slopes are read off without loss.
_OFF_ZERO = 1e-7


def make_batch(engine: Engine, many: bool = False) -> Batch:
    """Choose how problems that share the design of `engine` are evaluated; for `many`, preparing is worth while."""
    refuse_structures(engine.problem, "Searches in step")
    layout, limits = engine.problem.layout, engine.limits
    if engine.problem.coupled:
        return EngineBatch(engine)
    if len(layout.widths) == 1 and layout.widths[0] <= limits.batch_levels:
        return LevelBatch(engine.problem)
    rest, size = split_size(engine.problem)
    if many and 0 < rest <= limits.batch_dense and layout.q <= limits.batch_exact and size <= limits.batch_map:
        return SplitBatch(engine)
    return DenseBatch(engine) if layout.q <= limits.batch_dense else EngineBatch(engine)


class EngineBatch:
    """See the module docstring."""

    together = False

    def __init__(self, engine: Engine) -> None:
        self.engine, self.problem = engine, engine.problem
        layout = self.problem.layout
        self.gram: Vectors | None = None
        self.places: dict[int, int] = {}
        if layout.q <= engine.limits.batch_exact and not self.problem.is_penalised:
            gram, slabs = whole(self.problem)[: layout.q, : layout.q], slabs_of(layout)
            self.places = {b: slab.start for b, slab in enumerate(slabs)}
            pieces = zip(slabs, layout.widths, strict=True)
            self.gram = [gram[slab].reshape(k, -1, layout.q).swapaxes(0, 1) for slab, k in pieces]

    def __call__(self, lams: Vectors, tau: np.ndarray, responses: Responses, condition: Condition, reml: bool) -> Parts:
        """See `Batch`; a problem that cannot be factorised has a criterion of NaN."""
        one_by_one = []
        with blas_threads(self.engine.work):
            for i in range(len(tau)):
                single = slice(i, i + 1)
                Zy = [z[i, :, :, None] for z in responses.Zy]
                here = Condition(condition.row[single], condition.value[single])
                try:
                    roots = [_triangle(f[i]) for f in lams]
                    one_by_one.append(self._one(roots, float(tau[i]), Zy, responses.yy[single], here, reml))
                except NotPositiveDefiniteError:
                    one_by_one.append(_nowhere(self.problem))
        return Parts(**{f.name: np.concatenate([getattr(o, f.name) for o in one_by_one]) for f in fields(Parts)})

    def _one(self, lams: Vectors, tau: float, Zy: Vectors, yy: np.ndarray, condition: Condition, reml: bool) -> Parts:
        """Parts of a single problem."""
        problem, layout, p = self.problem, self.problem.layout, self.problem.p
        factor = self.engine.factorize(lams)
        columns = [np.concatenate([z[:, :, :p], own], axis=2) for z, own in zip(problem.Zxy, Zy, strict=True)]
        projected = factor.project(columns)
        inner = np.zeros((p + 1, p + 1))
        for own, other, lam in zip(columns, problem.related(projected), lams, strict=True):
            inner -= np.tensordot(lam.T @ own, lam.T @ other, axes=((0, 1), (0, 1)))
        xx = problem.xy[:p, :p] + inner[:p, :p]
        beta = solve_beta(xx[None], inner[None, :p, p], yy + inner[p, p], condition)
        K, H = beta.K[0], [h[:, :, :p] for h in projected]
        zeta = [h[:, :, p] - h[:, :, :p] @ beta.gamma[0] for h in projected]
        written = None
        if self.gram is not None:
            written = Written(np.concatenate([effect_major(w) for w in factor.project(self.gram)]), self.places)
        found = information(self.engine, factor, zeta, H, K, reml, written)
        zeta_k, H_k = problem.related(zeta), problem.related(H)
        slope_pwrss = -layout.gather([z.T @ z_k for z, z_k in zip(zeta, zeta_k, strict=True)]) * layout.multiplicity
        scores = [right_divide(t, lam) for t, lam in zip(factor.traces(), lams, strict=True)]
        logdet = factor.logdet
        if reml:
            logdet += float(np.linalg.slogdet(xx)[1])
            pairs = zip(scores, H, H_k, strict=True)
            scores = [s - np.tensordot(h @ K, h_k, axes=((0, 2), (0, 2))) for s, h, h_k in pairs]
        slope = layout.gather(scores) * layout.multiplicity + tau * slope_pwrss
        curve = tau * found.quadratic if found.traces is None else 2.0 * tau * found.quadratic - found.traces
        return Parts(
            logdet=np.array([logdet]),
            pwrss=beta.pwrss,
            gamma=beta.gamma,
            slope=slope[None],
            slope_pwrss=slope_pwrss[None],
            curve=curve[None],
            pull=beta.pull,
            bend=beta.bend,
            cross=2.0 * (found.against_x @ beta.gamma_rate[0])[None],
            K=beta.K,
            xx_slopes=entry_products(layout, H, H_k)[None],
        )

    def values(self, lams: list[np.ndarray], responses: Responses, reml: bool) -> tuple[float, np.ndarray]:
        """See `Batch`."""
        return values_of(self, lams, responses, reml)


def _triangle(factor: np.ndarray) -> np.ndarray:
    """Lower-triangular root of factor factor', its pivots kept off 0."""
    root = np.asarray(np.linalg.qr(factor.T, mode="r")).T
    root = root * np.where(np.diagonal(root) < 0, -1.0, 1.0)
    np.fill_diagonal(root, np.maximum(np.diagonal(root), _OFF_ZERO))
    return root


def _nowhere(problem: Problem) -> Parts:
    """Parts of a problem that cannot be factorised."""
    m, p = problem.n_theta, problem.p
    return Parts(
        logdet=np.full(1, np.nan),
        pwrss=np.full(1, np.nan),
        gamma=np.full((1, p), np.nan),
        slope=np.full((1, m), np.nan),
        slope_pwrss=np.full((1, m), np.nan),
        curve=np.full((1, m, m), np.nan),
        pull=np.full(1, np.nan),
        bend=np.full(1, np.nan),
        cross=np.full((1, m), np.nan),
        K=np.full((1, p, p), np.nan),
        xx_slopes=np.full((1, m, p, p), np.nan),
    )
