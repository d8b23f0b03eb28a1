"""Column counts: against elimination written out on a dense pattern."""

from __future__ import annotations

import numpy as np
import pytest

from mixedsparse.core.choose.elimination import totals
from mixedsparse.core.engines.kernels.columns import column_counts


def eliminated(below: np.ndarray) -> np.ndarray:
    """Pattern of L of a matrix with the pattern `below` under its diagonal."""
    L = below | np.eye(len(below), dtype=bool)
    for j in range(len(L)):
        rows = np.flatnonzero(L[:, j])
        rows = rows[rows > j]
        for row in rows:
            L[row, rows[rows <= row]] = True
    return L


@pytest.mark.parametrize("share", [0.0, 0.03, 0.1, 0.3])
@pytest.mark.parametrize("seed", range(6))
def test_counts_are_those_of_elimination(seed, share):
    rng = np.random.default_rng(seed)
    size = int(rng.integers(1, 50))
    below = np.tril(rng.random((size, size)) < share, -1)
    weights = rng.integers(1, 4, size=size)
    L = eliminated(below)
    rows, columns = np.nonzero(below)
    np.testing.assert_array_equal(column_counts(rows, columns, size), L.sum(axis=0))
    np.testing.assert_array_equal(column_counts(rows, columns, size, weights), weights @ L)


@pytest.mark.parametrize("seed", range(3))
def test_totals_count_all_unknowns_of_a_node(seed):
    rng = np.random.default_rng(seed)
    size = 30
    below = np.tril(rng.random((size, size)) < 0.1, -1)
    weights = rng.integers(1, 4, size=size)
    wide = eliminated(np.tril(np.kron(below, np.ones((3, 3))) > 0, -1) | np.kron(np.eye(size) > 0, np.tri(3) > 0))
    kept = np.concatenate([np.arange(3) < w for w in weights])
    counts = wide[np.ix_(kept, kept)].sum(axis=0)
    rows, columns = np.nonzero(below)
    found = totals(column_counts(rows, columns, size, weights), weights)
    assert found == pytest.approx((counts.sum(), np.square(counts).sum()))
