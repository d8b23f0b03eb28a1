"""The dense form of the criterion agrees with the engines in every number."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from mixedsparse.core.engines.dense.cholesky import DenseCriterion, is_small
from mixedsparse.core.likelihood.derivatives import differentiate
from mixedsparse.core.likelihood.pls import solve_pls
from mixedsparse.ground.errors import NotPositiveDefiniteError

RIGHT_SIDES = [
    "x + (1 | g)",
    "0 + (1 + x | g)",
    "x + (1 + x | g) + (1 + x || h)",
    "x + (1 | g) + (1 | h) + (0 + x | g:h)",
]


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(3)
    n = 150
    g, h = rng.integers(0, 8, n), rng.integers(0, 5, n)
    y = rng.normal(size=8)[g] + rng.normal(size=5)[h] + rng.normal(size=n)
    return pd.DataFrame({"y": y, "x": rng.normal(size=n), "g": g, "h": h})


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("right", RIGHT_SIDES)
def test_agrees_with_the_engine(data, right, reml):
    model = ms.LinearMixedModel(f"y ~ {right}", data)
    engine, layout = model.engine(), model.problem.layout
    assert is_small(engine)
    theta = np.random.default_rng(4).uniform(0.2, 1.5, len(layout.block))
    dense = DenseCriterion(engine, reml)
    point, pls = dense.evaluate(theta), solve_pls(model.problem, engine.factorize(layout.lams(theta)), reml)
    assert point.criterion == pytest.approx(pls.criterion, rel=1e-12)
    for exact in (True, False):
        mine, reference = dense.differentiate(point, exact), differentiate(engine, pls, exact=exact)
        assert mine.kind == reference.kind
        np.testing.assert_allclose(mine.gradient, reference.gradient, atol=1e-9)
        np.testing.assert_allclose(mine.hessian, reference.hessian, rtol=1e-8, atol=1e-8)
    mine = dense.pls(point)
    for name in ("gamma", "K", "pwrss"):
        np.testing.assert_allclose(getattr(mine, name), getattr(pls, name), rtol=1e-10, atol=1e-12)
    for name in ("Hx", "zeta", "modes"):
        for one, other in zip(getattr(mine, name), getattr(pls, name), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-10)
    assert mine.factor.logdet == pytest.approx(pls.factor.logdet)


def test_refuses_a_theta_that_overflows(data):
    model = ms.LinearMixedModel("y ~ x + (1 | g)", data)
    with pytest.raises(NotPositiveDefiniteError), np.errstate(all="ignore"):
        DenseCriterion(model.engine(), True).evaluate(np.array([1e200]))


def test_only_small_problems_of_the_split(data):
    model = ms.LinearMixedModel("y ~ x + (1 | g)", data)
    large = ms.LinearMixedModel("y ~ 1 + (1 | g)", data.assign(g=np.arange(len(data)) // 2))
    assert is_small(model.engine())
    assert not is_small(large.engine())
