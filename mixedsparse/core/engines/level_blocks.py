"""Algebra of one K x K block per level, all levels at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mixedsparse.ground.errors import NotPositiveDefiniteError

__all__ = ["Eliminated", "apply_blocks", "eliminate", "is_safe", "times_transposed", "unrotate"]

# A diagonal entry of Lambda below this share of its column is not divided by.
_SAFE_PIVOT = 1e-6


class Eliminated(NamedTuple):
    """A block diagonal part of M, eliminated.

    Attributes
    ----------
    shrink, cov : ndarray, shape (levels, K, K)
        R = (I + A Sigma)^-1 and C = Sigma R.
    half : ndarray, shape (levels, K, K), or None
        H with H'H = C; C itself loses what A nearly takes away. None where K is 1.
    logdet : float
        Its part of log|M|.
    loss : float
        Sum of the diagonal entries of M over the pivots.
    """

    shrink: np.ndarray
    cov: np.ndarray
    half: np.ndarray | None
    logdet: float
    loss: float

    def times_cov(self, vectors: np.ndarray) -> np.ndarray:
        """C times vectors (levels, K, r)."""
        if self.half is None:
            return self.cov * vectors
        return self.half.swapaxes(1, 2) @ (self.half @ vectors)


def eliminate(gram: np.ndarray, lam: np.ndarray) -> Eliminated:
    """Eliminate a block of M whose levels have the cross-products `gram` (levels, K, K), at its Lambda (K, K).

    All comes from the Cholesky factors of M_l = Lambda'A_l Lambda + I, scaled to a unit diagonal: I + A Sigma is not
    symmetric, and loses the small variances beside large ones.

    Raises
    ------
    NotPositiveDefiniteError
        A level is singular at this theta.
    """
    if len(lam) == 1:
        sigma = lam @ lam.T
        inflation = 1.0 + gram * sigma
        shrink = 1.0 / inflation
        return Eliminated(shrink, sigma * shrink, None, float(np.log(inflation).sum()), float(len(gram)))
    penalised = lam.T @ gram @ lam
    index = np.arange(len(lam))
    penalised[:, index, index] += 1.0
    size = np.sqrt(penalised[:, index, index])
    try:
        root = np.linalg.cholesky(penalised / (size[:, :, None] * size[:, None, :]))
    except np.linalg.LinAlgError as err:
        raise NotPositiveDefiniteError("A level of the eliminated factor is singular at this theta.") from err
    pivots = root[:, index, index]
    inverse = np.linalg.inv(root) / size[:, None, :]
    half = inverse @ lam.T
    rotated = inverse.swapaxes(1, 2) @ half  # M_l^-1 Lambda'
    cov = lam @ rotated
    plain = -gram @ cov
    plain[:, index, index] += 1.0
    logdet = 2.0 * float(np.log(pivots).sum() + np.log(size).sum())
    return Eliminated(unrotate(lam, rotated, plain), cov, half, logdet, float((1.0 / pivots**2).sum()))


def is_safe(lam: np.ndarray) -> np.ndarray:
    """Mask of the diagonal entries of Lambda (K, K) that can be divided by, (K,)."""
    if len(lam) == 1:
        return np.asarray(lam[0] != 0.0)
    diagonal: np.ndarray = np.abs(np.diagonal(lam))
    return diagonal > _SAFE_PIVOT * np.abs(lam).max(axis=0)


def unrotate(lam: np.ndarray, rotated: np.ndarray, plain: np.ndarray | None = None) -> np.ndarray:
    """V = Z'V_0^-1 Y from Lambda'V, level by level, where Lambda can be divided by; from `plain` elsewhere.

    Lambda'V = M^-1 Lambda'Z'Y keeps its digits, however little of Z'Y is left in V; `plain` is that small difference
    of large numbers itself.

    Parameters
    ----------
    lam : ndarray, shape (K, K)
    rotated, plain : ndarray, shape (levels, K, r)
        `plain` can be left out where `is_safe` holds everywhere.
    """
    if len(lam) == 1 and plain is None:
        return rotated / lam[0, 0]
    out = np.empty_like(rotated) if plain is None else plain.copy()
    for j in np.flatnonzero(is_safe(lam))[::-1]:
        known = rotated[:, j]
        for i in np.flatnonzero(lam[j + 1 :, j]) + j + 1:
            known = known - lam[i, j] * out[:, i]
        out[:, j] = known / lam[j, j]
    return out


def apply_blocks(blocks: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Level by level, blocks (levels, K, K) times vectors (levels, K, r); K = 1 needs no matrix product."""
    return blocks * vectors if blocks.shape[1] == 1 else blocks @ vectors


def times_transposed(blocks: np.ndarray, lam: np.ndarray) -> np.ndarray:
    """Blocks (..., K) times Lambda' (K, K); K = 1 needs no matrix product."""
    return blocks * lam[0, 0] if len(lam) == 1 else blocks @ lam.T
