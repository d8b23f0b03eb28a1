"""The engine that eliminates the largest block by hand; see `mixedsparse.core.engines.split.factor`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mixedsparse.core.engines.split.analysis import SplitAnalysis
from mixedsparse.core.engines.split.factor import SplitFactored
from mixedsparse.core.problem.problem import Problem

__all__ = ["SplitEngine"]


class SplitEngine(SplitAnalysis):
    """Factorises M(theta) of one `problem`."""

    name = "split"
    yields_to_dense = True
    stochastic = None

    @property
    def writes_projection(self) -> bool:
        """Whether W is written out at little cost, for the number of parameters that it serves."""
        q, limits = self.problem.layout.q, self.limits
        if self.problem.is_penalised:
            return False
        return q <= limits.written and float(q) ** 2 * self.rest.size <= limits.worthwhile * (self.problem.n_theta + 1)

    def factorize(self, lams: Sequence[np.ndarray]) -> SplitFactored:
        """Factorise M at Lambda_b (K, K) of each block."""
        return SplitFactored(self, lams)

    def with_problem(self, problem: Problem) -> SplitEngine:
        """Engine for other numbers on the same pattern."""
        return SplitEngine(problem, self if self.like is None else self.like, self.limits)
