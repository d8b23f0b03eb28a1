"""tr(V_0^-1 G_i V_0^-1 G_j) for the covariance entries of all random effects, from W = Z'V_0^-1 Z.

G_i = Z D_i Z' with D_i = I x E_i and E_i the symmetric pattern of one entry, so that the trace is tr(D_i W D_j W).
With several grouping factors W is dense; with one it is block diagonal and is never written out. A relationship P^-1
among levels stands in the place of I in D_i.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_triangular

from mixedsparse.core.choose.memory import available_memory
from mixedsparse.core.likelihood.interface import Engine, Factored
from mixedsparse.core.problem.blocks import BlockLayout
from mixedsparse.ground.errors import BackendError

__all__ = ["pattern_traces"]

# Columns of W that are solved for together.
_CHUNK = 256
# Arrays of the size of W that are held at once.
_ARRAYS = 2


def pattern_traces(engine: Engine, factor: Factored) -> tuple[np.ndarray, np.ndarray]:
    """Return tr(D_i W D_j W), shape (m, m), and tr(D_i W), shape (m,).

    Raises
    ------
    BackendError
        W does not fit into memory.
    """
    layout = engine.problem.layout
    if len(layout.widths) == 1 and not engine.problem.coupled:
        within = _one_block(engine, factor)
        grams = {(0, 0): np.einsum("lac,lbd->abcd", within, within)}
        sums = [within.sum(axis=0)]
    else:
        W = _dense(engine, factor)
        grams = {(s, t): _gram(W[s, t]) for s, t in W}
        sums = [np.einsum("lalb->ab", W[b, b]) for b in range(len(layout.widths))]
    return _contract(layout, grams), layout.gather(sums) * layout.multiplicity


def _contract(layout: BlockLayout, grams: dict[tuple[int, int], np.ndarray]) -> np.ndarray:
    """Sum gram[a, b, c, d] E_i[a, b] E_j[c, d] for every pair of parameters; grams of blocks (s, t) with s >= t."""
    m = len(layout.block)
    out = np.zeros((m, m))
    for (s, t), gram in grams.items():
        mine, other = layout.members[s], layout.members[t]
        left, right = (layout.units[b].reshape(len(layout.members[b]), -1) for b in (s, t))
        values = left @ gram.reshape(left.shape[1], right.shape[1]) @ right.T
        out[np.ix_(mine, other)] = values
        out[np.ix_(other, mine)] = values.T
    return out


def _one_block(engine: Engine, factor: Factored) -> np.ndarray:
    """Diagonal blocks of W (levels, K, K), when levels do not meet: one solution for all of them."""
    levels, k = engine.problem.layout.n_levels[0], engine.problem.layout.widths[0]
    unit = np.broadcast_to(np.eye(k), (levels, k, k)).copy()
    return factor.project(engine.times([unit]))[0]


def _dense(engine: Engine, factor: Factored) -> dict[tuple[int, int], np.ndarray]:
    """Blocks (levels_s, K_s, levels_t, K_t) of W for s >= t."""
    layout = engine.problem.layout
    _check_memory(layout.q)
    sizes = [n * k for n, k in zip(layout.n_levels, layout.widths, strict=True)]
    out = {(s, t): np.empty((sizes[s], sizes[t])) for s in range(len(sizes)) for t in range(s + 1)}
    for t, size in enumerate(sizes):
        for start in range(0, size, _CHUNK):
            columns = np.arange(start, min(start + _CHUNK, size))
            for s, solved in enumerate(_columns(engine, factor, t, columns)):
                if s >= t:
                    out[s, t][:, columns] = solved.reshape(sizes[s], -1)
    places = list(zip(layout.n_levels, layout.widths, strict=True))
    blocks = {(s, t): block.reshape(*places[s], *places[t]) for (s, t), block in out.items()}
    if engine.problem.is_penalised:
        roots = [None if p is None else p.relationship.root for p in engine.problem.penalties]
        blocks = {(s, t): _sphered(_sphered(w, roots[s], 0), roots[t], 2) for (s, t), w in blocks.items()}
    return blocks


def _sphered(block: np.ndarray, root: np.ndarray | None, axis: int) -> np.ndarray:
    """C^-1 along the levels on one axis, P = C C': with W so on both sides, D_i counts levels as independent."""
    if root is None:
        return block
    moved = np.moveaxis(block, axis, 0)
    solved = solve_triangular(root, moved.reshape(len(moved), -1), lower=True).reshape(moved.shape)
    return np.moveaxis(solved, 0, axis)


def _columns(engine: Engine, factor: Factored, t: int, columns: np.ndarray) -> list[np.ndarray]:
    """Columns of W that belong to block t, as block vectors."""
    layout = engine.problem.layout
    units = [np.zeros((n, k, len(columns))) for n, k in zip(layout.n_levels, layout.widths, strict=True)]
    units[t].reshape(-1, len(columns))[columns, np.arange(len(columns))] = 1.0
    return factor.project(engine.times(units))


def _gram(block: np.ndarray) -> np.ndarray:
    """Sum over pairs of levels of block[l, a, l', c] block[l, b, l', d], as an array (a, b, c, d)."""
    rows = block.transpose(1, 3, 0, 2)
    ks, kt = rows.shape[:2]
    flat = rows.reshape(ks * kt, -1)
    return (flat @ flat.T).reshape(ks, kt, ks, kt).swapaxes(1, 2)


def _check_memory(q: int) -> None:
    needed, available = _ARRAYS * 8.0 * q**2, available_memory()
    if needed > available:
        raise BackendError(
            f"Kenward-Roger needs the q x q matrix Z'V^-1 Z of the random effects: with q = {q:,} about "
            f"{needed / 2**30:,.1f} GiB of memory, and this machine offers {available / 2**30:,.1f} GiB. "
            "Use ddf='satterthwaite', which needs no such matrix."
        )
