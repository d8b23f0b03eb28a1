"""What the criterion needs of a factorisation of M(theta), and the choice between the two that exist."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from mixedsparse.core.problem.problem import Problem

__all__ = ["Engine", "Factor", "make_engine"]

Vectors = list[np.ndarray]


class Factor(Protocol):
    """M(theta) = Lambda'Z'Z Lambda + I, factorised. Block vectors are lists of (levels, K, r), one per block."""

    logdet: float
    factors: Sequence[np.ndarray]

    def solve(self, vectors: Vectors) -> tuple[Vectors, Vectors]:
        """Lambda M^-1 Lambda'Z'Y (modes) and Z'V_0^-1 Y = Z'Y - Z'Z modes from Z'Y."""
        ...

    def project(self, vectors: Vectors) -> Vectors:
        """Z'V_0^-1 Y from Z'Y."""
        ...

    def traces(self) -> list[np.ndarray]:
        """Sum over levels of the diagonal blocks of Z'V_0^-1 Z Lambda, (K, K) per block."""
        ...

    def loss(self) -> float:
        """Sum over random effects of the diagonal entries of M over the pivots of its Cholesky factor."""
        ...

    def release(self) -> None:
        """Free large arrays; what needs them later computes them again."""
        ...

    def conditional_covariances(self) -> list[np.ndarray]:
        """Diagonal blocks of Lambda M^-1 Lambda', (levels, K, K) per block."""
        ...


class Engine(Protocol):
    """Analyses the pattern of M once and factorises it at any theta."""

    name: str
    problem: Problem

    @property
    def work(self) -> float:
        """Multiply-adds of the largest dense operation of an evaluation."""
        ...

    def factorize(self, factors: Sequence[np.ndarray]) -> Factor:
        """Factorise at the block factors Lambda_b (K, K)."""
        ...

    def times(self, vectors: Vectors) -> Vectors:
        """Z'Z times block vectors."""
        ...


def make_engine(problem: Problem, backend: str = "auto", method: str = "direct") -> Engine:
    """Make the engine for `problem`; `cost.plan` chooses it.

    Parameters
    ----------
    problem : Problem
    backend : {"auto", "cholmod", "split"}
        ``"auto"`` takes CHOLMOD where it can be imported and its factor needs fewer operations, weighted by speed.
    method : {"direct", "iterative", "auto"}

    Raises
    ------
    BackendError
        CHOLMOD is asked for and cannot be imported, or what is asked for does not fit into memory.
    """
    from mixedsparse.core.choose import plan as cost
    from mixedsparse.core.engines.split.split import SplitEngine

    if backend == "auto" and method != "iterative" and cost.is_small(problem):
        return SplitEngine(problem)
    planned = cost.plan(problem, backend, method)
    if planned.cost.backend == "iterative":
        from mixedsparse.core.engines.krylov import KrylovEngine

        return KrylovEngine(problem)
    if planned.cost.backend == "split":
        return SplitEngine(problem)
    if planned.engine is not None:
        return planned.engine
    from mixedsparse.core.engines.cholmod.sparse import CholmodEngine

    return CholmodEngine(problem)
