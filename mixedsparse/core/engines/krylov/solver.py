"""M(theta) for an engine that solves by iteration: the largest block eliminated, the rest by conjugate gradients.

Notation of `split`: R_l, C_l of the eliminated block; on the rest U = A_22 - A_21 C A_12, S = I + Lambda_2'U Lambda_2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from mixedsparse.core.engines.krylov.conjugate import Solution, conjugate_gradients
from mixedsparse.core.engines.krylov.preconditioner import Coarse, block_inverse, make_coarse
from mixedsparse.core.engines.krylov.system import System
from mixedsparse.core.engines.level_blocks import apply_blocks, eliminate
from mixedsparse.core.likelihood.interface import Effort
from mixedsparse.core.problem.problem import Problem
from mixedsparse.ground.limits import Limits

__all__ = ["PROBE_TOLERANCE", "TOLERANCE", "KrylovSolver", "Shared"]

Vectors = list[np.ndarray]
# Relative residuals unless a search sets others: of the solutions that enter estimates, whose error in quadratic forms
# is the square of it, and of the probes', which have a Monte-Carlo error anyway (measured: below 1e-3 of it).
TOLERANCE = 1e-9
PROBE_TOLERANCE = 1e-5
# Right-hand sides that are solved together.
_TOGETHER = 16


class Shared(Protocol):
    """What solutions at all theta share: the engine that makes them."""

    problem: Problem
    system: System
    effort: Effort
    limits: Limits
    keeps_solutions: bool
    tolerance: float
    projection_tolerance: float
    probe_tolerance: float

    @property
    def space(self) -> np.ndarray:
        """Basis of the coarse space."""
        ...

    def enrich(self, basis: np.ndarray) -> None:
        """Take a larger one."""
        ...


class KrylovSolver:
    """M(theta) of one `engine` at Lambda_b (K, K) of each block: nothing is factorised but small blocks.

    Attributes
    ----------
    logdet : float
        nan: only `log_determinant` knows it, with an error.
    diagonal : dict block -> ndarray (levels, K, K)
        Diagonal blocks of U.
    jacobi : dict block -> ndarray (levels, K, K)
        Inverses P^-1 of the diagonal blocks P of S.
    """

    def __init__(self, engine: Shared, lams: Sequence[np.ndarray]) -> None:
        self.engine = engine
        self.lams = lams
        self.logdet = float("nan")
        system = engine.system
        first = eliminate(engine.problem.grams[system.first], lams[system.first])
        self.shrink, self.cov, self.first_logdet = first.shrink, first.cov, first.logdet
        self.diagonal = system.schur_diagonal(self.cov)
        self.blocks = {b: lams[b].T @ d @ lams[b] + np.eye(len(lams[b])) for b, d in self.diagonal.items()}
        self.jacobi = {b: block_inverse(block) for b, block in self.blocks.items()}
        self._coarse: Coarse | None = None

    @property
    def coarse(self) -> Coarse:
        """The coarse space at this theta."""
        if self._coarse is None:
            self._coarse = make_coarse(self.apply, self.weigh, self.engine.space)
        return self._coarse

    def apply(self, x: np.ndarray) -> np.ndarray:
        """S x."""
        return x + self.times_factor_t(self.schur_times(self.times_factor(x)))

    def schur_times(self, x: np.ndarray) -> np.ndarray:
        """U x."""
        return self.engine.system.schur_times(self.cov, x)

    def times_factor(self, x: np.ndarray) -> np.ndarray:
        """Lambda_2 x."""
        return self.engine.system.mix(self.lams, x)

    def times_factor_t(self, x: np.ndarray) -> np.ndarray:
        """Lambda_2'x."""
        return self.engine.system.mix([lam.T for lam in self.lams], x)

    def weigh(self, x: np.ndarray) -> np.ndarray:
        """P x."""
        return self.engine.system.mix(self.blocks, x)

    def smooth(self, x: np.ndarray) -> np.ndarray:
        """P^-1 x."""
        return self.engine.system.mix(self.jacobi, x)

    def invert(self, rhs: np.ndarray, tolerance: float) -> np.ndarray:
        """S^-1 times the columns of `rhs` (q_rest, r)."""
        out = np.empty_like(rhs)
        for start in range(0, rhs.shape[1], _TOGETHER):
            some = slice(start, start + _TOGETHER)
            out[:, some] = self._invert(np.ascontiguousarray(rhs[:, some]), tolerance).x
        return out

    def _invert(self, rhs: np.ndarray, tolerance: float) -> Solution:
        coarse = self.coarse
        start, image = coarse.solve(rhs)
        if self.engine.system.size <= self.engine.limits.exact_coarse:
            # A product is cheap, and tells what rounding has left, which may be all there is to solve.
            image = self.apply(start)
        found = conjugate_gradients(
            self.apply,
            lambda r: coarse.improve(self.smooth(r), r),
            rhs,
            tolerance,
            start=(start, image),
            max_iterations=self.engine.limits.iterations,
        )
        self.engine.effort.add(rhs.shape[1], found.iterations)
        return found

    def solve(self, vectors: Vectors) -> tuple[Vectors, Vectors]:
        """Lambda M^-1 Lambda'Z'Y and Z'V_0^-1 Y from Z'Y, block vectors (levels, K, r)."""
        return self._solve(vectors, self.engine.tolerance)

    def _solve(self, vectors: Vectors, tolerance: float) -> tuple[Vectors, Vectors]:
        system = self.engine.system
        first, stacked = vectors[system.first], system.stack(vectors)
        reduced = stacked - system.to_rest(apply_blocks(self.cov, first))
        modes = self.times_factor(self.invert(self.times_factor_t(reduced), tolerance))
        left = first - system.to_first(modes)
        mine = apply_blocks(self.cov, left)
        other = stacked - system.to_rest(mine) - system.within_rest(modes)
        return system.unstack(mine, modes), system.unstack(apply_blocks(self.shrink, left), other)

    def forms(self, vectors: Vectors) -> np.ndarray:
        """Return v'Lambda M^-1 Lambda'v (r,) of block vectors (levels, K, r)."""
        modes, _ = self.solve(vectors)
        return np.asarray(sum((v * mode).sum(axis=(0, 1)) for v, mode in zip(vectors, modes, strict=True)))

    def project(self, vectors: Vectors) -> Vectors:
        """Z'V_0^-1 Y from Z'Y."""
        return self._solve(vectors, self.engine.projection_tolerance)[1]

    def invert_probes(self, rhs: np.ndarray) -> np.ndarray:
        """S^-1 times the columns of `rhs`, to the accuracy that a probe needs."""
        return self.invert(rhs, self.engine.probe_tolerance)

    def release(self) -> None:
        """Free the coarse space; it is computed again when it is needed."""
        self._coarse = None

    def loss(self) -> float:
        """Nothing: no pivot is left of larger numbers."""
        return 0.0

    def conditional_covariance_of(self, block: int, levels: np.ndarray) -> np.ndarray:
        """Blocks of Lambda M^-1 Lambda' for chosen levels, (len(levels), K, K); times sigma^2: Var(b | y).

        Parameters
        ----------
        block : int
            Which grouping factor.
        levels : ndarray of int
            Codes of the levels.
        """
        layout = self.engine.problem.layout
        k = layout.widths[block]
        out = np.empty((len(levels), k, k))
        step = max(_TOGETHER // k, 1)
        for start in range(0, len(levels), step):
            some = np.asarray(levels[start : start + step])
            unit = [np.zeros((n, w, len(some) * k)) for n, w in zip(layout.n_levels, layout.widths, strict=True)]
            columns = np.arange(len(some) * k).reshape(len(some), k)
            unit[block][some[:, None], np.arange(k), columns] = 1.0
            modes = self.solve(unit)[0][block]
            found = modes[some[:, None, None], np.arange(k)[:, None], columns[:, None, :]]
            out[start : start + step] = 0.5 * (found + found.swapaxes(1, 2))
        return out
