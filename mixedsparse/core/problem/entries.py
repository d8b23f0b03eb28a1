"""Entries of the covariances of the random effects, and how they move with theta.

V_0 is linear in the free entries s_i of the Sigma_b = Lambda_b Lambda_b': dV_0 / ds_i = Z (I x S_i) Z', S_i the
symmetric unit matrix of entry i. So derivatives are taken in s, and theta comes in by the chain rule alone: with
J = ds / dtheta and d^2 s_i / dtheta^2,

    gradient = J'g,    Hessian = J'H J + sum over i of g_i d^2 s_i / dtheta^2

and D_i = dSigma / dtheta_i = E_rs Lambda' + Lambda E_sr, for theta_i at (r, s) of Lambda. Entry i of s stands where
entry i of theta does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mixedsparse.core.problem.blocks import BlockLayout

__all__ = [
    "bend",
    "entry_products",
    "jacobian",
    "symmetric",
    "times_moves",
    "times_slopes",
    "times_units",
    "times_units_of",
]

Vectors = list[np.ndarray]


def symmetric(layout: BlockLayout, b: int, entries: np.ndarray) -> np.ndarray:
    """Matrix (K, K) of block b with the given `entries` (m,), or more than m: the sum of their S_i."""
    mine = layout.members[b]
    out = np.zeros((layout.widths[b], layout.widths[b]))
    out[layout.row[mine], layout.col[mine]] = out[layout.col[mine], layout.row[mine]] = entries[mine]
    return out


def times_units(layout: BlockLayout, vectors: Sequence[np.ndarray]) -> Vectors:
    """S_i times vectors (levels, K) of each block: block vectors (levels, K, m)."""
    out = []
    for b, vector in enumerate(vectors):
        moved = np.zeros((*vector.shape, len(layout.block)))
        moved[:, :, layout.members[b]] = times_units_of(layout, b, vector.T).reshape(-1, *vector.shape[::-1]).T
        out.append(moved)
    return out


def times_units_of(layout: BlockLayout, b: int, vectors: np.ndarray) -> np.ndarray:
    """S_i of the entries of block b times columns (..., K, levels), (..., m_b K, levels)."""
    return np.asarray(layout.units[b].reshape(-1, layout.widths[b]) @ vectors)


def times_moves(layout: BlockLayout, vectors: Sequence[np.ndarray], moves: np.ndarray) -> Vectors:
    """`times_units` times `moves` (m, r), made without it: block vectors (levels, K, r)."""
    turned = [
        np.tensordot(moves[mine], units, axes=(0, 0)) for mine, units in zip(layout.members, layout.units, strict=True)
    ]
    return [np.moveaxis(vector @ own, 0, 2) for vector, own in zip(vectors, turned, strict=True)]


def entry_products(layout: BlockLayout, left: Sequence[np.ndarray], right: Sequence[np.ndarray]) -> np.ndarray:
    """H'(I x S_i)H of all entries, (m, p, p), for block vectors H (levels, K, p) and what stands for the second H."""
    out = np.empty((len(layout.block), left[0].shape[2], left[0].shape[2])) if left else np.empty((0, 0, 0))
    for i, (b, row, col) in enumerate(zip(layout.block, layout.row, layout.col, strict=True)):
        half = left[b][:, row].T @ right[b][:, col]
        out[i] = half if row == col else half + half.T
    return out


def times_slopes(layout: BlockLayout, lams: Sequence[np.ndarray], vectors: Sequence[np.ndarray]) -> Vectors:
    """D_i times vectors (levels, K) of each block: block vectors (levels, K, m)."""
    J = jacobian(layout, lams)
    return [moved @ J for moved in times_units(layout, vectors)]


def jacobian(layout: BlockLayout, lams: Sequence[np.ndarray]) -> np.ndarray:
    """J = ds / dtheta, (m, m), at Lambda of each block."""
    pieces = []
    for places, lam in zip(_places(layout), lams, strict=True):
        flat = lam.ravel()
        pieces.append(places.in_row * flat[places.across] + places.in_column * flat[places.along])
    return _spread(layout, pieces)


def bend(layout: BlockLayout, scores: Sequence[np.ndarray]) -> np.ndarray:
    """Sum of g_i d^2 s_i / dtheta^2, (m, m), for the derivatives G (K, K) of each block in Sigma, `scores`.

    It is 2 G_rr' between entries (r, s) and (r', s) of the same column s.
    """
    pieces = [
        places.twice_same * score.ravel()[places.rows] for places, score in zip(_places(layout), scores, strict=True)
    ]
    return _spread(layout, pieces)


class _Places(NamedTuple):
    """Where one block's ds_i / dtheta_j, i at (a, c) and j at (r, s), has its numbers, all (m_b, m_b).

    It is [a = r] Lambda_cs + [c = r] Lambda_as.
    """

    in_row: np.ndarray
    across: np.ndarray
    in_column: np.ndarray
    along: np.ndarray
    rows: np.ndarray
    twice_same: np.ndarray


def _places(layout: BlockLayout) -> tuple[_Places, ...]:
    """Return those of each block, made once for a layout."""
    found: tuple[_Places, ...] | None = layout.__dict__.get("_places")
    if found is None:
        made = []
        for mine, k in zip(layout.members, layout.widths, strict=True):
            row, col = layout.row[mine], layout.col[mine]
            a, c = row[:, None], col[:, None]
            same = 2.0 * (c == col)
            made.append(_Places(1.0 * (a == row), c * k + col, 1.0 * (c == row), a * k + col, a * k + row, same))
        found = layout.__dict__["_places"] = tuple(made)
    return found


def _spread(layout: BlockLayout, pieces: list[np.ndarray]) -> np.ndarray:
    """Matrix (m, m) with the `pieces` of its blocks on the diagonal."""
    if len(pieces) == 1:
        return pieces[0]
    out = np.zeros((len(layout.block), len(layout.block)))
    for mine, piece in zip(layout.members, pieces, strict=True):
        out[mine[:, None], mine] = piece
    return out
