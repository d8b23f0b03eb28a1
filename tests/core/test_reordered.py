"""Newton's step with effects in another order: true to the criterion, and out of the valleys of small pivots."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from mixedsparse.core.engines.criteria import make_criterion
from mixedsparse.core.fitting import objective
from mixedsparse.core.fitting.reordered import reordered_step

FORMULA = "y ~ A * B + (A * B | s) + (A * B | i)"


def singular(seed: int, rank: int, sizes: tuple[float, ...]) -> pd.DataFrame:
    """24 subjects x 24 items x 2 x 2, the effects of both of a covariance of that rank."""
    rng = np.random.default_rng([seed, rank, 12, 7])
    s, i, a, b = (index.ravel() for index in np.indices((24, 24, 2, 2)))
    A, B = a - 0.5, b - 0.5
    z = np.column_stack([np.ones(len(s)), A, B, A * B])
    y = z @ np.array([600.0, 20.0, -15.0, 10.0]) + rng.standard_normal(len(s))
    for codes in (s, i):
        loadings = rng.normal(size=(4, rank))
        loadings *= np.array(sizes)[:, None] / np.linalg.norm(loadings, axis=1)[:, None]
        y += np.einsum("nk,nk->n", z, (rng.standard_normal((24, rank)) @ loadings.T)[codes])
    return pd.DataFrame({"s": s, "i": i, "A": A, "B": B, "y": y})


@pytest.fixture(scope="module")
def model() -> ms.LinearMixedModel:
    return ms.LinearMixedModel(FORMULA, singular(1, 1, (0.0, 1.0, 1.0, 1.0)))


def theta_of(problem, seed: int, pivot: float) -> np.ndarray:
    """Any theta with a small first pivot."""
    theta = np.random.default_rng(seed).normal(size=problem.n_theta)
    theta[problem.layout.row == 0] = pivot
    return problem.layout.positive(theta)


@pytest.mark.parametrize("pivot", [0.1, 1e-4, 1e-7])
@pytest.mark.parametrize("reml", [True, False])
def test_the_criterion_falls_as_the_step_promises(model, reml, pivot):
    problem = model.problem
    criterion = make_criterion(model.engine(), reml)
    theta = theta_of(problem, 5, pivot)
    at = criterion.evaluate(theta)
    before = at.criterion
    found = criterion.differentiate(at, exact=True)
    falls = []
    for radius in (3e-2, 3e-3):
        step = reordered_step(problem.layout, theta, found, radius)
        fall = before - criterion.evaluate(theta + step.move).criterion
        falls.append(abs(fall / step.predicted - 1.0))
    # What the quadratic model leaves out is of the third order, and the fall itself of the first.
    assert falls[1] < 1e-3
    assert falls[1] < 0.05 * falls[0] + 1e-6


def test_an_order_that_is_good_already_is_left(model):
    problem = model.problem
    criterion = make_criterion(model.engine(), True)
    lams = [np.diag([4.0, 3.0, 2.0, 1.0])] * 2
    at = criterion.evaluate(problem.layout.gather(lams))
    found = criterion.differentiate(at, exact=True)
    assert reordered_step(problem.layout, problem.layout.gather(lams), found, 1.0) is None


def test_average_information_is_not_carried_over(model):
    problem = model.problem
    criterion = make_criterion(model.engine(), True)
    theta = theta_of(problem, 6, 0.01)
    at = criterion.evaluate(theta)
    exact = criterion.differentiate(at, exact=True)
    assert reordered_step(problem.layout, theta, exact, 1.0) is not None
    assert reordered_step(problem.layout, theta, replace(exact, kind="average information"), 1.0) is None
    assert reordered_step(problem.layout, theta, replace(exact, in_entries=None), 1.0) is None


# Evaluations, and criterion at the end, of searches that keep the order of the formula.
CREEPING = [
    (1, 1, (0.0, 1.0, 1.0, 1.0), 353, 6636.215883637),
    (12, 2, (0.05, 0.5, 0.5, 0.5), 266, 6747.886262998),
]


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "rank", "sizes", "evaluations", "criterion"), CREEPING)
def test_searches_do_not_creep_about_a_small_pivot(seed, rank, sizes, evaluations, criterion, monkeypatch):
    model, options = ms.LinearMixedModel(FORMULA, singular(seed, rank, sizes)), ms.FitOptions(restart_budget=0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ms.SingularFitWarning)
        found = model.fit(options=options)
        assert found.optim.nfev <= 20
        assert found.certificate.verdict == "converged on the boundary"
        assert found.criterion == pytest.approx(criterion, abs=1e-6)
        monkeypatch.setattr(objective, "_PATIENT", 10_000)
        assert model.fit(options=options).optim.nfev > evaluations / 2
