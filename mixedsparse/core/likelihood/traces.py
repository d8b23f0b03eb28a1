"""Exact Hessian where the random effects are few enough to write W = Z'V_0^-1 Z out.

The second derivative differs from twice the average information by tr(P V_i P V_j), P = V_0^-1 for ML and
P_0 = V_0^-1 - V_0^-1 X K X'V_0^-1 for REML. In q-space that is

    tr(D_i W D_j W) summed over pairs of levels = vec(D_i)' Gram_st vec(D_j),
    Gram_st[(a, b), (c, d)] = sum over l, l' of W[la, l'c] W[lb, l'd]

so that one K^2 x K^2 table per pair of blocks serves all parameters (derived from Lindstrom & Bates 1988, section 3).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mixedsparse.core.likelihood.interface import Written
from mixedsparse.core.likelihood.pls import Pls
from mixedsparse.core.problem.blocks import BlockLayout, effect_major

__all__ = ["contract", "directions", "scaled_trace_products", "trace_products"]

# Effects per level up to which the traces among the rest are worth their pass.
_WIDEST = 4
# Numbers that are copied at a time for a Gram matrix.
_COPIED = 500_000
# Diagonal entries of Lambda from which on dividing by them is safe for a Hessian.
_SAFE_PIVOT = 1e-3


def trace_products(layout: BlockLayout, pls: Pls, vectors: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return tr(P V_i P V_j) for all pairs of parameters, shape (m, m), and F'W F for block vectors F.

    The engine must write W out; see `Engine.writes_projection`.
    """
    projection = pls.factor.projection()
    assert projection is not None
    stacked = _stacked(projection, vectors)
    inner = stacked.T @ (projection.matrix @ stacked)
    if pls.reml and len(pls.K):
        half = _stacked(projection, pls.Hx) @ np.linalg.cholesky(pls.K)
        projection.matrix[:] -= half @ half.T
    sides = {b: directions(layout, b, lam) for b, lam in enumerate(pls.factors)}
    return contract(projection, layout, sides)[0], inner


def scaled_trace_products(layout: BlockLayout, pls: Pls) -> tuple[np.ndarray, np.ndarray] | None:
    """Return tr(P V_i P V_j) where it is at hand, (m, m), and the mask of the entries that are known; None for none.

    `Factor.scaled_projection` is there after the gradient, so these traces cost one pass over it. In its terms D_i
    becomes Lambda^-1 e_r e_s' + transpose. Blocks with a pivot near 0, or many effects, are left to average
    information.
    """
    columns = len(pls.K) if pls.reml else 0
    half = np.linalg.cholesky(pls.K) if columns else np.empty((len(pls.K), 0))
    projection = pls.factor.scaled_projection([hx @ half for hx in pls.Hx])
    if projection is None:
        return None
    sides = {
        b: _scaled_directions(layout, b, lam)
        for b, lam in enumerate(pls.factors)
        if b in projection.starts and len(lam) <= _WIDEST and np.abs(np.diagonal(lam)).min() > _SAFE_PIVOT
    }
    return contract(projection, layout, sides)


def contract(
    projection: Written, layout: BlockLayout, sides: Mapping[int, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the sums over levels of tr(D_i P D_j P), (m, m), for `sides` D_i (m_b, K, K) per block; and the mask."""
    m = len(layout.block)
    out, known = np.zeros((m, m)), np.zeros((m, m), dtype=bool)
    for s, left in sides.items():
        for t, right in sides.items():
            if t <= s:
                mine, other = layout.members[s], layout.members[t]
                table = gram(projection, layout, s, t)
                values = left.reshape(len(mine), -1) @ table @ right.reshape(len(other), -1).T
                out[mine[:, None], other], out[other[:, None], mine] = values, values.T
                known[mine[:, None], other] = known[other[:, None], mine] = True
    return out, known


def _scaled_directions(layout: BlockLayout, b: int, lam: np.ndarray) -> np.ndarray:
    """Lambda^-1 D_i Lambda^-T of the parameters of block b, shape (m_b, K, K)."""
    mine = layout.members[b]
    inverse = np.linalg.inv(lam)
    out = np.zeros((len(mine), len(lam), len(lam)))
    out[np.arange(len(mine)), :, layout.col[mine]] = inverse[:, layout.row[mine]].T
    return out + out.swapaxes(1, 2)


def _stacked(projection: Written, vectors: list[np.ndarray]) -> np.ndarray:
    """Block vectors (levels, K, r) as rows of the projection, (q, r)."""
    return np.concatenate(
        [effect_major(vectors[b]) for b in sorted(projection.starts, key=projection.starts.__getitem__)]
    )


def directions(layout: BlockLayout, b: int, lam: np.ndarray) -> np.ndarray:
    """D_i = E_rs Lambda' + Lambda E_sr of the parameters of block b, shape (m_b, K, K)."""
    mine = layout.members[b]
    out = np.zeros((len(mine), len(lam), len(lam)))
    index = np.arange(len(mine))
    out[index, layout.row[mine]] = lam[:, layout.col[mine]].T
    return out + out.swapaxes(1, 2)


def gram(projection: Written, layout: BlockLayout, s: int, t: int) -> np.ndarray:
    """Gram_st as a matrix (K_s^2, K_t^2), a few levels of s at a time: their blocks are copied into rows."""
    (ks, kt), levels = (layout.widths[s], layout.widths[t]), layout.n_levels
    row, column = projection.starts[s], projection.starts[t]
    block = projection.matrix[row : row + ks * levels[s], column : column + kt * levels[t]]
    block = block.reshape(ks, levels[s], kt, levels[t])
    step = max(1, _COPIED // (ks * kt * levels[t]))
    out = np.zeros((ks * kt, ks * kt))
    for start in range(0, levels[s], step):
        rows = block[:, start : start + step].swapaxes(1, 2).reshape(ks * kt, -1)
        out += rows @ rows.T
    return out.reshape(ks, kt, ks, kt).swapaxes(1, 2).reshape(ks * ks, kt * kt)
