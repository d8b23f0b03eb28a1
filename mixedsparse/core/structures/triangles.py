"""Lower-triangular roots of covariances."""

from __future__ import annotations

import numpy as np

__all__ = ["triangle_of"]


def triangle_of(root: np.ndarray) -> np.ndarray:
    """Lower triangle (k, k), its diagonal not negative, with the same product L L' as `root` (k, any number)."""
    lam: np.ndarray = np.asarray(np.linalg.qr(root.T, mode="r")).T
    if lam.shape[1] < lam.shape[0]:
        lam = np.hstack([lam, np.zeros((lam.shape[0], lam.shape[0] - lam.shape[1]))])
    return np.asarray(np.tril(lam * np.where(np.diagonal(lam) < 0, -1.0, 1.0)))
