"""What the criterion needs of a factorisation of M(theta), and the choice between the two that exist."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from mixedsparse.core.problem import Problem

__all__ = ["Engine", "Factor", "make_engine"]

Vectors = list[np.ndarray]


class Factor(Protocol):
    """M(theta) = Lambda'Z'Z Lambda + I, factorised. Block vectors are lists of (levels, K, r), one per block."""

    logdet: float
    factors: Sequence[np.ndarray]

    def project(self, vectors: Vectors) -> Vectors:
        """Z'V_0^-1 Y from Z'Y."""
        ...

    def traces(self) -> list[np.ndarray]:
        """Sum over levels of the diagonal blocks of Z'V_0^-1 Z Lambda, (K, K) per block."""
        ...

    def conditional_covariances(self) -> list[np.ndarray]:
        """Diagonal blocks of Lambda M^-1 Lambda', (levels, K, K) per block."""
        ...


class Engine(Protocol):
    """Analyses the pattern of M once and factorises it at any theta."""

    name: str
    analyses: int
    problem: Problem

    def factorize(self, factors: Sequence[np.ndarray]) -> Factor:
        """Factorise at the block factors Lambda_b (K, K)."""
        ...

    def times(self, vectors: Vectors) -> Vectors:
        """Z'Z times block vectors."""
        ...


def make_engine(problem: Problem, backend: str = "auto") -> Engine:
    """Choose the engine for `problem`."""
    from mixedsparse.core.split import SplitEngine

    return SplitEngine(problem)
