"""Moment estimates: REML itself where the design is balanced, close to it elsewhere, positive definite always."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from mixedsparse.core.fitting.start import moment_start

BALANCED = [
    ("diameter ~ 1 + (1 | plate) + (1 | sample)", "Penicillin"),
    ("Reaction ~ Days + (Days | Subject)", "sleepstudy"),
    ("score ~ Machine + (1 | Worker) + (1 | Worker:Machine)", "Machines"),
]


def crossed(seed: int, n: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    g, h = rng.integers(0, 20, n), rng.integers(0, 15, n)
    x = rng.normal(size=n)
    slopes = rng.normal(size=(20, 2)) @ np.array([[1.0, 0.4], [0.0, 0.6]])
    y = slopes[g, 0] + slopes[g, 1] * x + 0.7 * rng.normal(size=15)[h] + rng.normal(size=n)
    return pd.DataFrame({"y": y, "x": x, "g": g, "h": h})


@pytest.mark.parametrize(("formula", "name"), BALANCED)
def test_balanced_designs_need_no_step(formula, name):
    fit = ms.lmer(formula, ms.datasets.load(name))
    assert fit.optim.nit == 0
    assert fit.optim.nfev <= 2
    start = moment_start(fit.model.problem)
    np.testing.assert_allclose(start, fit.fit.search.theta, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("seed", range(5))
def test_close_for_unbalanced_crossed_slopes(seed):
    fit = ms.lmer("y ~ x + (x | g) + (1 | h)", crossed(seed))
    problem = fit.model.problem
    start = moment_start(problem)
    one = fit.model.objective(np.where(problem.theta_layout.is_diagonal, 1.0, 0.0))
    assert fit.model.objective(problem.from_block @ start) - fit.criterion < min(6.0, 0.5 * (one - fit.criterion))
    assert fit.optim.nfev <= 6


def test_no_variance_still_starts_off_zero():
    data = crossed(1)
    data["y"] = np.random.default_rng(2).normal(size=len(data))
    model = ms.LinearMixedModel("y ~ x + (x | g) + (1 | h)", data)
    start = moment_start(model.problem)
    assert np.isfinite(start).all()
    assert start[model.problem.layout.is_diagonal].min() > 0


@pytest.mark.parametrize("right", ["(1 | h)", "x + (x | g)", "x + (x | g) + (1 | h)", "0 + (0 + x | g) + (1 + x || h)"])
def test_few_effects_have_the_estimates_of_many(right):
    problem = ms.LinearMixedModel(f"y ~ {right}", crossed(3)).problem
    np.testing.assert_allclose(moment_start(problem, few=1000), moment_start(problem, few=0), rtol=1e-10)
