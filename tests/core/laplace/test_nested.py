"""Nested factors by compiled loops, against the engines that any design takes."""

from __future__ import annotations

import numpy as np
import pytest

from mixedsparse import RandomTerm
from mixedsparse.core.choose.make import make_engine
from mixedsparse.core.likelihood.family import FAMILIES
from mixedsparse.core.likelihood.laplace import nested
from mixedsparse.core.likelihood.laplace.criterion import LaplaceCriterion
from mixedsparse.core.likelihood.laplace.data import Data
from mixedsparse.core.problem.problem import make_problem

# One factor, and chains of two and three whose levels are numbered in no order; widths of their effects.
DESIGNS = {"one factor": [2], "two": [2, 1], "three": [1, 2, 1], "one row per level": [1, 1]}


def criteria(design: str, family: str = "binomial", n: int = 240) -> tuple[LaplaceCriterion, LaplaceCriterion]:
    """Return the criterion by compiled loops, and by an engine."""
    rng = np.random.default_rng([4, len(design)])
    x = rng.normal(size=n)
    X = np.column_stack([np.ones(n), x])
    coarse = rng.permutation(np.repeat(np.arange(8), n // 8))
    codes = [coarse]
    for pieces in (3, 2):
        codes.append(np.unique(codes[-1] * pieces + rng.integers(pieces, size=n), return_inverse=True)[1])
    if design == "one row per level":
        codes = [coarse, rng.permutation(n)]
    terms = [
        RandomTerm(f"g{i}", rng.permutation(code.max() + 1)[code], X[:, :width])
        for i, (code, width) in enumerate(zip(codes, DESIGNS[design], strict=False))
    ]
    eta = 0.4 * x + 0.7 * rng.normal(size=8)[coarse]
    made = FAMILIES[family]()
    m = rng.integers(1, 4, n).astype(float) if family == "binomial" else np.ones(n)
    y = (
        rng.binomial(m.astype(int), 1 / (1 + np.exp(-eta))) / m
        if family == "binomial"
        else rng.poisson(np.exp(eta)) * 1.0
    )
    problem = make_problem(np.zeros(n), X, terms)
    data = Data(problem, make_engine(problem, "split"), made, y, m, 0.1 * rng.normal(size=n))
    fast, slow = LaplaceCriterion(data), LaplaceCriterion(data)
    assert fast.nested is not None
    slow.__dict__["nested"] = None
    return fast, slow


def vector_of(criterion: LaplaceCriterion, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    theta = np.where(
        criterion.layout.is_diagonal, rng.uniform(0.3, 1.0, criterion.m), 0.2 * rng.normal(size=criterion.m)
    )
    return np.concatenate([theta, 0.2 * rng.normal(size=criterion.p)])


@pytest.mark.parametrize("family", ["binomial", "poisson"])
@pytest.mark.parametrize("zero", [False, True], ids=["inside", "on the boundary"])
@pytest.mark.parametrize("design", DESIGNS)
def test_the_loops_agree_with_the_engine(design: str, zero: bool, family: str) -> None:
    fast, slow = criteria(design, family)
    vector = vector_of(fast)
    if zero:
        vector[: fast.m][np.flatnonzero(fast.layout.is_diagonal)[-1]] = 0.0
    a, b = fast.evaluate(vector, fast.at_rest()), slow.evaluate(vector, slow.at_rest())
    assert a.criterion == pytest.approx(b.criterion, rel=1e-12)
    assert a.mode.logdet == pytest.approx(b.mode.logdet, rel=1e-10)
    np.testing.assert_allclose(a.mode.eta, b.mode.eta, rtol=1e-9, atol=1e-9)
    for name in ("zeta", "b"):
        for own, other in zip(getattr(a.mode, name), getattr(b.mode, name), strict=True):
            np.testing.assert_allclose(own, other, rtol=1e-8, atol=1e-8)
    got, want = fast.differentiate(a), slow.differentiate(b)
    scale = float(np.abs(want.hessian).max())
    np.testing.assert_allclose(got.gradient, want.gradient, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(fast.gradient(a), got.gradient, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(got.hessian, want.hessian, rtol=1e-8, atol=1e-8 * scale)
    np.testing.assert_allclose(got.information, want.information, rtol=1e-8)
    for own, other in zip(got.motion, want.motion, strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-7, atol=1e-7 * float(np.abs(other).max()))


def test_derivatives_near_a_point_are_those_of_an_evaluation_there() -> None:
    fast, _ = criteria("three")
    vector = vector_of(fast)
    at = fast.evaluate(vector, fast.at_rest())
    moved = vector + 1e-3
    there = fast.differentiate(fast.evaluate(moved, fast.at_rest()))
    near = fast.gradient_near(at, moved, at.mode.zeta)
    np.testing.assert_allclose(near, there.gradient, rtol=1e-9, atol=1e-9)


def test_a_first_start_next_to_the_mode_is_taken_without_a_look_at_others() -> None:
    fast, _ = criteria("two")
    vector = vector_of(fast)
    there = fast.evaluate(vector, fast.at_rest())
    near = [zeta + 1e-3 for zeta in there.mode.zeta]
    again = fast.evaluate(vector, near, [zeta + 50.0 for zeta in there.mode.zeta])
    assert again.criterion == pytest.approx(there.criterion, rel=1e-13)
    assert again.mode.factorisations <= 3


def test_the_best_of_several_starts_is_taken() -> None:
    fast, _ = criteria("two")
    vector = vector_of(fast)
    there = fast.evaluate(vector, fast.at_rest())
    far = [zeta + 50.0 for zeta in there.mode.zeta]
    again = fast.evaluate(vector, far, there.mode.zeta, fast.at_rest())
    assert again.criterion == pytest.approx(there.criterion, rel=1e-13)
    assert again.mode.factorisations <= 2


def test_crossed_factors_and_other_families_are_left_to_the_engines() -> None:
    rng = np.random.default_rng(0)
    X, one = np.ones((40, 1)), np.ones((40, 1))
    crossed = [
        RandomTerm("a", rng.integers(5, size=40), one),
        RandomTerm("b", rng.permutation(np.repeat(range(4), 10)), one),
    ]
    problem = make_problem(np.zeros(40), X, crossed)
    y = rng.integers(2, size=40).astype(float)
    data = Data(problem, make_engine(problem, "split"), FAMILIES["binomial"](), y, np.ones(40), np.zeros(40))
    assert nested.make_nested(data) is None
    alone = make_problem(np.zeros(40), X, crossed[:1])
    gamma = Data(alone, make_engine(alone, "split"), FAMILIES["gamma"](), y + 1.0, np.ones(40), np.zeros(40))
    assert nested.make_nested(gamma) is None
