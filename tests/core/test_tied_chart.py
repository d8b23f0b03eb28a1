"""Parameters of several terms as one coordinate, against differences and a search by values."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import approx_fprime, minimize

from mixedsparse import RandomTerm
from mixedsparse.core.choose.make import make_engine
from mixedsparse.core.engines.criteria import make_criterion
from mixedsparse.core.fitting.fit import fit_problem
from mixedsparse.core.likelihood.charted import ChartedCriterion
from mixedsparse.core.problem.problem import make_problem
from mixedsparse.core.problem.tied_chart import TiedChart

# Of the terms (1 + v | g), (0 + v | h) and (0 + w | h): the last two have one variance.
SHARED = np.array([0, 1, 2, 3, 3])


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    n = 300
    # Levels of h by decreasing number come after g: the order of theta is that of the terms.
    g, h = rng.integers(0, 15, n), rng.integers(0, 12, n)
    v, w = rng.normal(size=n), 3.0 * rng.normal(size=n)
    b, u = rng.normal(size=(15, 2)) @ [[1.0, 0.4], [0.0, 0.5]], 0.8 * rng.normal(size=(12, 2))
    y = b[g, 0] + b[g, 1] * v + u[h, 0] * v + u[h, 1] * w + rng.normal(size=n)
    terms = [
        RandomTerm("g", g, np.column_stack([np.ones(n), v])),
        RandomTerm("h", h, v[:, None], columns=("v",)),
        RandomTerm("h", h, w[:, None], columns=("w",)),
    ]
    return make_problem(y, np.ones((n, 1)), terms)


def test_derivatives_are_those_of_the_shared_coordinates(problem):
    chart = TiedChart(problem, SHARED)
    criterion = ChartedCriterion(make_criterion(make_engine(problem), False), chart)
    x = np.array([0.9, 0.3, 0.6, 0.7])
    found = criterion.differentiate(criterion.evaluate(x), exact=True)
    want = approx_fprime(x, lambda at: criterion.evaluate(at).criterion, 1e-6)
    np.testing.assert_allclose(found.gradient, want, atol=1e-3)
    want = approx_fprime(x, lambda at: criterion.gradient(criterion.evaluate(at)), 1e-6)
    np.testing.assert_allclose(found.hessian, want, rtol=1e-3, atol=1e-3)


def test_a_common_variance_is_the_best_there_is(problem):
    engine = make_engine(problem)
    fit = fit_problem(engine, False, chart=TiedChart(problem, SHARED))
    assert fit.certificate.converged
    assert fit.templates[1][0, 0] == pytest.approx(fit.templates[2][0, 0], rel=1e-12)
    criterion = make_criterion(engine, False)

    def value(phi):
        return criterion.evaluate(problem.layout.to_block @ phi[SHARED]).criterion

    want = minimize(value, [0.5, 0.1, 0.5, 0.5], method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-10})
    assert fit.criterion == pytest.approx(want.fun, abs=1e-8)
    np.testing.assert_allclose(fit.theta, want.x[SHARED], atol=1e-4)


def test_a_parameter_is_held_while_the_others_are_at_their_best(problem):
    engine, held = make_engine(problem), 0.8
    chart = TiedChart(problem, np.array([0, 1, -1, 2, 3]), {2: held})
    fit = fit_problem(engine, True, start=np.array([1.0, 0.2, held, 0.7, 0.3]), chart=chart)
    assert fit.theta[2] == pytest.approx(held, rel=1e-12)
    criterion = make_criterion(engine, True)

    def value(others):
        theta = np.array([*others[:2], held, *others[2:]])
        return criterion.evaluate(problem.layout.to_block @ theta).criterion

    want = minimize(value, [0.9, 0.3, 0.6, 0.4], method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-10})
    assert fit.criterion == pytest.approx(want.fun, abs=1e-8)
    assert value(fit.theta[[0, 1, 3, 4]]) == pytest.approx(fit.criterion, abs=1e-9)
