"""The hat matrix of the conditional fit, row by row: its diagonal, and the rows of V_0^-1 X.

With V_0 = I + Z Lambda Lambda'Z' (rows times root weights) the fitted values are H y with I - H = P_0,

    P_0 = V_0^-1 - V_0^-1 X K X'V_0^-1,   V_0^-1 = I - Z Lambda M^-1 Lambda'Z',   K = (X'V_0^-1 X)^-1

so that h_i = z_i'Lambda M^-1 Lambda'z_i + d_i'K d_i with d_i the rows of V_0^-1 X. Values as lme4's ``hatvalues``;
Demidenko & Stukel (2005), Statist. Med. 24, 893-909.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mixedsparse.core.likelihood.interface import Engine, Pattern
from mixedsparse.core.likelihood.pls import Pls
from mixedsparse.core.problem.crossproducts import level_sums, row_slots
from mixedsparse.core.problem.problem import Problem
from mixedsparse.ground.threads import blas_threads

__all__ = ["NEEDED", "Hat", "hat", "residuals_of"]

Vectors = list[np.ndarray]
# 1 - h below this is rounding: the fit reproduces the row whatever its response.
NEEDED = 1e-10
# Numbers that are gathered for a batch of rows.
_BATCH = 2_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Hat:
    """What single rows weigh.

    Attributes
    ----------
    diagonal : ndarray, shape (n,)
        h_i: slope of the fitted value in its own response; between 0 and 1 where residuals are independent.
    rows : ndarray, shape (n, p)
        V_0^-1 Q, Q the orthonormal basis of X.
    residual : ndarray, shape (n,)
        P_0 y: conditional residuals times root weights where these are independent.
    spare : ndarray, shape (n,)
        Diagonal of P_0, 1 - h for independent residuals; NaN for a row that the fit cannot do without.
    spread : ndarray, shape (n,)
        Variances of the conditional residuals over those of the errors; 1 - h for independent ones.
    """

    diagonal: np.ndarray
    rows: np.ndarray
    residual: np.ndarray
    spare: np.ndarray
    spread: np.ndarray


def hat(engine: Engine, pls: Pls) -> Hat:
    """Return leverages and their ingredients at the end of a fit, `pls`; cost O(n) after one selected inverse."""
    problem, p = engine.problem, engine.problem.p
    blocks = problem.blocks
    if not blocks:
        return _hat(pls, np.zeros(problem.n), problem.columns.copy())
    with blas_threads(engine.work):
        modes, _ = pls.factor.solve(list(problem.Zxy))
        diagonal, pairs = pls.factor.pattern_covariances()
        pls.factor.release()
    if problem.coupled:
        return _coupled_hat(problem, pls, modes, (diagonal, pairs))
    columns = problem.columns.copy()
    form = np.zeros(problem.n)
    step = max(1, _BATCH // (max(b.width for b in blocks) * (p + 1)))
    for start in range(0, problem.n, step):
        inside = slice(start, start + step)
        codes, z = [b.codes[inside] for b in blocks], [b.z[inside] for b in blocks]
        for b, cov in enumerate(diagonal):
            form[inside] += np.einsum("ni,nij,nj->n", z[b], cov[codes[b]], z[b], optimize=True)
            columns[inside] -= (z[b][:, None] @ modes[b][codes[b]])[:, 0]
        for (s, t), cov in pairs.items():
            slots = row_slots(problem.pairs[s, t], codes[s], codes[t])
            form[inside] += 2.0 * np.einsum("ni,nij,nj->n", z[s], cov[slots], z[t], optimize=True)
    return _hat(pls, form, columns)


def _hat(pls: Pls, form: np.ndarray, columns: np.ndarray) -> Hat:
    """Put together z'Lambda M^-1 Lambda'z (n,) and V_0^-1 [Q r] (n, p + 1)."""
    rows = columns[:, :-1]
    form = form + np.einsum("ni,ij,nj->n", rows, pls.K, rows, optimize=True)
    left = 1.0 - form
    spare = np.where(left > NEEDED, left, np.nan)
    return Hat(form, rows, columns[:, -1] - rows @ pls.gamma, spare, spare)


def _coupled_hat(problem: Problem, pls: Pls, modes: Vectors, inverse: Pattern) -> Hat:
    """Return the same where rows have several levels, or levels are related."""
    sums = problem.row_sums
    fitted = [sums.spread([mode[:, :, j] for mode in modes]) for j in range(problem.p + 1)]
    return _hat(pls, sums.forms(*inverse), problem.columns - np.column_stack(fitted))


def residuals_of(engine: Engine, pls: Pls, rows: np.ndarray, responses: np.ndarray, conditional: bool) -> np.ndarray:
    """Residuals (B, n) of other responses at the theta of `pls`, coefficients and modes estimated for each.

    Parameters
    ----------
    engine : Engine
    pls : Pls
    rows : ndarray, shape (n, p)
        Of `Hat`.
    responses : ndarray, shape (B, n)
        Times root weights; a part that X explains makes no difference.
    conditional : bool
        P_0 y, or y less the part of X only: V_0 P_0 y.
    """
    problem, p = engine.problem, engine.problem.p
    blocks = problem.blocks
    out = responses.T - problem.basis.q @ (problem.basis.q.T @ responses.T)
    with blas_threads(engine.work):
        modes, _ = pls.factor.solve([level_sums(block, out) for block in blocks])
    inner = np.zeros((p, len(responses)))
    for own, mode in zip(problem.Zxy, modes, strict=True):
        inner -= np.tensordot(own[:, :, :p], mode, axes=((0, 1), (0, 1)))
    gamma = pls.K @ inner
    if not conditional:
        return np.ascontiguousarray((out - problem.basis.q @ gamma).T)
    for block, mode in zip(blocks, modes, strict=True):
        for slot in block.slots:
            for a in range(block.width):
                out -= slot.z[:, a, None] * mode[slot.codes, a]
    return np.ascontiguousarray((out - rows @ gamma).T)
