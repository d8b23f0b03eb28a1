"""Blocks of Lambda M^-1 Lambda' on the pattern of Z'Z: all that the fitted value of a row depends on.

A row of Z meets one level of each grouping factor, and levels that meet in a row have a block in Z'Z. So quadratic
forms of rows need these blocks only, however full the inverse is.
"""

from __future__ import annotations

import numpy as np

from mixedsparse.core.engines.cholmod.sparse import CholmodFactor
from mixedsparse.core.engines.interface import Factor
from mixedsparse.core.engines.split.split import SplitFactor
from mixedsparse.core.problem.crossproducts import Pairs

__all__ = ["Diagonal", "OffDiagonal", "pattern_covariances", "row_slots"]

Diagonal = list[np.ndarray]
OffDiagonal = dict[tuple[int, int], np.ndarray]

# Numbers of A_12 Lambda_2 M_2^-1 Lambda_2' that are held at once.
_BATCH = 4_000_000


def pattern_covariances(factor: Factor) -> tuple[Diagonal, OffDiagonal]:
    """Return the blocks of Lambda M^-1 Lambda' (times sigma^2: Var(b | y) at known beta).

    Returns
    -------
    diagonal : list of ndarray (levels, K, K)
        One per block.
    pairs : dict (s, t) -> ndarray (nnz, K_s, K_t)
        In the order of ``problem.pairs``.
    """
    if isinstance(factor, SplitFactor):
        return factor.conditional_covariances(), _split_pairs(factor)
    assert isinstance(factor, CholmodFactor)
    lams = factor.factors
    # The engine may have moved on to another theta.
    factor.engine.factorize(lams)
    diagonal, pairs = factor.engine.selected_inverse()
    return (
        [lam @ inverse @ lam.T for lam, inverse in zip(lams, diagonal, strict=True)],
        {(s, t): lams[s] @ inverse @ lams[t].T for (s, t), inverse in pairs.items()},
    )


def row_slots(pairs: Pairs, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Positions in `pairs` of the blocks (rows[i], columns[i]), which must be there."""
    keys = pairs.rows * pairs.n_columns + pairs.indices
    return np.searchsorted(keys, rows * pairs.n_columns + columns)


def _split_pairs(factor: SplitFactor) -> OffDiagonal:
    """Gather them from the dense inverse of the rest: N among the rest, -C A_12 N beside the eliminated block."""
    engine = factor.engine
    pairs, first = engine.problem.pairs, engine.first
    if not pairs:
        return {}
    dense = factor.covariance()
    out = {}
    for (s, t), block in pairs.items():
        if first == s:
            out[s, t] = _beside_first(factor, dense, t, block.rows, block.indices)
        elif first == t:
            out[s, t] = _beside_first(factor, dense, s, block.indices, block.rows).swapaxes(1, 2)
        else:
            out[s, t] = _among_rest(factor, dense, (s, t), block)
    return out


def _among_rest(factor: SplitFactor, dense: np.ndarray, key: tuple[int, int], pairs: Pairs) -> np.ndarray:
    """Blocks of the dense inverse at `pairs`."""
    slabs = factor.engine.rest.slabs
    s, t = key
    count, width_s, width_t = pairs.data.shape
    out = np.empty((count, width_s, width_t))
    rows = pairs.rows
    for a in range(width_s):
        for c in range(width_t):
            out[:, a, c] = dense[slabs[s, a].start + rows, slabs[t, c].start + pairs.indices]
    return out


def _beside_first(factor: SplitFactor, dense: np.ndarray, t: int, mine: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Blocks (nnz, K_1, K_t) at levels `mine` of the eliminated block and `other` of block t, a few of t at a time."""
    engine = factor.engine
    coupling, layout = engine.coupling, engine.problem.layout
    assert coupling is not None
    levels, k = factor.cov.shape[:2]
    width = layout.widths[t]
    step = max(1, _BATCH // (levels * k * width))
    order = np.argsort(other, kind="stable")
    starts = np.arange(0, layout.n_levels[t], step)
    ends = np.searchsorted(other[order], np.append(starts[1:], layout.n_levels[t]))
    out = np.empty((len(mine), k, width))
    slabs = [engine.rest.slabs[t, c].start for c in range(width)]
    for start, chosen in zip(starts, np.split(order, ends[:-1]), strict=True):
        stop = min(start + step, layout.n_levels[t])
        columns = np.concatenate([np.arange(slab + start, slab + stop) for slab in slabs])
        spread = coupling.to_first(np.ascontiguousarray(dense[:, columns])).reshape(levels, k, width, stop - start)
        out[chosen] = spread[mine[chosen], :, :, other[chosen] - start]
    return -(factor.cov[mine] @ out)
