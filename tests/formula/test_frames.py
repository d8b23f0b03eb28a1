from __future__ import annotations

from decimal import Decimal

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import mixedsparse as ms
from mixedsparse.data.formula import make_design
from mixedsparse.data.formula.frames import natural
from mixedsparse.data.formula.levels import match_levels
from mixedsparse.ground.errors import ColumnError, DataError

FORMULA = "y ~ x * a + i + b + (x | g) + (1 | h) + (1 | b:h)"


def columns(missing: bool) -> dict[str, list]:
    rng = np.random.default_rng(1)
    data = {
        "y": rng.normal(size=60).tolist(),
        "x": rng.normal(size=60).tolist(),
        "i": rng.integers(0, 5, 60).tolist(),
        "a": list("uvw") * 20,
        "g": np.repeat(list("ABCDEF"), 10).tolist(),
        "h": np.tile(np.arange(10), 6).tolist(),
        "b": [True, False, True] * 20,
    }
    for j, values in enumerate(data.values() if missing else ()):
        values[3 * j] = None
    return data


MAKERS = {
    "dict": dict,
    "dict of arrays": lambda d: {k: np.array(v) for k, v in d.items()},
    "dict of pandas": lambda d: {k: pd.Series(v) for k, v in d.items()},
    "dict of polars": lambda d: {k: pl.Series(v) for k, v in d.items()},
    "dict of arrow": lambda d: {k: pa.array(v) for k, v in d.items()},
    "polars": pl.DataFrame,
    "polars lazy": pl.LazyFrame,
    "polars categorical": lambda d: pl.DataFrame(d).with_columns(pl.col("a", "g").cast(pl.Categorical)),
    "polars enum": lambda d: pl.DataFrame(d).with_columns(pl.col("a").cast(pl.Enum(["u", "v", "w", "unused"]))),
    "narwhals": lambda d: nw.from_native(pl.DataFrame(d)),
    "arrow": pa.table,
    "arrow dictionary": lambda d: pa.table({**d, "g": pa.array(d["g"]).dictionary_encode()}),
    "pandas nullable": lambda d: pd.DataFrame(d).convert_dtypes(),
    "pandas arrow": lambda d: pa.table(d).to_pandas(types_mapper=pd.ArrowDtype),
    "pandas object": lambda d: pd.DataFrame(d).astype(object),
    "pandas category": lambda d: pd.DataFrame(d).astype({"a": "category", "g": "category", "h": "category"}),
    "pandas small": lambda d: pd.DataFrame(d).astype({"h": "Int8", "i": "Int16", "x": "Float64", "b": "boolean"}),
}


@pytest.mark.filterwarnings("ignore::mixedsparse.SourceWarning")
@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("kind", MAKERS)
def test_every_kind_of_table_gives_the_same_design(kind, missing):
    data = columns(missing)
    want = make_design(FORMULA, pd.DataFrame(data))
    got = make_design(FORMULA, MAKERS[kind](data))
    assert got.nmissing == want.nmissing == (7 if missing else 0)
    assert got.missing == (dict.fromkeys(want.missing, 1) if missing else {})
    assert got.x_names == want.x_names
    np.testing.assert_array_equal(got.X, want.X)
    np.testing.assert_array_equal(got.y, want.y)
    assert got.X.dtype == got.y.dtype == np.float64
    assert got.index.tolist() == want.index.tolist()
    for mine, theirs in zip(got.terms, want.terms, strict=True):
        assert mine.levels.tolist() == theirs.levels.tolist()
        np.testing.assert_array_equal(mine.codes, theirs.codes)
        np.testing.assert_array_equal(mine.z, theirs.z)


@pytest.mark.filterwarnings("ignore:Dask support is moving:FutureWarning")
@pytest.mark.parametrize("library", ["polars", "dask"])
def test_frames_that_are_lazy_are_collected_with_a_word(library):
    data = pd.DataFrame(columns(missing=False))
    if library == "dask":
        lazy = pytest.importorskip("dask.dataframe").from_pandas(data, npartitions=2)
    else:
        lazy = pl.LazyFrame(data)
    with pytest.warns(ms.SourceWarning, match=rf"The lazy frame of {library} is collected: all of its columns"):
        got = make_design(FORMULA, lazy)
    np.testing.assert_array_equal(got.X, make_design(FORMULA, data).X)


def test_record_array():
    data = columns(missing=False)
    records = pd.DataFrame(data).astype({"a": object, "g": object}).to_records(index=False)
    np.testing.assert_array_equal(make_design(FORMULA, records).X, make_design(FORMULA, data).X)


def test_order_of_levels(frame):
    sorted_levels = make_design("y ~ a + (1 | a)", frame)
    assert sorted_levels.x_names == ("Intercept", "a[T.v]", "a[T.w]")
    assert sorted_levels.terms[0].levels.tolist() == ["u", "v", "w"]
    categorical = make_design("y ~ f + (1 | f)", frame)
    assert categorical.x_names == ("Intercept", "f[T.v]", "f[T.u]")
    assert categorical.terms[0].levels.tolist() == ["w", "v", "u"]
    enum = pl.DataFrame(frame.drop(columns="f")).with_columns(f=pl.Series(frame["a"].to_list(), dtype=pl.Enum("wvu")))
    assert make_design("y ~ f + (1 | f)", enum).x_names == categorical.x_names


def test_ordered_categoricals_are_coded_by_treatment(frame):
    data = frame.assign(f=frame["f"].cat.as_ordered())
    assert make_design("y ~ f + (1 | g)", data).x_names == ("Intercept", "f[T.v]", "f[T.u]")


def test_levels_lost_with_missing_rows_have_no_column(frame):
    data = frame.assign(x=frame["x"].where(frame["a"] != "v"))
    design = make_design("y ~ x + a + C(a) + (1 | a)", data)
    assert design.x_names == ("Intercept", "x", "a[T.w]", "C(a)[T.w]")
    assert design.terms[0].levels.tolist() == ["u", "w"]
    assert design.nmissing == 20


def test_index_of_pandas_is_kept(frame):
    data = frame.set_index(pd.Index([f"r{i}" for i in range(60)], name="id"))
    data.loc["r5", "x"] = np.nan
    design = make_design("y ~ x + (1 | g)", data)
    assert design.index.name == "id"
    assert list(design.index[4:6]) == ["r4", "r6"]
    assert design.matrices(data).index is data.index


def test_transforms_see_complete_rows_only(frame):
    data = frame.assign(x=frame["x"].where(frame["row"] != 7), w=frame["w"].where(frame["row"] != 9))
    design = make_design("y ~ scale(x) + poly(w, 2) + (1 | g)", data)
    assert design.nmissing == 2
    np.testing.assert_allclose(design.X[:, 1:].mean(axis=0), 0, atol=1e-15)
    np.testing.assert_allclose(design.X[:, 1].std(ddof=1), 1)


def test_unused_columns_may_be_missing_or_odd(frame):
    data = frame.assign(junk=np.nan, other=[object()] * 60)
    assert make_design("y ~ x + (1 | g)", data).nmissing == 0


def test_columns_twice_matter_only_when_used(frame):
    data = pd.concat([frame, frame[["x"]]], axis=1)
    assert make_design("y ~ w + (1 | g)", data).nmissing == 0
    with pytest.raises(DataError, match="2 columns called 'x': rename"):
        make_design("y ~ x + (1 | g)", data)


@pytest.mark.parametrize("data", [None, 3, "data.csv", np.eye(3), [1, 2], pd.Series([1.0, 2.0])])
def test_no_table(data):
    with pytest.raises(DataError, match=r"not a table: give a pandas, polars or pyarrow table, or a dict"):
        make_design("y ~ x + (1 | g)", data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"y": [1, 2], "x": [1, 2, 3], "g": [1, 2]}, "differ in length.*'x': 3"),
        ({"y": [1, 2], "x": 5, "g": [1, 2]}, "'x' is the single value 5"),
        ({"y": np.eye(2), "x": [1, 2], "g": [1, 2]}, r"'y' has shape \(2, 2\)"),
    ],
)
def test_dicts_that_are_no_table(data, message):
    with pytest.raises(DataError, match=message):
        make_design("y ~ x + (1 | g)", data)


@pytest.mark.parametrize(
    ("formula", "name", "hint"),
    [
        ("y ~ X + (1 | g)", "X", "mean 'x'"),
        ("y ~ flg + (1 | g)", "flg", "mean 'flag'"),
        ("y ~ log(ww) + (1 | g)", "ww", "mean 'w'"),
        ("y ~ x + (1 | group)", "group", "Columns present"),
        ("y ~ x + (xx | g)", "xx", "mean 'x'"),
        ("y ~ `my col` + (1 | g)", "my col", "Columns present"),
        ("Y ~ x + (1 | g)", "Y", "mean 'y'"),
        ("y ~ x + offset(lx) + (1 | g)", "lx", "Columns present"),
        ("y ~ x.first + (1 | g)", "x.first", "Columns present"),
    ],
)
def test_unknown_columns_are_named(frame, formula, name, hint):
    with pytest.raises(ColumnError, match=f"no column '{name}', used in the formula.*{hint}") as err:
        make_design(formula, frame)
    assert "'flag'" in str(err.value)


@pytest.mark.parametrize("base", [2**53, 10**25], ids=["int64", "longer"])
@pytest.mark.parametrize("kind", [int, Decimal])
def test_long_identifiers_are_not_merged(base, kind):
    ids = np.array([kind(base + i % 3) for i in range(60)], dtype=object)
    found = natural(ids, labels=True)
    assert [int(value) for value in found[:4]] == [base, base + 1, base + 2, base]
    design = make_design("y ~ x + (1 | id)", pd.DataFrame(columns(missing=False)).assign(id=ids))
    assert [int(level) for level in design.terms[0].levels] == [base, base + 1, base + 2]
    # A single one of them, beside which nothing merges.
    codes, _, _ = match_levels(ids[1:2], pd.Index(design.terms[0].levels), "id")
    assert codes.tolist() == [1]


def test_long_numbers_are_numbers():
    found = natural(np.array([10**25, 10**25 + 1, 3], dtype=object))
    np.testing.assert_array_equal(found, [1e25, 1e25, 3.0])


@pytest.mark.parametrize(
    ("values", "want"),
    [
        (["1", "2"], np.array([1, 2])),
        (["1.5", "2"], np.array([1.5, 2.0])),
        (["1", "Infinity"], np.array([1.0, np.inf])),
    ],
)
def test_decimals_are_numbers_where_values_are_labels(values, want):
    found = natural(np.array([Decimal(value) for value in values], dtype=object), labels=True)
    assert found.dtype == want.dtype
    np.testing.assert_array_equal(found, want)


@pytest.mark.parametrize("digits", [0, 2])
@pytest.mark.parametrize(
    "make",
    [
        lambda t: pl.Series(t, dtype=pl.Decimal(20, 2)),
        lambda t: pa.array(t, type=pa.decimal128(20, 2)),
        lambda t: pd.array(t, dtype=pd.ArrowDtype(pa.decimal128(20, 2))),
    ],
    ids=["polars", "arrow", "pandas arrow"],
)
def test_columns_of_the_type_decimal_are_numbers(frame, make, digits):
    rounded = frame["x"].round(digits)
    decimals = [None if i == 5 else Decimal(str(x)) for i, x in enumerate(rounded)]
    columns = {name: frame[name].to_numpy() for name in ("y", "g")}
    design = make_design("y ~ t + I(t**2) + (1 | g)", {**columns, "t": make(decimals)})
    assert design.nmissing == 1
    np.testing.assert_allclose(design.X[:, 1], rounded.drop(5), rtol=1e-15)
    np.testing.assert_allclose(design.X[:, 2], rounded.drop(5) ** 2, rtol=1e-14)


def test_levels_with_a_time_zone_are_those_of_pandas():
    frame = pd.DataFrame(columns(missing=False))
    frame["day"] = pd.Timestamp("2020-03-29", tz="Europe/Berlin") + pd.to_timedelta(np.arange(60) % 4, unit="D")
    want, found = (
        make_design("y ~ x + (1 | day)", data).terms[0].levels.tolist() for data in (frame, pa.Table.from_pandas(frame))
    )
    assert found == want
    assert str(found[0]) == "2020-03-29 00:00:00+01:00"
