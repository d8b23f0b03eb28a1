"""Which covariance parameters a design identifies: the random test against the rank of dense matrices."""

from __future__ import annotations

import numpy as np
import pytest

from mixedsparse import RandomTerm
from mixedsparse.core.choose.make import make_engine
from mixedsparse.core.fitting.identification import unidentified_directions
from mixedsparse.core.problem.problem import Problem, make_problem
from tests.models import DESIGNS, make, ones


def projected(problem: Problem) -> np.ndarray:
    """Vec of P G_i P and of P, (n^2, m + 1), whitened bases, each over its size before the projection."""
    n, layout = problem.n, problem.layout
    P = np.eye(n) - problem.basis.q @ problem.basis.q.T
    columns = []
    for b, row, col in zip(layout.block, layout.row, layout.col, strict=True):
        block = problem.blocks[b]
        meet = block.codes[:, None] == block.codes
        G = np.outer(block.z[:, row], block.z[:, col]) * meet
        G = G + G.T if row != col else G
        columns.append((P @ G @ P).ravel() / max(np.linalg.norm(G), 1e-300))
    return np.column_stack([*columns, P.ravel() / np.sqrt(n)])


def nullity(problem: Problem) -> int:
    table = projected(problem)
    return table.shape[1] - int((np.linalg.svd(table, compute_uv=False) > 1e-9).sum())


def loose(name: str) -> tuple[Problem, int]:
    """Problem of a design that does not identify everything, and the number of directions, counted by hand."""
    rng = np.random.default_rng(3)
    g, x = rng.permutation(np.arange(60) % 6), rng.normal(size=60)
    h, y = np.arange(60) % 5, rng.normal(size=60)
    dummies, one, between = np.eye(6)[g], ones(60), (g < 3) * 1.0
    X, weights = np.column_stack([one, x]), None
    terms: dict[str, tuple[np.ndarray, list[RandomTerm], int]] = {
        "fixed and random": (dummies, [RandomTerm("g", g, one)], 1),
        "fixed and random, crossed": (dummies, [RandomTerm("g", g, one), RandomTerm("h", h, one)], 1),
        "fixed and random with slopes": (dummies, [RandomTerm("g", g, X)], 2),
        "two names": (X, [RandomTerm("g", g, one), RandomTerm("k", 5 - g, one)], 1),
        "constant slope": (X, [RandomTerm("g", g, np.column_stack([one, 5.0 * one]))], 2),
        "vanishing slope": (X, [RandomTerm("g", g, np.column_stack([one, 0.0 * one]))], 2),
        "binary slope between": (X, [RandomTerm("g", g, np.column_stack([one, between]))], 1),
        "never together": (X, [RandomTerm("g", g, np.column_stack([between, 1.0 - between]))], 1),
        "coinciding interaction": (
            X,
            [RandomTerm("g", g, one), RandomTerm("k", g + 0, one), RandomTerm("g:k", 5 - g, one)],
            2,
        ),
        "a level per row": (X, [RandomTerm("row", rng.permutation(60), one), RandomTerm("g", g, one)], 1),
        "weighted": (dummies, [RandomTerm("g", g, one), RandomTerm("h", h, X)], 1),
    }
    if name == "weighted":
        weights = 10.0 ** rng.uniform(-3, 3, 60)
    design, parts, count = terms[name]
    return make_problem(y, design, parts, weights), count


LOOSE = [
    "fixed and random",
    "fixed and random, crossed",
    "fixed and random with slopes",
    "two names",
    "constant slope",
    "vanishing slope",
    "binary slope between",
    "never together",
    "coinciding interaction",
    "a level per row",
    "weighted",
]


@pytest.mark.parametrize("name", LOOSE)
def test_directions_that_vanish(name):
    problem, count = loose(name)
    found = unidentified_directions(make_engine(problem))
    assert found.shape == (problem.n_theta + 1, count)
    assert nullity(problem) == count
    # Each combination vanishes indeed.
    n, P = problem.n, np.eye(problem.n) - problem.basis.q @ problem.basis.q.T
    for direction in found.T:
        direction = direction / np.abs(direction).max()
        total, size = direction[-1] * np.eye(n), 1.0
        places = zip(problem.layout.block, problem.layout.row, problem.layout.col, strict=True)
        for value, (b, row, col) in zip(direction, places, strict=False):
            block = problem.blocks[b]
            G = np.outer(block.z[:, row], block.z[:, col]) * (block.codes[:, None] == block.codes)
            G = G + G.T if row != col else G
            total, size = total + value * G, size + np.linalg.norm(value * G)
        assert np.linalg.norm(P @ total @ P) < 1e-10 * size


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", DESIGNS)
def test_no_direction_where_the_rank_is_full(name, seed):
    problem = make(name, seed).problem()
    assert unidentified_directions(make_engine(problem)).shape[1] == nullity(problem)


def test_more_parameters_than_the_contrasts_can_hold():
    rng = np.random.default_rng(5)
    n = 7
    X = np.column_stack([np.ones(n), rng.normal(size=(n, 4))])
    # Two contrasts are left: three numbers, for 2 + 1 variances of factors and the residual.
    terms = [RandomTerm(name, np.arange(n) % k, ones(n)) for name, k in (("a", 2), ("b", 3), ("c", 4))]
    problem = make_problem(rng.normal(size=n), X, terms)
    assert nullity(problem) == 1
    assert unidentified_directions(make_engine(problem)).shape[1] == 1
