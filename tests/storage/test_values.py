"""Columns and indices of every kind, and the fields of every class, come back as they were."""

from __future__ import annotations

import datetime
import decimal
import fractions

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from mixedsparse import load
from mixedsparse.api.storage.results import packed

DATA = ms.datasets.load("sleepstudy")
N = len(DATA)
STAMPS = pd.date_range("2026-01-01", periods=N, freq="h", tz="Europe/Berlin")

INDICES = {
    "several levels": pd.MultiIndex.from_arrays([DATA["Subject"].astype(str), range(N)], names=["s", None]),
    "zone": STAMPS,
    "months": pd.period_range("2020-01", periods=N, freq="M", name="month"),
    "intervals": pd.interval_range(0, N),
    "categories": pd.CategoricalIndex(list("ab") * (N // 2)),
    "durations": pd.timedelta_range("1h", periods=N, freq="2h"),
    "numbers": pd.Index(np.arange(N) / 2, name=("a", 1)),
    "objects": pd.Index([("t", i) if i % 2 else i for i in range(N)], tupleize_cols=False),
    "dates": pd.Index([datetime.date(2026, 1, 1) + datetime.timedelta(i) for i in range(N)]),
    "stamps as objects": pd.Index(list(STAMPS), dtype=object),
    "decimals": pd.Index([decimal.Decimal(i) / 10 for i in range(N)]),
    "masked": pd.Index(pd.array(range(N), dtype="Int64")),
    "python text": pd.Index(pd.array(list(map(str, range(N))), dtype=pd.StringDtype("python"))),
    "truth": pd.Index([True, False] * (N // 2)),
    "range": pd.RangeIndex(5, 5 + 2 * N, 2, name="q"),
}
COLUMNS = {
    "Int64": lambda x: x.astype("Int64"),
    "Float64": lambda x: x.astype("Float64"),
    "float32": lambda x: x.astype("float32"),
    "int8": lambda x: x.astype("int8"),
    "swapped": lambda x: pd.Series(x.to_numpy(dtype=">f8")),
}
LEVELS = {
    "text": lambda x: x.astype(str).astype(pd.StringDtype("python")),
    "objects": lambda x: x.astype(str).astype(object),
    "category": lambda x: x.astype("category"),
    "long integers": lambda x: pd.Series([2**70 + int(i) for i in x], dtype=object),
    "stamps": lambda x: pd.to_datetime("2026-01-01") + pd.to_timedelta(x.astype(int) % 50, "D"),
}


def stored(fit, tmp_path):
    fit.save(tmp_path / "fit")
    return load(tmp_path / "fit")


def assert_columns_equal(again, fit):
    found, expected = again.model.design.source.columns, fit.model.design.source.columns
    for name, values in expected.items():
        assert type(found[name]) is type(values)
        # Numbers of the other byte order come back in that of the machine.
        swapped = getattr(values.dtype, "isnative", True) is False
        assert found[name].dtype == (values.dtype.newbyteorder("=") if swapped else values.dtype)
        assert list(found[name]) == list(values)


@pytest.mark.parametrize("kind", INDICES)
def test_indices_come_back(kind, tmp_path):
    fit = ms.lmer("Reaction ~ Days + (1 | Subject)", DATA.set_axis(INDICES[kind], axis=0))
    index = stored(fit, tmp_path).fittedvalues.index
    pd.testing.assert_index_equal(index, INDICES[kind], exact=True)
    assert getattr(index, "freq", None) == getattr(INDICES[kind], "freq", None)


def test_arrow_columns_and_indices_come_back(tmp_path):
    pytest.importorskip("pyarrow")
    index = pd.Index(pd.array(range(N), dtype="int64[pyarrow]"))
    fit = ms.lmer("Reaction ~ Days + (1 | Subject)", DATA.astype({"Days": "int32[pyarrow]"}).set_axis(index, axis=0))
    again = stored(fit, tmp_path)
    pd.testing.assert_index_equal(again.fittedvalues.index, index, exact=True)
    assert_columns_equal(again, fit)


@pytest.mark.parametrize("kind", COLUMNS)
def test_columns_of_numbers_come_back(kind, tmp_path):
    fit = ms.lmer("Reaction ~ Days + (1 | Subject)", DATA.assign(Days=COLUMNS[kind](DATA["Days"])))
    assert_columns_equal(stored(fit, tmp_path), fit)


@pytest.mark.parametrize("kind", LEVELS)
def test_levels_come_back(kind, tmp_path):
    data = DATA.assign(Subject=LEVELS[kind](DATA["Subject"]))
    fit = ms.lmer("Reaction ~ Days + (1 | Subject)", data)
    again = stored(fit, tmp_path)
    assert_columns_equal(again, fit)
    pd.testing.assert_series_equal(again.predict(data.head(30)), fit.predict(data.head(30)), check_exact=True)


def test_labelled_contrasts_come_back(tmp_path):
    oats = ms.datasets.load("Oats")
    table = pd.DataFrame(
        [[1.0, 0.5], [-1.0, 0.5], [0.0, -1.0]], index=sorted(oats["Variety"].unique()), columns=["a", "b"]
    )
    fit = ms.lmer("yield ~ nitro * Variety + (1 | Block)", oats, contrasts={"Variety": table})
    again = stored(fit, tmp_path)
    assert list(again.params.index) == list(fit.params.index)
    pd.testing.assert_frame_equal(again.model.design.source.contrasts["Variety"], table)
    assert again.model.fit(reml=False).criterion == fit.model.fit(reml=False).criterion


def test_values_that_are_no_data_are_refused(tmp_path):
    data = DATA.set_axis(pd.Index([fractions.Fraction(i, 7) for i in range(N)], dtype=object), axis=0)
    fit = ms.lmer("Reaction ~ Days + (1 | Subject)", data)
    with pytest.raises(ms.StorageError, match=r"fractions\.Fraction, which a file cannot"):
        fit.save(tmp_path / "fit")


@pytest.mark.parametrize("missing", [np.nan, pd.NA])
@pytest.mark.parametrize("storage", ["python", "pyarrow"])
def test_a_text_of_many_rows_stands_once_in_the_file(storage, missing, tmp_path):
    if storage == "pyarrow":
        pytest.importorskip("pyarrow")
    rows = np.arange(20 * N)
    text = pd.array([f"a level called {k % 7}" if k else None for k in rows], dtype=pd.StringDtype(storage, missing))
    data = pd.DataFrame({"y": np.sin(rows) + rows % 7, "g": text})
    with pytest.warns(ms.DroppedRowsWarning):
        fit = ms.lmer("y ~ 1 + (1 | g)", data)
    again = stored(fit, tmp_path)
    assert_columns_equal(again, fit)
    members, _ = packed(fit._fitted)
    assert 0 < members["results.json"].count(b"a level called 3") < 5
