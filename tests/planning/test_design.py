from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from mixedsparse.ground.errors import ColumnError, OptionError
from mixedsparse.planning import design
from mixedsparse.planning.sizes import resize

TWO = {"A": ["a1", "a2"], "B": ["b1", "b2"]}


def counts(frame: pd.DataFrame, *columns: str) -> set[int]:
    return set(frame.groupby(list(columns), observed=False).size())


def test_fully_crossed():
    rows = design(subjects=6, items=4, within=TWO, repeats=2)
    assert list(rows.columns) == ["subject", "item", "A", "B"]
    assert len(rows) == 6 * 4 * 4 * 2
    assert counts(rows, "subject", "item", "A", "B") == {2}
    assert rows["A"].cat.categories.tolist() == ["a1", "a2"]


def test_without_items():
    rows = design(subjects=5, within={"time": [0, 1.5, 3]}, names=("pupil", "nothing"))
    assert list(rows.columns) == ["pupil", "time"]
    assert len(rows) == 15
    assert rows["time"].dtype.kind == "f"


def test_factors_between():
    rows = design(
        subjects=8,
        items=6,
        between_subjects={"age": ["young", "old"], "list": [1, 2]},
        between_items={"freq": ["low", "mid", "high"]},
        within={"A": ["x", "y"]},
    )
    assert (rows.groupby("subject")[["age", "list"]].nunique() == 1).all(axis=None)
    assert (rows.groupby("item")["freq"].nunique() == 1).all()
    assert counts(rows, "age", "list", "freq", "A") == {2 * 2}


@pytest.mark.parametrize("between", [None, {"age": ["young", "old"]}, {"age": ["young", "old"], "hand": ["l", "r"]}])
def test_latin_square(between):
    rows = design(subjects=16, items=8, within=TWO, between_subjects=between, latin_square=True)
    assert len(rows) == 16 * 8
    assert counts(rows, "subject", "item") == {1}
    assert counts(rows, "subject", "A", "B") == {2}
    assert counts(rows, "item", "A", "B") == {4}
    if between:
        assert len(counts(rows, "item", *between, "A", "B")) == 1


def test_latin_square_with_factors_between_items():
    rows = design(subjects=4, items=8, within=TWO, between_items={"freq": ["low", "high"]}, latin_square=True)
    assert counts(rows, "subject", "freq", "A", "B") == {1}
    assert counts(rows, "item", "A", "B") == {1}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"subjects": 0}, "subjects=0 must be a whole number"),
        ({"subjects": 4, "items": 2.5}, "items=2.5 must be"),
        ({"subjects": 4, "within": {"A": "ab"}}, "'A' needs two or more different levels"),
        ({"subjects": 4, "within": {"A": [1, 1]}}, "'A' needs two or more different levels"),
        ({"subjects": 4, "items": 3, "within": TWO, "between_items": {"A": [1, 2]}}, "'A' is there twice"),
        ({"subjects": 4, "between_items": {"A": [1, 2]}}, "needs items="),
        ({"subjects": 4, "within": TWO, "latin_square": True}, "give both"),
    ],
)
def test_arguments_are_checked(options, message):
    with pytest.raises(OptionError, match=message):
        design(**options)


def test_resize_keeps_the_first_levels_and_copies_in_turn():
    rows = design(subjects=4, items=3, between_subjects={"age": ["young", "old"]}, within={"A": ["x", "y"]})
    small, large = resize(rows, "subject", 2), resize(rows, "subject", 7)
    pd.testing.assert_frame_equal(small, rows[rows["subject"].isin(["s1", "s2"])].astype({"subject": str}))
    assert large["subject"].unique().tolist() == ["s1", "s2", "s3", "s4", "s1.1", "s2.1", "s3.1"]
    assert counts(large, "subject", "item", "A") == {1}
    assert large.groupby("subject", sort=False)["age"].first().tolist() == ["young", "old"] * 3 + ["young"]
    twice = resize(resize(rows, "subject", 8), "item", 6)
    assert counts(twice, "subject", "item", "A") == {1}


def test_resize_renames_what_is_nested():
    data = ms.datasets.load("Pastes").assign(site=lambda d: d["batch"].astype(str) < "F")
    large = resize(data, "batch", 25, ["sample", "cask", "site"])
    assert large["sample"].nunique() == 75
    assert large["cask"].nunique() == 3
    assert large["site"].nunique() == 2
    assert (large.groupby("sample")["batch"].nunique() == 1).all()
    numbers = pd.DataFrame({"g": [3, 3, 1, np.nan], "x": range(4)})
    assert resize(numbers, "g", 3)["x"].tolist() == [0, 1, 2, 0, 1]
    with pytest.raises(ColumnError, match="no column 'school'"):
        resize(data, "school", 3)
