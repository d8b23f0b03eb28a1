"""Where searches of many responses ended."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from mixedsparse.core.batch.batch import Parts

__all__ = ["Ends", "Many"]


@dataclass(frozen=True, slots=True, eq=False)
class Many:
    """Where B searches ended.

    Attributes
    ----------
    settled : ndarray of bool, shape (B,)
        Whether the end is known to be an optimum; all else is NaN where it is not.
    boundary : ndarray of bool, shape (B,)
        Whether some direction of the random effects has no variance.
    gamma : ndarray, shape (B, p)
        Coefficients of Q on the residual of the response.
    sigma, criterion : ndarray, shape (B,)
    covariances : tuple of ndarray (B, k, k)
        Of the random effects, one per term in theta order, the user's basis and units.
    K : ndarray, shape (B, p, p)
        Covariance of gamma over sigma^2.
    K_rates : ndarray, shape (B, d, p, p)
        Its derivatives along `d` directions of (theta, log sigma) in which the Hessian of half the criterion, that is
        the inverse of the covariance of these parameters, is the identity.
    scale_rates : ndarray, shape (B, d)
        Derivatives of log sigma^2 along them.
    """

    settled: np.ndarray
    boundary: np.ndarray
    gamma: np.ndarray
    sigma: np.ndarray
    criterion: np.ndarray
    covariances: tuple[np.ndarray, ...]
    K: np.ndarray
    K_rates: np.ndarray
    scale_rates: np.ndarray

    def take(self, chosen: np.ndarray) -> Many:
        """Return the ends `chosen`."""
        covariances = tuple(cov[chosen] for cov in self.covariances)
        others = {f.name: getattr(self, f.name)[chosen] for f in fields(self) if f.name != "covariances"}
        return Many(**others, covariances=covariances)


@dataclass(frozen=True, slots=True, eq=False)
class Ends:
    """Ends x (B, m + 2) of searches, and what is known of the criterion there.

    Its fall that is `left`, and the `move` (B, m + 1) that leads there; what it is made of, how x moves the entries of
    the covariances, directions of unit curvature, and the coordinates that are not of zero columns of Lambda.
    """

    x: np.ndarray
    value: np.ndarray
    settled: np.ndarray
    left: np.ndarray
    move: np.ndarray
    parts: Parts
    moves: np.ndarray
    vectors: np.ndarray
    used: np.ndarray

    def put(self, index: np.ndarray, other: Ends, chosen: np.ndarray) -> None:
        """Write the `chosen` ends of another search over those of `index`."""
        for f in fields(self):
            if f.name != "parts":
                getattr(self, f.name)[index] = getattr(other, f.name)[chosen]
        for f in fields(Parts):
            getattr(self.parts, f.name)[index] = getattr(other.parts, f.name)[chosen]
