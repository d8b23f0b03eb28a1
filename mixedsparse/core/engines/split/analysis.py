"""What the split knows of a problem before theta: which block is eliminated, the rest, and what couples them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from mixedsparse.core.engines.level_blocks import apply_blocks
from mixedsparse.core.engines.split.coupling import Coupling, make_coupling
from mixedsparse.core.engines.split.schur import Rest
from mixedsparse.core.problem.problem import Problem
from mixedsparse.ground.limits import LIMITS, Limits

__all__ = ["SplitAnalysis"]

Vectors = list[np.ndarray]


class SplitAnalysis:
    """Blocks of one `problem`: the one with most effects is eliminated, `first`, the others are the `rest`.

    Blocks whose levels meet one another belong to the rest; where there is no other, `first` is None, and a block
    without levels is eliminated.

    An analysis `like` this one, of other numbers on the same pattern, shares what depends on the pattern only.
    """

    def __init__(self, problem: Problem, like: SplitAnalysis | None = None, limits: Limits = LIMITS) -> None:
        self.problem, self.like, self.limits = problem, like, limits
        self.first = problem.eliminable
        self.gram = np.empty((0, 1, 1)) if self.first is None else problem.grams[self.first]

    def of_first(self, pieces: Sequence[np.ndarray]) -> np.ndarray:
        """Pick what belongs to the eliminated block from block vectors (levels, K, r)."""
        return np.empty((0, 1, pieces[0].shape[2])) if self.first is None else pieces[self.first]

    def lam_of_first(self, lams: Sequence[np.ndarray]) -> np.ndarray:
        """Lambda (K, K) of the eliminated block."""
        return np.ones((1, 1)) if self.first is None else lams[self.first]

    @cached_property
    def rest(self) -> Rest:
        """Blocks that are not eliminated; made when it is needed, which a fit by `dense` does not."""
        return Rest(self.problem, self.first) if self.like is None else self.like.rest.refilled(self.problem)

    @cached_property
    def coupling(self) -> Coupling | None:
        """A_12, None when there is no rest."""
        if self.like is None:
            return make_coupling(self.rest) if self.rest.blocks else None
        return None if self.like.coupling is None else self.like.coupling.refilled(self.rest)

    @property
    def work(self) -> float:
        """Multiply-adds of the largest dense operation of an evaluation."""
        return float(max(self.problem.layout.q - self.gram[..., 0].size, 1)) ** 3

    @property
    def keeps_schur(self) -> bool:
        """Whether Z_2'V_1^-1 Z_2 itself is computed and kept, and M_2 made from it: cheap while the rest is small."""
        return self.rest.size <= self.limits.kept_schur and self.coupling is not None and self.coupling.gives_schur

    @property
    def keeps_projection(self) -> bool:
        """Whether there is a dense rest, whose inverse has the projection."""
        return bool(self.rest.blocks) and not self.problem.is_penalised

    @property
    def is_dense(self) -> bool:
        """Whether A_12 is dense too."""
        return self.keeps_schur and self.coupling is not None and self.coupling.is_dense

    def times(self, vectors: Vectors) -> Vectors:
        """Z'Z times block vectors."""
        first = self.of_first(vectors)
        mine = apply_blocks(self.gram, first)
        if self.coupling is None:
            return [mine]
        rest = self.rest.stack(vectors)
        other = self.rest.gram @ rest + self.coupling.to_rest(first)
        return self.rest.unstack(mine + self.coupling.to_first(rest), other)
