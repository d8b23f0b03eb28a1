"""A fit as arrays: the optimum in the user's own units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack, solve_triangular

from mixedsparse.core.fitting.certificate import Certificate, certify
from mixedsparse.core.fitting.identification import Unidentified, unidentified
from mixedsparse.core.fitting.outcome import Search
from mixedsparse.core.fitting.unbounded import Reproduction, in_the_limit, reproduction, vanishes
from mixedsparse.core.likelihood.interface import Engine
from mixedsparse.core.likelihood.pls import Pls
from mixedsparse.core.problem.chart import Chart
from mixedsparse.core.problem.problem import Problem

__all__ = [
    "Fit",
    "MonteCarlo",
    "conditional_covariance_of",
    "conditional_covariances",
    "prediction_error_covariances",
    "report",
]


@dataclass(frozen=True, slots=True, eq=False)
class MonteCarlo:
    """Error that the random probes of an iterative fit leave in its numbers: one standard deviation over seeds.

    Attributes
    ----------
    theta_error : ndarray, shape (m,)
        Of theta.
    beta_error : ndarray, shape (p,)
        Of the coefficients, in their own units.
    sigma2_error : float
        Of the residual variance.
    criterion_error : float
        Of the criterion; NaN if it was not computed.
    share : float
        Largest error of an estimate over its standard error.
    wanted : float
        Share that was asked for; the limit on probes may leave more.
    probes, seed : int
    solves, cg_iterations : int
        Right-hand sides that were solved for, and conjugate-gradient iterations in total.
    """

    theta_error: np.ndarray
    beta_error: np.ndarray
    sigma2_error: float
    criterion_error: float
    share: float
    wanted: float
    probes: int
    seed: int
    solves: int
    cg_iterations: int


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """The optimum of one criterion.

    Attributes
    ----------
    reml : bool
    theta : ndarray, shape (m,)
        Relative covariance parameters, terms in theta order, lower triangles column by column.
    templates : tuple of ndarray (k, k)
        Lambda_t of each term, theta order.
    beta : ndarray, shape (p,)
        Coefficients of the columns of X that were kept.
    cov_beta : ndarray, shape (p, p)
        sigma^2 (X'V_0^-1 X)^-1.
    sigma2 : float
        Residual variance, in y^2.
    modes : tuple of ndarray (levels, k)
        Conditional modes of b, theta order.
    criterion : float
        REML criterion or -2 log-likelihood.
    search : Search
        How it was found, in the whitened bases.
    certificate : Certificate
    monte_carlo : MonteCarlo or None
        Of an iterative fit; None where every number is exact.
    unidentified : Unidentified or None
        Parameters of which the design tells nothing; None where it tells of all.
    residual : ndarray, shape (size,), or None
        Parameters of the residual covariance.
    """

    reml: bool
    theta: np.ndarray
    templates: tuple[np.ndarray, ...]
    beta: np.ndarray
    cov_beta: np.ndarray
    sigma2: float
    modes: tuple[np.ndarray, ...]
    criterion: float
    search: Search
    certificate: Certificate
    monte_carlo: MonteCarlo | None = None
    unidentified: Unidentified | None = None
    residual: np.ndarray | None = None


def report(engine: Engine, found: Search, reml: bool, chart: Chart | None = None) -> Fit:
    """Translate the end of a search, in a `chart` if not that of the problem, into the user's units."""
    problem = engine.problem
    theta = problem.from_block @ found.theta
    sigma2 = found.pls.pwrss / problem.degrees(reml)
    loose = unidentified(engine, found, chart) if found.residual is None else None
    return Fit(
        reml=reml,
        theta=theta,
        templates=tuple(problem.theta_layout.templates(theta)),
        beta=problem.basis.beta(found.pls.gamma),
        cov_beta=sigma2 * problem.basis.covariance(found.pls.K),
        sigma2=sigma2,
        modes=_modes(problem, found.pls),
        criterion=found.pls.criterion,
        search=found,
        certificate=certify(problem, found, loose, _without_maximum(engine, found)),
        unidentified=loose,
    )


def _without_maximum(engine: Engine, found: Search) -> Reproduction | None:
    """Say which effects reproduce the response, if the likelihood has no maximum for that reason."""
    if found.residual is not None:
        return None  # a search with a residual covariance is stopped on such a way
    # Which covariances grow without limit is known of unstructured ones only.
    unbounded = None if found.phi is not None else reproduction(engine, found.pls.reml)
    if unbounded is None and (found.lower_at_zero or vanishes(engine, found)):
        return in_the_limit(engine.problem)
    return unbounded


def _modes(problem: Problem, pls: Pls) -> tuple[np.ndarray, ...]:
    """Conditional modes of each term in the user's basis."""
    blocks = pls.modes
    layout = problem.layout
    out = []
    for b, start, whiten in zip(layout.term_block, layout.term_start, layout.whiten, strict=True):
        mine = blocks[b][:, start : start + len(whiten)]
        out.append(np.asarray(lapack.dtrtrs(whiten, mine.T, lower=1)[0]).T)
    return tuple(out)


def conditional_covariances(problem: Problem, fit: Fit) -> list[np.ndarray]:
    """Var(b_l | y) at the estimates, sigma^2 Lambda (M^-1)_ll Lambda': (levels, K, K) per block, user's basis.

    Terms on one grouping factor share a block, in theta order, so that their covariances are there too.
    """
    found = fit.search.pls.factor.conditional_covariances()
    return [_in_user_basis(problem, fit, b, cov) for b, cov in enumerate(found)]


def prediction_error_covariances(problem: Problem, fit: Fit) -> list[np.ndarray]:
    """Var(b-hat_l - b_l) at the estimates, beta estimated: (levels, K, K) per block, user's basis.

    b-hat moves with beta-hat by -G H_l (beta-hat - beta), G = Lambda Lambda', H = Z'V_0^-1 Q (times the relationship
    of the levels, where they have one), which adds
    sigma^2 G H_l K H_l'G to `conditional_covariances`: the block of the inverse of the mixed-model equations
    (Henderson 1975, Biometrics 31, 423-447).
    """
    pls, out = fit.search.pls, []
    H = problem.related(pls.Hx)
    for b, cov in enumerate(pls.factor.conditional_covariances()):
        moved = pls.lams[b] @ pls.lams[b].T @ H[b]
        out.append(_in_user_basis(problem, fit, b, cov + moved @ pls.K @ moved.swapaxes(1, 2)))
    return out


def conditional_covariance_of(problem: Problem, fit: Fit, block: int, levels: np.ndarray) -> np.ndarray:
    """Var(b_l | y) of chosen `levels` of one block, (len(levels), K, K); see `conditional_covariances`."""
    return _in_user_basis(problem, fit, block, fit.search.pls.factor.conditional_covariance_of(block, levels))


def _in_user_basis(problem: Problem, fit: Fit, block: int, cov: np.ndarray) -> np.ndarray:
    """Undo the whitening of covariances (levels, K, K) over sigma^2."""
    layout = problem.layout
    back = np.zeros((layout.widths[block], layout.widths[block]))
    for owner, start, whiten in zip(layout.term_block, layout.term_start, layout.whiten, strict=True):
        if owner == block:
            inside = slice(start, start + len(whiten))
            back[inside, inside] = solve_triangular(whiten, np.eye(len(whiten)), lower=True)
    return np.asarray(fit.sigma2 * (back @ cov @ back.T))
