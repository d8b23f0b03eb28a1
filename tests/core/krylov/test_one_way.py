"""Products with pairs that are listed one way only: those of dense matrices, whatever the numbers and the columns."""

from __future__ import annotations

import numpy as np
import pytest

from mixedsparse.core.engines.krylov.one_way import OneWay
from mixedsparse.core.problem.crossproducts import Pairs


def pairs_of(dense: np.ndarray) -> Pairs:
    rows, columns = np.nonzero(dense)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(dense)))])
    return Pairs(indptr, columns, dense[rows, columns][:, None, None], dense.shape[1])


@pytest.fixture(scope="module", params=["ones", "numbers"])
def dense(request) -> np.ndarray:
    rng = np.random.default_rng(3)
    # Some rows and columns are empty, some columns are met much more often than others.
    met = rng.random((37, 23)) < np.linspace(0.0, 0.7, 23)
    return met * (1.0 if request.param == "ones" else rng.normal(size=met.shape))


@pytest.mark.parametrize("columns", [1, 2, 4, 7])
@pytest.mark.parametrize("threaded", [0.0, 1e9])
def test_products(dense, columns, threaded):
    rng = np.random.default_rng(columns)
    one_way = OneWay.of(pairs_of(dense), threaded)
    assert (one_way.values is None) == bool((dense[dense != 0] == 1.0).all())
    x, y, weights = rng.normal(size=(23, columns)), rng.normal(size=(37, columns)), rng.random(37)
    np.testing.assert_allclose(one_way.to_s(x), dense @ x, atol=1e-13)
    np.testing.assert_allclose(one_way.to_t(y), dense.T @ y, atol=1e-13)
    np.testing.assert_allclose(one_way.through(weights, x), dense.T @ (weights[:, None] * (dense @ x)), atol=1e-12)


def test_diagonals(dense):
    rng = np.random.default_rng(9)
    one_way = OneWay.of(pairs_of(dense))
    s, t = rng.random(37), rng.random(23)
    np.testing.assert_allclose(one_way.squares_to_s(t), np.diag(dense @ np.diag(t) @ dense.T), atol=1e-13)
    np.testing.assert_allclose(one_way.squares_to_t(s), np.diag(dense.T @ np.diag(s) @ dense), atol=1e-13)


def test_other_numbers_take_the_same_pattern(dense):
    other = np.where(dense != 0, 2.5, 0.0)
    x = np.random.default_rng(1).normal(size=(23, 3))
    np.testing.assert_allclose(OneWay.of(pairs_of(dense)).refilled(pairs_of(other)).to_s(x), other @ x, atol=1e-13)
