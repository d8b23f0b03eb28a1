"""The score by random probes, held against exact derivatives; its Monte-Carlo error, over seeds."""

from __future__ import annotations

import numpy as np
import pytest

from mixedsparse.core.engines.krylov.engine import KrylovEngine
from mixedsparse.core.engines.split.engine import SplitEngine
from mixedsparse.core.fitting.laplace import fit_data, make_data
from mixedsparse.core.likelihood.family import FAMILIES
from mixedsparse.core.likelihood.laplace.criterion import LaplaceCriterion
from mixedsparse.core.likelihood.laplace.probed import ProbedCriterion
from mixedsparse.core.problem.problem import make_problem
from mixedsparse.core.problem.terms import RandomTerm
from mixedsparse.ground.limits import Limits
from mixedsparse.ground.options import FitOptions

# Every effect beyond the coarse space is left to probes.
LIMITS = Limits(exact_coarse=0)


def make(family: str, slopes: bool, third: bool = False, n: int = 1500, seed: int = 2):
    """Problem and response of a crossed design."""
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 120, n), rng.integers(0, 70, n)
    x, one = rng.normal(size=n), np.ones((n, 1))
    both = np.column_stack([np.ones(n), x])
    eta = 0.5 * x - 0.3 + 0.9 * rng.normal(size=120)[a] + 0.6 * rng.normal(size=70)[b]
    eta += slopes * 0.3 * rng.normal(size=120)[a] * x
    terms = [RandomTerm("a", a, both if slopes else one), RandomTerm("b", b, one)]
    if third:
        terms.append(RandomTerm("c", rng.permutation(n) % 9, one))
    problem = make_problem(np.zeros(n), both, terms)
    if family == "binomial":
        y = (rng.random(n) < 1.0 / (1.0 + np.exp(-eta))).astype(float)
    else:
        spread = rng.gamma(2.0, 0.5, n) if family == "negative_binomial" else 1.0
        y = rng.poisson(np.exp(0.5 * eta) * spread).astype(float)
    return problem, y


@pytest.mark.parametrize("slopes", [False, True])
@pytest.mark.parametrize("family", ["binomial", "poisson", "negative_binomial"])
def test_gradient_by_probes_is_the_exact_one_up_to_the_error_it_tells(family, slopes):
    problem, y = make(family, slopes, third=slopes)
    exact = LaplaceCriterion(make_data(SplitEngine(problem), FAMILIES[family](), y))
    engine = KrylovEngine(problem, seed=5, batches=12, limits=LIMITS)
    engine.keeps_solutions = True
    probed = ProbedCriterion(make_data(engine, FAMILIES[family](), y), engine)
    vector = np.zeros(exact.size)
    vector[: exact.m] = np.where(exact.layout.is_diagonal, 0.6, 0.1)
    vector[exact.m : exact.m + exact.p] = -0.2, 0.3
    points = [criterion.evaluate(vector, criterion.at_rest()) for criterion in (exact, probed)]
    wanted, found = exact.differentiate(points[0]), probed.differentiate(points[1])
    error = np.sqrt(np.diagonal(found.covariance))
    assert (np.abs(found.gradient - wanted.gradient) < 4.5 * error).all()
    assert (error < 0.05 * np.sqrt(np.abs(np.diagonal(wanted.hessian)))).all()
    for own, other in zip(points[0].mode.zeta, points[1].mode.zeta, strict=True):
        np.testing.assert_allclose(own, other, atol=1e-6)
    np.testing.assert_allclose(found.information, wanted.information, rtol=1e-6, atol=1e-6)


def test_monte_carlo_errors_are_those_over_seeds():
    """The errors of estimates over eight sets of probes have the size that each fit tells."""
    problem, y = make("binomial", slopes=False)
    family = FAMILIES["binomial"]()
    exact = fit_data(make_data(SplitEngine(problem), family, y))
    wanted = np.concatenate([exact.theta, exact.beta, [exact.criterion]])
    scores = []
    for seed in range(8):
        fit = fit_data(make_data(KrylovEngine(problem, limits=LIMITS), family, y), options=FitOptions(seed=seed))
        told = fit.monte_carlo
        error = np.concatenate([told.theta_error, told.beta_error, [told.criterion_error]])
        scores.append((np.concatenate([fit.theta, fit.beta, [fit.criterion]]) - wanted) / error)
        assert told.share <= 0.01
        np.testing.assert_allclose(np.diagonal(fit.covariance), np.diagonal(exact.covariance), rtol=0.02)
    rms = np.sqrt(np.square(scores).mean(axis=0))
    # Chi squared with 8 degrees of freedom, and errors that are estimated from few probes.
    assert (rms < 2.0).all()
    assert np.sqrt(np.square(scores).mean()) > 0.5


@pytest.mark.parametrize(("family", "slopes"), [("poisson", True), ("negative_binomial", False), ("binomial", True)])
def test_iterative_fits_find_the_optimum(family, slopes):
    problem, y = make(family, slopes)
    exact = fit_data(make_data(SplitEngine(problem), FAMILIES[family](), y))
    fit = fit_data(make_data(KrylovEngine(problem, limits=LIMITS), FAMILIES[family](), y))
    se = np.sqrt(np.diagonal(exact.covariance))
    moved = np.concatenate([fit.theta - exact.theta, fit.beta - exact.beta])
    # Held entries of singular fits have no error.
    assert (np.abs(moved) < 0.05 * np.nan_to_num(se[: len(moved)], nan=0.1)).all()
    np.testing.assert_allclose(np.sqrt(np.diagonal(fit.covariance)), se, rtol=0.02)
    assert fit.certificate.verdict == exact.certificate.verdict
    assert abs(fit.criterion - exact.criterion) < 5.0 * fit.monte_carlo.criterion_error


def test_more_probes_are_taken_where_less_error_is_asked_for():
    problem, y = make("binomial", slopes=False)
    data = make_data(KrylovEngine(problem, limits=LIMITS), FAMILIES["binomial"](), y)
    rough, fine = (fit_data(data, options=FitOptions(mc_share=share)) for share in (0.05, 1e-4))
    assert rough.monte_carlo.probes < fine.monte_carlo.probes
    assert fine.monte_carlo.share <= 1e-4
    again = fit_data(data, options=FitOptions(mc_share=0.05))
    np.testing.assert_array_equal(again.theta, rough.theta)


def test_a_variance_of_zero_ends_on_the_boundary():
    problem, _ = make("binomial", slopes=False)
    y = (np.random.default_rng(3).random(problem.n) < 0.4).astype(float)
    exact = fit_data(make_data(SplitEngine(problem), FAMILIES["binomial"](), y))
    fit = fit_data(make_data(KrylovEngine(problem, limits=LIMITS), FAMILIES["binomial"](), y))
    assert (exact.theta == 0).any()
    np.testing.assert_array_equal(fit.theta == 0, exact.theta == 0)
    np.testing.assert_allclose(fit.beta, exact.beta, atol=1e-3)
