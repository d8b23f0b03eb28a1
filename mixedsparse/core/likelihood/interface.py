"""What the criterion, its derivatives and the search ask of an engine and of its factorisations of M(theta).

Every engine factorises, solves and gives traces. What only some can do is a capability: a method or an attribute that
the others answer with None or False, so that nobody needs to know which engine it has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, Self

import numpy as np
from scipy.special import ndtri, stdtrit

from mixedsparse.core.problem.problem import Problem
from mixedsparse.ground.limits import Limits

__all__ = [
    "Effort",
    "Engine",
    "Factored",
    "KnownForms",
    "Pattern",
    "ProbeSet",
    "SampledForms",
    "SampledTraces",
    "StochasticEngine",
    "StochasticFactored",
    "Written",
]

Vectors = list[np.ndarray]
# Blocks (levels, K, K) per block, and (nnz, K_s, K_t) per pair of blocks, in the order of `Problem.pairs`.
Pattern = tuple[list[np.ndarray], dict[tuple[int, int], np.ndarray]]


class Written(NamedTuple):
    """A symmetric matrix among random effects, written out.

    Attributes
    ----------
    matrix : ndarray
        Effect-major inside each block: all levels of one effect together.
    starts : mapping block -> int
        First row of each block that it holds.
    """

    matrix: np.ndarray
    starts: Mapping[int, int]


class Factored(Protocol):
    """M(theta) = Lambda'Z'Z Lambda + I, factorised. Block vectors are lists of (levels, K, r), one per block.

    Blocks with a known relationship among levels have their P in the place of I; see `Problem.penalties`.
    """

    logdet: float
    lams: Sequence[np.ndarray]

    @property
    def knows_all_levels(self) -> bool:
        """Whether covariances of all levels come at once; where they do not, each costs a solution."""
        ...

    def solve(self, vectors: Vectors) -> tuple[Vectors, Vectors]:
        """Lambda M^-1 Lambda'Z'Y (modes) and Z'V_0^-1 Y = Z'Y - Z'Z modes from Z'Y."""
        ...

    def project(self, vectors: Vectors) -> Vectors:
        """Z'V_0^-1 Y from Z'Y."""
        ...

    def forms(self, vectors: Vectors) -> np.ndarray:
        """Return v'Lambda M^-1 Lambda'v (r,) of block vectors (levels, K, r): what a solution costs at most."""
        ...

    def traces(self) -> list[np.ndarray]:
        """Sum over levels of the diagonal blocks of Z'Z Lambda M^-1 (Z'V_0^-1 Z Lambda for P = I), (K, K) per block."""
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

    def conditional_covariance_of(self, block: int, levels: np.ndarray) -> np.ndarray:
        """Those of chosen `levels` of one block, (len(levels), K, K)."""
        ...

    def pattern_covariances(self) -> Pattern:
        """Blocks of Lambda M^-1 Lambda' on the pattern of Z'Z: its diagonal, and the pairs of levels that meet."""
        ...

    def projection(self) -> Written | None:
        """W = Z'V_0^-1 Z of all blocks; None from engines that never write it out, see `Engine.writes_projection`."""
        ...

    def scaled_projection(self, less: Vectors) -> Written | None:
        """Lambda'(W - Y Y')Lambda of the blocks for which it is at hand after `traces`, None if it is for none.

        `less` are the block vectors Y (levels, K, r).
        """
        ...


class Engine(Protocol):
    """Analyses the pattern of M once and factorises it at any theta."""

    name: str
    problem: Problem
    limits: Limits

    @property
    def work(self) -> float:
        """Multiply-adds of the largest dense operation of an evaluation."""
        ...

    def factorize(self, lams: Sequence[np.ndarray]) -> Factored:
        """Factorise at Lambda_b (K, K) of each block."""
        ...

    def times(self, vectors: Vectors) -> Vectors:
        """Z'Z times block vectors."""
        ...

    def with_problem(self, problem: Problem) -> Self:
        """Engine for other numbers on the same pattern."""
        ...

    @property
    def yields_to_dense(self) -> bool:
        """Whether a search of a small problem may take dense algebra on all random effects in its place."""
        ...

    @property
    def writes_projection(self) -> bool:
        """Whether what it factorises writes W = Z'V_0^-1 Z out at so little cost that exact Hessians save time."""
        ...

    @property
    def keeps_projection(self) -> bool:
        """Whether what it factorises has a `Factored.scaled_projection` of some blocks."""
        ...

    @property
    def stochastic(self) -> StochasticEngine | None:
        """Itself where log|M| and traces are estimated by random probes; None where every number is exact."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class SampledTraces:
    """Sums over levels of the diagonal blocks of Z'V_0^-1 Z, estimated.

    Attributes
    ----------
    known : list of ndarray (K, K)
        Their known parts.
    samples : list of ndarray (probes, K, K)
        What each probe adds to them.
    """

    known: list[np.ndarray]
    samples: list[np.ndarray]

    @property
    def means(self) -> list[np.ndarray]:
        """Estimates (K, K), one per block."""
        return [known + drawn.mean(axis=0) for known, drawn in zip(self.known, self.samples, strict=True)]


# Quantile by which the spread of few probes is judged: 95 % of errors are within 1.96 of the errors that are stated.
_COVERED = 0.975


def widening(probes: int) -> float:
    """Quantile of Student's distribution over the normal one: few probes hardly tell their own spread."""
    return float(stdtrit(probes - 1, _COVERED) / ndtri(_COVERED))


class SampledForms(NamedTuple):
    """What the probes of a batch tell of z'C z, C = Lambda M^-1 Lambda': its mean over probes is E (z'left)(z'right).

    Block vectors (levels, K, probes).
    """

    left: list[np.ndarray]
    right: list[np.ndarray]


class KnownForms(NamedTuple):
    """The part of z'C z that needs no probe, for the z of rows.

    Attributes
    ----------
    diagonal : list of ndarray (levels, K, K)
    pairs : dict (s, t) -> ndarray (nnz, K_s, K_t)
        Both on the pattern of Z'Z.
    coarse : list of ndarray (levels, K, k)
        The sum over columns c of scale_c (z'coarse_c)^2 is to be added.
    scale : ndarray, shape (k,)
    """

    diagonal: list[np.ndarray]
    pairs: dict[tuple[int, int], np.ndarray]
    coarse: list[np.ndarray]
    scale: np.ndarray


@dataclass(slots=True)
class Effort:
    """Right-hand sides solved, iterations of all batches together and of the longest."""

    solves: int = 0
    iterations: int = 0
    worst: int = 0

    def add(self, solves: int, iterations: int) -> None:
        """Count one batch."""
        self.solves += solves
        self.iterations += iterations
        self.worst = max(self.worst, iterations)


class StochasticFactored(Factored, Protocol):
    """M(theta) by an engine with random probes."""

    def estimate(self) -> SampledTraces:
        """Estimate traces by all probes in use."""
        ...

    def leverages(self) -> Iterator[SampledForms]:
        """Yield what the probes tell of Lambda M^-1 Lambda', where the engine keeps their solutions."""
        ...

    def known_forms(self) -> KnownForms:
        """Return what needs no probe."""
        ...

    def log_determinant(self) -> tuple[float, float]:
        """log|M|, and the standard deviation of its error."""
        ...

    def enrich(self) -> None:
        """Make solutions quicker at all theta by what can be learnt at this one."""
        ...


class ProbeSet(Protocol):
    """Random vectors, the same at every theta, in batches of `per_batch`."""

    batches: int
    per_batch: int

    @property
    def number(self) -> int:
        """How many probes are in use."""
        ...


class StochasticEngine(Engine, Protocol):
    """An engine whose traces have a Monte-Carlo error that more probes make smaller."""

    @property
    def probes(self) -> ProbeSet:
        """What the traces are estimated by."""
        ...

    keeps_solutions: bool
    tolerance: float
    projection_tolerance: float
    probe_tolerance: float

    @property
    def effort(self) -> Effort:
        """Solutions so far."""
        ...

    @property
    def enriched(self) -> bool:
        """Whether solutions are as quick as `StochasticFactored.enrich` can make them."""
        ...

    def renewed(self, seed: int, per_batch: int = ...) -> StochasticEngine:
        """Engine that shares the analysis only, with probes of its own, so many in a batch."""
        ...

    def factorize(self, lams: Sequence[np.ndarray]) -> StochasticFactored:
        """Prepare solutions at Lambda_b (K, K) of each block."""
        ...
