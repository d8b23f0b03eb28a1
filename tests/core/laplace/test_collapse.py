"""Rows that agree in all but the response: one row each gives the same likelihood."""

from __future__ import annotations

import numpy as np
import pytest

from mixedsparse import RandomTerm
from mixedsparse.core.choose.make import make_engine
from mixedsparse.core.fitting.laplace import fit_generalized
from mixedsparse.core.likelihood.family import FAMILIES
from mixedsparse.core.likelihood.laplace.collapse import collapsed
from mixedsparse.core.problem.problem import make_problem
from mixedsparse.ground.limits import Limits


def design(seed: int, distinct: bool = False) -> tuple[np.ndarray, np.ndarray, list[RandomTerm], np.ndarray]:
    """Two by two cells within 30 groups and 4 blocks, about 13 rows each; the offset belongs to the cell."""
    rng = np.random.default_rng(seed)
    n = 1600
    g, h, a = rng.integers(30, size=n), rng.integers(4, size=n), rng.integers(2, size=n)
    X = np.column_stack([np.ones(n), a - 0.5, rng.normal(size=n) if distinct else h == 2])
    terms = [RandomTerm("g", g, X[:, :2]), RandomTerm("h", h, np.ones((n, 1)))]
    offset = 0.1 * a
    eta = offset + X @ [0.3, 0.5, -0.2] + rng.normal(size=(30, 2))[g] @ [0.8, 0.0] + 0.3 * rng.normal(size=4)[h]
    return eta, X, terms, offset


@pytest.mark.parametrize(("family", "link"), [("binomial", "logit"), ("binomial", "cloglog"), ("poisson", "log")])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_fit_is_the_same(family: str, link: str, weighted: bool) -> None:
    eta, X, terms, offset = design(1)
    rng = np.random.default_rng(2)
    made = FAMILIES[family](link)
    weights = rng.integers(1, 5, size=len(eta)).astype(float) if weighted else np.ones(len(eta))
    mu = made.mean(eta)
    y = rng.binomial(weights.astype(int), mu) / weights if family == "binomial" else rng.poisson(mu).astype(float)
    engine = make_engine(make_problem(np.zeros(len(eta)), X, terms))
    few = fit_generalized(engine, made, y, weights, offset)
    assert few.data.n < len(eta) / 4
    never = make_engine(engine.problem, limits=Limits(collapsed=10**9))
    all_rows = fit_generalized(never, made, y, weights, offset)
    assert all_rows.data.n == len(eta)
    assert few.criterion == pytest.approx(all_rows.criterion, rel=1e-11)
    assert few.saturated == pytest.approx(all_rows.saturated, rel=1e-13)
    assert sum(few.pieces) == pytest.approx(few.criterion, rel=1e-12)
    assert few.theta == pytest.approx(all_rows.theta, abs=1e-4)
    assert few.beta == pytest.approx(all_rows.beta, abs=1e-4)
    assert few.eta == pytest.approx(all_rows.eta, abs=1e-3)
    assert few.cov_beta == pytest.approx(all_rows.cov_beta, rel=1e-3, abs=1e-6)


def test_rows_that_differ_stay() -> None:
    eta, X, terms, offset = design(3, distinct=True)
    engine = make_engine(make_problem(np.zeros(len(eta)), X, terms))
    y = (np.random.default_rng(0).random(len(eta)) < 0.5).astype(float)
    fit = fit_generalized(engine, FAMILIES["binomial"](), y, None, offset, errors=False)
    assert fit.data.n == len(eta)
    assert collapsed(fit.data) is None


def test_dispersion_keeps_every_row() -> None:
    eta, X, terms, offset = design(4)
    engine = make_engine(make_problem(np.zeros(len(eta)), X, terms))
    y = np.random.default_rng(0).poisson(np.exp(eta)).astype(float)
    fit = fit_generalized(engine, FAMILIES["negative_binomial"](), y, None, offset, errors=False)
    assert fit.data.n == len(eta)
