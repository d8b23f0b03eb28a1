"""Rows that belong to several levels of one term at once: codes (n, slots) and a basis (n, slots, k)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from mixedsparse.ground.errors import DataError

__all__ = ["is_list_of_columns", "per_slot", "spread_rows", "stacked"]


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
