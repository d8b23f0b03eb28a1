"""A problem with more columns of X than random effects, as one with as many: the others meet no random effect.

With B = Z'Q (q, p) and q < p there is a rotation O of Q with B O = [T' 0]: the last p - q columns of Q O are orthogonal
to Z, to the first and to the residual of y, so that V_0^-1 leaves them as they are, their coefficients are 0 and their
covariance is sigma^2 I at every theta. A search needs the first q columns only, and counts the others in n - p.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import qr

from mixedsparse.core.problem.absent_rows import ELSEWHERE
from mixedsparse.core.problem.fixed import FixedBasis
from mixedsparse.core.problem.problem import Problem

__all__ = ["Narrowed", "narrowed"]


@dataclass(frozen=True, slots=True, eq=False)
class Narrowed:
    """The smaller problem, and the way back.

    Attributes
    ----------
    problem : Problem
    rotation : ndarray, shape (p, q)
        First q columns of O.
    """

    problem: Problem
    rotation: np.ndarray

    def coefficients(self, gamma: np.ndarray) -> np.ndarray:
        """Coefficients (p,) of Q."""
        return np.asarray(self.rotation @ gamma)

    def covariance(self, K: np.ndarray) -> np.ndarray:
        """(Q'V_0^-1 Q)^-1, (p, p), from that of the smaller problem."""
        out = self.rotation @ (K - np.eye(len(K))) @ self.rotation.T
        out[np.diag_indices_from(out)] += 1.0
        return np.asarray(out)


def narrowed(problem: Problem, least: int) -> Narrowed | None:
    """Return the smaller problem, if X has more than `least` columns and more than there are random effects."""
    p, q = problem.p, problem.layout.q
    if p <= least or p <= q:
        return None
    cross = np.vstack([own[:, :, :p].reshape(-1, p) for own in problem.Zxy])
    rotation, root = qr(cross.T, mode="economic", overwrite_a=True, check_finite=False)
    stops = np.cumsum([own.shape[0] * own.shape[1] for own in problem.Zxy])[:-1]
    pieces = np.split(root.T, stops)
    Zxy = tuple(
        np.concatenate([piece.reshape(*own.shape[:2], q), own[:, :, p:]], axis=2)
        for piece, own in zip(pieces, problem.Zxy, strict=True)
    )
    xy = np.eye(q + 1)
    xy[-1, -1] = problem.xy[-1, -1]
    basis = problem.basis
    small = FixedBasis(np.arange(q), ELSEWHERE, ELSEWHERE, np.eye(q), np.zeros(q), basis.log_det, basis.has_constant)
    return Narrowed(replace(problem, basis=small, Zxy=Zxy, xy=xy, apart=p - q), rotation)
