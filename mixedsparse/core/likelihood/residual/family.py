"""What the criterion and its derivatives in residual parameters take from the data.

With R_i = dR / dphi_i, e = y - X beta - Z b, C = Lambda M^-1 Lambda' and X~ = X - Z C Z'R^-1 X, so that V_0^-1 X =
R^-1 X~ and V_0^-1 (y - X beta) = R^-1 e, the derivative of the criterion is

    tr(R^-1 R_i) - tr(C Z'R^-1 R_i R^-1 Z) - [REML] tr(K X~'R^-1 R_i R^-1 X~) - tau e'R^-1 R_i R^-1 e.

Second derivatives start from the working vectors f_i = R_i R^-1 e of average information (Gilmour, Thompson & Cullis
1995).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from mixedsparse.core.likelihood.interface import Pattern
from mixedsparse.core.likelihood.pls import Pls
from mixedsparse.core.likelihood.projected import projected_columns
from mixedsparse.core.problem.crossproducts import row_slots, spread_levels
from mixedsparse.core.problem.edits import with_residual
from mixedsparse.core.problem.problem import Problem
from mixedsparse.core.problem.whitened import white_sums
from mixedsparse.core.residual.interface import Residual, ResidualAt

__all__ = ["Family", "FamilyAt", "RowFamily", "WorkingProducts"]

Vectors = list[np.ndarray]


@dataclass(frozen=True, slots=True, eq=False)
class WorkingProducts:
    """Products of the working vectors f_i.

    Attributes
    ----------
    quadratic : ndarray, shape (size, size)
        f_i'R^-1 f_j.
    with_z : list of ndarray (levels, K, size)
        Z'R^-1 f_i.
    with_x : ndarray, shape (p, size)
        Q'R^-1 f_i.
    """

    quadratic: np.ndarray
    with_z: Vectors
    with_x: np.ndarray


class FamilyAt(Protocol):
    """The data at one phi."""

    @property
    def at(self) -> ResidualAt:
        """R itself."""
        ...

    @property
    def problem(self) -> Problem:
        """Cross-products of the whitened rows."""
        ...

    def traces(self, C: Pattern) -> np.ndarray:
        """tr(C Z'R^-1 R_i R^-1 Z), (size,), for C on the pattern of Z'Z."""
        ...

    def forms(self, pls: Pls) -> tuple[np.ndarray, np.ndarray]:
        """tr(K X~'R^-1 R_i R^-1 X~), 0 for ML, and e'R^-1 R_i R^-1 e, (size,) each."""
        ...

    def working(self, pls: Pls) -> WorkingProducts:
        """Products of the working vectors at `pls`."""
        ...

    def projected(self, pls: Pls) -> np.ndarray:
        """X~ (n, p), for the columns of Q."""
        ...


class Family(Protocol):
    """The data as a function of phi."""

    @property
    def residual(self) -> Residual:
        """R as a function of phi."""
        ...

    def at(self, phi: np.ndarray) -> FamilyAt:
        """Return the data at phi (size,)."""
        ...


class RowFamily:
    """Passes over the rows of a `problem` with R = I; see `Family`."""

    def __init__(self, problem: Problem, residual: Residual) -> None:
        self.origin, self.residual = problem, residual

    def at(self, phi: np.ndarray) -> _RowsAt:
        """See `Family.at`."""
        return _RowsAt(self, self.residual.at(phi))

    def spread(self, coefficients: Sequence[np.ndarray]) -> np.ndarray:
        """Z times block vectors (levels, K, r), (n, r)."""
        return spread_levels(self.origin.blocks, coefficients, self.origin.n)


class _RowsAt:
    """See `FamilyAt`."""

    def __init__(self, family: RowFamily, at: ResidualAt) -> None:
        self.family, self.at = family, at
        self._residual: tuple[Pls, np.ndarray] | None = None

    @cached_property
    def problem(self) -> Problem:
        """See `FamilyAt.problem`."""
        return with_residual(self.family.origin, self.family.residual, self.at)

    def traces(self, C: Pattern) -> np.ndarray:
        """See `FamilyAt.traces`; C is one matrix for all rows of a group where these share their levels."""
        origin, (diagonal, pairs) = self.family.origin, C
        if not origin.blocks:
            return np.zeros(self.family.residual.size)
        if self.family.residual.groups is None:
            own = origin.row_sums.forms(diagonal, pairs)[:, None]
            return self.at.forms(own, np.ones_like(own))
        correlated = origin.correlated
        total = np.zeros(self.family.residual.size)
        if correlated is not None:
            total = self.at.turned(correlated.entries(diagonal, pairs))
        mixed = frozenset() if correlated is None else correlated.crossing
        blocks = {b: block for b, block in enumerate(origin.blocks) if b not in mixed}
        if not blocks:
            return total
        left = {b: np.einsum("ia,iac->ic", block.z, diagonal[b][block.codes]) for b, block in blocks.items()}
        for key, own in pairs.items():
            for b, other in (key, key[::-1]):
                if b != other and b in left:
                    # Where the other block is crossing, only one of the two halves is made this way.
                    left[b] = left[b] + (2.0 if other in mixed else 1.0) * _beside(origin, key, own, b)
        right = np.hstack([block.z for block in blocks.values()])
        return total + self.at.forms(np.hstack([left[b] for b in blocks]), right)

    def forms(self, pls: Pls) -> tuple[np.ndarray, np.ndarray]:
        """See `FamilyAt.forms`."""
        own = self.residual(pls)[:, None]
        squares = self.at.forms(own, own)
        if not pls.reml or not len(pls.K):
            return np.zeros_like(squares), squares
        columns = self.projected(pls)
        return self.at.forms(columns @ pls.K, columns), squares

    def projected(self, pls: Pls) -> np.ndarray:
        """X~ (n, p), for the columns of Q."""
        q = self.family.origin.basis.q
        return q - self.family.spread(projected_columns(self.family.origin, pls)) if pls.Hx else q

    def residual(self, pls: Pls) -> np.ndarray:
        """Residuals e (n,), kept for one `pls`."""
        if self._residual is None or self._residual[0] is not pls:
            basis = self.family.origin.basis
            out = basis.residual - basis.q @ pls.gamma
            if pls.modes:
                out = out - self.family.spread([m[:, :, None] for m in pls.modes])[:, 0]
            self._residual = pls, out
        return self._residual[1]

    def working(self, pls: Pls) -> WorkingProducts:
        """See `FamilyAt.working`."""
        f = self.at.working(self.residual(pls))
        problem = self.problem
        return WorkingProducts(f.T @ f, white_sums(problem, f), problem.basis.q.T @ f)


def _beside(problem: Problem, key: tuple[int, int], own: np.ndarray, b: int) -> np.ndarray:
    """C z of the other block of `key`, (n, K) for each row's level of block `b`; `own` are the blocks of C."""
    formula = "ic,iac->ia" if b == key[0] else "ia,iac->ic"
    other = problem.blocks[key[1] if b == key[0] else key[0]]
    if key in problem.slots:
        return np.asarray(np.einsum(formula, other.z, own[problem.slots[key]]))
    out = np.zeros((problem.n, problem.blocks[b].width))
    for slot in other.slots:
        codes = (problem.blocks[b].codes, slot.codes)
        places = row_slots(problem.pairs[key], *(codes if b == key[0] else codes[::-1]))
        out += np.einsum(formula, slot.z, own[places])
    return out
