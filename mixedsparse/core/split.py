"""The split: eliminate the largest block by hand, factorise the dense Schur complement of the rest by LAPACK.

The largest block (1) of M is block diagonal, so with V_1 = I + Z_1 Lambda_1 Lambda_1' Z_1' the rest (2) is a small
dense problem (Bates et al. 2015, section 5; Searle, Casella & McCulloch 1992, chapter 6). Per level l of block 1, A_l
its K x K block of Z'Z and Sigma = Lambda_1 Lambda_1':

    R_l = (I + A_l Sigma)^-1,   C_l = Sigma R_l,   G = A_12 Lambda_2
    M_2 = Lambda_2'A_22 Lambda_2 + I - G'C G            the Schur complement, factorised by potrf
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.linalg import lapack

from mixedsparse.core.coupling import Coupling, make_coupling, symmetrized
from mixedsparse.core.problem import Problem
from mixedsparse.core.rest import Rest
from mixedsparse.errors import NotPositiveDefiniteError

__all__ = ["SplitEngine", "SplitFactor"]

Vectors = list[np.ndarray]
# Diagonal entries of Lambda from which on I - M^-1 = Lambda'Z'V_0^-1 Z Lambda is divided by them without loss.
_SAFE_PIVOT = 1e-3


class SplitEngine:
    """Factorises M(theta) of one `problem`; see the module docstring."""

    name = "split"

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        layout = problem.layout
        self.first = int(np.argmax([k * n for k, n in zip(layout.widths, layout.n_levels, strict=True)]))
        self.rest = Rest(problem, self.first)
        self.coupling: Coupling | None = make_coupling(self.rest) if self.rest.blocks else None
        self.gram = problem.grams[self.first]

    @property
    def work(self) -> float:
        """Multiply-adds of the largest dense operation of an evaluation."""
        return float(max(self.rest.size, 1)) ** 3

    def times(self, vectors: Vectors) -> Vectors:
        """Z'Z times block vectors."""
        first = vectors[self.first]
        mine = apply_blocks(self.gram, first)
        if self.coupling is None:
            return [mine]
        rest = self.rest.stack(vectors)
        other = self.rest.gram @ rest + self.coupling.to_rest(first)
        return self.rest.unstack(mine + self.coupling.to_first(rest), other)

    def factorize(self, factors: Sequence[np.ndarray]) -> SplitFactor:
        """Factorise M at the block factors Lambda_b (K, K)."""
        return SplitFactor(self, factors)


class SplitFactor:
    """M(theta) factorised: log-determinant, projections and the pieces of its inverse that derivatives need."""

    def __init__(self, engine: SplitEngine, factors: Sequence[np.ndarray]) -> None:
        self.engine = engine
        self.factors = factors
        self._factor: np.ndarray | None = None
        self._inverse: np.ndarray | None = None
        self.logdet = self._eliminate(engine.gram, factors[engine.first])
        if engine.coupling is not None:
            self.logdet += self._factorize_rest(engine.coupling)
        if not np.isfinite(self.logdet):
            raise NotPositiveDefiniteError("The log-determinant of the penalised system is not finite.")

    def _eliminate(self, gram: np.ndarray, lam: np.ndarray) -> float:
        """Set R and C of the eliminated block (levels, K, K); return the log-determinant of its part of M."""
        sigma = lam @ lam.T
        if len(sigma) == 1:
            inflation = 1.0 + gram * sigma
            self.shrink = 1.0 / inflation
            self.cov = sigma * self.shrink
            return float(np.log(inflation).sum())
        inflation = gram @ sigma
        index = np.arange(len(sigma))
        inflation[:, index, index] += 1.0
        try:
            self.shrink = np.linalg.inv(inflation)
        except np.linalg.LinAlgError as err:
            raise NotPositiveDefiniteError("A level of the eliminated factor is singular at this theta.") from err
        self.cov = sigma @ self.shrink
        return float(np.linalg.slogdet(inflation)[1].sum())

    def _factorize_rest(self, coupling: Coupling) -> float:
        """Set G and the Cholesky factor of M_2; return its log-determinant."""
        matrix = self.engine.rest.penalised(self.factors)
        self.scaled = coupling.scaled(self.factors)
        coupling.subtract(matrix, self.scaled, self.cov)
        # The lower triangle of a C-ordered array is the upper one of its Fortran-ordered transpose: no copy.
        self._factor, info = lapack.dpotrf(matrix.T, lower=0, overwrite_a=1, clean=0)
        if info != 0:
            raise NotPositiveDefiniteError(f"LAPACK potrf stopped at row {info} of {len(matrix)}.")
        return 2.0 * float(np.log(np.diagonal(self._factor)).sum())

    def solve(self, vectors: Vectors) -> tuple[Vectors, Vectors]:
        """Lambda M^-1 Lambda'Z'Y and Z'V_0^-1 Y from Z'Y, block vectors (levels, K, r)."""
        engine, rest = self.engine, self.engine.rest
        first = vectors[engine.first]
        if engine.coupling is None:
            return [apply_blocks(self.cov, first)], [apply_blocks(self.shrink, first)]
        stacked = rest.stack(vectors)
        reduced = stacked - engine.coupling.to_rest(apply_blocks(self.cov, first))
        solved, _ = lapack.dpotrs(self._chol(), rest.times_factor_t(self.factors, reduced), lower=0)
        modes = rest.times_factor(self.factors, solved)
        left = first - engine.coupling.to_first(modes)
        mine = apply_blocks(self.cov, left)
        other = stacked - engine.coupling.to_rest(mine) - rest.gram @ modes
        return rest.unstack(mine, modes), rest.unstack(apply_blocks(self.shrink, left), other)

    def project(self, vectors: Vectors) -> Vectors:
        """Z'V_0^-1 Y from Z'Y."""
        return self.solve(vectors)[1]

    def inverse(self) -> np.ndarray:
        """M_2^-1 (q_rest, q_rest), C-ordered, lower triangle only; it takes the place of the factor in memory."""
        if self._inverse is None:
            upper, info = lapack.dpotri(self._chol(), lower=0, overwrite_c=1)
            if info != 0:
                raise NotPositiveDefiniteError(f"LAPACK potri stopped at row {info}.")
            self._inverse, self._factor = upper.T, None
        return self._inverse

    def _chol(self) -> np.ndarray:
        """Upper factor of M_2, Fortran-ordered; factorised again when its memory was taken or released."""
        if self._factor is None:
            assert self.engine.coupling is not None
            self._factorize_rest(self.engine.coupling)
        assert self._factor is not None
        return self._factor

    def release(self) -> None:
        """Free the dense arrays; they are computed again when they are needed."""
        self._factor = self._inverse = None

    def traces(self) -> list[np.ndarray]:
        """Return T_b = sum over levels of the diagonal blocks of Z'V_0^-1 Z Lambda, one (K, K) array per block.

        Eliminated block: Z_l'V_0^-1 Z_l = R_l (A_l - Q_l R_l') with Q = G M_2^-1 G'. Rest: from
        Lambda'Z'V_0^-1 Z Lambda = I - M^-1, or without dividing by Lambda where a pivot is near 0.
        """
        engine, lam = self.engine, self.factors[self.engine.first]
        own = engine.gram
        if engine.coupling is None:
            return [apply_blocks(self.shrink, own).sum(axis=0) @ lam]
        inverse = self.inverse()
        own = own - apply_blocks(engine.coupling.quadratic(inverse, self.scaled), self.shrink.swapaxes(1, 2))
        out: list[np.ndarray] = [apply_blocks(self.shrink, own).sum(axis=0) @ lam] * len(self.factors)
        sums = engine.rest.block_sums(inverse)
        product = None
        for b in engine.rest.blocks:
            factor = self.factors[b]
            if np.abs(np.diagonal(factor)).min() > _SAFE_PIVOT:
                within = len(engine.problem.grams[b]) * np.eye(len(factor)) - sums[b]
                out[b] = np.linalg.solve(factor.T, within)
                continue
            if product is None:
                product = self._schur_times_factor(), symmetrized(inverse)
            slabs = [engine.rest.slabs[b, a] for a in range(len(factor))]
            out[b] = np.array([[np.vdot(product[0][s], product[1][t]) for t in slabs] for s in slabs])
        return out

    def schur(self) -> np.ndarray:
        """Z_2'V_1^-1 Z_2 = A_22 - A_21 C A_12, dense and full: without Lambda_2."""
        engine = self.engine
        assert engine.coupling is not None
        unit = [np.eye(k) for k in engine.problem.layout.widths]
        matrix = engine.rest.penalised(unit)
        matrix.flat[:: len(matrix) + 1] -= 1.0
        engine.coupling.subtract(matrix, engine.coupling.scaled(unit), self.cov)
        return symmetrized(matrix)

    def _schur_times_factor(self) -> np.ndarray:
        """Z_2'V_1^-1 Z_2 Lambda_2."""
        return np.ascontiguousarray(self.engine.rest.times_factor_t(self.factors, self.schur()).T)

    def covariance(self) -> np.ndarray:
        """Lambda_2 M_2^-1 Lambda_2', dense and full."""
        half = self.engine.rest.times_factor(self.factors, symmetrized(self.inverse()))
        return self.engine.rest.times_factor(self.factors, half.T)

    def conditional_covariances(self) -> list[np.ndarray]:
        """Return the diagonal blocks of Lambda M^-1 Lambda', (levels, K, K) per block (times sigma^2: Var(b | y))."""
        engine = self.engine
        if engine.coupling is None:
            return [self.cov]
        inverse = self.inverse()
        mine = self.cov + self.cov @ engine.coupling.quadratic(inverse, self.scaled) @ self.cov
        out: list[np.ndarray] = [mine] * len(self.factors)
        for b, blocks in engine.rest.diagonal_blocks(inverse).items():
            out[b] = self.factors[b] @ blocks @ self.factors[b].T
        return out


def apply_blocks(blocks: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Level by level, blocks (levels, K, K) times vectors (levels, K, r); K = 1 needs no matrix product."""
    return blocks * vectors if blocks.shape[1] == 1 else blocks @ vectors
