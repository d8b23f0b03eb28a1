"""Satterthwaite's degrees of freedom from exact derivatives (Satterthwaite 1946; Fai & Cornelius 1996; lmerTest).

The variance v = l'Var(beta)l of a contrast is a function of theta and sigma, and df = 2 v^2 / Var(v). With the
criterion d(theta, log sigma) before sigma is profiled out, Var of its parameters is 2 (Hessian of d)^-1; the inverse by
blocks leaves the Hessian H of the profiled criterion alone:

    1 / df = 1 / d + a'H^-1 a,    a_i = (dv / dtheta_i) / v - s_i / d

d = n - p (REML) or n (ML), s_i = -d(log r^2)/dtheta_i * d, r^2 the penalised residual sum of squares. In q-space, with
H_x = Z'V_0^-1 X and D_i = E_rs Lambda' + Lambda E_sr for the parameter (r, s):

    dK / dtheta_i = K H_x'(I x D_i)H_x K  (K = (X'V_0^-1 X)^-1),    s_i = (d / r^2) zeta'(I x D_i)zeta
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.linalg import solve_triangular

from mixedsparse.core.likelihood.pls import Pls
from mixedsparse.core.problem.forms import quadratic_forms, times_rows
from mixedsparse.core.problem.narrowed import Narrowed, narrowed
from mixedsparse.core.problem.problem import Problem
from mixedsparse.ground.caller import user_level
from mixedsparse.ground.errors import ConvergenceWarning
from mixedsparse.inference.evidence import evidence_of
from mixedsparse.inference.priors import Prior
from mixedsparse.inference.residual_moves import entry_slopes, joint_moves, scores_of

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["Satterthwaite", "satterthwaite"]

# Eigenvalues of the Hessian below this share of the largest count as flat: nothing is known along them.
_FLAT = 1e-8
# Change of the information on beta, relative, that does not matter along a flat direction.
_STILL = 1e-6
# Multiply-adds up to which one call takes all directions.
_FEW = 1e8
# Degrees of freedom closer together than this count as equal (lmerTest).
_EQUAL = 1e-8


@dataclass(frozen=True, slots=True, eq=False)
class Slopes:
    """Derivatives A_i of a covariance, each of them back D_i back'.

    Attributes
    ----------
    back : ndarray, shape (p, k), or None
        None for the identity.
    inner : ndarray, shape (directions, k, k)
        D_i.
    """

    back: np.ndarray | None
    inner: np.ndarray

    def forms(self, L: np.ndarray) -> np.ndarray:
        """Return l'A_i l (r, directions) for the rows l of L (r, p)."""
        rows = L if self.back is None else times_rows(L, self.back)
        if float(rows.size) * float(np.prod(self.inner.shape[:2])) <= _FEW:
            return np.asarray(np.einsum("rp,ipq,rq->ri", rows, self.inner, rows))
        return np.stack([quadratic_forms(rows, inner) for inner in self.inner], axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class Satterthwaite:
    """What the degrees of freedom of any contrast need; a `mixedsparse.inference.denominators.Denominator`.

    Attributes
    ----------
    beta : ndarray, shape (p,)
    cov : ndarray, shape (p, p)
        Covariance of beta.
    sigma2 : float
        Residual variance.
    slopes : Slopes
        Derivatives of `cov` along the directions of theta in which the Hessian is the identity.
    scores : ndarray, shape (directions,)
        s_i / d along them.
    degrees : float
        d.
    directions : ndarray, shape (m, directions)
        The directions themselves, in the entries of Sigma of the whitened bases and then in residual parameters.
    """

    beta: np.ndarray
    cov: np.ndarray
    sigma2: float
    slopes: Slopes
    scores: np.ndarray
    degrees: float
    directions: np.ndarray

    def single(self, L: np.ndarray) -> np.ndarray:
        """Degrees of freedom (r,) of each row of L (r, p)."""
        return self._of(L, 0.0, 0.0)

    def total(self, L: np.ndarray, prior: Prior) -> np.ndarray:
        """Degrees of freedom (r,) of the variance of each row of L (r, p) and that of `prior` together."""
        return self._of(L, prior.variance, prior.by_entry @ self.directions)

    def _of(self, L: np.ndarray, more: np.ndarray | float, change: np.ndarray | float) -> np.ndarray:
        variance = more + quadratic_forms(L, self.cov)
        change = change + self.slopes.forms(L)
        with np.errstate(divide="ignore", invalid="ignore"):
            relative = change / variance[:, None] - self.scores
            return 1.0 / (1.0 / self.degrees + np.square(relative).sum(axis=1))

    def joint(self, L: np.ndarray) -> tuple[float, float]:
        """Degrees of freedom of the F test of the rows of L (r, p), uncorrelated with variance 1; scale 1.

        E(F) = sum over rows of nu / (nu - 2) = E, matched to an F variable: df = 2 E / (E - r); 2 where some nu <= 2.
        """
        nu = self.single(L)
        if len(nu) == 1 or np.ptp(nu) < _EQUAL:
            return float(nu.mean()), 1.0
        if nu.min() <= 2.0:
            return 2.0, 1.0
        E = float((nu / (nu - 2.0)).sum())
        return 2.0 * E / (E - len(nu)), 1.0


def satterthwaite(fitted: Fitted) -> Satterthwaite:
    """Prepare Satterthwaite's method at the fit of `fitted`; costs about one evaluation of the derivatives.

    In a singular fit the parameters of zero columns of Lambda are left out: they change neither the criterion nor the
    covariance of beta to first order. After an iterative fit the Hessian is the average information.

    Warns
    -----
    ConvergenceWarning
        The criterion curves down, or not at all, in some direction: degrees of freedom leave it out.
    """
    problem, fit = fitted.problem, fitted.fit
    degrees = problem.degrees(fit.reml)
    narrow = None if fit.residual is not None or fitted.iterative else _narrowed(fitted)
    moves = _joint(fitted) if fit.residual is not None else _of_effects(fitted, narrow)
    scale = _scale(moves.hessian, moves.sizes)
    values, vectors = np.linalg.eigh(scale[:, None] * moves.hessian * scale)
    vectors = scale[:, None] * vectors
    curved = values > _FLAT * np.abs(values).max(initial=0.0)
    every = np.tensordot(vectors.T, moves.slopes, axes=1)
    if fit.unidentified is None:  # otherwise the contrasts that such directions move have no test
        _check_flat(every[~curved] / np.linalg.norm(vectors, axis=0)[~curved, None, None], moves.K)
    turn = (vectors[:, curved] / np.sqrt(values[curved])).T
    slopes = every[curved] / np.sqrt(values[curved])[:, None, None]
    scores = turn @ moves.scores / moves.pwrss
    root = problem.basis.root
    directions = moves.directions @ turn.T
    if narrow is None:
        back = solve_triangular(root, moves.K) if len(root) else moves.K
        made = Slopes(None, fit.sigma2 * (back @ slopes @ back.T))
    else:
        made = Slopes(solve_triangular(root, narrow.rotation), fit.sigma2 * (moves.K @ slopes @ moves.K))
    return Satterthwaite(fit.beta, fit.cov_beta, fit.sigma2, made, scores, float(degrees), directions)


class _Moves(NamedTuple):
    """Hessian, sizes, -dS / dx and -d r^2 / dx of the parameters x that are not 0; the entries' own moves."""

    hessian: np.ndarray
    sizes: np.ndarray
    slopes: np.ndarray
    scores: np.ndarray
    directions: np.ndarray
    K: np.ndarray
    pwrss: float


def _narrowed(fitted: Fitted) -> Narrowed | None:
    """Problem without the columns of X that meet no random effect, where X is wide."""
    return narrowed(fitted.problem, fitted.model.engine().limits.narrowed)


def _of_effects(fitted: Fitted, narrow: Narrowed | None) -> _Moves:
    """Differentiate in theta alone."""
    problem = fitted.problem if narrow is None else narrow.problem
    found = evidence_of(fitted).curvature(narrow)
    pls, active = found.pls, found.active
    return _Moves(
        found.hessian,
        found.sizes[active],
        _slopes(problem, pls, found.moves[:, active]),
        scores_of(problem, pls, found.moves)[active],
        found.moves[:, active],
        pls.K,
        pls.pwrss,
    )


def _joint(fitted: Fitted) -> _Moves:
    """Differentiate in the parameters of random effects and residuals."""
    found = joint_moves(fitted)
    directions = np.vstack([found.by_entry, np.eye(len(found.active))[found.criterion.count :]])[:, found.active]
    pls = found.pls
    return _Moves(found.hessian, found.sizes, found.slopes, found.scores, directions, pls.K, pls.pwrss)


def _scale(hessian: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Units (active,) of theta: relative where variance ratios are large, since the criterion grows with their log."""
    with np.errstate(divide="ignore"):
        return np.maximum(1.0, np.minimum(sizes, 1.0 / np.sqrt(np.abs(np.diagonal(hessian)))))


def _slopes(problem: Problem, pls: Pls, moves: np.ndarray) -> np.ndarray:
    """H_x'(I x D_i)H_x (active, p, p) of parameters that move the entries of Sigma by `moves` (m, active)."""
    return np.tensordot(moves.T, entry_slopes(problem, pls), axes=1)


def _check_flat(slopes: np.ndarray, K: np.ndarray) -> None:
    """Warn if the information K^-1 moves along directions in which the criterion does not curve; `slopes` (d, p, p)."""
    root = np.sqrt(np.diagonal(K))
    if np.abs(slopes * np.outer(root, root)).max(initial=0.0) <= _STILL:
        return  # more parameters than the covariance has, as with dependent effects
    warnings.warn(
        f"The criterion has no positive curvature in {len(slopes)} of the directions of the covariance parameters: "
        "Satterthwaite's degrees of freedom leave them out and may be too large. Simplify the random effects.",
        ConvergenceWarning,
        stacklevel=user_level(),
    )
