"""Fits by the iterative engine against direct ones: within the stated error; seeds, limits, interruption."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest

from mixedsparse import RandomTerm
from mixedsparse.core.choose.make import make_engine
from mixedsparse.core.engines.krylov.engine import KrylovEngine
from mixedsparse.core.engines.krylov.factor import KrylovFactored
from mixedsparse.core.fitting.estimates import Fit
from mixedsparse.core.fitting.fit import fit_problem
from mixedsparse.core.fitting.iterative import fit_iterative
from mixedsparse.core.fitting.outcome import Stop
from mixedsparse.core.problem.problem import Problem, make_problem
from mixedsparse.fitted.warnings import warn_of_search
from mixedsparse.ground.errors import ConvergenceWarning
from mixedsparse.ground.limits import Limits
from tests.core.krylov.graphs import graph
from tests.models import DESIGNS, make

# Stated errors are one standard deviation, from 16 probes at least: 5 of them are exceeded about once in 10^4.
DEVIATIONS = 5.0
# Small designs are solved exactly by the coarse space, unless that is kept small.
ITERATED = Limits(exact_coarse=0)
# What is left of the search where there is no Monte-Carlo error: the last Newton step squares 1e-5.
THETA_TOL = 2e-6


def agree(found: Fit, want: Fit) -> None:
    error = found.monte_carlo
    assert error is not None
    assert found.search.stop is Stop.CONVERGED
    assert found.certificate.verdict == want.certificate.verdict
    for mine, other, spread in (
        (found.theta, want.theta, error.theta_error),
        (found.beta, want.beta, error.beta_error),
        (found.sigma2, want.sigma2, error.sigma2_error),
    ):
        assert (np.abs(mine - other) <= DEVIATIONS * spread + THETA_TOL * (1 + np.abs(other))).all()
    assert abs(found.criterion - want.criterion) <= DEVIATIONS * error.criterion_error + 1e-4


@pytest.mark.parametrize("reml", [True, False], ids=["REML", "ML"])
# The covariance of dependent_basis is identified, its theta is not.
@pytest.mark.parametrize("name", [name for name in DESIGNS if name != "dependent_basis"])
def test_small_designs(name, reml):
    problem = make(name, seed=60).problem()
    found = fit_iterative(KrylovEngine(problem, limits=ITERATED), reml)
    agree(found, fit_problem(make_engine(problem, "split"), reml))
    assert found.monte_carlo.share <= 0.01


@pytest.mark.parametrize("sd", [0.5, 3.0])
@pytest.mark.parametrize("name", ["communities", "star", "near_nested", "dominant", "slopes"])
def test_hard_graphs(name, sd):
    problem = graph(name, sd)
    found = fit_iterative(KrylovEngine(problem), reml=True)
    agree(found, fit_problem(make_engine(problem), reml=True))
    assert found.monte_carlo.share <= 0.01


def singular(seed: int, *, slope: bool) -> Problem:
    """The second factor has no variance, or no slope variance."""
    rng = np.random.default_rng(seed)
    n = 4000
    a, b, x = rng.integers(300, size=n), rng.integers(220, size=n), rng.standard_normal(n)
    z = np.column_stack([np.ones(n), x]) if slope else np.ones((n, 1))
    y = rng.standard_normal(n) + rng.standard_normal(300)[a]
    if slope:
        y += 0.5 * rng.standard_normal(220)[b]
    else:
        # Values inside levels of b sum to less than chance would have it.
        y -= 0.8 * (np.bincount(b, y) / np.bincount(b))[b]
    return make_problem(y, z, [RandomTerm("a", a, z), RandomTerm("b", b, z)])


@pytest.mark.parametrize("slope", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_singular_fits(seed, slope):
    problem = singular(seed, slope=slope)
    found = fit_iterative(KrylovEngine(problem), reml=True)
    want = fit_problem(make_engine(problem), reml=True)
    agree(found, want)
    if want.certificate.boundary:
        assert (found.theta == 0).any()


@cache
def exact(name: str) -> tuple[Problem, Fit]:
    problem = graph(name)
    return problem, fit_problem(make_engine(problem), reml=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["slopes", "three", "sparse", "near_nested"])
def test_stated_errors_are_honest(name):
    problem, want = exact(name)
    fits = [fit_iterative(KrylovEngine(problem), reml=True, seed=seed) for seed in range(25)]
    theta = [(f.theta - want.theta) / f.monte_carlo.theta_error for f in fits]
    beta = [(f.beta - want.beta) / f.monte_carlo.beta_error for f in fits]
    sigma2 = [(f.sigma2 - want.sigma2) / f.monte_carlo.sigma2_error for f in fits]
    criterion = [(f.criterion - want.criterion) / f.monte_carlo.criterion_error for f in fits]
    for errors in (theta, beta, sigma2, criterion):
        size = np.abs(errors)
        # Of 25 seeds, 24 are expected within 1.96 stated errors, and all but one in a thousand times at least 20.
        assert (size < 1.96).mean(axis=0).min() >= 0.8
        # Four probes give the errors three degrees of freedom: 0.47 is expected, and less where solutions are rough.
        assert 0.1 < np.median(size, axis=0).min()


def test_same_seed_same_bits_whatever_the_threads():
    problem = make("crossed_slopes", seed=61).problem()
    engine = KrylovEngine(problem, limits=ITERATED)
    one, again, other = (fit_iterative(engine, reml=True, seed=seed) for seed in (5, 5, 6))
    threaded = fit_iterative(KrylovEngine(problem, limits=replace(ITERATED, threaded=0)), reml=True, seed=5)
    for same in (again, threaded):
        np.testing.assert_array_equal(one.theta, same.theta)
        assert one.criterion == same.criterion
    assert not np.array_equal(one.theta, other.theta)


def test_a_second_fit_by_the_same_engine_has_the_same_bits():
    # The first fit enriches the coarse space.
    engine = KrylovEngine(graph("star"))
    first, second = (fit_iterative(engine, reml=True) for _ in range(2))
    np.testing.assert_array_equal(first.theta, second.theta)
    assert first.criterion == second.criterion
    assert first.monte_carlo.solves == second.monte_carlo.solves


def test_probes_are_added_until_the_share_is_met_or_the_limit_is_reached():
    problem = graph("pieces")
    loose, tight = (
        fit_iterative(KrylovEngine(problem, limits=ITERATED), reml=True, mc_share=share) for share in (0.05, 0.01)
    )
    assert loose.monte_carlo.probes < tight.monte_carlo.probes
    assert tight.monte_carlo.share <= 0.01 < loose.monte_carlo.share <= 0.05
    capped = fit_iterative(KrylovEngine(problem, limits=ITERATED), reml=True, mc_share=1e-4, max_probes=32)
    assert capped.monte_carlo.probes == 32
    assert capped.monte_carlo.share > 1e-4
    # A point that more probes are spent on is one step all the same.
    evaluations = [line.nfev for line in tight.search.path]
    assert len(evaluations) == len(set(evaluations))


def test_rows_of_the_data_are_never_read():
    problem = make("weighted", seed=62).problem()
    basis = replace(problem.basis, q=None, residual=None)
    terms = tuple(
        SimpleNamespace(k=term.k, n_levels=term.n_levels, group=term.group, structure=None) for term in problem.terms
    )
    rowless = replace(problem, basis=basis, terms=terms, root_weights=None)
    one, other = (fit_iterative(KrylovEngine(p), reml=True) for p in (problem, rowless))
    np.testing.assert_array_equal(one.theta, other.theta)
    assert one.criterion == other.criterion


def test_a_start_is_taken():
    problem, want = exact("slopes")
    found = fit_iterative(KrylovEngine(problem), reml=True, start=want.theta)
    assert found.search.nfev <= 2
    far = fit_iterative(KrylovEngine(problem), reml=True, start=1e3 * want.theta)
    agree(far, want)


def test_limit_on_evaluations():
    found = fit_iterative(KrylovEngine(graph("slopes")), reml=True, max_evals=1)
    assert found.search.stop is Stop.MAX_EVALS
    assert found.search.nfev == 1
    assert found.certificate.verdict == "stopped early"


def test_without_the_criterion():
    found = fit_iterative(KrylovEngine(graph("dominant")), reml=True, loglik=False)
    assert np.isnan(found.criterion)
    assert np.isnan(found.monte_carlo.criterion_error)


class _Interrupt:
    """Raises KeyboardInterrupt at the second line of the search."""

    def __call__(self, line) -> None:
        assert np.isnan(line.criterion)
        if line.number == 1:
            raise KeyboardInterrupt


def test_an_interruption_returns_the_state_so_far():
    problem = graph("slopes")
    found = fit_iterative(KrylovEngine(problem), reml=True, progress=_Interrupt(), interruptible=True)
    assert found.search.stop is Stop.INTERRUPTED
    assert np.isfinite(found.theta).all()
    assert np.isfinite(found.beta).all()
    with pytest.raises(KeyboardInterrupt):
        fit_iterative(KrylovEngine(problem), reml=True, progress=_Interrupt())


def _traces(fit: Fit) -> list[np.ndarray]:
    return [mean.copy() for mean in fit.search.pls.factor.estimate().means]


def test_a_later_fit_does_not_mix_into_an_earlier_one():
    engine = KrylovEngine(graph("star"))
    first = fit_iterative(engine, reml=True, seed=1)
    before, probes = _traces(first), first.search.pls.factor.engine.probes.number
    fit_iterative(engine, reml=True, seed=2, mc_share=0.005)
    first.search.pls.factor.release()
    first.search.pls.factor._estimate = None
    for mine, want in zip(_traces(first), before, strict=True):
        np.testing.assert_array_equal(mine, want)
    assert first.search.pls.factor.engine.probes.number == probes
    assert first.search.pls.factor.engine.system is engine.system


def test_an_interrupted_criterion_is_said(monkeypatch):
    def interrupt(factor):
        raise KeyboardInterrupt

    monkeypatch.setattr(KrylovFactored, "log_determinant", interrupt)
    found = fit_iterative(KrylovEngine(graph("slopes")), reml=True, interruptible=True)
    assert found.certificate.converged
    assert np.isnan(found.criterion)
    with pytest.warns(ConvergenceWarning, match="The log-likelihood was interrupted: the criterion, AIC and BIC"):
        warn_of_search(found)
