"""Quadratic forms z'C z with C = Lambda M^-1 Lambda', z those of rows: a known part, and what probes add to it.

With F x = [-C_1 A_12 Lambda_2 x; Lambda_2 x], C_1 the conditional covariances of the eliminated block (`cov` of
`solver`),

    C = diag(C_1, 0) + F S^-1 F'

S^-1 is about P^-1 + X (Theta^-1 - I) X', its diagonal blocks and the coarse space, where it is known. For random signs
s, E (z'F S^-1 s)(z'F s) = z'F S^-1 F'z, and only what the known part leaves of it is random.
"""

from __future__ import annotations

import numpy as np

from mixedsparse.core.engines.krylov.solver import KrylovSolver
from mixedsparse.core.engines.level_blocks import apply_blocks
from mixedsparse.core.likelihood.interface import KnownForms, SampledForms

__all__ = ["known_forms", "sampled_forms"]

Vectors = list[np.ndarray]


def known_forms(factor: KrylovSolver) -> KnownForms:
    """Blocks of the known part on the pattern of Z'Z, and the coarse space."""
    system, cov = factor.engine.system, factor.cov
    problem, first = system.problem, system.first
    inner = {b: factor.lams[b] @ factor.jacobi[b] @ factor.lams[b].T for b in system.rest}
    diagonal: Vectors = [cov] * len(factor.lams)
    if not system.rest:
        return KnownForms(diagonal, {}, [], np.empty(0))
    diagonal[first] = cov + cov @ system.first_diagonal(inner) @ cov
    pairs = {}
    for b in system.rest:
        diagonal[b] = inner[b]
        key = min(first, b), max(first, b)
        own = problem.pairs[key]
        left, right = (cov, inner[b]) if first < b else (inner[b], cov)
        pairs[key] = -(left[own.rows] @ own.data @ right[own.indices])
    coarse = factor.coarse
    return KnownForms(diagonal, pairs, _reached(factor, coarse.basis), 1.0 / coarse.theta - 1.0)


def sampled_forms(factor: KrylovSolver, signs: np.ndarray, solved: np.ndarray) -> SampledForms:
    """Return what `signs` (q_rest, r) add, `solved` = S^-1 signs."""
    coarse = factor.coarse
    scale = (1.0 / coarse.theta - 1.0)[:, None]
    left = solved - factor.smooth(signs) - coarse.basis @ (scale * (coarse.basis.T @ signs))
    return SampledForms(_reached(factor, left), _reached(factor, signs))


def _reached(factor: KrylovSolver, stacked: np.ndarray) -> Vectors:
    """F times (q_rest, r), as block vectors."""
    system = factor.engine.system
    modes = factor.times_factor(stacked)
    return system.unstack(-apply_blocks(factor.cov, system.to_first(modes)), modes)
