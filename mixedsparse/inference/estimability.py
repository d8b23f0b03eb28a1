"""Linear functions of beta that the data determine, where columns of X depend on each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mixedsparse.fitted.parameters import Parameters

__all__ = ["estimable", "estimable_part", "null_space"]

# Share of the length of a linear function that may lie in the null space of X (emmeans' estble.tol).
_ESTIMABLE = 1e-8


def null_space(parameters: Parameters) -> np.ndarray:
    """Orthonormal basis (P, d) of the linear dependencies of the columns of X; d = 0 at full rank."""
    design, problem = parameters.design, parameters.problem
    kept = problem.basis.kept
    dropped = np.setdiff1d(np.arange(len(design.x_names)), kept)
    basis = np.zeros((len(design.x_names), len(dropped)))
    if len(dropped):
        basis[kept] = -problem.basis.alias
        basis[dropped, np.arange(len(dropped))] = 1.0
        basis = np.linalg.qr(basis)[0]
    return basis


def estimable(L: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Mask (r,) of the linear functions L (r, P) of beta that do not depend on the choice of dropped columns."""
    return np.square(L @ null).sum(axis=1) <= _ESTIMABLE * np.square(L).sum(axis=1)


def estimable_part(L: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Return a basis (s, P) of the combinations of the linear functions L (r, P) that are estimable."""
    L = L / np.maximum(np.linalg.norm(L, axis=1, keepdims=True), np.finfo(float).tiny)
    vectors, values, _ = np.linalg.svd(L @ null)
    return np.asarray(vectors[:, int((values > np.sqrt(_ESTIMABLE)).sum()) :].T @ L)
