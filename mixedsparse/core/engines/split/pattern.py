"""Blocks of Lambda M^-1 Lambda' on the pattern of Z'Z: all that the fitted value of a row depends on.

A row of Z meets one level of each grouping factor, and levels that meet in a row have a block in Z'Z. So quadratic
forms of rows need these blocks only, however full the inverse is.
"""

from __future__ import annotations

import numpy as np

from mixedsparse.core.engines.level_blocks import apply_blocks
from mixedsparse.core.engines.split.analysis import SplitAnalysis
from mixedsparse.core.problem.crossproducts import Pairs, stable_order

__all__ = ["pair_covariances"]

# Numbers of A_12 Lambda_2 M_2^-1 Lambda_2' that are held at once.
_BATCH = 4_000_000


def pair_covariances(
    analysis: SplitAnalysis, cov: np.ndarray, dense: np.ndarray, beside: dict[int, np.ndarray] | None = None
) -> dict[tuple[int, int], np.ndarray]:
    """Gather the blocks (nnz, K_s, K_t) of all pairs: N among the rest, -C A_12 N beside the eliminated block.

    Parameters
    ----------
    analysis : SplitAnalysis
    cov : ndarray, shape (levels, K, K)
        C of the eliminated block.
    dense : ndarray, shape (q_rest, q_rest)
        N = Lambda_2 M_2^-1 Lambda_2'.
    beside : dict b -> ndarray (nnz, K, K_b), optional
        A_12 N at the pairs Z_1'Z_b, where it is known.
    """
    pairs, first = analysis.problem.pairs, analysis.first
    out = {}
    for (s, t), block in pairs.items():
        if beside is not None and first in (s, t):
            out[s, t] = _from_products(cov, block, beside[t if first == s else s], turned=first == t)
        elif first is not None and first == s:
            out[s, t] = _beside_first(analysis, cov, dense, t, block.rows, block.indices)
        elif first is not None and first == t:
            out[s, t] = _beside_first(analysis, cov, dense, s, block.indices, block.rows).swapaxes(1, 2)
        else:
            out[s, t] = _among_rest(analysis, dense, (s, t), block)
    return out


def _from_products(cov: np.ndarray, pairs: Pairs, beside: np.ndarray, turned: bool) -> np.ndarray:
    """Blocks -C A_12 N in the order of `pairs`, whose rows are the levels of the other block if it is `turned`."""
    if not turned:
        return -apply_blocks(cov[pairs.rows], beside)
    order = stable_order(pairs.indices, pairs.n_columns)
    out = np.empty(pairs.data.shape)
    out[order] = -apply_blocks(cov[pairs.indices[order]], beside).swapaxes(1, 2)
    return out


def _among_rest(analysis: SplitAnalysis, dense: np.ndarray, key: tuple[int, int], pairs: Pairs) -> np.ndarray:
    """Blocks of the dense inverse at `pairs`."""
    slabs = analysis.rest.slabs
    s, t = key
    count, width_s, width_t = pairs.data.shape
    out = np.empty((count, width_s, width_t))
    rows = pairs.rows
    for a in range(width_s):
        for c in range(width_t):
            out[:, a, c] = dense[slabs[s, a].start + rows, slabs[t, c].start + pairs.indices]
    return out


def _beside_first(
    analysis: SplitAnalysis, cov: np.ndarray, dense: np.ndarray, t: int, mine: np.ndarray, other: np.ndarray
) -> np.ndarray:
    """Blocks (nnz, K_1, K_t) at levels `mine` of the eliminated block and `other` of block t, a few of t at a time."""
    coupling, layout = analysis.coupling, analysis.problem.layout
    assert coupling is not None
    levels, k = cov.shape[:2]
    width = layout.widths[t]
    step = max(1, _BATCH // (levels * k * width))
    order = np.argsort(other, kind="stable")
    starts = np.arange(0, layout.n_levels[t], step)
    ends = np.searchsorted(other[order], np.append(starts[1:], layout.n_levels[t]))
    out = np.empty((len(mine), k, width))
    slabs = [analysis.rest.slabs[t, c].start for c in range(width)]
    for start, chosen in zip(starts, np.split(order, ends[:-1]), strict=True):
        stop = min(start + step, layout.n_levels[t])
        columns = np.concatenate([np.arange(slab + start, slab + stop) for slab in slabs])
        spread = coupling.to_first(np.ascontiguousarray(dense[:, columns])).reshape(levels, k, width, stop - start)
        out[chosen] = spread[mine[chosen], :, :, other[chosen] - start]
    return -(cov[mine] @ out)
