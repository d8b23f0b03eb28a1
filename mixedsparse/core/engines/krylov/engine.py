"""The engine without a factorisation, for designs whose factor is too big."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mixedsparse.core.engines.krylov.factor import KrylovFactored
from mixedsparse.core.engines.krylov.probes import Probes
from mixedsparse.core.engines.krylov.solver import PROBE_TOLERANCE, TOLERANCE
from mixedsparse.core.engines.krylov.system import System
from mixedsparse.core.likelihood.interface import Effort
from mixedsparse.core.problem.edits import same_gram
from mixedsparse.core.problem.problem import Problem
from mixedsparse.ground.limits import LIMITS, Limits

__all__ = ["KrylovEngine"]

Vectors = list[np.ndarray]
# Effects of blocks of few levels that stand in the coarse space one by one.
_FEW = 48


@dataclass(slots=True, eq=False)
class _Space:
    """Coarse space, and whether there is nothing to add to it."""

    basis: np.ndarray
    enriched: bool


class KrylovEngine:
    """Solves with M(theta) of one `problem` by conjugate gradients; traces by random probes.

    Parameters
    ----------
    problem : Problem
        Only its cross-products are used, never rows of the data.
    seed : int
        Of the probes.
    batches : int
        Probes that the traces start with, in batches of `Probes.per_batch`.
    limits : Limits

    Attributes
    ----------
    keeps_solutions : bool
        Whether what is factorised keeps the solutions for its probes, for more than traces.
    tolerance, projection_tolerance, probe_tolerance : float
        Relative residuals: of solutions, of those that projections are made of, and of those for probes.
    effort : Effort
    """

    name = "iterative"
    yields_to_dense = writes_projection = keeps_projection = False

    def __init__(self, problem: Problem, seed: int = 0, batches: int = 1, limits: Limits = LIMITS) -> None:
        self.problem, self.limits = problem, limits
        self.system = System(problem, limits)
        self._start(seed, batches)

    def renewed(self, seed: int, per_batch: int = Probes.per_batch) -> KrylovEngine:
        """Engine that shares the system only: fits neither see nor change each other's probes and coarse space."""
        out = copy.copy(self)
        out._start(seed, 1, per_batch)
        return out

    def _start(self, seed: int, batches: int, per_batch: int = Probes.per_batch) -> None:
        self.probes = Probes(self.system, seed, batches, per_batch)
        self.effort = Effort()
        self.keeps_solutions, self.probe_tolerance = False, PROBE_TOLERANCE
        self.tolerance = self.projection_tolerance = TOLERANCE
        exact = self.system.size <= self.limits.exact_coarse
        self._shared = _Space(np.eye(self.system.size) if exact else _start_space(self.system), exact)

    @property
    def space(self) -> np.ndarray:
        """Basis of the coarse space, (q_rest, k)."""
        return self._shared.basis

    @property
    def enriched(self) -> bool:
        """Whether there is nothing to add to it."""
        return self._shared.enriched

    def enrich(self, basis: np.ndarray) -> None:
        """Take a larger basis, for this engine and those of other numbers on its pattern."""
        self._shared.basis, self._shared.enriched = basis, True

    @property
    def work(self) -> float:
        """0: no operation is worth a second BLAS thread, and one thread sums in one order."""
        return 0.0

    def times(self, vectors: Vectors) -> Vectors:
        """Z'Z times block vectors."""
        return self.system.times(vectors)

    def factorize(self, lams: Sequence[np.ndarray]) -> KrylovFactored:
        """Prepare solutions at Lambda_b (K, K) of each block."""
        return KrylovFactored(self, self.probes, lams)

    @property
    def stochastic(self) -> KrylovEngine:
        """Itself."""
        return self

    def with_problem(self, problem: Problem) -> KrylovEngine:
        """Engine for other numbers on the same pattern, with the same probes and coarse space."""
        out = copy.copy(self)
        out.problem = problem
        if not same_gram(problem, self.problem):
            out.system = self.system.refilled(problem)
        return out


def _start_space(system: System) -> np.ndarray:
    """Coarse space that suits a well-connected design, (q_rest, k).

    One vector per effect of a block of the rest, 1 on its levels; and for every effect of a block of few levels, such
    as schools beside teachers, that effect itself and its share in the levels of the other blocks.
    """
    problem = system.problem
    widths, levels = problem.layout.widths, problem.layout.n_levels
    constant = np.zeros((system.size, sum(widths[b] for b in system.rest)))
    units = []
    column = used = 0
    for b in sorted(system.rest, key=lambda b: widths[b] * levels[b]):
        for a in range(widths[b]):
            system.view(constant, b)[:, a, column + a] = 1.0
        column += widths[b]
        used += widths[b] * levels[b]
        if used <= _FEW:
            rows = np.arange(system.rows[b].start, system.rows[b].stop)
            unit = np.zeros((system.size, len(rows)))
            unit[rows, rows - rows[0]] = 1.0
            units.append(unit)
    if not units:
        return constant
    unit = np.hstack(units)
    own = np.concatenate([np.diagonal(problem.grams[b], axis1=1, axis2=2).ravel() for b in system.rest])
    return np.hstack([constant, unit, system.within_rest(unit) / np.maximum(own, 1e-300)[:, None]])
