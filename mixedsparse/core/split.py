"""The split: eliminate the largest block by hand, factorise the dense Schur complement of the rest by LAPACK.

The largest block e of M is block diagonal, so with V_e = I + Z_e Lambda_e Lambda_e' Z_e' everything about the rest
is a small dense problem (Bates et al. 2015, section 5; Searle, Casella & McCulloch 1992, chapter 6):

    R_l = (I + A_l Sigma)^-1, C_l = Sigma R_l            per level l of e (A_l its K x K block of Z'Z)
    S   = A_22 - A_21 C A_12 = Z_2' V_e^-1 Z_2           dense, no theta of the rest in it
    M_2 = Lambda_2' S Lambda_2 + I                       the Schur complement, factorised by potrf

The rest is stacked effect-major (all levels of one effect together), so that Lambda_2 acts on contiguous slabs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.linalg import lapack

from mixedsparse.core.coupling import Coupling, make_coupling
from mixedsparse.core.problem import Problem
from mixedsparse.errors import NotPositiveDefiniteError

__all__ = ["SplitEngine", "SplitFactor"]

Vectors = list[np.ndarray]


class SplitEngine:
    """Factorises M(theta) of one `problem`; see the module docstring."""

    name = "split"

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        layout = problem.layout
        sizes = [k * n for k, n in zip(layout.widths, layout.n_levels, strict=True)]
        self.first = int(np.argmax(sizes))
        self.rest = [b for b in range(len(sizes)) if b != self.first]
        self.slabs: dict[tuple[int, int], slice] = {}
        start = 0
        for b in self.rest:
            for a in range(layout.widths[b]):
                self.slabs[b, a] = slice(start, start + layout.n_levels[b])
                start += layout.n_levels[b]
        self.q_rest = start
        self.analyses = 1
        self.gram = problem.grams[self.first]
        self.coupling = make_coupling(self, problem) if self.rest else None
        self.inner = self._rest_products()

    @property
    def work(self) -> float:
        """Multiply-adds of the largest dense operation of an evaluation."""
        return float(max(self.q_rest, 1)) ** 3

    def _rest_products(self) -> np.ndarray:
        """Z_2'Z_2, dense (q_rest, q_rest)."""
        problem, widths = self.problem, self.problem.layout.widths
        out = np.zeros((self.q_rest, self.q_rest))
        for b in self.rest:
            for a in range(widths[b]):
                for c in range(widths[b]):
                    np.fill_diagonal(out[self.slabs[b, a], self.slabs[b, c]], problem.grams[b][:, a, c])
        for (s, t), pairs in problem.pairs.items():
            if self.first in (s, t):
                continue
            for a in range(widths[s]):
                for c in range(widths[t]):
                    target = out[self.slabs[s, a], self.slabs[t, c]]
                    target[pairs.rows, pairs.indices] = pairs.data[:, a, c]
                    out[self.slabs[t, c], self.slabs[s, a]] = target.T
        return out

    def stack(self, vectors: Vectors) -> np.ndarray:
        """Block vectors (levels, K, r) of the rest as one array (q_rest, r), effect-major."""
        if not self.rest:
            return np.empty((0, vectors[0].shape[2]))
        return np.concatenate([vectors[b].swapaxes(0, 1).reshape(-1, vectors[b].shape[2]) for b in self.rest])

    def unstack(self, first: np.ndarray, rest: np.ndarray) -> Vectors:
        """Return the block vectors of the eliminated block and of the stacked rest, in block order."""
        layout = self.problem.layout
        out: Vectors = [first] * len(layout.widths)
        for b in self.rest:
            k = layout.widths[b]
            rows = slice(self.slabs[b, 0].start, self.slabs[b, k - 1].stop)
            out[b] = rest[rows].reshape(k, layout.n_levels[b], -1).swapaxes(0, 1)
        return out

    def times(self, vectors: Vectors) -> Vectors:
        """Z'Z times block vectors."""
        first = vectors[self.first]
        mine = _apply(self.gram, first)
        if self.coupling is None:
            return [mine]
        rest = self.stack(vectors)
        other = self.inner @ rest + self.coupling.to_rest(first)
        return self.unstack(mine + self.coupling.to_first(rest), other)

    def factorize(self, factors: Sequence[np.ndarray]) -> SplitFactor:
        """Factorise M at the block factors Lambda_b (K, K)."""
        return SplitFactor(self, factors)


class SplitFactor:
    """M(theta) factorised: log-determinant, projections and the pieces of its inverse that derivatives need."""

    def __init__(self, engine: SplitEngine, factors: Sequence[np.ndarray]) -> None:
        self.engine = engine
        self.factors = factors
        self._inverted: tuple[np.ndarray, np.ndarray] | None = None
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
        self.shrink = np.linalg.inv(inflation)
        self.cov = sigma @ self.shrink
        return float(np.linalg.slogdet(inflation)[1].sum())

    def _factorize_rest(self, coupling: Coupling) -> float:
        """Set S, S Lambda_2 and the Cholesky factor of M_2; return its log-determinant."""
        self.schur = coupling.schur(self.engine.inner, self.cov)
        self.schur_lam = self._right_lambda(self.schur)
        matrix = self._left_lambda_t(self.schur_lam)
        matrix.flat[:: len(matrix) + 1] += 1.0
        # Symmetric and C-ordered: the transpose is the same matrix, Fortran-ordered, so that potrf works in place.
        self.chol, info = lapack.dpotrf(matrix.T, lower=1, overwrite_a=1, clean=0)
        if info != 0:
            raise NotPositiveDefiniteError(f"LAPACK potrf stopped at row {info} of {len(matrix)}.")
        return 2.0 * float(np.log(np.diagonal(self.chol)).sum())

    def _right_lambda(self, matrix: np.ndarray) -> np.ndarray:
        """Return matrix Lambda_2."""
        out = np.empty_like(matrix)
        for b in self.engine.rest:
            lam = self.factors[b]
            for c in range(len(lam)):
                target = out[:, self.engine.slabs[b, c]]
                np.multiply(matrix[:, self.engine.slabs[b, c]], lam[c, c], out=target)
                for a in range(c + 1, len(lam)):
                    if lam[a, c] != 0.0:
                        target += matrix[:, self.engine.slabs[b, a]] * lam[a, c]
        return out

    def _left_lambda_t(self, matrix: np.ndarray) -> np.ndarray:
        """Lambda_2' matrix."""
        out = np.empty_like(matrix)
        for b in self.engine.rest:
            lam = self.factors[b]
            for c in range(len(lam)):
                target = out[self.engine.slabs[b, c]]
                np.multiply(matrix[self.engine.slabs[b, c]], lam[c, c], out=target)
                for a in range(c + 1, len(lam)):
                    if lam[a, c] != 0.0:
                        target += matrix[self.engine.slabs[b, a]] * lam[a, c]
        return out

    def _left_lambda(self, matrix: np.ndarray) -> np.ndarray:
        """Lambda_2 matrix."""
        out = np.empty_like(matrix)
        for b in self.engine.rest:
            lam = self.factors[b]
            for a in range(len(lam)):
                target = out[self.engine.slabs[b, a]]
                np.multiply(matrix[self.engine.slabs[b, a]], lam[a, a], out=target)
                for c in range(a):
                    if lam[a, c] != 0.0:
                        target += matrix[self.engine.slabs[b, c]] * lam[a, c]
        return out

    def project(self, vectors: Vectors) -> Vectors:
        """Z' V_0^-1 Y from Z'Y, block vectors (levels, K, r)."""
        engine = self.engine
        first = vectors[engine.first]
        if engine.coupling is None:
            return [_apply(self.shrink, first)]
        rest = engine.stack(vectors) - engine.coupling.to_rest(_apply(self.cov, first))
        solved, _ = lapack.dpotrs(self.chol, self._left_lambda_t(rest), lower=1)
        modes = self._left_lambda(solved)
        mine = _apply(self.shrink, first - engine.coupling.to_first(modes))
        return engine.unstack(mine, rest - self.schur @ modes)

    def inverse(self) -> np.ndarray:
        """M_2^-1, symmetric and full (q_rest, q_rest)."""
        inverse, info = lapack.dpotri(self.chol, lower=1)
        if info != 0:
            raise NotPositiveDefiniteError(f"LAPACK potri stopped at row {info}.")
        return symmetrized(inverse)

    def covariance(self) -> np.ndarray:
        """Lambda_2 M_2^-1 Lambda_2'."""
        return self._inverses()[1]

    def _inverses(self) -> tuple[np.ndarray, np.ndarray]:
        """M_2^-1 and Lambda_2 M_2^-1 Lambda_2', kept: derivatives and conditional covariances both start from them."""
        if self._inverted is None:
            inverse = self.inverse()
            self._inverted = inverse, self._left_lambda(self._left_lambda(inverse).T)
        return self._inverted

    def traces(self) -> list[np.ndarray]:
        """Return T_b = sum over levels of the diagonal blocks of Z'V_0^-1 Z Lambda, one (K, K) array per block.

        For the eliminated block Z_l'V_0^-1 Z_l = R_l (A_l - Q_l R_l') with Q_l = A_12 Lambda_2 M_2^-1 Lambda_2' A_21.
        """
        engine = self.engine
        lam = self.factors[engine.first]
        own = engine.gram
        if engine.coupling is None:
            return [_apply(self.shrink, own).sum(axis=0) @ lam]
        inverse, covariance = self._inverses()
        out: list[np.ndarray] = [lam] * len(self.factors)
        for b in engine.rest:
            k = len(self.factors[b])
            slabs = [engine.slabs[b, a] for a in range(k)]
            # (S Lambda_2 M_2^-1)_ll: the inverse is symmetric, so row times row.
            out[b] = np.array([[np.vdot(self.schur_lam[s], inverse[t]) for t in slabs] for s in slabs])
        own = own - _apply(engine.coupling.quadratic(covariance), self.shrink.swapaxes(1, 2))
        out[engine.first] = _apply(self.shrink, own).sum(axis=0) @ lam
        return out

    def conditional_covariances(self) -> list[np.ndarray]:
        """Return the diagonal blocks of Lambda M^-1 Lambda', (levels, K, K) per block (times sigma^2: Var(b | y))."""
        engine = self.engine
        if engine.coupling is None:
            return [self.cov]
        covariance = self.covariance()
        out: list[np.ndarray] = [self.cov] * len(self.factors)
        for b in engine.rest:
            slabs = [engine.slabs[b, a] for a in range(len(self.factors[b]))]
            out[b] = np.array([[np.diagonal(covariance[s, t]) for t in slabs] for s in slabs]).transpose(2, 0, 1)
        out[engine.first] = self.cov + self.cov @ engine.coupling.quadratic(covariance) @ self.cov
        return out


def _apply(blocks: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Level by level, blocks (levels, K, K) times vectors (levels, K, r); K = 1 needs no matrix product."""
    return blocks * vectors if blocks.shape[1] == 1 else blocks @ vectors


# Above this size the compiled mirror pays for importing the kernels.
_MIRROR_SIZE = 800


def symmetrized(lower: np.ndarray) -> np.ndarray:
    """Return the full C-ordered symmetric matrix of a Fortran-ordered lower triangle."""
    if len(lower) < _MIRROR_SIZE:
        out = np.tril(lower)
        out += np.tril(lower, -1).T
        return out
    from mixedsparse.core import kernels

    # Fortran-ordered and lower is C-ordered and upper; flip it without a copy by mirroring the transpose.
    upper = lower.T
    kernels.mirror(upper, upper=True)
    return upper
