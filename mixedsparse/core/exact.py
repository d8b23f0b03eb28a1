"""Exact Hessian where the random effects are few enough to write W = Z'V_0^-1 Z out.

The second derivative differs from twice the average information by tr(P V_i P V_j), P = V_0^-1 for ML and
P_0 = V_0^-1 - V_0^-1 X K X'V_0^-1 for REML. In q-space that is

    tr(D_i W D_j W) summed over pairs of levels = vec(D_i)' Gram_st vec(D_j),
    Gram_st[(a, b), (c, d)] = sum over l, l' of W[la, l'c] W[lb, l'd]

so that one K^2 x K^2 table per pair of blocks serves all parameters (derived from Lindstrom & Bates 1988, section 3).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeGuard

import numpy as np

from mixedsparse.core.blocks import BlockLayout
from mixedsparse.core.coupling import symmetrized
from mixedsparse.core.pls import Pls
from mixedsparse.core.split import SplitEngine, SplitFactor

__all__ = ["affordable", "rest_trace_products", "trace_products"]

# Effects per level up to which the traces among the rest are worth their pass.
_WIDEST = 4
# Size of the rest from which on compiled loops are worth their import.
_COMPILED = 1500
# Diagonal entries of Lambda from which on dividing by them is safe for a Hessian.
_SAFE_PIVOT = 1e-3
# W is written out up to this many random effects: then it costs less than the evaluations that it saves.
_LARGEST = 1500


def affordable(engine: object) -> TypeGuard[SplitEngine]:
    """Whether `engine` can write W out at little cost."""
    return isinstance(engine, SplitEngine) and engine.problem.layout.q <= _LARGEST


def trace_products(engine: SplitEngine, pls: Pls) -> np.ndarray:
    """Return tr(P V_i P V_j) for all pairs of parameters, shape (m, m)."""
    layout = engine.problem.layout
    assert isinstance(pls.factor, SplitFactor)
    projection = _projection(engine, pls.factor)
    if pls.reml and engine.problem.p:
        half = np.concatenate([_effect_major(h) for h in _in_order(engine, pls.Hx)]) @ np.linalg.cholesky(pls.K)
        projection -= half @ half.T
    directions = [_directions(layout, b, lam) for b, lam in enumerate(pls.factors)]
    starts = _starts(engine)
    out = np.zeros((len(layout.block), len(layout.block)))
    for s in range(len(layout.widths)):
        for t in range(s + 1):
            gram = _gram(projection, starts[s], starts[t], layout.widths, layout.n_levels, s, t)
            mine, other = layout.members[s], layout.members[t]
            values = directions[s].reshape(len(mine), -1) @ gram @ directions[t].reshape(len(other), -1).T
            out[mine[:, None], other] = values
            out[other[:, None], mine] = values.T
    return out


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
    half = np.zeros((engine.rest.size, 0))
    if pls.reml and engine.problem.p:
        half = engine.rest.times_factor_t(pls.factors, engine.rest.stack(pls.Hx)) @ np.linalg.cholesky(pls.K)
    table = _dense_grams if engine.rest.size <= _COMPILED else _compiled_grams
    scaled = {b: _scaled_directions(layout, b, pls.factors[b]) for b in good}
    for (s, t), gram in table(engine, pls.factor.inverse(), half, good):
        mine, other = layout.members[s], layout.members[t]
        values = scaled[s].reshape(len(mine), -1) @ gram @ scaled[t].reshape(len(other), -1).T
        out[mine[:, None], other], out[other[:, None], mine] = values, values.T
        known[mine[:, None], other] = known[other[:, None], mine] = True
    return out, known


Grams = Iterator[tuple[tuple[int, int], np.ndarray]]


def _dense_grams(engine: SplitEngine, inverse: np.ndarray, half: np.ndarray, blocks: list[int]) -> Grams:
    """Gram_st of I - M_2^-1 - H H' for the pairs of `blocks`, by NumPy."""
    layout, slabs = engine.problem.layout, engine.rest.slabs
    projection = symmetrized(inverse) + half @ half.T
    np.negative(projection, out=projection)
    projection.flat[:: len(projection) + 1] += 1.0
    for s in blocks:
        for t in blocks:
            if s >= t:
                starts = slabs[s, 0].start, slabs[t, 0].start
                yield (s, t), _gram(projection, *starts, layout.widths, layout.n_levels, s, t)


def _compiled_grams(engine: SplitEngine, inverse: np.ndarray, half: np.ndarray, blocks: list[int]) -> Grams:
    """Yield the same by compiled loops over the lower triangle, without a second array of its size."""
    from mixedsparse.core import kernels

    layout, slabs = engine.problem.layout, engine.rest.slabs
    sums = _block_sums(engine, inverse, half)
    starts = {b: np.array([slabs[b, a].start for a in range(layout.widths[b])]) for b in blocks}
    for s in blocks:
        for t in blocks:
            if s >= t:
                ks, kt = layout.widths[s], layout.widths[t]
                gram = kernels.slab_gram(inverse, half, starts[s], starts[t], layout.n_levels[s], layout.n_levels[t])
                if s == t:
                    gram = gram + _identity_terms(sums[s], layout.n_levels[s])
                yield (s, t), gram.reshape(ks, kt, ks, kt).swapaxes(1, 2).reshape(ks * ks, kt * kt)


def _block_sums(engine: SplitEngine, inverse: np.ndarray, half: np.ndarray) -> dict[int, np.ndarray]:
    """Sum over levels of the diagonal blocks of M_2^-1 + H H', (K, K) per block of the rest."""
    out = engine.rest.block_sums(inverse)
    for b, total in out.items():
        slabs = [half[engine.rest.slabs[b, a]] for a in range(len(total))]
        total += np.array([[np.vdot(s, t) for t in slabs] for s in slabs])
    return out


def _identity_terms(sums: np.ndarray, levels: int) -> np.ndarray:
    """Return what I adds to the Gram matrix of -N in I - N, S the sum of the diagonal blocks of N."""
    one = np.eye(len(sums)).ravel()
    cross = np.outer(sums.ravel(), one)
    return levels * np.outer(one, one) - cross - cross.T


def _scaled_directions(layout: BlockLayout, b: int, lam: np.ndarray) -> np.ndarray:
    """Lambda^-1 D_i Lambda^-T of the parameters of block b, shape (m_b, K, K)."""
    mine = layout.members[b]
    inverse = np.linalg.inv(lam)
    out = np.zeros((len(mine), len(lam), len(lam)))
    out[np.arange(len(mine)), :, layout.col[mine]] = inverse[:, layout.row[mine]].T
    return out + out.swapaxes(1, 2)


def _in_order(engine: SplitEngine, vectors: list[np.ndarray]) -> list[np.ndarray]:
    return [vectors[b] for b in (engine.first, *engine.rest.blocks)]


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

    W_22 = S J and W_12 = R A_12 J with J = I - Lambda_2 M_2^-1 Lambda_2'S;
    W_11 = R A_11 - (R A_12) Lambda_2 M_2^-1 Lambda_2' (R A_12)'.
    """
    levels, k = len(engine.gram), engine.gram.shape[1]
    own = levels * k
    out = np.zeros((own + engine.rest.size, own + engine.rest.size))
    within = factor.shrink @ engine.gram
    for a in range(k):
        for b in range(k):
            np.fill_diagonal(out[a * levels : (a + 1) * levels, b * levels : (b + 1) * levels], within[:, a, b])
    if engine.coupling is None:
        return out
    covariance, schur = factor.covariance(), factor.schur()
    coupled = _effect_major(factor.shrink @ engine.coupling.dense())
    keep = -covariance @ schur
    keep.flat[:: len(keep) + 1] += 1.0
    out[:own, :own] -= coupled @ covariance @ coupled.T
    out[:own, own:] = coupled @ keep
    out[own:, :own] = out[:own, own:].T
    out[own:, own:] = schur @ keep
    return out


def _directions(layout: BlockLayout, b: int, lam: np.ndarray) -> np.ndarray:
    """D_i = E_rs Lambda' + Lambda E_sr of the parameters of block b, shape (m_b, K, K)."""
    mine = layout.members[b]
    out = np.zeros((len(mine), len(lam), len(lam)))
    index = np.arange(len(mine))
    out[index, layout.row[mine]] = lam[:, layout.col[mine]].T
    return out + out.swapaxes(1, 2)


def _gram(
    projection: np.ndarray, row: int, column: int, widths: tuple[int, ...], levels: tuple[int, ...], s: int, t: int
) -> np.ndarray:
    """Gram_st as a matrix (K_s^2, K_t^2)."""
    ks, kt = widths[s], widths[t]
    block = projection[row : row + ks * levels[s], column : column + kt * levels[t]]
    rows = block.reshape(ks, levels[s], kt, levels[t]).swapaxes(1, 2).reshape(ks * kt, -1)
    gram = (rows @ rows.T).reshape(ks, kt, ks, kt)
    return gram.swapaxes(1, 2).reshape(ks * ks, kt * kt)
