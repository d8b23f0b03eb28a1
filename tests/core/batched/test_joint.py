"""The criterion in all parameters: value against the definition, derivatives against differences, in every chart."""

from __future__ import annotations

import numpy as np
import pytest

from mixedsparse.core.batch.batch import Responses
from mixedsparse.core.batch.coordinates import (
    coefficient_chart,
    correlation_chart,
    deviation_chart,
    plain_chart,
    sigma_chart,
)
from mixedsparse.core.batch.general import EngineBatch, make_batch
from mixedsparse.core.batch.joint_likelihood import JointCriterion
from mixedsparse.core.batch.one_factor import LevelBatch
from mixedsparse.core.batch.small import DenseBatch
from mixedsparse.core.batch.split import SplitBatch
from mixedsparse.core.choose.make import make_engine
from mixedsparse.core.engines.cholmod import cholmod
from tests.models import DESIGNS, make
from tests.oracle import one_hot

UNIT = 1.3
BACKENDS = ("split", "cholmod") if cholmod.available() else ("split",)


def all_charts(problem, reml):
    charts = [plain_chart(problem), sigma_chart(problem, UNIT)]
    if not reml:
        charts += [coefficient_chart(problem, j, 0.3, 0.2) for j in range(problem.p)]
    for t, term in enumerate(problem.terms):
        charts += [deviation_chart(problem, t, i, UNIT) for i in range(term.k)]
        charts += [correlation_chart(problem, t, i, j) for i in range(term.k) for j in range(i)]
    return charts


def points(charts, problem, seed=0):
    x = np.random.default_rng(seed).normal(scale=0.6, size=(len(charts), problem.n_theta + 2))
    x[:, -2] *= 0.3
    for row, chart in zip(x, charts, strict=True):
        np.maximum(row, chart.lower() + 0.2, out=row)
        if not chart.row.any():
            row[-1] = 0.0
    return x


def batches(problem):
    yield DenseBatch(make_engine(problem))
    yield from (EngineBatch(make_engine(problem, backend)) for backend in BACKENDS)
    if len(problem.layout.widths) == 1:
        yield LevelBatch(problem)
    elif problem.eliminable is not None:
        yield SplitBatch(make_engine(problem))


@pytest.mark.parametrize("reml", [False, True])
@pytest.mark.parametrize("name", DESIGNS)
def test_derivatives_match_differences(name, reml):
    problem = make(name, 1).problem()
    charts = all_charts(problem, reml)
    x, index = points(charts, problem), np.arange(len(charts))
    criteria = [
        JointCriterion(batch, charts, Responses.of(problem, len(charts)), UNIT, reml) for batch in batches(problem)
    ]
    # Differences of one: all have the same values.
    first = criteria[0]
    value = first(x, index).value
    gradient, hessian = (np.empty((len(x), *shape)) for shape in (x.shape[1:], 2 * x.shape[1:]))
    for i, step in enumerate(1e-5 * np.eye(x.shape[1])):
        above, below = first(x + step, index), first(x - step, index)
        gradient[:, i] = (above.value - below.value) / 2e-5
        hessian[:, i] = (above.gradient - below.gradient) / 2e-5
    for criterion in criteria:
        at = criterion(x, index)
        np.testing.assert_allclose(at.value, value, rtol=1e-10)
        assert np.abs(gradient - at.gradient).max() < 1e-7 * np.abs(gradient).max()
        assert np.abs(hessian - at.hessian).max() < 1e-7 * np.abs(hessian).max()


@pytest.mark.parametrize("name", ["slopes", "crossed_slopes", "double_bar", "weighted", "rank_deficient"])
def test_value_matches_the_normal_density(name):
    small = make(name, 2)
    problem = small.problem()
    charts = all_charts(problem, False)
    x, index = points(charts, problem), np.arange(len(charts))
    criterion = JointCriterion(
        make_batch(make_engine(problem)), charts, Responses.of(problem, len(charts)), UNIT, False
    )
    got = criterion(x, index)
    covariances = criterion.covariances(x, index)
    n = len(small.y)
    for i, chart in enumerate(charts):
        V = np.diag(np.ones(n) if small.weights is None else 1.0 / small.weights) * (UNIT * np.exp(x[i, -2])) ** 2
        for term, cov in zip(problem.terms, covariances, strict=True):
            Z = one_hot(term)
            V += Z @ np.kron(np.eye(term.n_levels), cov[i]) @ Z.T
        beta = problem.basis.beta(got.gamma[i])
        residual = small.y - small.X_kept @ beta
        want = n * np.log(2 * np.pi) + np.linalg.slogdet(V)[1] + residual @ np.linalg.solve(V, residual)
        assert got.value[i] == pytest.approx(want, rel=1e-10)
        if chart.row.any():
            assert np.isclose(beta, chart.value(x[i, -1]), rtol=1e-9).any()


@pytest.mark.parametrize("term", [0, 1])
def test_charts_hold_what_they_name(term):
    problem = make("crossed_slopes", 3).problem()
    charts = [deviation_chart(problem, term, i, UNIT) for i in range(2)] + [correlation_chart(problem, term, 0, 1)]
    charts += [correlation_chart(problem, term, 1, 0), sigma_chart(problem, UNIT)]
    x, index = points(charts, problem), np.arange(len(charts))
    criterion = JointCriterion(
        DenseBatch(make_engine(problem)), charts, Responses.of(problem, len(charts)), UNIT, False
    )
    cov = criterion.covariances(x, index)[term]
    sd = np.sqrt(np.diagonal(cov, axis1=1, axis2=2))
    held = [float(chart.value(x[i, chart.position])) for i, chart in enumerate(charts)]
    correlation = cov[:, 0, 1] / sd.prod(axis=1)
    np.testing.assert_allclose(np.abs(held[:2]), [sd[0, 0], sd[1, 1]])
    np.testing.assert_allclose(held[2:4], correlation[2:4])
    assert held[4] == pytest.approx(UNIT * np.exp(x[4, -2]))


def test_coordinates_return_the_covariances():
    problem = make("factor_slopes", 3).problem()
    rng = np.random.default_rng(0)
    templates = [np.tril(rng.normal(size=(t.k, t.k))) for t in problem.terms]
    charts = all_charts(problem, False)
    x = np.array([chart.coordinates(templates, 0.2) for chart in charts])
    criterion = JointCriterion(
        DenseBatch(make_engine(problem)), charts, Responses.of(problem, len(charts)), UNIT, False
    )
    for got, lam in zip(criterion.covariances(x, np.arange(len(charts))), templates, strict=True):
        np.testing.assert_allclose(got, np.broadcast_to(UNIT**2 * lam @ lam.T, got.shape), atol=1e-12)


def test_absurd_points_are_infinite_and_leave_the_others_alone():
    problem = make("dependent_basis", 0).problem()
    charts = [plain_chart(problem)] * 2
    criterion = JointCriterion(LevelBatch(problem), charts, Responses.of(problem, 2), UNIT, True)
    x = np.zeros((2, problem.n_theta + 2))
    x[0, 0] = 1e9
    value = criterion(x, np.arange(2)).value
    assert value[0] == np.inf
    assert np.isfinite(value[1])
