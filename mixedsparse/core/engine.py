"""What the criterion needs of a factorisation of M(theta), and the choice between the two that exist."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from mixedsparse.core.problem import Problem
from mixedsparse.errors import BackendError

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


# Rest sizes up to which the split always wins: its dense kernels take less than the sparse bookkeeping.
_SMALL_REST = 400
# Share of the Schur complement that elimination of the largest block fills, from which on it counts as dense.
_DENSE_SHARE = 0.3
# Multiply-adds per second of the dense kernels over those of a sparse factorisation with selected inverse.
_DENSE_SPEED = 8.0
# Dense arrays of the size of the Schur complement that the split holds at once.
_SPLIT_ARRAYS = 6
# Share of the machine's memory that a fit may plan with.
_MEMORY_SHARE = 0.7


def make_engine(problem: Problem, backend: str = "auto") -> Engine:
    """Choose the engine for `problem`.

    Parameters
    ----------
    problem : Problem
    backend : {"auto", "cholmod", "split"}
        ``"auto"`` takes CHOLMOD where it can be imported and its factor needs fewer operations, weighted by speed.

    Raises
    ------
    BackendError
        CHOLMOD is asked for and cannot be imported, or the dense rest of the split does not fit into memory.
    """
    from mixedsparse.core import cholmod
    from mixedsparse.core.split import SplitEngine

    if backend == "cholmod" and not cholmod.available():
        raise BackendError(
            "backend='cholmod' needs scikit-sparse: install mixedsparse[cholmod] (it compiles against SuiteSparse)."
        )
    rest = _rest_size(problem)
    if backend == "split" or (backend == "auto" and (rest <= _SMALL_REST or not cholmod.available())):
        _check_memory(rest, cholmod.available())
        return SplitEngine(problem)
    from mixedsparse.core.sparse import CholmodEngine

    if backend == "cholmod":
        return CholmodEngine(problem)
    if _schur_visits(problem) > _DENSE_SHARE * rest**2 and _fits(rest):
        return SplitEngine(problem)
    engine = CholmodEngine(problem)
    cheaper = engine.flops() * _DENSE_SPEED < rest**3
    return engine if cheaper or not _fits(rest) else SplitEngine(problem)


def _rest_size(problem: Problem) -> int:
    """Random effects that are left when the largest block is eliminated."""
    sizes = [k * n for k, n in zip(problem.layout.widths, problem.layout.n_levels, strict=True)]
    return sum(sizes) - max(sizes)


def _schur_visits(problem: Problem) -> float:
    """Entries that elimination of the largest block touches, counted with repetition."""
    widths, levels = problem.layout.widths, problem.layout.n_levels
    first = int(np.argmax([k * n for k, n in zip(widths, levels, strict=True)]))
    met = np.zeros(levels[first])
    for (s, t), pairs in problem.pairs.items():
        if s == first:
            met += np.diff(pairs.indptr) * widths[t]
        elif t == first:
            met += np.bincount(pairs.indices, minlength=levels[t]) * widths[s]
    return float(np.square(met).sum())


def _fits(rest: int) -> bool:
    return _SPLIT_ARRAYS * 8 * rest**2 < available_memory()


def available_memory() -> float:
    """Bytes of memory that a fit may take: most of the machine's, or infinity where the system does not say."""
    try:
        return _MEMORY_SHARE * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return float("inf")


def _check_memory(rest: int, has_cholmod: bool) -> None:
    if not _fits(rest):
        needed = _SPLIT_ARRAYS * 8 * rest**2 / 2**30
        mend = "use backend='cholmod'" if has_cholmod else "install mixedsparse[cholmod]"
        raise BackendError(
            f"Eliminating the largest grouping factor leaves a dense system of {rest:,} random effects, about "
            f"{needed:,.1f} GiB: {mend}, which keeps it sparse, or remove a term."
        )
