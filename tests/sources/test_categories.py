"""Categories keep their order in files, and where files have several, one of them is named."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms

ORDER = ["lo", "mid", "hi"]


@pytest.fixture
def rows():
    rng, n = np.random.default_rng(2), 240
    level = rng.integers(0, 3, n)
    names = np.array(ORDER)[level]
    return pd.DataFrame({"y": rng.normal(size=n) + level, "f": pd.Categorical(names, ORDER), "g": np.arange(n) % 12})


def names_of(data):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ms.SingularFitWarning)
        return [name.removeprefix("f[T.").rstrip("]") for name in ms.lmer("y ~ f + (1 | g)", data).params.index[1:]]


@pytest.mark.parametrize("dtype", ["Categorical", "Enum"])
def test_a_frame_of_polars_and_its_own_file_have_one_order(rows, tmp_path, dtype):
    """The order of a Categorical of polars hangs on what else the process has read: its levels are sorted."""
    pl = pytest.importorskip("polars")
    kind = pl.Categorical if dtype == "Categorical" else pl.Enum(ORDER)
    frame = pl.DataFrame({"y": rows["y"].to_numpy(), "f": rows["f"].astype(str).tolist(), "g": rows["g"].to_numpy()})
    frame = frame.with_columns(pl.col("f").cast(kind)).sort("f", descending=True)
    frame.write_parquet(tmp_path / "rows.parquet", row_group_size=50)
    assert (
        names_of(frame)
        == names_of(tmp_path / "rows.parquet")
        == (["lo", "mid"] if dtype == "Categorical" else ORDER[1:])
    )


def test_files_that_agree_as_far_as_they_go(rows, tmp_path):
    """A part that lacks a category is no other order."""
    rows.to_parquet(tmp_path / "a.parquet", index=False)
    part = rows[rows["f"] != "mid"]
    part.assign(f=part["f"].cat.remove_unused_categories()).to_parquet(tmp_path / "b.parquet", index=False)
    assert names_of(tmp_path) == ["mid", "hi"]


def test_files_with_different_orders_name_the_one_that_is_taken(rows, tmp_path):
    rows.to_parquet(tmp_path / "a.parquet", index=False)
    rows.assign(f=rows["f"].cat.reorder_categories(ORDER[::-1])).to_parquet(tmp_path / "b.parquet", index=False)
    with pytest.warns(
        ms.SourceWarning, match=r"different categories of 'f': 'lo', 'mid', 'hi' in .*in the order in .*a\.p"
    ):
        assert names_of(tmp_path) == ["mid", "hi"]


def test_files_none_of_which_has_all_categories_have_the_order_of_names(rows, tmp_path):
    for name, left_out in (("a", "hi"), ("b", "lo")):
        part = rows[rows["f"] != left_out]
        part.assign(f=part["f"].cat.remove_unused_categories()).to_parquet(tmp_path / f"{name}.parquet")
    with pytest.warns(ms.SourceWarning, match=r"'lo', 'mid' in .*, 'mid', 'hi' in .*in the order of their names"):
        assert names_of(tmp_path) == ["lo", "mid"]
