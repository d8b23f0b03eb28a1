"""The engine that eliminates the largest block by hand; see `mixedsparse.core.engines.split.factor`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mixedsparse.core.engines.split.analysis import SplitAnalysis
from mixedsparse.core.engines.split.factor import SplitFactor
from mixedsparse.core.problem.problem import Problem

__all__ = ["SplitEngine"]

# W is written out up to this many random effects: then it costs less than the evaluations that it saves.
_LARGEST = 1500
# Multiply-adds of W per parameter up to which an exact Hessian saves more evaluations than it costs: with two variances
# and 970 effects it took six times as long as an evaluation with gradient, and saved none.
_WORTHWHILE = 2e7


class SplitEngine(SplitAnalysis):
    """Factorises M(theta) of one `problem`."""

    name = "split"
    yields_to_dense = True
    stochastic = None

    @property
    def writes_projection(self) -> bool:
        """Whether W is written out at little cost, for the number of parameters that it serves."""
        q = self.problem.layout.q
        return q <= _LARGEST and float(q) ** 2 * self.rest.size <= _WORTHWHILE * (self.problem.n_theta + 1)

    def factorize(self, factors: Sequence[np.ndarray]) -> SplitFactor:
        """Factorise M at the block factors Lambda_b (K, K)."""
        return SplitFactor(self, factors)

    def with_problem(self, problem: Problem) -> SplitEngine:
        """Engine for other numbers on the same pattern."""
        return SplitEngine(problem, like=self if self.like is None else self.like)
