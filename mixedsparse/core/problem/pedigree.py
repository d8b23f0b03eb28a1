"""Additive relationships of a pedigree: A and its inverse by Henderson's rules, with inbreeding.

With W = I - (S + D) / 2, S and D the indicators of sires and dams, and the variances d_i of Mendelian sampling,

    A^-1 = W' diag(1 / d) W,    d_i = (1 - F_s) / 4 + (1 - F_d) / 4 for two known parents, (3 - F_p) / 4 for one, else 1

so that A^-1 is sparse, log|A| = sum of log d_i, and products with A are two triangular solves. Sources: Henderson
(1976), Biometrics 32, 69-83; Meuwissen & Luo (1992), Genet. Sel. Evol. 24, 305-313, for the inbreeding coefficients F.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import SuperLU, splu

from mixedsparse.core.problem.relationship import Relationship

__all__ = ["PedigreeRelationship", "generations", "inbreeding"]


class PedigreeRelationship(Relationship):
    """A of animals whose parents come before them.

    Parameters
    ----------
    sire, dam : ndarray of int, shape (levels,)
        Parents; -1 where unknown.
    F : ndarray, shape (levels,)
        Inbreeding coefficients.
    """

    def __init__(self, sire: np.ndarray, dam: np.ndarray, F: np.ndarray, name: str = "") -> None:
        self.sire, self.dam, self.F = sire, dam, F
        self.sampling = _sampling(sire, dam, F)
        W = self._halves
        precision = (W.T @ sparse.diags(1.0 / self.sampling) @ W).tocsr()
        precision.sort_indices()
        super().__init__(precision, name=name)

    def __getstate__(self) -> dict[str, Any]:
        """State without the factor."""
        return {name: value for name, value in super().__getstate__().items() if name != "_triangle"}

    @property
    def knows_diagonal(self) -> bool:
        """Inbreeding coefficients tell it."""
        return True

    @cached_property
    def diagonal(self) -> np.ndarray:
        """1 + F."""
        return 1.0 + self.F

    @cached_property
    def _halves(self) -> sparse.csc_matrix:
        """W (levels, levels), unit lower triangular."""
        n = len(self.sire)
        rows = [np.flatnonzero(parent >= 0) for parent in (self.sire, self.dam)]
        columns = [self.sire[rows[0]], self.dam[rows[1]]]
        half = np.full(len(rows[0]) + len(rows[1]), -0.5)
        parents = sparse.csc_matrix((half, (np.concatenate(rows), np.concatenate(columns))), shape=(n, n))
        return (sparse.identity(n, format="csc") + parents).tocsc()

    @cached_property
    def _triangle(self) -> SuperLU:
        return splu(self._halves, permc_spec="NATURAL", diag_pivot_thresh=0.0)

    def _log_det(self) -> float:
        return -float(np.log(self.sampling).sum())

    def _solve(self, flat: np.ndarray) -> np.ndarray:
        inner = self._triangle.solve(flat, "T")
        return np.asarray(self._triangle.solve(self.sampling[:, None] * inner))

    def _rooted(self, flat: np.ndarray) -> np.ndarray:
        return np.asarray(self._triangle.solve(np.sqrt(self.sampling)[:, None] * flat))


def _sampling(sire: np.ndarray, dam: np.ndarray, F: np.ndarray) -> np.ndarray:
    """Return d (levels,)."""
    padded = np.append(F, -1.0)  # a parent that is unknown gives half of the variance
    return np.asarray(0.5 - 0.25 * (padded[sire] + padded[dam]))


def generations(sire: np.ndarray, dam: np.ndarray) -> np.ndarray:
    """Length of the longest line of known ancestors of each animal, (n,); -1 for those that descend from themselves."""
    n = len(sire)
    out = np.zeros(n, dtype=np.intp)
    for _ in range(n + 1):
        padded = np.append(out, -1)
        longer = 1 + np.maximum(padded[sire], padded[dam])
        if (longer == out).all():
            return out
        moved, out = longer != out, longer
    out[moved] = -1
    return out


def inbreeding(sire: np.ndarray, dam: np.ndarray, loop: Callable[..., np.ndarray] | None = None) -> np.ndarray:
    """Inbreeding coefficients (n,) of animals whose parents come before them; `loop` is `trace_ancestors`, compiled."""
    return np.asarray((trace_ancestors if loop is None else loop)(sire.astype(np.int64), dam.astype(np.int64)))


def trace_ancestors(sire, dam):  # type: ignore[no-untyped-def]
    """Inbreeding coefficients; in a form that can be compiled.

    F_i + 1 = sum over ancestors j of l_j^2 d_j, l_j the share of j in i, found from i downwards.
    """
    n = len(sire)
    F = np.zeros(n)
    d = np.ones(n)
    share = np.zeros(n)
    for i in range(n):
        s, m = sire[i], dam[i]
        d[i] = 0.5 - 0.25 * ((F[s] if s >= 0 else -1.0) + (F[m] if m >= 0 else -1.0))
        if s < 0 or m < 0:
            continue
        if i > 0 and s == sire[i - 1] and m == dam[i - 1]:
            F[i] = F[i - 1]
            continue
        share[i] = 1.0
        left, j, total = 1, i, 0.0
        while left > 0:
            if share[j] != 0.0:
                half = 0.5 * share[j]
                for p in (sire[j], dam[j]):
                    if p >= 0:
                        if share[p] == 0.0:
                            left += 1
                        share[p] += half
                total += share[j] ** 2 * d[j]
                share[j] = 0.0
                left -= 1
            j -= 1
        F[i] = total - 1.0
    return F
