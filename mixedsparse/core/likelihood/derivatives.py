"""First and second derivatives of the criterion: in entries of Sigma, and by the chain rule in theta.

Sources: Gilmour, Thompson & Cullis (1995), Biometrics 51, 1440-1450 (average information); Johnson & Thompson
(1995), J. Dairy Sci. 78, 449-456. With zeta = Z'V_0^-1 (y - X beta), H = Z'V_0^-1 X, K = (X'V_0^-1 X)^-1 and
df = n or n - p, block b of the gradient is 2 G_b Lambda_b with

    G_b = sum over levels of [Z'V_0^-1 Z]_ll - (REML) H_l K H_l' - (df / r^2) zeta_l zeta_l'

Where levels have a known relationship P^-1, dV_0 / ds_i = Z (P^-1 x S_i) Z', and P^-1 zeta and P^-1 H stand for one of
the two zeta and H in each product over levels; [Z'V_0^-1 Z Lambda]_ll becomes [Z'Z Lambda M^-1]_ll.

In the entries s of Sigma (see `problem.entries`), with tau = df / r^2, W_0 = Z'P_0 Z and P = V_0^-1 (ML) or P_0 (REML),
the second derivatives are

    2 tau zeta'S_i W_0 S_j zeta - tr(P V_i P V_j) - tau^2 zeta'S_i zeta zeta'S_j zeta / df

of which average information leaves the trace out with as much of the first term.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mixedsparse.core.likelihood.interface import Engine, Factored, Written
from mixedsparse.core.likelihood.pls import Pls
from mixedsparse.core.likelihood.traces import contract, scaled_trace_products, stacked
from mixedsparse.core.problem.blocks import BlockLayout
from mixedsparse.core.problem.entries import bend, jacobian, times_moves, times_units

__all__ = [
    "Derivatives",
    "InEntries",
    "Information",
    "differentiate",
    "in_theta",
    "information",
    "right_divide",
    "times_columns",
]

Vectors = list[np.ndarray]


class InEntries(NamedTuple):
    """Derivatives in the entries of Sigma: second ones, `curve` (m, m), and G_b (K, K) of each block, `scores`."""

    curve: np.ndarray
    scores: list[np.ndarray]


@dataclass(frozen=True, slots=True, eq=False)
class Derivatives:
    """First and second derivatives at one theta, of the whitened bases.

    Attributes
    ----------
    gradient : ndarray, shape (m,)
        Exact.
    hessian : ndarray, shape (m, m)
        Exact or average information plus curvature, as `kind` says; None when only the gradient was asked for.
    kind : str
        ``"exact"`` or ``"average information"``.
    known : ndarray of bool, shape (m, m), or None
        Entries of the Hessian that are exact; None for none.
    in_entries : InEntries or None
        The same in the entries of Sigma; None where these were not formed.
    """

    gradient: np.ndarray
    hessian: np.ndarray | None
    kind: str = "average information"
    known: np.ndarray | None = None
    in_entries: InEntries | None = None

    @property
    def finite(self) -> bool:
        """Whether every number is."""
        return bool(np.isfinite(self.gradient).all() and (self.hessian is None or np.isfinite(self.hessian).all()))


@dataclass(frozen=True, slots=True, eq=False)
class Information:
    """What second derivatives in the entries s of Sigma are made of.

    Attributes
    ----------
    quadratic : ndarray, shape (m, m)
        zeta'S_i W_0 S_j zeta.
    against_x : ndarray, shape (m, p)
        zeta'S_i H.
    traces : ndarray, shape (m, m), or None
        tr(P V_i P V_j), if W was written out.
    """

    quadratic: np.ndarray
    against_x: np.ndarray
    traces: np.ndarray | None


def information(
    engine: Engine,
    factor: Factored,
    zeta: Vectors,
    H: Vectors,
    K: np.ndarray,
    reml: bool,
    written: Written | None,
    moves: np.ndarray | None = None,
) -> Information:
    """Second derivatives of the parts of the criterion in entries of Sigma.

    Parameters
    ----------
    engine : Engine
    factor : Factor
    zeta, H : list of ndarray (levels, K) and (levels, K, p)
        Z'V_0^-1 (y - X beta) and Z'V_0^-1 Q.
    K : ndarray, shape (p, p)
    reml : bool
    written : Written or None
        W of all blocks, which is overwritten.
    moves : ndarray, shape (m, r), optional
        Directions in the entries of Sigma, for second derivatives along these only; not with `written`.
    """
    layout, related = engine.problem.layout, engine.problem.related(zeta)
    moved = times_units(layout, related) if moves is None else times_moves(layout, related, moves)
    against_x = times_columns(moved, H)
    traces = None
    if written is None:
        inner = times_columns(moved, factor.project(engine.times(moved)))
    else:
        flat = stacked(written, moved)
        inner = flat.T @ (written.matrix @ flat)
        if reml and len(K):
            columns = stacked(written, H)
            written.matrix[:] -= columns @ K @ columns.T
        traces = contract(written, layout, engine.limits.copied)
    return Information(inner - against_x @ K @ against_x.T, against_x, traces)


def differentiate(
    engine: Engine, pls: Pls, second: bool = True, exact: bool = True, moves: np.ndarray | None = None
) -> Derivatives:
    """Differentiate the criterion at `pls`.

    Parameters
    ----------
    engine : Engine
    pls : Pls
    second : bool
        Whether the Hessian is wanted too.
    exact : bool
        Whether an exact Hessian is wanted where it is affordable. Average information is the better guide far from
        the optimum (it leaves out the curvature that is noise there), the exact Hessian close to it.
    moves : ndarray, shape (m, r), optional
        Directions in the entries of Sigma: average information along these, (r, r), takes the place of the Hessian.

    The curvature needs G_b itself, which is G_b Lambda_b times Lambda_b^-1: a diagonal entry that is exactly 0 must
    be moved off it by the caller (`optimize` keeps 1e-7 away), or the rows that belong to it are left at 0.
    """
    problem, layout, factor = engine.problem, engine.problem.layout, pls.factor
    df = problem.degrees(pls.reml)
    tau = df / pls.pwrss
    known = found = None
    if second:
        # Solutions come first: the inverse takes the place of the factor.
        written = factor.projection() if exact and engine.writes_projection else None
        found = information(engine, factor, pls.zeta, pls.Hx, pls.K, pls.reml, written, moves)
    slopes, rises = [], []
    related = zip(problem.related(pls.zeta), problem.related(pls.Hx), strict=True)
    pieces = zip(pls.lams, factor.traces(), pls.zeta, pls.Hx, related, strict=True)
    for lam, trace, zeta, hx, (zeta_k, hx_k) in pieces:
        squares = zeta.T @ zeta_k
        rises.append(squares)
        outer = tau * squares
        if pls.reml and hx.shape[2]:
            outer = outer + np.tensordot(hx @ pls.K, hx_k, axes=((0, 2), (0, 2)))
        slopes.append(trace - outer @ lam)
    gradient = 2.0 * layout.gather(slopes)
    if found is None:
        factor.release()
        return Derivatives(gradient, None)
    curve, kind = tau * found.quadratic, "average information"
    if found.traces is not None:
        curve, kind, known = 2.0 * curve - found.traces, "exact", np.ones(curve.shape, dtype=bool)
    elif exact:
        half = np.linalg.cholesky(pls.K) if pls.reml and len(pls.K) else np.empty((len(pls.K), 0))
        partial = scaled_trace_products(layout, factor, [hx @ half for hx in pls.Hx], engine.limits.copied)
        if partial is not None:
            traces, known = partial
            curve = np.where(known, 2.0 * curve - traces, curve)
    factor.release()
    rise = tau * layout.gather(rises) * layout.multiplicity
    if moves is not None:
        rise = moves.T @ rise
        return Derivatives(gradient, curve - rise[:, None] * (rise / df))
    curve -= rise[:, None] * (rise / df)
    scores = [right_divide(slope, lam) for slope, lam in zip(slopes, pls.lams, strict=True)]
    return Derivatives(gradient, in_theta(layout, pls.lams, curve, scores), kind, known, InEntries(curve, scores))


def in_theta(
    layout: BlockLayout, lams: Sequence[np.ndarray], curve: np.ndarray, scores: Sequence[np.ndarray]
) -> np.ndarray:
    """Hessian in theta (m, m) from that in the entries of Sigma, `curve` (m, m), and from G_b (K, K) of each block."""
    J = jacobian(layout, lams)
    hessian = J.T @ curve @ J + bend(layout, scores)
    return 0.5 * (hessian + hessian.T)


def times_columns(left: Vectors, right: Vectors) -> np.ndarray:
    """Inner products (m, r) of the columns of block vectors (levels, K, m) and (levels, K, r)."""
    return np.add.reduce([_flat(a).T @ _flat(b) for a, b in zip(left, right, strict=True)])


def _flat(vectors: np.ndarray) -> np.ndarray:
    return vectors.reshape(vectors.shape[0] * vectors.shape[1], -1)


def right_divide(slope: np.ndarray, lam: np.ndarray) -> np.ndarray:
    """G = (G Lambda) Lambda^-1, symmetrised; columns of a zero pivot are taken as 0."""
    diagonal = np.diagonal(lam)
    if (diagonal == 0).any():
        lam = lam + np.diag(np.where(diagonal == 0, np.inf, 0.0))
    k = len(lam)
    out = np.zeros((k, k))
    for j in range(k - 1, -1, -1):
        out[:, j] = (slope[:, j] - out[:, j + 1 :] @ lam[j + 1 :, j]) / lam[j, j]
    return 0.5 * (out + out.T)
