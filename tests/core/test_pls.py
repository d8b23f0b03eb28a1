"""Criterion, fixed effects, modes and their covariance at given theta, on every engine, against dense matrices."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import solve_triangular

from mixedsparse.core.fitting.estimates import conditional_covariances
from mixedsparse.core.fitting.fit import fit_problem
from mixedsparse.core.likelihood.pls import solve_pls
from tests.core.engines import ENGINES, engine_for
from tests.models import DESIGNS, make, random_theta
from tests.oracle import dense

# Both sides are double precision on well-conditioned designs of about 100 rows.
REL, ABS = 1e-9, 1e-9


@pytest.mark.parametrize("reml", [True, False], ids=["REML", "ML"])
@pytest.mark.parametrize("zeros", [False, True], ids=["random", "zeros"])
@pytest.mark.parametrize("kind", ENGINES)
@pytest.mark.parametrize("name", DESIGNS)
def test_at_given_theta(name, kind, zeros, reml):
    small = make(name, seed=int(zeros))
    theta = random_theta(small, seed=3, zeros=zeros)
    want = dense(small.y, small.X_kept, small.terms, theta, reml=reml, weights=small.weights)
    problem = small.problem()
    layout = problem.layout
    pls = solve_pls(problem, engine_for(problem, kind).factorize(layout.lams(layout.to_block @ theta)), reml)
    sigma2 = pls.pwrss / problem.degrees(reml)
    assert pls.criterion == pytest.approx(want.criterion, rel=REL, abs=ABS)
    assert sigma2 == pytest.approx(want.sigma2, rel=REL)
    np.testing.assert_allclose(problem.basis.beta(pls.gamma), want.beta, rtol=REL, atol=ABS)
    np.testing.assert_allclose(sigma2 * problem.basis.covariance(pls.K), want.cov_beta, rtol=REL, atol=ABS)
    for t, modes in enumerate(want.modes):
        block, start, whiten = layout.term_block[t], layout.term_start[t], layout.whiten[t]
        mine = pls.modes[block][:, start : start + len(whiten)]
        np.testing.assert_allclose(solve_triangular(whiten, mine.T, lower=True).T, modes, rtol=REL, atol=ABS)


@pytest.mark.parametrize("reml", [True, False], ids=["REML", "ML"])
@pytest.mark.parametrize("kind", ENGINES)
@pytest.mark.parametrize("name", DESIGNS)
def test_at_the_optimum(name, kind, reml):
    # A fit in the user's units: signs made canonical, zeros snapped, whitening undone.
    small = make(name, seed=2)
    problem = small.problem()
    fit = fit_problem(engine_for(problem, kind), reml)
    assert fit.certificate.converged
    want = dense(small.y, small.X_kept, small.terms, fit.theta, reml=reml, weights=small.weights)
    assert fit.criterion == pytest.approx(want.criterion, rel=REL, abs=ABS)
    assert fit.sigma2 == pytest.approx(want.sigma2, rel=REL)
    np.testing.assert_allclose(fit.beta, want.beta, rtol=REL, atol=ABS)
    np.testing.assert_allclose(fit.cov_beta, want.cov_beta, rtol=REL, atol=ABS)
    covariances = conditional_covariances(problem, fit)
    for t, (modes, cov) in enumerate(zip(want.modes, want.cov_modes, strict=True)):
        np.testing.assert_allclose(fit.modes[t], modes, rtol=REL, atol=ABS)
        inside = slice(problem.layout.term_start[t], problem.layout.term_start[t] + modes.shape[1])
        mine = covariances[problem.layout.term_block[t]][:, inside, inside]
        np.testing.assert_allclose(mine, cov, rtol=REL, atol=ABS)


@pytest.mark.parametrize("kind", ENGINES)
def test_a_factor_serves_after_the_engine_has_moved_on(kind):
    # CHOLMOD refactorises in place: an older factor must notice.
    small = make("crossed_slopes", seed=0)
    problem = small.problem()
    engine = engine_for(problem, kind)
    theta = problem.layout.to_block @ random_theta(small, seed=1)
    first = engine.factorize(problem.layout.lams(theta))
    before = first.traces()
    engine.factorize(problem.layout.lams(2.0 * theta))
    for mine, want in zip(first.traces(), before, strict=True):
        np.testing.assert_allclose(mine, want, rtol=1e-12)
    again = engine.factorize(problem.layout.lams(3.0 * theta))
    assert solve_pls(problem, first, True).criterion == pytest.approx(
        dense(small.y, small.X, small.terms, problem.from_block @ theta, reml=True).criterion, rel=REL
    )
    assert again.logdet > first.logdet
