"""`Batch` for any design: one problem after the other through its engine, and the choice of the form that is quickest.

Second derivatives are exact while W can be written out at little cost. Beyond that the traces of logdet give way to
their expectation at the optimum, tau zeta'S_i W_0 S_j zeta: the sum is the average information (`derivatives`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields

import numpy as np
from scipy.linalg import solve_triangular

from mixedsparse.core.batch.batch import Batch, Pieces, Pin, Responses, solve_beta
from mixedsparse.core.batch.one_factor import LevelBatch
from mixedsparse.core.batch.small import DenseBatch, dense_gram, trace_entries
from mixedsparse.core.likelihood.interface import Engine, Factor
from mixedsparse.core.problem.blocks import BlockLayout
from mixedsparse.core.problem.problem import Problem
from mixedsparse.ground.errors import NotPositiveDefiniteError
from mixedsparse.ground.threads import blas_threads

__all__ = ["EngineBatch", "make_batch"]

Vectors = list[np.ndarray]

# Random effects in total up to which writing W out for every problem beats the overhead of a call.
_DENSE_LIMIT = 80
# Effects per level up to which the table of one grouping factor, K^2 x K^2, stays small.
_LEVEL_LIMIT = 12
# Random effects in total up to which the exact traces cost about as much as an evaluation.
_EXACT_LIMIT = 400
# Distance that a pivot keeps from 0, where slopes are read off without loss.
_OFF_ZERO = 1e-7


def make_batch(engine: Engine) -> Batch:
    """Choose how problems that share the design of `engine` are evaluated."""
    layout = engine.problem.layout
    if len(layout.widths) == 1 and layout.widths[0] <= _LEVEL_LIMIT:
        return LevelBatch(engine.problem)
    return DenseBatch(engine.problem) if layout.q <= _DENSE_LIMIT else EngineBatch(engine)


class EngineBatch:
    """See the module docstring."""

    together = False

    def __init__(self, engine: Engine) -> None:
        self.engine, self.problem = engine, engine.problem
        layout = self.problem.layout
        self.gram: Vectors | None = None
        if layout.q <= _EXACT_LIMIT:
            ends = np.cumsum([k * n for k, n in zip(layout.widths, layout.n_levels, strict=True)])
            pieces = zip(np.split(dense_gram(self.problem), ends[:-1]), layout.widths, strict=True)
            self.gram = [piece.reshape(k, -1, layout.q).swapaxes(0, 1) for piece, k in pieces]

    def __call__(self, factors: Vectors, tau: np.ndarray, responses: Responses, pin: Pin, reml: bool) -> Pieces:
        """See `Batch`; a problem that cannot be factorised has a criterion of NaN."""
        one_by_one = []
        with blas_threads(self.engine.work):
            for i in range(len(tau)):
                single = slice(i, i + 1)
                Zy = [z[i, :, :, None] for z in responses.Zy]
                here = Pin(pin.row[single], pin.value[single])
                try:
                    roots = [_triangle(f[i]) for f in factors]
                    one_by_one.append(self._one(roots, float(tau[i]), Zy, responses.yy[single], here, reml))
                except NotPositiveDefiniteError:
                    one_by_one.append(_nowhere(self.problem))
        return Pieces(**{f.name: np.concatenate([getattr(o, f.name) for o in one_by_one]) for f in fields(Pieces)})

    def _one(self, lams: Vectors, tau: float, Zy: Vectors, yy: np.ndarray, pin: Pin, reml: bool) -> Pieces:
        """Pieces of a single problem."""
        problem, layout, p = self.problem, self.problem.layout, self.problem.p
        factor = self.engine.factorize(lams)
        columns = [np.concatenate([z[:, :, :p], own], axis=2) for z, own in zip(problem.Zxy, Zy, strict=True)]
        projected = factor.project(columns)
        inner = np.zeros((p + 1, p + 1))
        for own, other, lam in zip(columns, projected, lams, strict=True):
            inner -= np.tensordot(lam.T @ own, lam.T @ other, axes=((0, 1), (0, 1)))
        xx = problem.xy[:p, :p] + inner[:p, :p]
        beta = solve_beta(xx[None], inner[None, :p, p], yy + inner[p, p], pin)
        K, H = beta.K[0], [h[:, :, :p] for h in projected]
        zeta = [h[:, :, p] - h[:, :, :p] @ beta.gamma[0] for h in projected]
        pointed = _pointed(layout, zeta)
        taken = factor.project(self.engine.times(pointed))
        aimed = _total(_dot(f, h) for f, h in zip(pointed, H, strict=True))
        information = _total(_dot(f, w) for f, w in zip(pointed, taken, strict=True)) - aimed @ K @ aimed.T
        slope_pwrss = -_total(_dot(f, z[:, :, None])[:, 0] for f, z in zip(pointed, zeta, strict=True))
        scores = [_right_divide(t, lam) for t, lam in zip(factor.traces(), lams, strict=True)]
        logdet = factor.logdet
        if reml:
            logdet += float(np.linalg.slogdet(xx)[1])
            scores = [s - np.tensordot(h @ K, h, axes=((0, 2), (0, 2))) for s, h in zip(scores, H, strict=True)]
        slope = layout.gather(scores) * np.where(layout.is_diagonal, 1.0, 2.0) + tau * slope_pwrss
        curve = tau * information if self.gram is None else 2.0 * tau * information - self._traces(factor, H, K, reml)
        return Pieces(
            logdet=np.array([logdet]),
            pwrss=beta.pwrss,
            gamma=beta.gamma,
            slope=slope[None],
            slope_pwrss=slope_pwrss[None],
            curve=curve[None],
            pull=beta.pull,
            bend=beta.bend,
            cross=2.0 * (aimed @ beta.lift[0])[None],
        )

    def _traces(self, factor: Factor, H: Vectors, K: np.ndarray, reml: bool) -> np.ndarray:
        """tr(P S_i P S_j), (m, m)."""
        assert self.gram is not None
        projection = np.concatenate([_effect_major(w) for w in factor.project(self.gram)])
        if reml:
            half = np.concatenate([_effect_major(h) for h in H])
            projection -= half @ K @ half.T
        return trace_entries(self.problem.layout, projection[None])[0]


def _triangle(factor: np.ndarray) -> np.ndarray:
    """Lower-triangular root of factor factor', its pivots kept off 0."""
    root = np.asarray(np.linalg.qr(factor.T, mode="r")).T
    root = root * np.where(np.diagonal(root) < 0, -1.0, 1.0)
    np.fill_diagonal(root, np.maximum(np.diagonal(root), _OFF_ZERO))
    return root


def _right_divide(slope: np.ndarray, lam: np.ndarray) -> np.ndarray:
    """G from G Lambda, symmetrised."""
    score = solve_triangular(lam, slope.T, lower=True, trans="T").T
    return np.asarray(0.5 * (score + score.T))


def _pointed(layout: BlockLayout, zeta: Vectors) -> Vectors:
    """S_i zeta for every entry, block vectors (levels, K, m)."""
    out = [np.zeros((*z.shape, len(layout.block))) for z in zeta]
    for i, (b, row, col) in enumerate(zip(layout.block, layout.row, layout.col, strict=True)):
        out[b][:, row, i] = zeta[b][:, col]
        out[b][:, col, i] = zeta[b][:, row]
    return out


def _effect_major(vectors: np.ndarray) -> np.ndarray:
    levels, k, width = vectors.shape
    return vectors.swapaxes(0, 1).reshape(levels * k, width)


def _dot(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Sum over levels and effects of left (levels, K, m) times right (levels, K, r), shape (m, r)."""
    return np.tensordot(left, right, axes=((0, 1), (0, 1)))


def _total(arrays: Iterable[np.ndarray]) -> np.ndarray:
    return np.sum(list(arrays), axis=0)


def _nowhere(problem: Problem) -> Pieces:
    """Pieces of a problem that cannot be factorised."""
    m, p = problem.n_theta, problem.p
    return Pieces(
        logdet=np.full(1, np.nan),
        pwrss=np.full(1, np.nan),
        gamma=np.full((1, p), np.nan),
        slope=np.full((1, m), np.nan),
        slope_pwrss=np.full((1, m), np.nan),
        curve=np.full((1, m, m), np.nan),
        pull=np.full(1, np.nan),
        bend=np.full(1, np.nan),
        cross=np.full((1, m), np.nan),
    )
