"""Sides with more columns than memory has room for are refused before anything is made."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from mixedsparse.core.choose import memory


@pytest.fixture
def rows():
    rng, n = np.random.default_rng(0), 40_000
    item = rng.integers(0, 2_000, n)
    frame = {"y": rng.normal(size=n), "x": rng.normal(size=n), "item": item, "name": item.astype(str)}
    return pd.DataFrame(frame | {"g": rng.integers(0, 50, n)})


@pytest.mark.parametrize("where", ["memory", "file"])
@pytest.mark.parametrize(
    ("formula", "columns", "factor"),
    [
        ("y ~ C(item) + (1 | g)", "2,001", "item"),
        ("y ~ name + (1 | g)", "2,001", "name"),
        ("y ~ name * x + (1 | g)", "4,002", "name"),
        ("y ~ x + (name | g)", "2,001", "name"),
    ],
)
def test_wide_factors_are_refused_by_name_with_number_and_mend(
    rows, where, formula, columns, factor, tmp_path, monkeypatch
):
    """A million rows and 5,000 levels had been ended by the kernel at 23 GB."""
    monkeypatch.setattr(memory, "available_memory", lambda: 1e8)
    rows.to_parquet(tmp_path / "rows.parquet")
    tracemalloc.start()
    words = rf"{columns} in 40,000 rows, would take about .* of memory, and 95 MiB .*: make '{factor}', which has 2,000"
    with pytest.raises(ms.BackendError, match=words):
        ms.lmer(formula, rows if where == "memory" else tmp_path / "rows.parquet")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1e8


def test_rows_that_do_not_fit_are_sent_to_a_file(rows, monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: 1e6)
    many = pd.concat([rows] * 30)
    with pytest.raises(ms.BackendError, match="write the rows to a Parquet file and fit that"):
        ms.lmer("y ~ x + I(x**2) + (1 | g)", many)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::mixedsparse.MixedSparseWarning")
def test_a_wide_factor_of_a_file_equals_that_of_memory(rows, tmp_path):
    """Its coded columns are kept sparse while they are summed."""
    few = rows.assign(item=rows["item"] % 300, f=rows["g"] % 3)[:6000]
    few.to_parquet(tmp_path / "rows.parquet")
    for formula, contrasts in (
        ("y ~ C(item) + x + (1 | g)", None),
        ("y ~ f + name:x + (1 | g)", {"name": "sum", "f": "sum"}),
    ):
        few = few.assign(name=[f"n{i % 70}" for i in few["item"]], f=few["f"].astype(str))
        few.to_parquet(tmp_path / "rows.parquet")
        wanted = ms.lmer(formula, few, contrasts=contrasts)
        found = ms.lmer(formula, tmp_path / "rows.parquet", contrasts=contrasts)
        assert found.criterion == pytest.approx(wanted.criterion, rel=1e-10)
        pd.testing.assert_series_equal(found.params, wanted.params, rtol=1e-7, atol=1e-9)
