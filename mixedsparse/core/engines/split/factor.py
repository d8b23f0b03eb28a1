"""The split: eliminate the largest block by hand, factorise the dense Schur complement of the rest by LAPACK.

The largest block (1) of M is block diagonal, so with V_1 = I + Z_1 Lambda_1 Lambda_1' Z_1' the rest (2) is a small
dense problem (Bates et al. 2015, section 5; Searle, Casella & McCulloch 1992, chapter 6). Per level l of block 1, A_l
its K x K block of Z'Z and Sigma = Lambda_1 Lambda_1':

    R_l = (I + A_l Sigma)^-1,   C_l = Sigma R_l,   G = A_12 Lambda_2
    S   = A_22 - A_21 C A_12                            Z_2'V_1^-1 Z_2
    M_2 = Lambda_2'S Lambda_2 + I                       the Schur complement, factorised by potrf
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.linalg import blas, lapack

from mixedsparse.core.engines.level_blocks import apply_blocks, eliminate, is_safe, times_transposed, unrotate
from mixedsparse.core.engines.split.analysis import SplitAnalysis
from mixedsparse.core.engines.split.coupling import Coupling, Products
from mixedsparse.core.engines.split.pattern import pair_covariances
from mixedsparse.core.engines.split.schur import symmetrized
from mixedsparse.core.likelihood.interface import Pattern, Written
from mixedsparse.core.problem.blocks import effect_major
from mixedsparse.ground.errors import NotPositiveDefiniteError

__all__ = ["SplitFactored"]

Vectors = list[np.ndarray]
# Diagonal entries of Lambda from which on I - M^-1 = Lambda'Z'V_0^-1 Z Lambda is divided by them without loss.
_SAFE_PIVOT = 1e-3


class SplitFactored:
    """M(theta) factorised: log-determinant, projections and the pieces of its inverse that derivatives need."""

    knows_all_levels = True

    def __init__(self, engine: SplitAnalysis, lams: Sequence[np.ndarray]) -> None:
        self.engine = engine
        self.lams = lams
        self._schur: np.ndarray | None = None
        self._factor: np.ndarray | None = None
        self._inverse: np.ndarray | None = None
        self._whitened: np.ndarray | None = None
        self._products: Products | None = None
        self._pivots = np.empty(0)
        self.eliminated = eliminate(engine.gram, engine.lam_of_first(lams))
        self.shrink, self.cov, self.logdet = self.eliminated.shrink, self.eliminated.cov, self.eliminated.logdet
        if engine.coupling is not None:
            self.logdet += self._factorize_rest()
        if not np.isfinite(self.logdet):
            raise NotPositiveDefiniteError("The log-determinant of the penalised system is not finite.")

    def _factorize_rest(self) -> float:
        """Set the Cholesky factor of M_2; return its log-determinant."""
        engine = self.engine
        assert engine.coupling is not None
        if engine.keeps_schur:
            matrix = engine.rest.congruence(self.lams, self.schur())
            engine.rest.add_penalty(matrix)
        else:
            matrix = engine.rest.penalised(self.lams)
            engine.coupling.subtract(matrix, self.eliminated, self.lams)
        # The lower triangle of a C-ordered array is the upper one of its Fortran-ordered transpose: no copy.
        self._factor, info = lapack.dpotrf(matrix.T, lower=0, overwrite_a=1, clean=0)
        if info != 0:
            raise NotPositiveDefiniteError(f"LAPACK potrf stopped at row {info} of {len(matrix)}.")
        self._pivots = np.diagonal(self._factor).copy()
        return 2.0 * float(np.log(self._pivots).sum())

    def loss(self) -> float:
        """Sum over random effects of the diagonal entries of M over the pivots."""
        rest = self.engine.rest
        if not rest.blocks:
            return self.eliminated.loss
        return self.eliminated.loss + float((rest.penalised_diagonal(self.lams) / self._pivots**2).sum())

    def solve(self, vectors: Vectors) -> tuple[Vectors, Vectors]:
        """Lambda M^-1 Lambda'Z'Y and Z'V_0^-1 Y from Z'Y, block vectors (levels, K, r)."""
        engine, rest = self.engine, self.engine.rest
        first = engine.of_first(vectors)
        if engine.coupling is None:
            return [self.eliminated.times_cov(first)], [apply_blocks(self.shrink, first)]
        stacked = rest.stack(vectors)
        reduced = stacked - engine.coupling.to_rest(self.eliminated.times_cov(first))
        solved = self._solve_rest(rest.times_factor_t(self.lams, reduced))
        modes = rest.times_factor(self.lams, solved)
        left = first - engine.coupling.to_first(modes)
        mine = self.eliminated.times_cov(left)
        own = apply_blocks(self.shrink, left)
        rotated = rest.unstack(own, rest.times_penalty(solved))
        plain: Vectors | list[None] = [None] * len(self.lams)
        if not all(is_safe(self.lams[b]).all() for b in rest.blocks):
            dense = engine.is_dense
            other = self.schur() @ modes if dense else engine.coupling.to_rest(mine) + rest.gram @ modes
            plain = rest.unstack(own, (reduced if dense else stacked) - other)
        projected = [
            own if b == engine.first else unrotate(lam, r, v)
            for b, (lam, r, v) in enumerate(zip(self.lams, rotated, plain, strict=True))
        ]
        return rest.unstack(mine, modes), projected

    def forms(self, vectors: Vectors) -> np.ndarray:
        """Return v'Lambda M^-1 Lambda'v (r,) of block vectors (levels, K, r): half a solution, by M_2 = U'U."""
        engine, rest = self.engine, self.engine.rest
        first = engine.of_first(vectors)
        spread = self.eliminated.times_cov(first)
        out: np.ndarray = (first * spread).sum(axis=(0, 1))
        if engine.coupling is None:
            return out
        reduced = rest.times_factor_t(self.lams, rest.stack(vectors) - engine.coupling.to_rest(spread))
        if self._factor is None and self._inverse is not None:
            return out + (reduced * (self._inverse @ reduced)).sum(axis=0)
        return out + np.square(lapack.dtrtrs(self.cholesky(), reduced, lower=0, trans=1)[0]).sum(axis=0)

    def _solve_rest(self, right: np.ndarray) -> np.ndarray:
        """M_2^-1 times (q_rest, r): by the inverse where it has taken the place of the factor."""
        if self._factor is None and self._inverse is not None:
            return np.asarray(self._inverse @ right)
        return np.asarray(lapack.dpotrs(self.cholesky(), right, lower=0)[0])

    def project(self, vectors: Vectors) -> Vectors:
        """Z'V_0^-1 Y from Z'Y."""
        return self.solve(vectors)[1]

    def cholesky(self) -> np.ndarray:
        """Upper factor of M_2, Fortran-ordered; factorised again when its memory was taken or released."""
        if self._factor is None:
            self._factorize_rest()
        assert self._factor is not None
        return self._factor

    def inverse(self) -> np.ndarray:
        """M_2^-1 (q_rest, q_rest), C-ordered; unless the rest is small, it takes the place of the factor in memory."""
        if self._inverse is None:
            keep = self.engine.keeps_schur
            upper, info = lapack.dpotri(self.cholesky(), lower=0, overwrite_c=not keep)
            if info != 0:
                raise NotPositiveDefiniteError(f"LAPACK potri stopped at row {info}.")
            if not keep:
                self._factor = None
            self._inverse = symmetrized(upper.T, out=upper.T)
        return self._inverse

    def whitened(self) -> np.ndarray:
        """Return A_12 Lambda_2 U^-1 with M_2 = U'U, (levels, K, q_rest): its products are Q = G M_2^-1 G'."""
        if self._whitened is None:
            assert self.engine.coupling is not None
            values = self.engine.coupling.dense()
            self._whitened = self.whiten(values.reshape(-1, self.engine.rest.size)).reshape(values.shape)
        return self._whitened

    def whiten(self, rows: np.ndarray) -> np.ndarray:
        """Rows (m, q_rest) times Lambda_2 U^-1."""
        if not len(rows):
            return rows
        mixed = self.engine.rest.right_times(self.lams, rows)
        return np.asarray(blas.dtrsm(1.0, self.cholesky(), mixed.T, trans_a=1, overwrite_b=1)).T

    def _quadratic(self, coupling: Coupling) -> np.ndarray:
        """Diagonal blocks of Q = G M_2^-1 G', (levels, K, K)."""
        if self.engine.is_dense:
            half = self.whitened()
            return half @ half.swapaxes(1, 2)
        if self._products is not None:
            return self._products.quadratic
        return coupling.quadratic(self.inverse(), self.lams)

    def release(self) -> None:
        """Free the dense arrays; they are computed again when they are needed."""
        self._factor = self._inverse = self._schur = self._whitened = self._products = None

    def traces(self) -> list[np.ndarray]:
        """Return T_b = sum over levels of the diagonal blocks of Z'V_0^-1 Z Lambda, one (K, K) array per block.

        Eliminated block: Z_l'V_0^-1 Z_l = R_l (A_l - Q_l R_l') with Q = G M_2^-1 G'. Rest: from
        Lambda'Z'Z Lambda M^-1 = I - P M^-1, or without dividing by Lambda where a pivot is near 0.
        """
        engine, lam = self.engine, self.engine.lam_of_first(self.lams)
        own = engine.gram
        if engine.coupling is None:
            return [apply_blocks(self.shrink, own).sum(axis=0) @ lam]
        inverse = self.inverse()
        quadratic = self._quadratic(engine.coupling) if self._products is None else self._products.quadratic
        own = own - apply_blocks(quadratic, self.shrink.swapaxes(1, 2))
        out: list[np.ndarray] = [apply_blocks(self.shrink, own).sum(axis=0) @ lam] * len(self.lams)
        sums = engine.rest.penalised_sums(inverse)
        product = None
        for b in engine.rest.blocks:
            factor = self.lams[b]
            if np.abs(np.diagonal(factor)).min() > _SAFE_PIVOT:
                within = len(engine.problem.grams[b]) * np.eye(len(factor)) - sums[b]
                out[b] = np.linalg.solve(factor.T, within)
                continue
            if product is None:
                product = engine.rest.right_times(self.lams, self.schur())
            slabs = [engine.rest.slabs[b, a] for a in range(len(factor))]
            out[b] = np.array([[np.vdot(product[s], inverse[t]) for t in slabs] for s in slabs])
        return out

    def schur(self) -> np.ndarray:
        """Z_2'V_1^-1 Z_2 = A_22 - A_21 C A_12, dense and full: without Lambda_2."""
        if self._schur is not None:
            return self._schur
        engine = self.engine
        assert engine.coupling is not None
        matrix = engine.rest.dense()
        engine.coupling.subtract(matrix, self.eliminated)
        matrix = symmetrized(matrix, out=matrix)
        if engine.keeps_schur:
            self._schur = matrix
        return matrix

    def covariance(self) -> np.ndarray:
        """Lambda_2 M_2^-1 Lambda_2', dense and full."""
        return self.engine.rest.congruence([lam.T for lam in self.lams], self.inverse())

    def conditional_covariances(self) -> list[np.ndarray]:
        """Return the diagonal blocks of Lambda M^-1 Lambda', (levels, K, K) per block (times sigma^2: Var(b | y))."""
        engine = self.engine
        if engine.coupling is None:
            return [self.cov]
        return self._conditional(self._quadratic(engine.coupling))

    def _conditional(self, quadratic: np.ndarray) -> list[np.ndarray]:
        """Return the same from Q of the eliminated block."""
        mine = self.cov + apply_blocks(apply_blocks(self.cov, quadratic), self.cov)
        out: list[np.ndarray] = [mine] * len(self.lams)
        for b, blocks in self.engine.rest.diagonal_blocks(self.inverse()).items():
            out[b] = self.lams[b] @ blocks @ self.lams[b].T
        return out

    def conditional_covariance_of(self, block: int, levels: np.ndarray) -> np.ndarray:
        """Return those of chosen `levels` of one block, (len(levels), K, K)."""
        return self.conditional_covariances()[block][levels]

    def pattern_covariances(self) -> Pattern:
        """Return the blocks of Lambda M^-1 Lambda' on the pattern of Z'Z."""
        engine = self.engine
        if engine.coupling is None:
            return self.conditional_covariances(), {}
        if self._products is None:
            self._products = engine.coupling.products(self.inverse(), self.lams)
        if self._products is None:
            return self.conditional_covariances(), pair_covariances(engine, self.cov, self.covariance())
        beside = {b: times_transposed(own, self.lams[b]) for b, own in self._products.beside.items()}
        dense = self.covariance() if engine.rest.pairs else self.inverse()
        return self._conditional(self._products.quadratic), pair_covariances(engine, self.cov, dense, beside)

    def projection(self) -> Written:
        """W = Z'V_0^-1 Z, the eliminated block first.

        W = Z'V_1^-1 Z - E E' with E = Z'V_1^-1 Z_2 Lambda_2 U^-1, M_2 = U'U, where Z_1'V_1^-1 Z_1 = R A_11,
        Z_1'V_1^-1 Z_2 = R A_12 and Z_2'V_1^-1 Z_2 = S.
        """
        engine = self.engine
        levels, k = engine.gram.shape[:2]
        own = levels * k
        starts = ({} if engine.first is None else {engine.first: 0}) | {
            b: own + engine.rest.slabs[b, 0].start for b in engine.rest.blocks
        }
        out = np.zeros((own + engine.rest.size, own + engine.rest.size))
        level = np.arange(levels)
        out[:own, :own].reshape(k, levels, k, levels)[:, level, :, level] = self.shrink @ engine.gram
        if engine.coupling is None:
            return Written(out, starts)
        schur = self.schur()
        out[own:, :own] = effect_major(self.shrink @ engine.coupling.dense()).T
        out[own:, own:] = schur
        half = np.concatenate([effect_major(self.shrink @ self.whitened()), self.whiten(schur)])
        lower = blas.dsyrk(-1.0, half.T, beta=1.0, c=out.T, trans=1, overwrite_c=1).T
        return Written(symmetrized(lower, out=lower), starts)

    def scaled_projection(self, less: Vectors) -> Written | None:
        """Lambda'(W - Y Y')Lambda = I - M_2^-1 - Lambda'Y Y'Lambda of the rest, in the place of M_2^-1."""
        rest = self.engine.rest
        if not self.engine.keeps_projection:
            return None
        half = np.zeros((rest.size, 1))  # BLAS refuses a matrix without columns
        if less[0].shape[2]:
            half = rest.times_factor_t(self.lams, rest.stack(less))
        inverse, self._inverse = self.inverse(), None
        # The lower triangle of a C-ordered array is the upper one of its transpose.
        lower = blas.dsyrk(-1.0, half.T, beta=-1.0, c=inverse.T, trans=1, overwrite_c=1).T
        lower.flat[:: len(lower) + 1] += 1.0
        return Written(symmetrized(lower, out=lower), {b: rest.slabs[b, 0].start for b in rest.blocks})
