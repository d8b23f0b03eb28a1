"""A fit by the iterative engine, with its Monte-Carlo errors."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from mixedsparse.core.fitting.estimates import Fit, MonteCarlo, report
from mixedsparse.core.fitting.iterative_search import FEWEST, Goals, search
from mixedsparse.core.fitting.outcome import Search, Stop
from mixedsparse.core.likelihood.interface import StochasticEngine, StochasticFactored
from mixedsparse.core.likelihood.pls import criterion_value
from mixedsparse.core.problem.chart import refuse_structures
from mixedsparse.core.problem.problem import Problem
from mixedsparse.ground.progress import Progress
from mixedsparse.ground.threads import blas_threads

__all__ = ["fit_iterative"]


def fit_iterative(
    engine: StochasticEngine,
    reml: bool,
    *,
    start: np.ndarray | None = None,
    max_evals: int = 500,
    tolerance: float = 1e-10,
    seed: int = 0,
    mc_share: float = 0.01,
    max_probes: int = 1024,
    loglik: bool = True,
    progress: Progress | None = None,
    interruptible: bool = False,
) -> Fit:
    """Fit by Newton's method on stochastic traces, and report the optimum in the user's units.

    The same data and seed give the same numbers to the last bit, whatever the number of threads.

    Parameters
    ----------
    engine : StochasticEngine
        Of the problem; it is left as it is.
    reml : bool
    start : ndarray, shape (m,), optional
        Theta to start from, in the user's units.
    max_evals : int
        Limit on evaluations of the score.
    tolerance : float
        Fall of the criterion that may be left; where probes are used, one well below their error may.
    seed : int
        Of the probes.
    mc_share : float
        Probes are added until no Monte-Carlo error is more than this share of its standard error.
    max_probes : int
        But at most to this number; `Fit.monte_carlo.share` tells what was reached.
    loglik : bool
        Whether the criterion is computed at the end; it is NaN otherwise, and after an interruption.
    progress : callable, optional
        Called with an `Iteration` after each step; its criterion is NaN.
    interruptible : bool
        Whether a KeyboardInterrupt ends the search at the best point so far instead of being raised, or, after the
        search, leaves the criterion out.

    Returns
    -------
    Fit
        With `monte_carlo`; the criterion has an error too, since log|M| comes from stochastic Lanczos quadrature.

    Raises
    ------
    NotPositiveDefiniteError
        The score cannot be evaluated anywhere near the start.

    Examples
    --------
    >>> import numpy as np
    >>> from mixedsparse.core.engines.krylov.engine import KrylovEngine
    >>> from mixedsparse.core.fitting.iterative import fit_iterative
    >>> from mixedsparse.core.problem.problem import make_problem
    >>> from mixedsparse.core.problem.terms import RandomTerm
    >>> rng = np.random.default_rng(0)
    >>> user, item = rng.permutation(5000) % 900, rng.permutation(5000) % 500
    >>> one = np.ones((5000, 1))
    >>> y = rng.normal(size=5000) + rng.normal(size=900)[user] + 0.5 * rng.normal(size=500)[item]
    >>> problem = make_problem(y, one, [RandomTerm("user", user, one), RandomTerm("item", item, one)])
    >>> fit = fit_iterative(KrylovEngine(problem), reml=True, seed=1)
    >>> fit.monte_carlo.share < 0.01
    True
    """
    refuse_structures(engine.problem, "Iterative fits")
    problem, engine = engine.problem, engine.renewed(seed, FEWEST)
    goals = Goals(max_evals, tolerance, mc_share, max(max_probes, engine.probes.per_batch))
    with blas_threads(engine.work):
        inner = None if start is None else problem.layout.to_block @ start
        outcome, factor, error = search(
            engine, reml, goals, start=inner, progress=progress, interruptible=interruptible
        )
        criterion_error = math.nan
        if loglik and outcome.stop is not Stop.INTERRUPTED:
            try:
                outcome, criterion_error = _with_criterion(problem, outcome, factor)
            except KeyboardInterrupt:
                if not interruptible:
                    raise
    monte_carlo = MonteCarlo(
        theta_error=_root_diagonal(problem.from_block @ error.theta @ problem.from_block.T),
        beta_error=_root_diagonal(problem.basis.covariance(error.gamma)),
        sigma2_error=error.sigma2,
        criterion_error=criterion_error,
        share=error.share,
        wanted=mc_share,
        probes=engine.probes.number,
        seed=seed,
        solves=engine.effort.solves,
        cg_iterations=engine.effort.iterations,
    )
    return dataclasses.replace(report(engine, outcome, reml), monte_carlo=monte_carlo)


def _with_criterion(problem: Problem, found: Search, factor: StochasticFactored) -> tuple[Search, float]:
    """Put the criterion into the outcome of a search; its Monte-Carlo error."""
    pls = found.pls
    logdet, error = factor.log_determinant()
    log_det_x = -float(np.linalg.slogdet(pls.K)[1])
    value = criterion_value(problem, logdet, log_det_x, pls.pwrss, pls.reml)
    return dataclasses.replace(found, pls=dataclasses.replace(pls, criterion=value)), error


def _root_diagonal(covariance: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(np.diagonal(covariance), 0.0))
