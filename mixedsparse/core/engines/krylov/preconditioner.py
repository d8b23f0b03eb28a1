"""Preconditioners of S = I + Lambda_2'(A_22 - A_21 C A_12)Lambda_2: its diagonal blocks, and a coarse space.

With P the diagonal blocks, X a P-orthonormal basis of the coarse space (X'P X = I) and Theta = X'S X diagonal, the
second level solves on the coarse space exactly (adapted deflation A-DEF2; Tang, Nabben, Vuik & Erlangga 2009,
J. Sci. Comput. 39, 340-370): r -> (I - X Theta^-1 X'S) P^-1 r + X Theta^-1 X'r, from the start X Theta^-1 X'b.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

__all__ = ["Coarse", "block_inverse", "make_coarse"]

Operator = Callable[[np.ndarray], np.ndarray]
# Directions whose new part in the coarse basis is below this share are dropped.
_DEPENDENT = 1e-10


@dataclass(frozen=True, slots=True, eq=False)
class Coarse:
    """Basis X (q, k), S X (q, k) and Theta (k,) of the module docstring."""

    basis: np.ndarray
    applied: np.ndarray
    theta: np.ndarray

    def solve(self, rhs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """X Theta^-1 X'b, and S times it."""
        weights = (self.basis.T @ rhs) / self.theta[:, None]
        return self.basis @ weights, self.applied @ weights

    def improve(self, rough: np.ndarray, residual: np.ndarray) -> np.ndarray:
        """(I - X Theta^-1 X'S) rough + X Theta^-1 X'residual."""
        weights = (self.basis.T @ residual - self.applied.T @ rough) / self.theta[:, None]
        return rough + self.basis @ weights


def make_coarse(apply: Operator, weigh: Operator, space: np.ndarray) -> Coarse:
    """Make the coarse space that the columns of `space` (q, k) span.

    Parameters
    ----------
    apply, weigh : callable
        S and P times columns.
    space : ndarray, shape (q, k)
    """
    values, vectors = np.linalg.eigh(space.T @ weigh(space))
    kept = values > _DEPENDENT * values.max(initial=0.0)
    space = space @ (vectors[:, kept] / np.sqrt(values[kept]))
    applied = apply(space)
    theta, vectors = np.linalg.eigh(space.T @ applied)
    return Coarse(space @ vectors, applied @ vectors, theta)


def block_inverse(blocks: np.ndarray) -> np.ndarray:
    """Inverse of symmetric positive definite blocks (levels, K, K)."""
    return 1.0 / blocks if blocks.shape[1] == 1 else np.linalg.inv(blocks)
