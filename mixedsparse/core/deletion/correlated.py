"""The same as `leverage` where residuals have a covariance R, from one fit of the whitened rows.

With V_0 = R + Z Lambda Lambda'Z', C = Lambda M^-1 Lambda' and X~ = X - Z C Z'R^-1 X, so that V_0^-1 X = R^-1 X~,

    P_0 = R^-1 - R^-1 Z C Z'R^-1 - V_0^-1 X K X'V_0^-1,   R P_0 = I - Z C Z'R^-1 - X~ K X'V_0^-1,
    R P_0 R = R - Z C Z' - X~ K X~'

are what deletion, fitted values and the variances of conditional residuals ask for. All three take their diagonals
from the forms of a row of Z and of the same row of R^-1 Z in C.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mixedsparse.core.deletion.leverage import NEEDED, Hat
from mixedsparse.core.likelihood.interface import Engine
from mixedsparse.core.likelihood.pls import Pls
from mixedsparse.core.likelihood.projected import projected_columns
from mixedsparse.core.problem.blocks import Block
from mixedsparse.core.problem.crossproducts import level_sums, row_slots, spread_levels
from mixedsparse.core.problem.problem import Problem, root_change
from mixedsparse.core.problem.whitened import white_sums
from mixedsparse.core.residual.interface import ResidualAt
from mixedsparse.ground.threads import blas_threads

__all__ = ["correlated_hat", "correlated_residuals"]

# Numbers of a batch of rows, or of solutions, that are held at once.
_BATCH = 4_000_000


def correlated_hat(engine: Engine, pls: Pls) -> Hat:
    """Return leverages and their ingredients at the end of a fit with correlated residuals."""
    problem = engine.problem
    origin, at = problem.origin, problem.whitener
    assert origin is not None
    assert at is not None
    inner = np.zeros((problem.n, problem.p + 1))
    forms = np.zeros((problem.n, 2, 2))
    if origin.blocks:
        with blas_threads(engine.work):
            modes, _ = pls.factor.solve(list(problem.Zxy))
            inner = spread_levels(origin.blocks, modes, problem.n)
            forms = _forms(problem, origin, at, pls)
            pls.factor.release()
    left = origin.columns - inner
    columns, fixed = at.precision(left), left[:, :-1]
    rows = columns[:, :-1]
    weighed, variances = fixed @ pls.K, at.variances()
    precision = at.inverse().diagonal
    spare = precision - forms[:, 1, 1] - np.einsum("ni,ij,nj->n", rows, pls.K, rows, optimize=True)
    return Hat(
        diagonal=forms[:, 0, 1] + np.einsum("ni,ni->n", weighed, rows),
        rows=rows,
        residual=columns[:, -1] - rows @ pls.gamma,
        spare=np.where(spare > NEEDED * precision, spare, np.nan),
        spread=1.0 - (forms[:, 0, 0] + np.einsum("ni,ni->n", weighed, fixed)) / variances,
    )


def _forms(problem: Problem, origin: Problem, at: ResidualAt, pls: Pls) -> np.ndarray:
    """[z, z~]'C[z, z~] of each row, (n, 2, 2), z~ its row of R^-1 Z."""
    if problem.correlated is None and not problem.coupled:
        return _from_inverse(problem, origin, at, pls)
    out = np.empty((origin.n, 2, 2))
    step = max(1, _BATCH // origin.n)
    for start in range(0, origin.n, step):
        inside = np.arange(start, min(start + step, origin.n))
        unit = np.zeros((origin.n, len(inside)))
        unit[inside, np.arange(len(inside))] = 1.0
        both = np.hstack([unit, at.precision(unit)])
        sums = [level_sums(block, both) for block in origin.blocks]
        modes, _ = pls.factor.solve(sums)
        for a in range(2):
            for b in range(2):
                one, other = (slice(x * len(inside), (x + 1) * len(inside)) for x in (a, b))
                pairs = zip(sums, modes, strict=True)
                form = sum(np.einsum("lkn,lkn->n", s[:, :, one], m[:, :, other]) for s, m in pairs)
                out[inside, a, b] = form
    return out


def _from_inverse(problem: Problem, origin: Problem, at: ResidualAt, pls: Pls) -> np.ndarray:
    """Return the same where the rows of a group are in the same levels, so that C on the pattern of Z'Z will do."""
    diagonal, pairs = pls.factor.pattern_covariances()
    blocks = [_with_precise(block, at) for block in origin.blocks]
    out = np.zeros((origin.n, 2, 2))
    step = max(1, _BATCH // (4 * max(block.width for block in origin.blocks) ** 2))
    for start in range(0, origin.n, step):
        inside = slice(start, start + step)
        codes, z = [b.codes[inside] for b in blocks], [b.z[inside] for b in blocks]
        for b, cov in enumerate(diagonal):
            out[inside] += np.einsum("nix,nij,njy->nxy", z[b], cov[codes[b]], z[b], optimize=True)
        for (s, t), cov in pairs.items():
            slots = row_slots(problem.pairs[s, t], codes[s], codes[t])
            form = np.einsum("nix,nij,njy->nxy", z[s], cov[slots], z[t], optimize=True)
            out[inside] += form + form.swapaxes(1, 2)
    return out


def _with_precise(block: Block, at: ResidualAt) -> Block:
    """Return `block` with [z, z~], (n, K, 2), as its basis."""
    return replace(block, z=np.stack([block.z, at.precision(block.z)], axis=2), unit=False)


def correlated_residuals(engine: Engine, pls: Pls, responses: np.ndarray, conditional: bool) -> np.ndarray:
    """Residuals (B, n) of other responses where the residual covariance has parameters, all at those of `pls`.

    Parameters
    ----------
    engine : Engine
    pls : Pls
    responses : ndarray, shape (B, n)
        Times the root of the prior weights; a part that X explains makes no difference.
    conditional : bool
        Less X beta and the modes, R P_0 y, or less X beta only.
    """
    problem = engine.problem
    origin, p = problem.origin, problem.p
    assert origin is not None
    out = responses.T - origin.basis.q @ (origin.basis.q.T @ responses.T)
    white = problem.whitener.whiten(out) if problem.whitener is not None else out * root_change(problem)[:, None]
    inner = problem.basis.q.T @ white
    modes: list[np.ndarray] = []
    if origin.blocks:
        with blas_threads(engine.work):
            modes, _ = pls.factor.solve(white_sums(problem, white))
        for own, mode in zip(problem.Zxy, modes, strict=True):
            inner -= np.tensordot(own[:, :, :p], mode, axes=((0, 1), (0, 1)))
    gamma = pls.K @ inner
    out -= origin.basis.q @ gamma
    if conditional and modes:
        left = [mode - cols @ gamma for mode, cols in zip(modes, projected_columns(problem, pls), strict=True)]
        out -= spread_levels(origin.blocks, left, problem.n)
    return np.ascontiguousarray(out.T)
