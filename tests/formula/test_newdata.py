from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

from mixedsparse.data.formula import make_design
from mixedsparse.ground.errors import ColumnError, DataError


@pytest.fixture
def design(frame):
    return make_design("y ~ a * x + poly(w, 2) + C(b) + offset(z) + (a | g) + (x || h) + (1 | g:b)", frame)


def test_training_rows_come_back(design, frame):
    new = design.matrices(frame.drop(columns="y"))
    np.testing.assert_allclose(new.X, design.X, atol=1e-14)
    np.testing.assert_array_equal(new.offset, design.offset)
    assert len(new.terms) == len(design.terms) == 4
    for mine, theirs in zip(new.terms, design.terms, strict=True):
        np.testing.assert_array_equal(mine.codes, theirs.codes)
        np.testing.assert_array_equal(mine.z, theirs.z)
        assert not mine.missing.any()
        assert mine.unseen == ()


def test_other_kinds_of_table_and_order(design, frame):
    part = frame.iloc[[40, 3, 17]]
    new = design.matrices(pl.DataFrame(part.drop(columns="f")))
    np.testing.assert_allclose(new.X, design.X[[40, 3, 17]], atol=1e-14)
    np.testing.assert_array_equal(new.terms[0].codes, design.terms[0].codes[[40, 3, 17]])
    assert new.index.equals(pd.RangeIndex(3))
    categorical = part.assign(a=pd.Categorical(part["a"]), g=pd.Categorical(part["g"], categories=list("FEDCBAZ")))
    again = design.matrices(categorical)
    np.testing.assert_allclose(again.X, new.X)
    np.testing.assert_array_equal(again.terms[0].codes, new.terms[0].codes)
    np.testing.assert_array_equal(design.matrices(part.astype({"h": float})).terms[1].codes, new.terms[1].codes)


def test_missing_values_stay_in_place(design, frame):
    new_rows = frame.iloc[:8].copy()
    new_rows.loc[0, "x"] = np.nan
    new_rows.loc[1, "a"] = None
    new_rows.loc[2, "w"] = np.nan
    new_rows.loc[3, "g"] = None
    new_rows.loc[4, "z"] = np.nan
    new = design.matrices(new_rows)
    assert new.X.shape == (8, design.X.shape[1])
    np.testing.assert_array_equal(np.isnan(new.X).any(axis=1), [True, True, True, False, False, False, False, False])
    np.testing.assert_allclose(new.X[3:], design.X[3:8], atol=1e-14)
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(new.offset)), [4])
    by_a, intercept, slope, nested = new.terms
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(by_a.z).any(axis=1)), [1])
    np.testing.assert_array_equal(np.flatnonzero(by_a.codes < 0), [3])
    np.testing.assert_array_equal(np.flatnonzero(by_a.missing), [3])
    np.testing.assert_array_equal(np.flatnonzero(nested.missing), [3])
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(slope.z)), [0])
    assert not intercept.missing.any()
    assert by_a.unseen == nested.unseen == ()


def test_unseen_levels_of_grouping_factors(frame):
    design = make_design("y ~ x + (1 | g) + (1 | h) + (1 | g:b)", frame[(frame["g"] != "A") | (frame["b"] == "p")])
    rows = frame.iloc[:3].assign(g=["Z", "B", "A"], h=[2, 99, 3], b=["p", "r", "q"])
    g, h, nested = design.matrices(rows).terms
    assert g.codes.tolist() == [-1, 1, 0]
    assert g.unseen == ("Z",)
    assert h.codes.tolist() == [2, -1, 3]
    assert h.unseen == ("99",)
    assert nested.codes.tolist() == [-1, -1, -1]
    assert nested.unseen == ("Z:p", "B:r", "A:q")
    assert not nested.missing.any()


def test_only_the_columns_wanted_are_needed(design, frame):
    fixed = design.matrices(frame[["a", "x", "w", "b", "z"]], groups=[])
    assert fixed.terms == (None,) * 4
    some = design.matrices(frame.drop(columns=["y", "h"]), groups=["g", "g:b"])
    assert [t is None for t in some.terms] == [False, True, True, False]
    with pytest.raises(ColumnError, match=r"no column 'h', used in the formula .*new data"):
        design.matrices(frame.drop(columns="h"))
    with pytest.raises(ColumnError, match="no column 'x'"):
        design.matrices(frame.drop(columns="x"), groups=[])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"a": "t"}, "factor 'a' has levels that the fit has not seen: 't'. Levels of the fit: 'u', 'v', 'w'"),
        ({"a": 1}, "factor 'a' has levels that the fit has not seen: '1'"),
        ({"b": "r"}, "factor 'b' has levels that the fit has not seen: 'r'"),
        ({"x": "text"}, "column 'x' is not numeric"),
    ],
)
def test_fixed_factors_must_have_known_levels(design, frame, change, message):
    with pytest.raises(DataError, match=message):
        design.matrices(frame.assign(**change))


def test_no_complete_row_and_no_row(design, frame):
    assert np.isnan(design.matrices(frame.iloc[:2].assign(x=np.nan, a=None, w=np.nan, b=None)).X).all()
    assert design.matrices(frame.iloc[:0]).X.shape == (0, design.X.shape[1])


def test_contrasts_are_those_of_the_fit(frame):
    design = make_design("y ~ a + z + (a | g)", frame, contrasts={"a": "helmert", "z": "sum"})
    rows = frame[frame["a"] == "v"].iloc[:4]
    new = design.matrices(rows)
    np.testing.assert_array_equal(new.X, design.X[rows.index])
    np.testing.assert_array_equal(new.terms[0].z, design.terms[0].z[rows.index])


def test_offset_column_is_read_from_new_data(frame):
    design = make_design("y ~ x + (1 | g)", frame, offset="w")
    np.testing.assert_array_equal(design.matrices(frame.iloc[5:9]).offset, frame["w"][5:9])
    assert make_design("y ~ x + (1 | g)", frame).matrices(frame).offset is None


def test_expressions_as_grouping_factors(frame):
    design = make_design("y ~ x + (1 | g.str.lower()) + (1 | I(z > 2):b)", frame)
    rows = frame.iloc[:4].assign(g=["A", None, "q", "B"])
    first, second = design.matrices(rows).terms
    assert first.codes.tolist() == [0, -1, -1, 1]
    assert first.missing.tolist() == [False, True, False, False]
    assert first.unseen == ("q",)
    np.testing.assert_array_equal(second.codes, design.terms[1].codes[:4])
