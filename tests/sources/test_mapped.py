"""Pairs of levels that lie in a file give what pairs in memory give, to the last bit, and leave nothing behind."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from mixedsparse.core.choose.make import make_engine
from mixedsparse.core.choose.plan import foresee
from mixedsparse.core.engines.krylov.engine import KrylovEngine
from mixedsparse.core.fitting.fit import fit_problem
from mixedsparse.core.fitting.iterative import fit_iterative
from mixedsparse.data.sources import sums
from mixedsparse.data.sources.design import aggregate
from mixedsparse.ground.limits import Limits
from mixedsparse.ground.mapped import bytes_on_disk, roomy, shortened

pytestmark = pytest.mark.filterwarnings("ignore::mixedsparse.MixedSparseWarning")
FORMULAS = [
    "y ~ x + (1 | many) + (1 | more)",
    "y ~ x + (1 | many) + (1 | more) + (1 | few)",
    "y ~ (x | many) + (1 | more)",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    rng = np.random.default_rng(11)
    n, many, more = 4000, 300, 250
    chosen = rng.permutation(many * more)[:n]
    frame = pd.DataFrame({"many": chosen // more, "more": chosen % more, "few": rng.integers(0, 6, n)})
    effects = rng.normal(size=many)[frame["many"]] + 0.7 * rng.normal(size=more)[frame["more"]]
    frame = frame.assign(x=rng.normal(size=n), w=rng.uniform(0.5, 2.0, n))
    frame["y"] = frame["x"] + effects + rng.normal(size=n)
    path = tmp_path_factory.mktemp("mapped")
    frame.to_parquet(path / "single.parquet")
    # Some pairs occur twice.
    pd.concat([frame, frame.iloc[:90]]).to_parquet(path / "double.parquet")
    return path


def read(path: Path, formula: str, monkeypatch, **limits):
    monkeypatch.setattr(sums, "_FEW", 100)
    weights = limits.pop("weights", None)
    return aggregate(formula, path, weights=weights, limits=Limits(**limits)).problem


@pytest.mark.parametrize(
    ("name", "formula", "weights"),
    [
        ("single", FORMULAS[0], None),
        ("double", FORMULAS[0], None),
        ("double", FORMULAS[1], "w"),
        ("single", FORMULAS[2], None),
    ],
)
def test_fits_are_equal_to_the_last_bit(folder, name, formula, weights, monkeypatch):
    path = folder / f"{name}.parquet"
    here, there = (read(path, formula, monkeypatch, weights=weights, mapped=m) for m in (1e9, 0))
    assert bytes_on_disk(here.pairs[0, 1].indices) == 0
    assert bytes_on_disk(there.pairs[0, 1].indices) > 0
    for key, pairs in here.pairs.items():
        for part in ("indptr", "indices", "data"):
            np.testing.assert_array_equal(getattr(there.pairs[key], part), getattr(pairs, part))
    one, other = (
        fit_iterative(KrylovEngine(p, limits=Limits(mapped=m)), reml=True, seed=3) for p, m in ((here, 1e9), (there, 0))
    )
    np.testing.assert_array_equal(other.theta, one.theta)
    np.testing.assert_array_equal(other.monte_carlo.theta_error, one.monte_carlo.theta_error)
    assert other.criterion == one.criterion
    wanted = ms.lmer(formula, pd.read_parquet(path), weights=weights)
    np.testing.assert_allclose(one.theta, wanted.theta, atol=1e-3)


def test_rows_that_meet_once_take_four_bytes_a_pair(folder, monkeypatch):
    problem = read(folder / "single.parquet", FORMULAS[0], monkeypatch, mapped=0)
    pairs = problem.pairs[0, 1]
    assert pairs.indices.dtype == np.int32
    assert pairs.data.strides[0] == 0
    one_way = KrylovEngine(problem, limits=Limits(mapped=0)).system.one_way
    assert bytes_on_disk(one_way.indices) == 4 * len(pairs.indices)
    assert one_way.values is None
    assert foresee(problem, method="iterative", limits=Limits(mapped=0)).disk == 8 * len(pairs.indices)
    wanted = ms.lmer(FORMULAS[0], pd.read_parquet(folder / "single.parquet"))
    for limits in (Limits(), Limits(small_rest=0, dense=0, dense_crossed=0, kept_schur=0)):
        found = fit_problem(make_engine(problem, "split", "direct", limits), reml=True)
        np.testing.assert_allclose(found.theta, wanted.theta, rtol=1e-6)


def test_no_file_is_left_and_none_has_a_name(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    array = roomy((1000,), np.int64, 0)
    array[:] = np.arange(1000)
    assert bytes_on_disk(array, array[::2], np.ones(3)) == array.nbytes * 1.5
    assert os.name == "nt" or not list(tmp_path.iterdir())
    np.testing.assert_array_equal(array, np.arange(1000))


@pytest.mark.parametrize("most", [0, 1e9])
def test_what_is_not_needed_any_more_is_freed(most):
    array = roomy((5000, 2), np.int64, most)
    array[:] = np.arange(10_000).reshape(5000, 2)
    kept = shortened(array, 1000)
    np.testing.assert_array_equal(kept, np.arange(2000).reshape(1000, 2))
    assert kept.nbytes == 16_000
    assert (bytes_on_disk(kept) > 0) == (most == 0)


def test_a_full_disk_is_an_error_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(ms.BackendError, match=r"take 8\.0 GiB in a temporary file, and .* GiB left .*TMPDIR"):
        roomy((2**30,), np.int64, 2.0**20)
    assert not list(tmp_path.iterdir())
    assert roomy((5,), np.int64, 2.0**20).shape == (5,)
