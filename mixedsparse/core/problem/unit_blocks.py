"""Blocks of pairs of levels that are a single 1 each, and take no memory."""

from __future__ import annotations

import numpy as np

__all__ = ["are_ones", "ones"]


def ones(count: int) -> np.ndarray:
    """Blocks of a single 1, (count, 1, 1), which are one number in memory and not to be written to."""
    return np.broadcast_to(np.ones((1, 1, 1)), (count, 1, 1))


def are_ones(blocks: np.ndarray) -> bool:
    """Whether each block is a single 1."""
    if blocks.shape[1:] != (1, 1):
        return False
    return bool((blocks[:1] == 1.0).all() if blocks.strides[0] == 0 else (blocks == 1.0).all())
