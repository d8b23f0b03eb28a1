"""Exact Hessian where the random effects are few enough to write W = Z'V_0^-1 Z out.

The second derivative differs from twice the average information by tr(P V_i P V_j), P = V_0^-1 for ML and
P_0 = V_0^-1 - V_0^-1 X K X'V_0^-1 for REML. In q-space that is

    tr(D_i W D_j W) summed over pairs of levels = vec(D_i)' Gram_st vec(D_j),
    Gram_st[(a, b), (c, d)] = sum over l, l' of W[la, l'c] W[lb, l'd]

so that one K^2 x K^2 table per pair of blocks serves all parameters (derived from Lindstrom & Bates 1988, section 3).
"""

from __future__ import annotations

from typing import TypeGuard

import numpy as np
from scipy.linalg import blas

from mixedsparse.core.engines.split.schur import symmetrized
from mixedsparse.core.engines.split.split import SplitEngine, SplitFactor
from mixedsparse.core.likelihood.pls import Pls
from mixedsparse.core.problem.blocks import BlockLayout

__all__ = ["affordable", "directions", "gram", "rest_trace_products", "trace_products"]

# Effects per level up to which the traces among the rest are worth their pass.
_WIDEST = 4
# Numbers that are copied at a time for a Gram matrix.
_COPIED = 500_000
# Diagonal entries of Lambda from which on dividing by them is safe for a Hessian.
_SAFE_PIVOT = 1e-3
# W is written out up to this many random effects: then it costs less than the evaluations that it saves.
_LARGEST = 1500
# Multiply-adds of W per parameter up to which an exact Hessian saves more evaluations than it costs: with two variances
# and 970 effects it took six times as long as an evaluation with gradient, and saved none.
_WORTHWHILE = 2e7


def affordable(engine: object) -> TypeGuard[SplitEngine]:
    """Whether `engine` can write W out at little cost, for the number of parameters that it serves."""
    if not isinstance(engine, SplitEngine) or engine.problem.layout.q > _LARGEST:
        return False
    work = float(engine.problem.layout.q) ** 2 * engine.rest.size
    return work <= _WORTHWHILE * (engine.problem.n_theta + 1)


def trace_products(engine: SplitEngine, pls: Pls, vectors: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return tr(P V_i P V_j) for all pairs of parameters, shape (m, m), and F'W F for block vectors F."""
    layout = engine.problem.layout
    assert isinstance(pls.factor, SplitFactor)
    projection = _projection(engine, pls.factor)
    stacked = _stacked(engine, vectors)
    inner = stacked.T @ (projection @ stacked)
    if pls.reml and engine.problem.p:
        half = _stacked(engine, pls.Hx) @ np.linalg.cholesky(pls.K)
        projection -= half @ half.T
    sides = [directions(layout, b, lam) for b, lam in enumerate(pls.factors)]
    starts = _starts(engine)
    out = np.zeros((len(layout.block), len(layout.block)))
    for s in range(len(layout.widths)):
        for t in range(s + 1):
            table = gram(projection, starts[s], starts[t], layout.widths, layout.n_levels, s, t)
            mine, other = layout.members[s], layout.members[t]
            values = sides[s].reshape(len(mine), -1) @ table @ sides[t].reshape(len(other), -1).T
            out[mine[:, None], other] = values
            out[other[:, None], mine] = values.T
    return out, inner


def rest_trace_products(engine: SplitEngine, pls: Pls) -> tuple[np.ndarray, np.ndarray]:
    """Return tr(P V_i P V_j) among parameters of the rest, (m, m), and the mask of the entries that are known.

    Lambda'W Lambda = I - M_2^-1 (less H H' for REML, H = Lambda'Z'V_0^-1 X K^(1/2)) is at hand after the gradient, so
    these traces cost one pass over it. In its terms D_i becomes Lambda^-1 e_r e_s' + transpose. Blocks with a pivot
    near 0, or many effects, are left to average information.
    """
    layout = engine.problem.layout
    assert isinstance(pls.factor, SplitFactor)
    size = len(layout.block)
    out, known = np.zeros((size, size)), np.zeros((size, size), dtype=bool)
    good = [
        b
        for b in engine.rest.blocks
        if layout.widths[b] <= _WIDEST and np.abs(np.diagonal(pls.factors[b])).min() > _SAFE_PIVOT
    ]
    half = np.zeros((engine.rest.size, 1))  # BLAS refuses a matrix without columns
    if pls.reml and engine.problem.p:
        half = engine.rest.times_factor_t(pls.factors, engine.rest.stack(pls.Hx)) @ np.linalg.cholesky(pls.K)
    projection = _lower_projection(pls.factor.take_inverse(), half)
    scaled = {b: _scaled_directions(layout, b, pls.factors[b]) for b in good}
    for s in good:
        for t in [t for t in good if t <= s]:
            starts = engine.rest.slabs[s, 0].start, engine.rest.slabs[t, 0].start
            table = gram(projection, *starts, layout.widths, layout.n_levels, s, t)
            mine, other = layout.members[s], layout.members[t]
            values = scaled[s].reshape(len(mine), -1) @ table @ scaled[t].reshape(len(other), -1).T
            out[mine[:, None], other], out[other[:, None], mine] = values, values.T
            known[mine[:, None], other] = known[other[:, None], mine] = True
    return out, known


def _lower_projection(inverse: np.ndarray, half: np.ndarray) -> np.ndarray:
    """I - M_2^-1 - H H', in the place of M_2^-1."""
    # The lower triangle of a C-ordered array is the upper one of its transpose.
    lower = blas.dsyrk(-1.0, half.T, beta=-1.0, c=inverse.T, trans=1, overwrite_c=1).T
    lower.flat[:: len(lower) + 1] += 1.0
    return symmetrized(lower, out=lower)


def _scaled_directions(layout: BlockLayout, b: int, lam: np.ndarray) -> np.ndarray:
    """Lambda^-1 D_i Lambda^-T of the parameters of block b, shape (m_b, K, K)."""
    mine = layout.members[b]
    inverse = np.linalg.inv(lam)
    out = np.zeros((len(mine), len(lam), len(lam)))
    out[np.arange(len(mine)), :, layout.col[mine]] = inverse[:, layout.row[mine]].T
    return out + out.swapaxes(1, 2)


def _stacked(engine: SplitEngine, vectors: list[np.ndarray]) -> np.ndarray:
    """Block vectors (levels, K, r) as rows of the projection, (q, r)."""
    return np.concatenate([_effect_major(vectors[b]) for b in (engine.first, *engine.rest.blocks)])


def _effect_major(vectors: np.ndarray) -> np.ndarray:
    return vectors.swapaxes(0, 1).reshape(-1, vectors.shape[2])


def _starts(engine: SplitEngine) -> list[int]:
    """First row of each block in the projection: the eliminated block, then the rest."""
    layout = engine.problem.layout
    own = layout.widths[engine.first] * layout.n_levels[engine.first]
    out = [0] * len(layout.widths)
    for b in engine.rest.blocks:
        out[b] = own + engine.rest.slabs[b, 0].start
    return out


def _projection(engine: SplitEngine, factor: SplitFactor) -> np.ndarray:
    """W = Z'V_0^-1 Z, dense (q, q): the eliminated block effect-major, then the rest as it is stacked.

    W = Z'V_1^-1 Z - E E' with E = Z'V_1^-1 Z_2 Lambda_2 U^-1, M_2 = U'U, where Z_1'V_1^-1 Z_1 = R A_11,
    Z_1'V_1^-1 Z_2 = R A_12 and Z_2'V_1^-1 Z_2 = S.
    """
    levels, k = len(engine.gram), engine.gram.shape[1]
    own = levels * k
    out = np.zeros((own + engine.rest.size, own + engine.rest.size))
    within = factor.shrink @ engine.gram
    level = np.arange(levels)
    out[:own, :own].reshape(k, levels, k, levels)[:, level, :, level] = within
    if engine.coupling is None:
        return out
    schur = factor.schur()
    out[own:, :own] = _effect_major(factor.shrink @ engine.coupling.dense()).T
    out[own:, own:] = schur
    half = np.concatenate([_effect_major(factor.shrink @ factor.whitened()), factor.whiten(schur)])
    lower = blas.dsyrk(-1.0, half.T, beta=1.0, c=out.T, trans=1, overwrite_c=1).T
    return symmetrized(lower, out=lower)


def directions(layout: BlockLayout, b: int, lam: np.ndarray) -> np.ndarray:
    """D_i = E_rs Lambda' + Lambda E_sr of the parameters of block b, shape (m_b, K, K)."""
    mine = layout.members[b]
    out = np.zeros((len(mine), len(lam), len(lam)))
    index = np.arange(len(mine))
    out[index, layout.row[mine]] = lam[:, layout.col[mine]].T
    return out + out.swapaxes(1, 2)


def gram(
    projection: np.ndarray, row: int, column: int, widths: tuple[int, ...], levels: tuple[int, ...], s: int, t: int
) -> np.ndarray:
    """Gram_st as a matrix (K_s^2, K_t^2), a few levels of s at a time: their blocks are copied into rows."""
    ks, kt = widths[s], widths[t]
    block = projection[row : row + ks * levels[s], column : column + kt * levels[t]]
    block = block.reshape(ks, levels[s], kt, levels[t])
    step = max(1, _COPIED // (ks * kt * levels[t]))
    out = np.zeros((ks * kt, ks * kt))
    for start in range(0, levels[s], step):
        rows = block[:, start : start + step].swapaxes(1, 2).reshape(ks * kt, -1)
        out += rows @ rows.T
    return out.reshape(ks, kt, ks, kt).swapaxes(1, 2).reshape(ks * ks, kt * kt)
