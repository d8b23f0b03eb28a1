"""Exact gradient and average-information Hessian of the profiled criterion in theta.

Sources: Gilmour, Thompson & Cullis (1995), Biometrics 51, 1440-1450 (average information); Johnson & Thompson
(1995), J. Dairy Sci. 78, 449-456. With zeta = Z'V_0^-1 (y - X beta), H = Z'V_0^-1 X, K = (X'V_0^-1 X)^-1 and
df = n or n - p, block b of the gradient is 2 G_b Lambda_b with

    G_b = sum over levels of [Z'V_0^-1 Z]_ll - (REML) H_l K H_l' - (df / r^2) zeta_l zeta_l'
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mixedsparse.core.likelihood.interface import Engine
from mixedsparse.core.likelihood.pls import Pls
from mixedsparse.core.likelihood.traces import scaled_trace_products, trace_products
from mixedsparse.core.problem.blocks import BlockLayout

__all__ = ["Derivatives", "differentiate", "working_vectors"]

Vectors = list[np.ndarray]


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
    """

    gradient: np.ndarray
    hessian: np.ndarray | None
    kind: str = "average information"
    known: np.ndarray | None = None

    @property
    def finite(self) -> bool:
        """Whether every number is."""
        return bool(np.isfinite(self.gradient).all() and (self.hessian is None or np.isfinite(self.hessian).all()))


def differentiate(engine: Engine, pls: Pls, second: bool = True, exact: bool = True) -> Derivatives:
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

    The curvature needs G_b itself, which is G_b Lambda_b times Lambda_b^-1: a diagonal entry that is exactly 0 must
    be moved off it by the caller (`optimize` keeps 1e-7 away), or the rows that belong to it are left at 0.
    """
    problem, layout = engine.problem, engine.problem.layout
    scale = problem.degrees(pls.reml) / pls.pwrss
    directions = working_vectors(layout, pls) if second else []
    inner = None
    if second and not (exact and engine.writes_projection):
        # Solves come first: the inverse takes the place of the factor.
        inner = _inner_products(engine, pls, directions)
    slopes = []
    for lam, trace, zeta, hx in zip(pls.factors, pls.factor.traces(), pls.zeta, pls.Hx, strict=True):
        outer = scale * (zeta.T @ zeta)
        if pls.reml and hx.shape[2]:
            outer = outer + np.tensordot(hx @ pls.K, hx, axes=((0, 2), (0, 2)))
        slopes.append(trace - outer @ lam)
    gradient = 2.0 * layout.gather(slopes)
    if not second:
        pls.factor.release()
        return Derivatives(gradient, None)
    hessian, kind, known = _without_curvature(engine, pls, directions, inner, exact)
    pls.factor.release()
    for b, (slope, lam) in enumerate(zip(slopes, pls.factors, strict=True)):
        _add_curvature(hessian, layout, b, _right_divide(slope, lam))
    return Derivatives(gradient, 0.5 * (hessian + hessian.T), kind, known)


def _without_curvature(
    engine: Engine, pls: Pls, directions: Vectors, inner: np.ndarray | None, exact: bool
) -> tuple[np.ndarray, str, np.ndarray | None]:
    """Second derivatives but for the curvature, their kind, and which are exact.

    They are the information, or twice it less the traces where these are known.
    """
    layout = engine.problem.layout
    if inner is None:
        traces, inner = trace_products(layout, pls, directions)
        information, correction = _information(engine, pls, directions, inner)
        return 2.0 * information - traces - correction, "exact", np.ones(information.shape, dtype=bool)
    information, correction = _information(engine, pls, directions, inner)
    found = scaled_trace_products(layout, pls) if exact else None
    if found is None:
        return information - correction, "average information", None
    traces, known = found
    return np.where(known, 2.0 * information - traces, information) - correction, "average information", known


def _right_divide(slope: np.ndarray, lam: np.ndarray) -> np.ndarray:
    """G = (G Lambda) Lambda^-1, symmetrised; columns of a zero pivot are taken as 0."""
    diagonal = np.diagonal(lam)
    if (diagonal == 0).any():
        lam = lam + np.diag(np.where(diagonal == 0, np.inf, 0.0))
    k = len(lam)
    out = np.zeros((k, k))
    for j in range(k - 1, -1, -1):
        out[:, j] = (slope[:, j] - out[:, j + 1 :] @ lam[j + 1 :, j]) / lam[j, j]
    return 0.5 * (out + out.T)


def _add_curvature(hessian: np.ndarray, layout: BlockLayout, b: int, score: np.ndarray) -> None:
    """Add 2 G_rr' between entries (r, s) and (r', s) of the same column s."""
    mine = layout.members[b]
    row, col = layout.row[mine], layout.col[mine]
    hessian[mine[:, None], mine] += 2.0 * score[row[:, None], row] * (col[:, None] == col)


def _inner_products(engine: Engine, pls: Pls, directions: Vectors) -> np.ndarray:
    """F'Z'V_0^-1 Z F, shape (m, m), with F = [c_1 .. c_m], c_i = (I x D_i) zeta."""
    projected = pls.factor.project(engine.times(directions))
    return np.add.reduce(
        [f.reshape(-1, f.shape[2]).T @ w.reshape(-1, f.shape[2]) for f, w in zip(directions, projected, strict=True)]
    )


def _information(engine: Engine, pls: Pls, directions: Vectors, inner: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(df / r^2) F'Z'P_0 Z F, and ss' / df with s = (df / r^2) F'zeta."""
    problem = engine.problem
    df = problem.degrees(pls.reml)
    scale = df / pls.pwrss
    m = problem.n_theta
    cross = np.zeros((m, problem.p))
    score = np.zeros(m)
    for f, hx, zeta in zip(directions, pls.Hx, pls.zeta, strict=True):
        flat = f.reshape(-1, m)
        cross += flat.T @ hx.reshape(len(flat), -1)
        score += flat.T @ zeta.reshape(-1)
    score *= scale
    return scale * (inner - cross @ pls.K @ cross.T), np.outer(score, score) / df


def working_vectors(layout: BlockLayout, pls: Pls) -> Vectors:
    """F as block vectors (levels, K, m): D_i zeta_l with D_i = E_rs Lambda' + Lambda E_sr."""
    m = len(layout.block)
    out = []
    for b, (zeta, lam) in enumerate(zip(pls.zeta, pls.factors, strict=True)):
        f = np.zeros((*zeta.shape, m))
        weighted = zeta @ lam
        for i in layout.members[b]:
            r, s = layout.row[i], layout.col[i]
            f[:, :, i] = zeta[:, r, None] * lam[:, s]
            f[:, r, i] += weighted[:, s]
        out.append(f)
    return out
