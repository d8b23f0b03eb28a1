"""Traces of the second derivative, from W = Z'V_0^-1 Z where it is written out.

The second derivative differs from twice the average information by tr(P V_i P V_j), P = V_0^-1 for ML and
P_0 = V_0^-1 - V_0^-1 X K X'V_0^-1 for REML. In q-space, with V_i = Z (I x S_i) Z', that is

    tr(S_i W S_j W) summed over pairs of levels = vec(S_i)' Gram_st vec(S_j),
    Gram_st[(a, b), (c, d)] = sum over l, l' of W[la, l'c] W[lb, l'd]

so that one K^2 x K^2 table per pair of blocks serves all entries (derived from Lindstrom & Bates 1988, section 3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mixedsparse.core.likelihood.interface import Factored, Written
from mixedsparse.core.problem.blocks import BlockLayout, effect_major

__all__ = ["contract", "gram_of", "gram_table", "scaled_trace_products", "stacked", "sums_of_squares"]

# Effects per level up to which the traces among the rest are worth their pass.
_WIDEST = 4
# Diagonal entries of Lambda from which on dividing by them is safe for a Hessian.
_SAFE_PIVOT = 1e-3


def scaled_trace_products(
    layout: BlockLayout, factor: Factored, half: Sequence[np.ndarray], copied: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return tr(P V_i P V_j) where it is at hand, (m, m), and the mask of the entries that are known; None for none.

    `Factored.scaled_projection` is there after the gradient, so these traces cost one pass over it. In its terms S_i
    becomes Lambda^-1 S_i Lambda^-T. Blocks with a pivot near 0, or many effects, are left to average information.
    `half` are block vectors Y (levels, K, r) with P = V_0^-1 - Y Y' in q-space; `copied` is that of `contract`.
    """
    projection = factor.scaled_projection(list(half))
    if projection is None:
        return None
    sides = {}
    for b in projection.starts:
        lam = factor.lams[b]
        if len(lam) <= _WIDEST and np.abs(np.diagonal(lam)).min() > _SAFE_PIVOT:
            inverse = np.linalg.inv(lam)
            sides[b] = inverse @ layout.units[b] @ inverse.T
    known = np.zeros((len(layout.block), len(layout.block)), dtype=bool)
    places = np.isin(layout.block, list(sides))
    known[np.ix_(places, places)] = True
    return contract(projection, layout, copied, sides), known


def contract(
    projection: Written, layout: BlockLayout, copied: int, sides: Mapping[int, np.ndarray] | None = None
) -> np.ndarray:
    """Return the sums over levels of tr(S_i P S_j P), (..., m, m), P (..., q, q) the `projection`.

    At most about `copied` numbers are copied at a time. Other `sides` (m_b, K, K) than the S_i can be given, of some
    blocks only; the rest of the result is 0.
    """
    m = len(layout.block)
    out = np.zeros((*projection.matrix.shape[:-2], m, m))
    if sides is None and max(layout.widths) == 1 and projection.matrix.size <= copied:
        order = sorted(projection.starts, key=projection.starts.__getitem__)
        places = np.concatenate([layout.members[b] for b in order])
        out[..., places[:, None], places] = sums_of_squares(projection.matrix, [projection.starts[b] for b in order])
        return out
    sides = {b: layout.units[b] for b in projection.starts} if sides is None else sides
    for s, left in sides.items():
        for t, right in sides.items():
            if t <= s:
                mine, other = layout.members[s], layout.members[t]
                table = gram_table(projection, layout, s, t, copied)
                values = left.reshape(len(mine), -1) @ table @ right.reshape(len(other), -1).T
                out[..., mine[:, None], other] = values
                out[..., other[:, None], mine] = values.swapaxes(-1, -2)
    return out


def sums_of_squares(matrix: np.ndarray, starts: list[int]) -> np.ndarray:
    """Add up squares of the blocks that start in these rows and columns of `matrix`: (..., blocks, blocks)."""
    return np.asarray(np.add.reduceat(np.add.reduceat(np.square(matrix), starts, axis=-2), starts, axis=-1))


def stacked(projection: Written, vectors: Sequence[np.ndarray]) -> np.ndarray:
    """Block vectors (levels, K, r) as rows of the projection, (q, r)."""
    order = sorted(projection.starts, key=projection.starts.__getitem__)
    return np.concatenate([effect_major(vectors[b]) for b in order])


def gram_table(projection: Written, layout: BlockLayout, s: int, t: int, copied: int) -> np.ndarray:
    """Gram_st of any W as a matrix (..., K_s^2, K_t^2)."""
    (ks, kt), (ls, lt) = ((sizes[s], sizes[t]) for sizes in (layout.widths, layout.n_levels))
    row, column = projection.starts[s], projection.starts[t]
    block = projection.matrix[..., row : row + ks * ls, column : column + kt * lt]
    return gram_of(block.reshape(*block.shape[:-2], ks, ls, kt, lt), copied)


def gram_of(block: np.ndarray, copied: int) -> np.ndarray:
    """Gram_st (..., K_s^2, K_t^2) of one block (..., K_s, levels_s, K_t, levels_t) of any W.

    A few levels of s are taken at a time: their blocks are copied.
    """
    *lead, ks, ls, kt, lt = block.shape
    if ks == kt == 1:
        return np.einsum("...iajb,...iajb->...", block, block)[..., None, None]
    step = max(1, copied // (ks * kt * lt))
    out = np.zeros((*lead, ks * kt, ks * kt))
    for start in range(0, ls, step):
        rows = block[..., start : start + step, :, :].swapaxes(-3, -2).reshape(*lead, ks * kt, -1)
        out += rows @ rows.swapaxes(-1, -2)
    return out.reshape(*lead, ks, kt, ks, kt).swapaxes(-3, -2).reshape(*lead, ks * ks, kt * kt)
