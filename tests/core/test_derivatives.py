"""Gradient and Hessians: against differences on every design, and where they are exact by theory."""

from __future__ import annotations

import numpy as np
import pytest

from mixedsparse import RandomTerm
from mixedsparse.core.fitting.fit import fit_problem
from mixedsparse.core.likelihood.derivatives import differentiate
from mixedsparse.core.likelihood.hessian import observed_hessian
from mixedsparse.core.likelihood.interface import Engine
from mixedsparse.core.likelihood.pls import Pls, solve_pls
from mixedsparse.ground.limits import Limits
from tests.core.engines import ENGINES, SPLITS, engine_for
from tests.models import DESIGNS, Small, make, ones, random_theta, simulate

# Fourth-order differences with step 1e-3 of values of about 100: rounding leaves 1e-11, truncation about as much.
GRADIENT_TOL = 1e-8
# The same of gradients.
HESSIAN_TOL = 1e-7


def at(engine: Engine, theta: np.ndarray, reml: bool) -> Pls:
    return solve_pls(engine.problem, engine.factorize(engine.problem.layout.lams(theta)), reml)


def whitened_theta(small: Small, seed: int) -> np.ndarray:
    return small.problem().layout.to_block @ random_theta(small, seed)


def differences(f, theta: np.ndarray, h: float = 1e-3) -> np.ndarray:
    """Fourth-order central differences of a scalar function."""
    steps = h * np.eye(len(theta))
    return np.array(
        [(8 * (f(theta + s) - f(theta - s)) - f(theta + 2 * s) + f(theta - 2 * s)) / (12 * h) for s in steps]
    )


def close(mine: np.ndarray, want: np.ndarray, tol: float) -> None:
    np.testing.assert_allclose(mine, want, rtol=tol, atol=tol * np.abs(want).max())


@pytest.mark.parametrize("reml", [True, False], ids=["REML", "ML"])
@pytest.mark.parametrize("kind", ENGINES)
@pytest.mark.parametrize("name", DESIGNS)
def test_gradient_is_that_of_the_criterion(name, kind, reml):
    small = make(name, seed=4)
    engine, theta = engine_for(small.problem(), kind), whitened_theta(small, seed=5)
    gradient = differentiate(engine, at(engine, theta, reml), second=False).gradient
    close(gradient, differences(lambda x: at(engine, x, reml).criterion, theta), GRADIENT_TOL)


@pytest.mark.parametrize("kind", ENGINES)
@pytest.mark.parametrize("name", DESIGNS)
def test_gradient_on_the_boundary(name, kind):
    # Zeros on diagonals: the criterion is even in those columns, and nothing may divide by them.
    small = make(name, seed=6)
    engine = engine_for(small.problem(), kind)
    theta = engine.problem.layout.to_block @ random_theta(small, seed=7, zeros=True)
    gradient = differentiate(engine, at(engine, theta, True), second=False).gradient
    close(gradient, differences(lambda x: at(engine, x, True).criterion, theta), GRADIENT_TOL)


@pytest.mark.parametrize("reml", [True, False], ids=["REML", "ML"])
@pytest.mark.parametrize("kind", SPLITS)
@pytest.mark.parametrize("name", DESIGNS)
def test_exact_hessian_is_that_of_the_gradient(name, kind, reml):
    small = make(name, seed=8)
    engine, theta = engine_for(small.problem(), kind), whitened_theta(small, seed=9)
    derivatives = differentiate(engine, at(engine, theta, reml))
    assert derivatives.kind == "exact"
    observed = observed_hessian(lambda x: differentiate(engine, at(engine, x, reml), second=False).gradient, theta)
    close(derivatives.hessian, observed, HESSIAN_TOL)


@pytest.mark.parametrize("kind", ENGINES)
@pytest.mark.parametrize("name", ["crossed_slopes", "two_terms_per_factor", "filled"])
def test_average_information_does_not_depend_on_the_engine(name, kind):
    small = make(name, seed=10)
    theta = whitened_theta(small, seed=11)
    mine, reference = (engine_for(small.problem(), k) for k in (kind, "DenseCoupling"))
    mine, reference = (differentiate(e, at(e, theta, True), exact=False) for e in (mine, reference))
    assert mine.kind == reference.kind == "average information"
    close(mine.hessian, reference.hessian, 1e-11)


def balanced(*, slope: bool, crossed: bool) -> Small:
    """15 x 8 cells, the slope on a covariate that has the same values in every level."""
    rng = np.random.default_rng(12)
    a, b = (codes.ravel() for codes in np.indices((15, 8)))
    X = np.column_stack([np.ones(120), np.linspace(-1, 1, 8)[b]]) if slope else ones(120)
    terms = [RandomTerm("a", a, X)] + [RandomTerm("b", b, ones(120))] * crossed
    return simulate(rng, X, tuple(terms))


@pytest.mark.parametrize(("slope", "crossed"), [(False, False), (True, False), (False, True)])
def test_average_information_is_exact_at_balanced_optima(slope, crossed):
    # REML: sums of squares equal their expectations there. The two differ by a multiple of the gradient that is left.
    problem = balanced(slope=slope, crossed=crossed).problem()
    engine = engine_for(problem, "DenseCoupling")
    fit = fit_problem(engine, reml=True)
    assert fit.certificate.verdict == "converged"
    average, full = (differentiate(engine, fit.search.pls, exact=e).hessian for e in (False, True))
    close(average, full, 1e-6)


def test_hessian_needs_no_more_than_the_gradient_when_w_is_too_large():
    small = make("crossed", seed=0)
    engine = engine_for(small.problem(), "DenseCoupling")
    engine.limits = Limits(written=10)
    derivatives = differentiate(engine, at(engine, whitened_theta(small, seed=1), True))
    assert derivatives.kind == "average information"


def test_curvature_at_a_zero_diagonal_shows_the_descent():
    # At theta = 0 the gradient vanishes whatever the data; just off it the curvature says which way is down.
    small = make("intercept", seed=0)
    engine = engine_for(small.problem(), "DenseCoupling")
    derivatives = differentiate(engine, at(engine, np.array([1e-7]), True))
    assert abs(derivatives.gradient[0]) < 1e-4
    assert derivatives.hessian[0, 0] < -1.0
