"""The generator of ratings that do not fit into memory."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import ratings_parquet
from benchmarks.ratings_parquet import FEWEST, ratings, write


def test_shape_of_the_ratings():
    batches = list(ratings(60_000, 1_500, 800, seed=1))
    user, item, stars = (np.concatenate([b[name] for b in batches]) for name in ("userId", "movieId", "rating"))
    assert len(np.unique(user)) == 1_500
    assert len(np.unique(item)) == 800
    assert len(np.unique(user.astype(np.int64) * 1_000 + item)) == len(user)
    assert 60_000 <= len(user) <= 60_800
    assert np.bincount(user)[1:].min() >= FEWEST
    assert set(np.unique(2 * stars)) <= set(range(1, 11))
    assert np.bincount(item).max() > 10 * np.median(np.bincount(item)[1:])


def test_large_files_repeat_who_rates_what_among_other_items(monkeypatch):
    monkeypatch.setattr(ratings_parquet, "ROWS", 30_000)
    batches = list(ratings(150_000, 6_000, 1_500, seed=1))
    user, item = (np.concatenate([b[name] for b in batches]) for name in ("userId", "movieId"))
    assert (len(np.unique(user)), len(np.unique(item))) == (6_000, 1_500)
    assert len(np.unique(user.astype(np.int64) * 2_000 + item)) == len(user)
    assert 150_000 <= len(user) <= 150_600
    # The copies are linked: users of the first meet items of every other.
    counts = np.bincount(user, minlength=6_001)
    np.testing.assert_allclose(counts[1:1_201], counts[1_201:2_401], atol=60)
    assert len(np.unique(item[user <= 1_200])) > 1_200


def test_written_in_batches(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    count = write(tmp_path / "ratings.parquet", 50_000, 2_500, 400)
    file = parquet.ParquetFile(tmp_path / "ratings.parquet")
    assert file.metadata.num_rows == count
    assert file.num_row_groups > 1
