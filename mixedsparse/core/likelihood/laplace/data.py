"""The rows of a generalized model, and the sums over them that everything else is computed from.

    eta = o + X beta + Z b,   b = Lambda u,   u ~ N(0, I_q)

X beta is Q gamma with Q orthonormal up to the scale sqrt(n), and the bases of Z are whitened, as in `Problem`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.linalg import lapack

from mixedsparse.core.likelihood.family import Family
from mixedsparse.core.likelihood.interface import Engine
from mixedsparse.core.likelihood.laplace.sums import CompiledSums
from mixedsparse.core.problem.blocks import Block
from mixedsparse.core.problem.edits import for_factors, with_grams
from mixedsparse.core.problem.problem import Problem
from mixedsparse.core.problem.reweighting import RowSums, slots_of

__all__ = ["Data", "Slopes", "Terms", "Vectors", "dot"]

Vectors = list[np.ndarray]


class Terms(NamedTuple):
    """Log-likelihood of all rows together, less a constant, and s, w and kappa of each, (n,); see `RowTerms`."""

    total: float
    s: np.ndarray
    w: np.ndarray
    kappa: np.ndarray


class Slopes(NamedTuple):
    """Derivatives that compiled loops find with a mode; see `LaplaceCriterion`.

    Attributes
    ----------
    theta, gamma : ndarray, shape (m,) and (p,)
        Gradient.
    traces : ndarray, shape (D, D)
        Sum over levels of Z'V_0^-1 Z Lambda.
    outer : ndarray, shape (D, D)
        Sum over levels of zeta zeta'.
    inner : ndarray, shape (m + p, m + p)
        F'V_0^-1 F, F the directions of theta and gamma; 0 where only a gradient was asked for.
    motion : list of ndarray (levels, K, m + p)
        -Z'V_0^-1 F, the derivatives of zeta; empty likewise.
    """

    theta: np.ndarray
    gamma: np.ndarray
    traces: np.ndarray
    outer: np.ndarray
    inner: np.ndarray
    motion: Vectors


@dataclass(frozen=True, eq=False)
class Data:
    """Response, weights and offset of a generalized model on the design of `problem`.

    Attributes
    ----------
    problem : Problem
        Of the design; its response is not used.
    engine : Engine
        Has analysed its pattern.
    family : Family
    y, m, offset : ndarray, shape (n,)
        Response (proportions for a binomial one), prior weights (its trials) and offset.
    kept : tuple (ndarray (n, p), list of Block), optional
        Q and blocks of the rows, where these are not those of the problem (see `collapse`).
    constant : float
        Part of the log-likelihood that the rows leave out.
    """

    problem: Problem
    engine: Engine
    family: Family
    y: np.ndarray
    m: np.ndarray
    offset: np.ndarray
    kept: tuple[np.ndarray, list[Block]] | None = None
    constant: float = float("nan")

    def __post_init__(self) -> None:
        if np.isnan(self.constant):
            object.__setattr__(self, "constant", self.family.constant(self.y, self.m))

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.y)

    @property
    def blocks(self) -> list[Block]:
        """Whitened bases of the rows."""
        return self.problem.blocks if self.kept is None else self.kept[1]

    @cached_property
    def row_sums(self) -> RowSums | CompiledSums:
        """Makes sums over the rows: by compiled loops, where every row has one level of each factor."""
        problem = self.problem
        if not self.has_single_levels:
            return problem.row_sums if self.kept is None else RowSums(self.blocks, problem.pairs)
        slots = problem.slots if self.kept is None else slots_of(self.blocks, problem.pairs)
        return CompiledSums(self.blocks, problem.pairs, slots)

    @property
    def has_single_levels(self) -> bool:
        """Whether every row has one level of each factor, and no levels are related."""
        return all(block.codes.ndim == 1 for block in self.blocks) and all(s != t for s, t in self.problem.pairs)

    @cached_property
    def compiled_family(self) -> int | None:
        """Number of the family among those that are compiled."""
        from mixedsparse.core.compiled.families import code_of

        return code_of(self.family.name, self.family.link.name, self.y)

    @property
    def p(self) -> int:
        """Number of columns of Q."""
        return self.problem.p

    @cached_property
    def Q(self) -> np.ndarray:
        """Basis of X, (n, p), with Q'Q = n I."""
        return self.problem.basis.q * np.sqrt(self.problem.n) if self.kept is None else self.kept[0]

    @cached_property
    def root(self) -> np.ndarray:
        """Triangle (p, p) with X = Q root."""
        return self.problem.basis.root / np.sqrt(self.problem.n)

    def on(self, engine: Engine) -> Data:
        """Return the same data for another engine of the same problem."""
        return replace(self, engine=engine)

    def beta(self, gamma: np.ndarray) -> np.ndarray:
        """Coefficients of X from those of Q."""
        return np.asarray(lapack.dtrtrs(self.root, gamma)[0]) if self.p else gamma

    @cached_property
    def slots(self) -> Mapping[tuple[int, int], np.ndarray]:
        """Position of each row in the blocks of each pair, (n,)."""
        return self.row_sums.slots

    @cached_property
    def are_single(self) -> bool:
        """Whether all prior weights are 1."""
        return bool((self.m == 1.0).all())

    def rows(self, eta: np.ndarray, psi: float) -> Terms:
        """Log-likelihood of all rows, and its derivatives in eta (n,)."""
        if self.compiled_family is None:
            rows = self.family.rows(self.y, self.m, eta, psi)
            return Terms(float(rows.value.sum()), rows.s, rows.w, rows.kappa)
        from mixedsparse.core.compiled.families import fill_rows

        total, slopes = fill_rows(self.compiled_family, self.y, self.m, eta, self.are_single)
        return Terms(total, *slopes)

    def expected_weights(self, eta: np.ndarray, psi: float) -> np.ndarray:
        """Return the expected information of each row on its linear predictor, (n,); w is the observed one."""
        means = self.family.link.means(eta)
        w = means.d1**2 / self.family.variance(means.mu, self.m, psi)
        return np.where(np.isfinite(w), w, 0.0)

    def fixed(self, gamma: np.ndarray) -> np.ndarray:
        """Offset plus fixed part, (n,)."""
        return self.offset + self.Q @ gamma

    def spread(self, modes: Vectors) -> np.ndarray:
        """Z b, (n,), for b (levels, K) per block."""
        return self.row_sums.spread(modes)

    def sums(self, columns: np.ndarray) -> Vectors:
        """Z'C, (levels, K, r) per block, for columns C (n, r)."""
        return list(self.row_sums.columns(columns))

    def quadratic_forms(self, diagonal: Vectors, pairs: dict[tuple[int, int], np.ndarray]) -> np.ndarray:
        """z_i'C z_i of each row, (n,), for C given by its blocks on the pattern of Z'Z."""
        return self.row_sums.forms(diagonal, pairs)

    def weighted(self, w: np.ndarray) -> Engine:
        """Return the engine for Z'WZ, W = diag(w) of any sign."""
        sums = self.row_sums
        return self.engine.with_problem(with_grams(self._bare, sums.grams(w), sums.pairs(w)))

    @cached_property
    def _bare(self) -> Problem:
        return for_factors(self.problem)


def dot(one: Vectors, other: Vectors) -> float:
    """Inner product of two block vectors."""
    return float(sum(np.vdot(a, b) for a, b in zip(one, other, strict=True)))
