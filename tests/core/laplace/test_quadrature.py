"""Adaptive quadrature against the dense referee, differences, lme4 (scalar) and a referee of its own kind (vector)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mixedsparse import datasets
from mixedsparse.core.choose.make import make_engine
from mixedsparse.core.likelihood.laplace.criterion import LaplaceCriterion
from mixedsparse.core.likelihood.laplace.data import Data
from mixedsparse.core.likelihood.laplace.quadrature import QuadratureCriterion
from mixedsparse.core.problem.problem import make_problem
from mixedsparse.ground.errors import OptionError
from mixedsparse.ground.limits import Limits
from tests.core.laplace.cases import KINDS, Case, make_case
from tests.core.laplace.oracle import gradient
from tests.core.laplace.test_fit import cbpp, fit, grouse, term


def criteria(case: Case, *nodes: int, **limits: int) -> tuple[np.ndarray, list[LaplaceCriterion]]:
    """Parameters of `case`, and its criterion by each number of nodes."""
    dense = case.dense
    problem = make_problem(np.zeros(len(dense.y)), dense.X, dense.terms)
    data = Data(
        problem, make_engine(problem, "split", limits=Limits(**limits)), dense.family, dense.y, dense.m, dense.offset
    )
    psi = [case.psi] if dense.family.has_dispersion else []
    vector = np.concatenate([problem.layout.to_block @ case.theta, data.root @ case.beta, psi])
    return vector, [LaplaceCriterion(data), *(QuadratureCriterion(data, n) for n in nodes)]


@pytest.mark.parametrize(("family", "link"), KINDS)
@pytest.mark.parametrize("structure", ["scalar", "slope"])
def test_value_and_gradient(family: str, link: str, structure: str) -> None:
    case = make_case(family, link, structure)
    vector, (laplace, one, five) = criteria(case, 1, 5)
    point, plain, same = (c.evaluate(vector, c.at_rest()) for c in (five, laplace, one))
    assert point.criterion == pytest.approx(case.dense.quadrature(case.theta, case.beta, case.psi, 5), rel=1e-10)
    assert same.criterion == pytest.approx(plain.criterion, rel=1e-12)
    assert one.gradient(same) == pytest.approx(laplace.gradient(plain), rel=1e-8, abs=1e-8)
    want = gradient(lambda v: five.evaluate(v, point.mode.zeta).criterion, vector)
    assert five.differentiate(point).gradient == pytest.approx(want, abs=1e-7 * float(np.abs(want).max()))


def test_nodes_in_batches_change_nothing() -> None:
    vector, (_, five) = criteria(make_case("nb1", "log", "slope"), 5)
    _, (_, few) = criteria(make_case("nb1", "log", "slope"), 5, nodes=200)
    point = five.evaluate(vector, five.at_rest())
    slope = five.gradient(point)
    again = few.evaluate(vector, few.at_rest())
    assert again.criterion == pytest.approx(point.criterion, rel=1e-14)
    assert few.gradient(again) == pytest.approx(slope, rel=1e-11, abs=1e-11)


def test_cbpp_with_nine_nodes() -> None:
    found = cbpp("logit", nodes=9)
    assert found.criterion - found.saturated == pytest.approx(100.0100361, abs=1e-6)  # lme4: without the constant
    assert found.certificate.converged
    assert found.evaluations <= 11


def test_cbpp_cloglog_with_25_nodes() -> None:
    found = cbpp("cloglog", nodes=25)
    assert found.criterion - found.saturated == pytest.approx(99.5336615, abs=1e-6)


def test_correlated_effects_with_seven_nodes() -> None:
    """Values of a dense referee by the same product rule, from two starts."""
    data = datasets.load("Contraception")
    urban = (data["urban"] == "Y").astype(float)
    data = data.assign(urban_y=urban)
    livch = pd.get_dummies(data["livch"].astype(str), dtype=float).iloc[:, 1:]
    X = np.column_stack([np.ones(len(data)), data["age"], data["age"] ** 2, urban, livch])
    y = (data["use"] == "Y").astype(float)
    found = fit("binomial", "logit", y, X, [term(data, "district", "urban_y")], nodes=7)
    assert found.criterion == pytest.approx(2360.0155044133812, abs=1e-6)
    assert found.evaluations <= 14


def test_quadrature_needs_one_factor() -> None:
    with pytest.raises(OptionError, match="one grouping factor"):
        grouse("poisson", "BROOD", "LOCATION", nodes=5)
