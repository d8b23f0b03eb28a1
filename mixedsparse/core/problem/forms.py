"""Variances of many combinations of coefficients."""

from __future__ import annotations

import numpy as np
from scipy import sparse

__all__ = ["quadratic_forms", "times_rows"]

# Multiply-adds up to which one call does it, rows that are taken at a time beyond, and the share of numbers that are
# not 0 up to which the zeros of the rows are left out.
_SMALL, _ROWS, _SPARSE = 1e8, 1000, 0.1


def quadratic_forms(L: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return l'M l (r,) for the rows l of L (r, p) and a symmetric M (p, p)."""
    if float(L.size) * len(matrix) <= _SMALL:
        return np.asarray(np.einsum("rp,pq,rq->r", L, matrix, L))
    pieces = (L[start : start + _ROWS] for start in range(0, len(L), _ROWS))
    return np.concatenate([np.einsum("rp,rp->r", times_rows(piece, matrix), piece) for piece in pieces])


def times_rows(L: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return L M (r, k) for L (r, p), whose rows may have few numbers that are not 0."""
    if float(L.size) * matrix.shape[1] <= _SMALL or np.count_nonzero(L) > _SPARSE * L.size:
        return np.asarray(L @ matrix)
    return np.asarray(sparse.csr_array(L) @ matrix)
