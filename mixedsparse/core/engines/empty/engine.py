"""An engine for models without random effects: M has no rows, and V_0 is R."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mixedsparse.core.likelihood.interface import Pattern, Vectors
from mixedsparse.core.problem.problem import Problem
from mixedsparse.ground.limits import LIMITS, Limits

__all__ = ["EmptyEngine", "EmptyFactored"]


class EmptyFactored:
    """See `mixedsparse.core.likelihood.interface.Factored`; every list of blocks is empty."""

    knows_all_levels = True

    def __init__(self, engine: EmptyEngine) -> None:
        self.engine = engine

    logdet = 0.0
    lams: Sequence[np.ndarray] = ()

    def solve(self, vectors: Vectors) -> tuple[Vectors, Vectors]:
        """See `Factored.solve`."""
        return [], []

    def project(self, vectors: Vectors) -> Vectors:
        """See `Factored.project`."""
        return []

    def forms(self, vectors: Vectors) -> np.ndarray:
        """See `Factored.forms`."""
        return np.zeros(0)

    def traces(self) -> list[np.ndarray]:
        """See `Factored.traces`."""
        return []

    def loss(self) -> float:
        """See `Factored.loss`."""
        return 0.0

    def release(self) -> None:
        """See `Factored.release`."""

    def conditional_covariances(self) -> list[np.ndarray]:
        """See `Factored.conditional_covariances`."""
        return []

    def conditional_covariance_of(self, block: int, levels: np.ndarray) -> np.ndarray:
        """See `Factored.conditional_covariance_of`."""
        raise IndexError(block)

    def pattern_covariances(self) -> Pattern:
        """See `Factored.pattern_covariances`."""
        return [], {}

    def projection(self) -> None:
        """See `Factored.projection`."""
        return

    def scaled_projection(self, less: Vectors) -> None:
        """See `Factored.scaled_projection`."""
        return


class EmptyEngine:
    """See `mixedsparse.core.likelihood.interface.Engine`."""

    name = "empty"
    work = 0.0
    yields_to_dense = False
    writes_projection = keeps_projection = False
    stochastic = None

    def __init__(self, problem: Problem, limits: Limits = LIMITS) -> None:
        self.problem, self.limits = problem, limits

    def factorize(self, lams: Sequence[np.ndarray]) -> EmptyFactored:
        """See `Engine.factorize`."""
        return EmptyFactored(self)

    def times(self, vectors: Vectors) -> Vectors:
        """See `Engine.times`."""
        return []

    def with_problem(self, problem: Problem) -> EmptyEngine:
        """See `Engine.with_problem`."""
        return EmptyEngine(problem, self.limits)
