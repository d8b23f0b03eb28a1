"""Cross-products by weights, by whichever passes over the rows, against dense matrices."""

from __future__ import annotations

import numpy as np
import pytest

from mixedsparse import RandomTerm
from mixedsparse.core.problem.known_columns import KnownColumns
from mixedsparse.core.problem.problem import make_problem


def crossed(levels: tuple[int, int], n: int, k: tuple[int, int]):
    rng = np.random.default_rng(5)
    terms = []
    for size, width in zip(levels, k, strict=True):
        codes = np.append(np.arange(size), rng.integers(0, size, n - size))
        z = np.column_stack([np.ones(n), rng.normal(size=(n, width - 1))])
        terms.append(RandomTerm(f"g{size}", codes, z))
    X = np.column_stack([np.ones(n), rng.normal(size=n)])
    return make_problem(rng.normal(size=n), X, terms)


CASES = [
    # Pairs of levels that many rows share; that hardly any do; busy levels with several effects; rows given one by one.
    ((6, 4), 300, (1, 1), 4_000_000, ({0, 1}, set())),
    ((40, 30), 300, (1, 1), 4_000_000, (set(), set())),
    ((7, 5), 300, (2, 1), 4_000_000, (set(), {0})),
    ((7, 5), 300, (3, 2), 4_000_000, (set(), {0, 1})),
    ((7, 5), 300, (3, 2), 1000, (set(), set())),
]


@pytest.mark.parametrize(("levels", "n", "k", "kept", "ways"), CASES)
def test_products_by_weights(levels, n, k, kept, ways):
    problem = crossed(levels, n, k)
    known = KnownColumns(problem, kept)
    assert (known.cells.keys(), known.levels.keys()) == ways
    weights = np.random.default_rng(6).uniform(0.2, 3.0, n)
    found = known.weighted(weights)
    columns = problem.columns
    np.testing.assert_allclose(found.xy, columns.T @ (weights[:, None] * columns), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.scaled, (np.sqrt(weights)[:, None] * columns).T, rtol=1e-15)
    Z = []
    for b, block in enumerate(problem.blocks):
        dense = np.zeros((n, block.n_levels, block.width))
        dense[np.arange(n), block.codes] = block.z
        Z.append(dense)
        np.testing.assert_allclose(
            found.grams[b], np.einsum("n,nla,nlb->lab", weights, dense, dense), rtol=1e-12, atol=1e-12
        )
        np.testing.assert_allclose(
            found.Zxy[b], np.einsum("n,nla,nr->lar", weights, dense, columns), rtol=1e-11, atol=1e-12
        )
    np.testing.assert_allclose(
        found.pairs[0, 1].dense(), np.einsum("n,nla,nmb->labm", weights, *Z), rtol=1e-12, atol=1e-12
    )
