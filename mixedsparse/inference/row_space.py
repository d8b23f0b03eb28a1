"""Rows of linear functions in another basis: uncorrelated, and none too many."""

from __future__ import annotations

import numpy as np

from mixedsparse.ground.errors import DataError

__all__ = ["has_root", "independent_rows", "uncorrelated"]

# A combination of the rows of L with less than this share of variance is 0: they depend on each other (contestMD).
_RANK_TOL = 1e-8
# Share of the largest right side up to which those of dependent rows may disagree.
_CONTRADICTION = 1e-6


def independent_rows(L: np.ndarray, rhs: np.ndarray, cov: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Combine the rows of L, and of `rhs`, to rows that are uncorrelated with variance 1: the same hypothesis.

    They are the eigenvectors of L V L', as in lmerTest's contestMD; the rank is judged free of the rows' units.
    """
    if not L.size:
        return L[:0], rhs[:0]
    half = L @ np.linalg.cholesky(cov)
    lengths = np.linalg.norm(half, axis=1)
    relative = np.linalg.svd(half / np.where(lengths > 0, lengths, 1.0)[:, None], compute_uv=False)
    rank = int((relative > np.sqrt(_RANK_TOL) * relative[0]).sum())
    turn, rest = uncorrelated(half, rank)
    if (np.abs(rest @ rhs) > _CONTRADICTION * np.abs(rhs).max(initial=0.0)).any():
        raise DataError("Rows of L are linear combinations of each other, but their right sides contradict each other.")
    return turn @ L, turn @ rhs


def has_root(cov: np.ndarray) -> bool:
    """Whether a covariance is positive definite: that of Kenward and Roger need not be."""
    try:
        np.linalg.cholesky(cov)
    except np.linalg.LinAlgError:
        return False
    return True


def uncorrelated(half: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """Return combinations (rank, r) of rows with the root `half` (r, p) of their covariance, and those that vanish."""
    vectors, deviations, _ = np.linalg.svd(half)
    return vectors[:, :rank].T / deviations[:rank, None], vectors[:, rank:].T
