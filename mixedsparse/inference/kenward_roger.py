"""Kenward & Roger's (1997) covariance and degrees of freedom, in q-space: never an n x n matrix.

V is linear in the entries of the random effects' covariances and in sigma^2, V = sum gamma_i G_i. The method depends
on the span of the G_i only, so that V itself may stand in the place of the residual's G: then, in units of sigma^2 and
with
P = V_0^-1 - V_0^-1 X K X'V_0^-1, K = (X'V_0^-1 X)^-1, H = Z'V_0^-1 X, D_i the pattern (I x E_i) of entry i in q-space,

    W = Z'V_0^-1 Z,  F_i = D_i H,  A_i = X'V_0^-1 G_i V_0^-1 X = H'F_i
    X'V_0^-1 G_i P G_j V_0^-1 X = F_i'(W - H K H')F_j,  and 0 where V stands for one of the G
    tr(P G_i P G_j) = tr(D_i W D_j W) - 2 tr(K F_i'W F_j) + tr(K A_i K A_j)
    tr(P G_i P V) = tr(D_i W) - tr(K A_i),  tr(P V P V) = n - p

With prior weights the residual's G is W^-1, which the weighted cross-products hold: results are those of the model
whose rows are multiplied by the roots of the weights. pbkrtest 0.5.2 takes the identity there, and gives other numbers.

The adjusted covariance, the degrees of freedom and the scale of F follow from these (Kenward & Roger 1997, Biometrics
53, 983-997, in the form of Halekoh & Hojsgaard 2014, J. Stat. Softw. 59(9), the R package pbkrtest).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import numpy as np
from scipy.linalg import solve_triangular

from mixedsparse.core.fitting.estimates import Fit
from mixedsparse.core.likelihood.pls import rounding, solve_pls
from mixedsparse.core.problem.blocks import BlockLayout
from mixedsparse.core.problem.chart import chart_of
from mixedsparse.core.problem.forms import quadratic_forms
from mixedsparse.core.problem.problem import Problem
from mixedsparse.fitted.again import fit_again
from mixedsparse.fitted.warnings import warn_of_rounding
from mixedsparse.ground.caller import user_level
from mixedsparse.ground.choices import Information
from mixedsparse.ground.errors import RefitWarning
from mixedsparse.ground.threads import blas_threads
from mixedsparse.inference.curvature import curvature
from mixedsparse.inference.priors import Prior
from mixedsparse.inference.residual_kenward_roger import linearised_moments
from mixedsparse.inference.residual_moves import scores_of, with_log_variance
from mixedsparse.inference.traces import pattern_traces

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["INFORMATION", "KenwardRoger", "kenward_roger"]

# What the covariance of the parameters is the inverse of.
INFORMATION = get_args(Information)

# Eigenvalues of the information below this share of the largest are taken as 0 (a parameter that is not identified).
_SINGULAR = 1e-10
# pbkrtest's guards: a numerator that counts as 0, and degrees of freedom too close to 2 to rescale F.
_ZERO = 1e-10
_NEAR_TWO = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class KenwardRoger:
    """What the tests of any contrast need; a `mixedsparse.inference.denominators.Denominator`.

    Attributes
    ----------
    beta : ndarray, shape (p,)
        Of the REML fit.
    cov : ndarray, shape (p, p)
        Adjusted covariance of beta.
    unadjusted : ndarray, shape (p, p)
        sigma^2 K.
    slopes : ndarray, shape (directions, p, p)
        Derivative of `unadjusted` along the directions of gamma in which its covariance is the identity.
    sigma2 : float
        Residual variance of the REML fit.
    root : ndarray, shape (m + 1, directions)
        The directions themselves, in the entries of Sigma and in V.
    """

    beta: np.ndarray
    cov: np.ndarray
    unadjusted: np.ndarray
    slopes: np.ndarray
    sigma2: float
    root: np.ndarray

    def single(self, L: np.ndarray) -> np.ndarray:
        """Degrees of freedom (r,) of each row of L (r, p)."""
        return self._of(L, 0.0, 0.0)

    def total(self, L: np.ndarray, prior: Prior) -> np.ndarray:
        """Degrees of freedom (r,) of the variance of each row of L (r, p) and that of `prior` together."""
        return self._of(L, prior.variance, np.column_stack([prior.by_entry, prior.variance]) @ self.root)

    def _of(self, L: np.ndarray, more: np.ndarray | float, change: np.ndarray | float) -> np.ndarray:
        variance = more + quadratic_forms(L, self.unadjusted)
        with np.errstate(divide="ignore", invalid="ignore"):
            relative = (change + np.einsum("rp,ipq,rq->ri", L, self.slopes, L)) / variance[:, None]
        moments = np.square(relative).sum(axis=1)
        return np.array([_match(A, A, 1)[0] for A in moments])

    def joint(self, L: np.ndarray) -> tuple[float, float]:
        """Degrees of freedom and scale of the F statistic of the rows of L (r, p), full row rank."""
        turned = np.linalg.solve(L @ self.unadjusted @ L.T, L @ self.slopes @ L.T)
        A1 = float(np.square(np.trace(turned, axis1=1, axis2=2)).sum())
        A2 = float(np.einsum("iab,iba->", turned, turned))
        return _match(A1, A2, len(L))


def _match(A1: float, A2: float, q: int) -> tuple[float, float]:
    """Degrees of freedom and scale from the first two moments of F; A1, A2 as in Kenward & Roger, q the rank."""
    if not np.isfinite(A2):
        return np.nan, np.nan
    if A2 < _ZERO**2:
        return np.inf, 1.0
    B = (A1 + 6.0 * A2) / (2.0 * q)
    g = ((q + 1) * A1 - (q + 4) * A2) / ((q + 2) * A2)
    below = 3.0 * q + 2.0 * (1.0 - g)
    first, second, third = 1.0 + g / below * B, 1.0 - (q - g) / below * B, 1.0 - (q + 2.0 - g) / below * B
    first = 0.0 if abs(first) < _ZERO else first
    mean = 1.0 - A2 / q
    ratio = 1.0 if max(abs(mean), abs(second)) < 1e-14 else mean / second
    rho = ratio**2 * first / third / q
    df = 4.0 + (q + 2.0) / (q * rho - 1.0)
    return df, 1.0 if abs(df - 2.0) < _NEAR_TWO else df * mean / (df - 2.0)


def kenward_roger(fitted: Fitted, information: str | None = None) -> KenwardRoger:
    """Prepare Kenward & Roger's method at the fit of `fitted`, or at its REML refit.

    Costs q solutions with the factor and 16 q^2 bytes for q random effects; with one grouping factor far less.

    The covariance of the parameters is the inverse of the expected information, or of the observed one: by default
    where there is a residual covariance, see `mixedsparse.inference.residual_kenward_roger`.

    Raises
    ------
    BackendError
        There is not so much memory.

    Warns
    -----
    RefitWarning
        The fit is by ML.
    """
    if information is None:
        information = "expected" if fitted.fit.residual is None else "observed"
    if fitted.fit.residual is not None:
        return _linearised(fitted if fitted.reml else _refitted(fitted), information)
    fitted.needs("factor", "Kenward-Roger's method", "Use ddf='satterthwaite'")
    fitted.needs("few columns", "Kenward-Roger's method", "Use ddf='satterthwaite'")
    fitted = fitted if fitted.reml else _refitted(fitted)
    fit = fitted.fit
    problem, engine = fitted.problem, fitted.model.engine()
    with blas_threads(engine.work):
        pls = solve_pls(problem, engine.factorize(problem.layout.lams(fit.search.theta)), reml=True)
        lost = rounding(problem, pls.factor.loss(), pls.losses, True)
        traces, sums = pattern_traces(engine, pls.factor)
        F = _patterned(problem.layout, problem.related(pls.Hx))
        moves = _moves(problem, fit)
        if moves is not None:
            traces, sums = moves.T @ traces @ moves, moves.T @ sums
            F = np.tensordot(F, moves, axes=(1, 0)).swapaxes(1, 2)
        m = F.shape[1]
        WF = _flat(pls.factor.project(engine.times(_blocks(problem.layout, F))), F.shape)
    warn_of_rounding(lost, "Kenward-Roger's method")
    H, K = _flat(pls.Hx, (len(F), problem.p)), pls.K
    A = np.tensordot(H, F, axes=(0, 0)).swapaxes(0, 1)
    KA = K @ A
    traces += np.einsum("iab,jba->ij", KA, KA) - 2.0 * np.tensordot(F @ K, WF, axes=((0, 2), (0, 2)))
    sums -= np.trace(KA, axis1=1, axis2=2)
    expected = np.block([[traces, sums[:, None]], [sums[None], np.array([[problem.n - problem.p]])]])
    root = _root_of_inverse(0.5 * expected) if information == "expected" else _observed_root(fitted, moves is None)
    covariance = root[:m] @ root[:m].T
    PF = WF - np.tensordot(H, KA, axes=(1, 1))
    inflation = np.tensordot(F, covariance @ PF, axes=((0, 1), (0, 1)))
    slopes = np.tensordot(root.T, np.concatenate([KA @ K, K[None]]), axes=1)
    back = solve_triangular(problem.basis.root, np.eye(problem.p)) if problem.p else K
    return KenwardRoger(
        beta=fit.beta,
        cov=fit.cov_beta + 2.0 * fit.sigma2 * (back @ K @ inflation @ K @ back.T),
        unadjusted=fit.cov_beta,
        slopes=fit.sigma2 * (back @ slopes @ back.T),
        sigma2=fit.sigma2,
        root=root if moves is None else np.vstack([moves @ root[:m], root[m:]]),
    )


def _moves(problem: Problem, fit: Fit) -> np.ndarray | None:
    """Differentiate the entries of Sigma in the parameters of structures, (entries, parameters); None without any.

    Second derivatives of V are left out, as Kenward and Roger's method has it for entries, in which V is linear: so the
    result does not depend on what a structure is described by.
    """
    chart = chart_of(problem)
    if chart is None:
        return None
    assert fit.search.phi is not None
    x = chart.x_of(fit.search.phi)
    return chart.slopes(x)[:, chart.moving(x)]


def _observed_root(fitted: Fitted, in_entries: bool) -> np.ndarray:
    """Root of the inverse of the observed information, in the entries of Sigma or the moving parameters, and V."""
    found = curvature(fitted.model.engine(), fitted.fit.search, True)
    relative = scores_of(fitted.problem, found.pls, found.moves)[found.active] / found.pls.pwrss
    covariance = with_log_variance(found.hessian, relative, fitted.problem.degrees(True))
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    return np.vstack([found.moves[:, found.active] @ root[:-1], root[-1:]]) if in_entries else root


def _linearised(fitted: Fitted, information: str) -> KenwardRoger:
    """Prepare the method with parameters of the residual covariance."""
    fit, problem = fitted.fit, fitted.problem
    moments = linearised_moments(fitted, information)
    back = solve_triangular(problem.basis.root, np.eye(problem.p)) if problem.p else moments.K
    return KenwardRoger(
        beta=fit.beta,
        cov=fit.cov_beta + 2.0 * fit.sigma2 * (back @ moments.K @ moments.inflation @ moments.K @ back.T),
        unadjusted=fit.cov_beta,
        slopes=fit.sigma2 * (back @ moments.slopes @ back.T),
        sigma2=fit.sigma2,
        root=moments.root,
    )


def _refitted(fitted: Fitted) -> Fitted:
    """Fit by REML, from the ML estimates."""
    warnings.warn(
        "Kenward-Roger's method rests on REML: the model was refitted by REML for it, so estimates differ from those "
        "of the ML fit. Fit with reml=True, or use ddf='satterthwaite'.",
        RefitWarning,
        stacklevel=user_level(),
    )
    return fit_again(fitted, True)


def _root_of_inverse(information: np.ndarray) -> np.ndarray:
    """R with R R' the inverse of a semidefinite matrix, a pseudo-inverse where it is singular."""
    values, vectors = np.linalg.eigh(information)
    return vectors / np.sqrt(np.where(values > _SINGULAR * values[-1], values, np.inf))


def _patterned(layout: BlockLayout, Hx: list[np.ndarray]) -> np.ndarray:
    """F_i = (I x E_i)H of all parameters, shape (q, m, p), blocks stacked level by level."""
    m, out = len(layout.block), []
    for mine, unit, H in zip(layout.members, layout.units, Hx, strict=True):
        part = np.zeros((len(H), H.shape[1], m, H.shape[2]))
        part[:, :, mine] = (unit @ H[:, None]).swapaxes(1, 2)
        out.append(part.reshape(-1, m, H.shape[2]))
    return np.concatenate(out)


def _blocks(layout: BlockLayout, flat: np.ndarray) -> list[np.ndarray]:
    """Block vectors (levels, K, r) of an array (q, ...)."""
    places = list(zip(layout.n_levels, layout.widths, strict=True))
    pieces = np.split(flat, np.cumsum([n * k for n, k in places])[:-1])
    return [piece.reshape(n, k, -1) for piece, (n, k) in zip(pieces, places, strict=True)]


def _flat(vectors: list[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """Block vectors as one array (q, ...) of the given shape."""
    return np.concatenate([v.reshape(-1, v.shape[2]) for v in vectors]).reshape(shape)
