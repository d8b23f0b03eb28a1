"""The hat matrix of the conditional fit, row by row: its diagonal, and the rows of V_0^-1 X.

With V_0 = I + Z Lambda Lambda'Z' (rows times root weights) the fitted values are H y with I - H = P_0,

    P_0 = V_0^-1 - V_0^-1 X K X'V_0^-1,   V_0^-1 = I - Z Lambda M^-1 Lambda'Z',   K = (X'V_0^-1 X)^-1

so that h_i = z_i'Lambda M^-1 Lambda'z_i + d_i'K d_i with d_i the rows of V_0^-1 X. Values as lme4's ``hatvalues``;
Demidenko & Stukel (2005), Statist. Med. 24, 893-909.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mixedsparse.core.blocks import make_blocks
from mixedsparse.core.engine import Engine
from mixedsparse.core.pattern import pattern_covariances, row_slots
from mixedsparse.core.pls import Pls
from mixedsparse.core.threads import blas_threads

__all__ = ["Hat", "hat"]

# Numbers that are gathered for a batch of rows.
_BATCH = 2_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Hat:
    """What single rows weigh.

    Attributes
    ----------
    diagonal : ndarray, shape (n,)
        h_i, between 0 and 1.
    rows : ndarray, shape (n, p)
        V_0^-1 Q, Q the orthonormal basis of X.
    residual : ndarray, shape (n,)
        P_0 y: conditional residuals times root weights.
    """

    diagonal: np.ndarray
    rows: np.ndarray
    residual: np.ndarray


def hat(engine: Engine, pls: Pls) -> Hat:
    """Return leverages and their ingredients at the end of a fit, `pls`; cost O(n) after one selected inverse."""
    problem, p = engine.problem, engine.problem.p
    blocks, _ = make_blocks(problem.terms, problem.root_weights)
    with blas_threads(engine.work):
        modes, _ = pls.factor.solve(list(problem.Zxy))
        diagonal, pairs = pattern_covariances(engine, pls.factor)
        pls.factor.release()
    columns = np.column_stack([problem.basis.q, problem.basis.residual])
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
    rows = columns[:, :p]
    form += np.einsum("ni,ij,nj->n", rows, pls.K, rows, optimize=True)
    return Hat(form, rows, columns[:, p] - rows @ pls.gamma)
