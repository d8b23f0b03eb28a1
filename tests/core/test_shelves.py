"""Pairs of levels that come batch by batch, in any order and several times: the same lists wherever they lie."""

from __future__ import annotations

import numpy as np
import pytest

from mixedsparse.core.problem.crossproducts import Pairs
from mixedsparse.core.problem.shelves import ShelvedPairs
from mixedsparse.core.problem.unit_blocks import are_ones, ones
from mixedsparse.ground.mapped import bytes_on_disk

LEVELS = (9, 7)


def shelved(rows, columns, data, most=None, **options) -> Pairs:
    """Pairs from three batches."""
    most = np.bincount(rows, minlength=LEVELS[0]) if most is None else most
    shelves = ShelvedPairs(most, LEVELS, None if data is None else data.shape[1:], **options)
    for batch in np.array_split(np.arange(len(rows)), 3):
        assert shelves.add(rows[batch], columns[batch], None if data is None else data[batch])
    return shelves.pairs()


def dense_of(rows, columns, data):
    dense = np.zeros((LEVELS[0], *data.shape[1:], LEVELS[1]))
    np.add.at(dense, (rows, slice(None), slice(None), columns), data)
    return dense


@pytest.mark.parametrize("shelf", [1, 5, 1000])
@pytest.mark.parametrize("width", [1, 2])
@pytest.mark.parametrize("sort", [True, False])
def test_blocks_in_any_order_are_added_up(shelf, width, sort):
    rng = np.random.default_rng(2)
    # The first and the last level, and one between them, meet nobody.
    rows, columns = rng.choice([1, 2, 3, 5, 6, 7], 60).astype(np.int32), rng.integers(0, 7, 60).astype(np.int32)
    rows = np.sort(rows) if sort else rows
    data = rng.normal(size=(60, width, width))
    pairs = shelved(rows, columns, data, shelf=shelf)
    np.testing.assert_allclose(pairs.dense(), dense_of(rows, columns, data), atol=1e-12)
    for start, end in zip(pairs.indptr[:-1], pairs.indptr[1:], strict=True):
        assert (np.diff(pairs.indices[start:end]) > 0).all()
    assert len(pairs.indptr) == LEVELS[0] + 1
    together = shelved(rows, columns, data, most=60)
    for name in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(pairs, name), getattr(together, name))


@pytest.mark.parametrize("shelf", [1, 5, 1000])
@pytest.mark.parametrize("repeated", [True, False])
def test_rows_one_by_one_are_counted(shelf, repeated):
    rng = np.random.default_rng(3)
    cells = rng.permutation(LEVELS[0] * LEVELS[1])[:40]
    cells = np.concatenate([cells, cells[:7], cells[:3]]) if repeated else cells
    rows, columns = np.divmod(cells, LEVELS[1])
    pairs = shelved(rows, columns, None, shelf=shelf)
    np.testing.assert_array_equal(pairs.dense(), dense_of(rows, columns, np.ones((len(rows), 1, 1))))
    assert are_ones(pairs.data) == (not repeated)
    # Where no pair occurs twice, its blocks take no memory.
    assert (pairs.data.strides[0] == 0) == (not repeated)


@pytest.mark.parametrize("data", [None, np.random.default_rng(5).normal(size=(50, 1, 1))])
def test_on_disk_they_are_the_same_to_the_last_bit(data):
    rng = np.random.default_rng(4)
    rows, columns = rng.integers(0, 9, 50), rng.integers(0, 7, 50)
    here, there = (shelved(rows, columns, data, mapped=mapped, shelf=10) for mapped in (1e9, 0))
    assert bytes_on_disk(here.indices, here.data) == 0
    assert bytes_on_disk(there.indices, there.data) == there.indices.nbytes + there.data.nbytes
    for name in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(here, name), getattr(there, name))


def test_more_blocks_than_there_is_room_for_are_told():
    shelves = ShelvedPairs(np.array([1, 2]), (2, 3), None, shelf=1)
    assert shelves.add(np.array([1, 1]), np.array([0, 2]))
    assert not shelves.add(np.array([1]), np.array([1]))


def test_no_blocks_at_all():
    pairs = shelved(np.empty(0, dtype=int), np.empty(0, dtype=int), None)
    assert pairs.dense().shape == (9, 1, 1, 7)
    assert not pairs.dense().any()


def test_rows_and_counts_of_lists():
    pairs = Pairs(np.array([0, 0, 3, 3, 4, 4]), np.array([0, 2, 3, 2]), ones(4), 5)
    for start in range(4):
        for stop in range(start + 1, 5):
            np.testing.assert_array_equal(pairs.rows_of(slice(start, stop)), pairs.rows[start:stop])
    np.testing.assert_array_equal(pairs.counts, [1, 0, 2, 1, 0])
