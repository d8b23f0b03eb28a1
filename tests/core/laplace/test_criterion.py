"""The Laplace criterion against the dense referee, and its derivatives against differences."""

from __future__ import annotations

import numpy as np
import pytest

from mixedsparse.core.choose.make import make_engine
from mixedsparse.core.engines.cholmod import cholmod
from mixedsparse.core.likelihood.laplace.criterion import LaplaceCriterion, Point
from mixedsparse.core.likelihood.laplace.data import Data
from mixedsparse.core.problem.problem import make_problem
from tests.core.laplace.cases import KINDS, STRUCTURES, Case, make_case
from tests.core.laplace.oracle import gradient

BACKENDS = ["split", *(["cholmod"] if cholmod.available() else [])]
# Sixth-order differences of a criterion that is known to 1e-10.
DIFFERENCES = 1e-7


def at_case(case: Case, backend: str) -> tuple[LaplaceCriterion, Point]:
    """Criterion of `case`, evaluated at its parameters."""
    dense = case.dense
    problem = make_problem(np.zeros(len(dense.y)), dense.X, dense.terms)
    data = Data(problem, make_engine(problem, backend), dense.family, dense.y, dense.m, dense.offset)
    criterion = LaplaceCriterion(data)
    psi = [case.psi] if dense.family.has_dispersion else []
    vector = np.concatenate([problem.layout.to_block @ case.theta, data.root @ case.beta, psi])
    return criterion, criterion.evaluate(vector, criterion.at_rest())


def cases() -> list[tuple[str, str, str, str]]:
    """Every kind with every structure; engines take turns."""
    pairs = [(family, link, structure) for family, link in KINDS for structure in STRUCTURES]
    return [(*pair, BACKENDS[i % len(BACKENDS)]) for i, pair in enumerate(pairs)]


@pytest.mark.parametrize(("family", "link", "structure", "backend"), cases())
def test_criterion_and_gradient(family: str, link: str, structure: str, backend: str) -> None:
    case = make_case(family, link, structure)
    criterion, point = at_case(case, backend)
    want = case.dense.laplace(case.theta, case.beta, case.psi)
    assert point.criterion == pytest.approx(want, rel=1e-9)

    def value(vector: np.ndarray) -> float:
        return criterion.evaluate(vector, point.mode.zeta).criterion

    want_slope = gradient(value, point.vector)
    got = criterion.differentiate(point).gradient
    assert got == pytest.approx(want_slope, abs=DIFFERENCES * float(np.abs(want_slope).max()))
    assert criterion.gradient(point) == pytest.approx(got, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize(("family", "link"), [("binomial", "probit"), ("nb1", "log"), ("gamma", "inverse")])
def test_the_mode_moves_as_predicted(family: str, link: str, structure: str) -> None:
    criterion, point = at_case(make_case(family, link, structure), "split")
    motion = criterion.differentiate(point).motion
    for i in range(criterion.size):
        move = np.zeros(criterion.size)
        move[i] = 1e-4
        ahead, behind = (criterion.evaluate(point.vector + s * move, point.mode.zeta).mode.zeta for s in (1, -1))
        for a, b, d in zip(ahead, behind, motion, strict=True):
            assert d[:, :, i] == pytest.approx((a - b) / 2e-4, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize(("family", "link"), [("binomial", "logit"), ("poisson", "log"), ("negative_binomial", "log")])
def test_without_random_effects_the_curvature_is_the_hessian(family: str, link: str) -> None:
    """At a theta of nearly 0 log|M| is nothing, and the curvature in the other parameters exact."""
    case = make_case(family, link, "crossed")
    criterion, point = at_case(case, "split")
    vector = point.vector.copy()
    vector[: criterion.m] = 1e-6
    there = criterion.evaluate(vector, criterion.at_rest())
    got = criterion.differentiate(there).hessian[criterion.m :, criterion.m :]

    def slope(free: np.ndarray) -> np.ndarray:
        moved = np.concatenate([vector[: criterion.m], free])
        return criterion.gradient(criterion.evaluate(moved, criterion.at_rest()))[criterion.m :]

    free = vector[criterion.m :]
    for i in range(len(free)):
        move = np.zeros(len(free))
        move[i] = 1e-4
        assert got[:, i] == pytest.approx((slope(free + move) - slope(free - move)) / 2e-4, rel=1e-5, abs=1e-4)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_on_the_boundary_the_gradient_is_exact(structure: str) -> None:
    case = make_case("binomial", "logit", structure)
    case.theta[0] = 0.0
    criterion, point = at_case(case, "split")
    assert point.criterion == pytest.approx(
        case.dense.laplace(case.theta, case.beta), abs=1e-7
    )  # theta is kept 1e-8 off 0

    def value(vector: np.ndarray) -> float:
        return criterion.evaluate(vector, criterion.at_rest()).criterion

    got = criterion.gradient(point)
    assert got == pytest.approx(gradient(value, point.vector), abs=1e-6)
