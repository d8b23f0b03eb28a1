"""Cross-products by weights, by whichever passes over the rows, against dense matrices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mixedsparse import RandomTerm
from mixedsparse.core.problem.agreeing import agreeing_rows
from mixedsparse.core.problem.edits import reweighted
from mixedsparse.core.problem.known_columns import KnownColumns
from mixedsparse.core.problem.problem import make_problem
from mixedsparse.core.problem.reweighting import sum_of_logs
from mixedsparse.core.problem.whole import whole
from mixedsparse.ground.limits import LIMITS

# Neither one dense product nor equal rows.
ROWS = replace(LIMITS, whole=0.0, collapsed=10**9)


def crossed(levels: tuple[int, int], n: int, k: tuple[int, int], distinct: int | None = None):
    rng = np.random.default_rng(5)

    def covariate():
        return rng.normal(size=n) if distinct is None else rng.integers(0, distinct, n) - 0.5

    terms = []
    for size, width in zip(levels, k, strict=True):
        codes = np.append(np.arange(size), rng.integers(0, size, n - size))
        z = np.column_stack([np.ones(n), *(covariate() for _ in range(width - 1))])
        terms.append(RandomTerm(f"g{size}", codes, z))
    X = np.column_stack([np.ones(n), covariate()])
    return make_problem(rng.normal(size=n), X, terms)


def assert_products(problem, found, weights):
    n, columns = problem.n, problem.columns
    np.testing.assert_allclose(found.xy, columns.T @ (weights[:, None] * columns), rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(found.scaled, (np.sqrt(weights)[:, None] * columns).T, rtol=1e-15)
    Z = []
    for b, block in enumerate(problem.blocks):
        dense = np.zeros((n, block.n_levels, block.width))
        dense[np.arange(n), block.codes] = block.z
        Z.append(dense)
        np.testing.assert_allclose(
            found.grams[b], np.einsum("n,nla,nlb->lab", weights, dense, dense), rtol=1e-12, atol=1e-11
        )
        np.testing.assert_allclose(
            found.Zxy[b], np.einsum("n,nla,nr->lar", weights, dense, columns), rtol=1e-11, atol=1e-11
        )
    np.testing.assert_allclose(
        found.pairs[0, 1].dense(), np.einsum("n,nla,nmb->labm", weights, *Z), rtol=1e-12, atol=1e-11
    )


CASES = [
    # Pairs of levels that many rows share; that hardly any do; busy levels with several effects; rows given one by one.
    ((6, 4), 300, (1, 1), 4_000_000, (2, 0, 0)),
    ((6, 4), 300, (1, 1), 500, (2, 0, 0)),
    ((40, 30), 300, (1, 1), 4_000_000, (0, 2, 0)),
    ((7, 5), 300, (2, 1), 4_000_000, (0, 1, 1)),
    ((7, 5), 300, (3, 2), 4_000_000, (0, 0, 2)),
    ((7, 5), 300, (3, 2), 1000, (0, 0, 0)),
]


@pytest.mark.parametrize(("levels", "n", "k", "kept", "ways"), CASES)
def test_products_by_weights(levels, n, k, kept, ways):
    problem = crossed(levels, n, k)
    known = KnownColumns(problem, replace(ROWS, kept=kept))
    assert (len(known.cells), len(known.counts), len(known.levels)) == ways
    weights = np.random.default_rng(6).uniform(0.2, 3.0, n)
    assert_products(problem, known.weighted(weights), weights)


@pytest.mark.parametrize("k", [(1, 1), (2, 1), (3, 2)])
def test_products_of_few_effects_are_one_dense_product(k):
    problem = crossed((6, 4), 120, k)
    known = KnownColumns(problem, replace(ROWS, whole=1e7))
    weights = np.random.default_rng(7).uniform(0.2, 3.0, 120)
    found = known.weighted(weights)
    assert_products(problem, found, weights)
    new = reweighted(problem, weights)
    written = whole(replace(new))  # from the blocks
    np.testing.assert_allclose(found.whole, written, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(whole(new), written, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("k", [(1, 1), (2, 1), (2, 2)])
def test_equal_rows_are_one_with_the_sum_of_their_weights(k):
    problem = crossed((6, 4), 1200, k, distinct=2)
    known = KnownColumns(problem, replace(ROWS, collapsed=1000))
    assert known.joined is not None
    assert len(known.joined.first) <= 6 * 4 * 2 ** sum(k)
    weights = np.random.default_rng(8).uniform(0.2, 3.0, 1200)
    assert_products(problem, known.weighted(weights), weights)
    # Covariates that are nearly equal only are not joined.
    assert KnownColumns(crossed((6, 4), 1200, k), replace(ROWS, collapsed=1000)).joined is None


def test_rows_that_agree_are_found_by_all_of_their_numbers():
    a, b = np.array([1, 1, 2, 2, 1, 1]), np.array([[0.5, 1.0]] * 5 + [[0.5, np.nextafter(1.0, 2.0)]])
    inverse, first = agreeing_rows([a, b], 2)
    assert len(first) == 3
    assert len(set(inverse[[0, 1, 4]])) == 1
    assert inverse[5] not in inverse[:5]
    assert agreeing_rows([a, b], 4) is None
    assert agreeing_rows([np.arange(6), b], 2) is None


@pytest.mark.parametrize("n", [1, 15, 16, 100])
@pytest.mark.parametrize("spread", [1.0, 20.0, 300.0])
def test_logarithms_of_many_weights_at_once_are_their_sum(n, spread):
    weights = np.exp(np.random.default_rng(9).uniform(-spread, spread, n))
    assert sum_of_logs(weights) == pytest.approx(np.log(weights).sum(), rel=1e-13, abs=1e-13)
