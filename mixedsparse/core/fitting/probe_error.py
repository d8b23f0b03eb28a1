"""Monte-Carlo errors of the estimates, from the spread of the score over the probes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mixedsparse.core.likelihood.derivatives import Derivatives, times_columns
from mixedsparse.core.likelihood.interface import SampledTraces, widening
from mixedsparse.core.likelihood.pls import Pls
from mixedsparse.core.problem.entries import times_slopes
from mixedsparse.core.problem.problem import Problem

__all__ = ["ProbeError", "probe_error"]

# Eigenvalues of the scaled Hessian below this count as flat: no error can be told along them.
_FLAT = 1e-8


@dataclass(frozen=True, slots=True, eq=False)
class ProbeError:
    """Monte-Carlo covariance of theta (m, m), of gamma (p, p) and of sigma^2; worst error over standard error."""

    theta: np.ndarray
    gamma: np.ndarray
    sigma2: float
    share: float


def probe_error(
    problem: Problem,
    pls: Pls,
    traces: SampledTraces,
    derivatives: Derivatives,
    fixed: np.ndarray,
    unsolved: float = 0.0,
) -> ProbeError:
    """Errors at an optimum, all of the whitened bases and of the orthonormal basis of X.

    The score is the gradient g of the criterion f, whose Hessian is H: an error of covariance C in g leaves
    H^-1 C H^-1 in theta, whose own covariance is 2 H^-1.

    Parameters
    ----------
    problem, pls, traces, derivatives
        At the end of the search; `derivatives` rest on `traces`.
    fixed : ndarray of bool, shape (m,)
        Entries on a boundary, which have no error: diagonal ones that are zero.
    unsolved : float
        Share of the standard errors that unsolved residuals may add.
    """
    m, df = problem.n_theta, problem.degrees(pls.reml)
    assert derivatives.hessian is not None
    free = ~(fixed & problem.layout.is_diagonal)
    inverse = np.zeros((m, m))
    inverse[np.ix_(free, free)] = _inverse(derivatives.hessian[np.ix_(free, free)])
    theta = inverse @ score_covariance(problem, pls, traces) @ inverse + unsolved**2 * 2.0 * inverse
    moved = times_slopes(problem.layout, pls.lams, pls.zeta)
    cross = times_columns(moved, pls.Hx)
    score = times_columns(moved, [zeta[:, :, None] for zeta in pls.zeta])[:, 0]
    # d gamma / d theta_i = -K H'c_i, d r^2 / d theta_i = -c_i'zeta, c_i = (I x D_i) zeta.
    slope = cross @ pls.K
    gamma = slope.T @ theta @ slope
    sigma2 = math.sqrt(max(float(score @ theta @ score), 0.0)) / df
    own = pls.pwrss / df
    shares = [sigma2 / (own * math.sqrt(2.0 / df))]
    for error, variance in ((theta, 2.0 * inverse), (gamma, own * pls.K)):
        size = np.diagonal(variance)
        known = size > 0
        shares.append(float(np.sqrt((np.diagonal(error)[known] / size[known]).max(initial=0.0))))
    return ProbeError(theta, gamma, sigma2, max(shares))


def score_covariance(problem: Problem, pls: Pls, traces: SampledTraces) -> np.ndarray:
    """Covariance (m, m) of the score over sets of probes of the size in use."""
    slopes = [samples @ lam for samples, lam in zip(traces.samples, pls.lams, strict=True)]
    drawn = 2.0 * np.array([problem.layout.gather(one) for one in zip(*slopes, strict=True)])
    if len(drawn) < 2:
        return np.zeros((problem.n_theta, problem.n_theta))
    centred = drawn - drawn.mean(axis=0)
    return widening(len(drawn)) ** 2 * centred.T @ centred / (len(drawn) * (len(drawn) - 1))


def _inverse(hessian: np.ndarray) -> np.ndarray:
    """Inverse on the directions of positive curvature."""
    scale = np.sqrt(np.maximum(np.abs(np.diagonal(hessian)), 1e-300))
    values, vectors = np.linalg.eigh(hessian / np.outer(scale, scale))
    kept = values > _FLAT
    vectors = vectors[:, kept] / scale[:, None]
    return (vectors / values[kept]) @ vectors.T
