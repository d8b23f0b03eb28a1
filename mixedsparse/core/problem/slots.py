"""Rows that belong to several levels of one term at once: codes (n, slots) and a basis (n, slots, k)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from mixedsparse.core.problem.relationship import Relationship
from mixedsparse.ground.errors import DataError

__all__ = [
    "covariance_of_rows",
    "is_list_of_columns",
    "pairs_of_slots",
    "per_slot",
    "row_variances",
    "spread_rows",
    "stacked",
]


def per_slot(codes: np.ndarray, z: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield codes (n,) and basis (n, k) of each slot of a term."""
    if codes.ndim == 1:
        yield codes, z
    else:
        for slot in range(codes.shape[1]):
            yield codes[:, slot], z[:, slot]


def spread_rows(codes: np.ndarray, z: np.ndarray, effects: np.ndarray) -> np.ndarray:
    """Z times the effects (levels, k) of one term, (n,); rows with a negative code get nothing from that slot."""
    out = np.zeros(len(codes))
    for code, basis in per_slot(codes, z):
        part = np.einsum("ij,ij->i", basis, effects[np.maximum(code, 0)])
        out += part if (code >= 0).all() else np.where(code < 0, 0.0, part)
    return out


def pairs_of_slots(
    codes: np.ndarray, z: np.ndarray, known: Relationship | None
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray | None]]:
    """Yield the bases (n, k) of two slots, each pair once, and the covariance (n,) of their levels; None where it is 1.

    Levels that are not known, with a negative code, are independent of all others.
    """
    slots = list(per_slot(codes, z))
    for c, (one, left) in enumerate(slots):
        unknown = one < 0
        own = None if known is None else np.where(unknown, 1.0, known.diagonal[np.maximum(one, 0)])
        yield left, left, own
        for other, right in slots[c + 1 :]:
            shared = (one == other) & ~unknown
            if known is None:
                yield left, right, shared.astype(float)
                continue
            both = ~unknown & (other >= 0)
            covariance = np.zeros(len(one))
            covariance[both] = known.entries(one[both], other[both])
            yield left, right, covariance


def row_variances(codes: np.ndarray, z: np.ndarray, lam: np.ndarray, known: Relationship | None) -> np.ndarray:
    """Variance (n,), over sigma^2, of z'b for effects with the factor `lam` (k, k) and related levels."""
    out = np.zeros(len(z))
    for left, right, shared in pairs_of_slots(codes, z, known):
        half = left @ lam
        part = np.square(half).sum(axis=1) if left is right else 2.0 * (half * (right @ lam)).sum(axis=1)
        out += part if shared is None else part * shared
    return out


def covariance_of_rows(codes: np.ndarray, z: np.ndarray, sigma: np.ndarray, known: Relationship | None) -> np.ndarray:
    """Covariance Z (K x Sigma) Z', (n, n), that the effects of one term give the rows."""
    out = np.zeros((len(z), len(z)))
    slots = list(per_slot(codes, z))
    for one, left in slots:
        for other, right in slots:
            both = left @ sigma @ right.T
            if known is None:
                out += np.where(one[:, None] == other, both, 0.0)
            else:
                out += known.entries(one[:, None], other[None]) * both
    return out


def is_list_of_columns(codes: Any) -> bool:
    """Whether `codes` is a list of arrays, one per slot, and not a list of numbers."""
    return isinstance(codes, list | tuple) and len(codes) > 0 and getattr(codes[0], "ndim", 0) == 1


def stacked(arrays: Any, ndim: int) -> np.ndarray:
    """Arrays (n, ...) of the slots, of `ndim` dimensions each, as one, (n, slots, ...)."""
    slots = [np.asarray(a) for a in arrays]
    slots = [a[:, None] if a.ndim == ndim - 1 else a for a in slots]
    if len({a.shape for a in slots}) > 1 or slots[0].ndim != ndim:
        raise DataError(f"The slots of a term have shapes {[a.shape for a in slots]}: they must agree.")
    return np.stack(slots, axis=1)
