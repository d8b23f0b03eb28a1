"""Predictions go back to where the rows are, or on to where they are wanted."""

from __future__ import annotations

import sqlite3

import duckdb
import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import mixedsparse as ms
from tests.limits import relimited

FORMULA = "y ~ x + (1 | g) + (1 | h)"

pytestmark = pytest.mark.filterwarnings("ignore::mixedsparse.MixedSparseWarning", "ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def rows(frame):
    return frame.assign(key=np.arange(len(frame))[::-1])


@pytest.fixture(scope="module")
def fit(rows):
    return ms.lmer(FORMULA, rows, weights="w")


@pytest.fixture(scope="module")
def wanted(fit, rows):
    """Predictions with their limits by the key of the rows."""
    found = fit.predict(rows, interval="prediction", level=0.9)
    return found.set_index(rows["key"]).sort_index()


def assert_same(found, wanted):
    found = found.set_index("key").sort_index()[["predicted", "lower", "upper"]]
    pd.testing.assert_frame_equal(found, wanted, check_dtype=False, check_names=False, rtol=1e-10)


@pytest.fixture(params=["relation", "ibis", "sqlite"])
def table(request, rows, tmp_path):
    """A table of a database, and what reads another one of it."""
    if request.param == "sqlite":
        with sqlite3.connect(tmp_path / "rows.db") as connection:
            rows.to_sql("observed", connection, index=False)
        reader = ibis.sqlite.connect(tmp_path / "rows.db")
        yield reader.table("observed"), lambda name: reader.table(name).to_pandas()
        reader.disconnect()
        return
    connection = ibis.duckdb.connect()
    connection.con.register("frame", rows)
    connection.con.execute("CREATE TABLE observed AS SELECT * FROM frame")
    if request.param == "ibis":
        yield connection.table("observed"), lambda name: connection.table(name).to_pandas()
    else:
        yield connection.con.table("observed"), lambda name: connection.con.table(name).df()


def test_a_table_of_the_same_database(fit, wanted, table):
    source, read = table
    few = relimited(fit, streamed=300)
    options = {"columns": ["key"], "interval": "prediction", "level": 0.9, "new_levels": "zero"}
    assert few.stream_predictions(table="scored", source=source, **options) == len(wanted)
    assert_same(read("scored"), wanted)
    with pytest.raises(ms.OptionError, match="There is a table 'scored' already"):
        fit.stream_predictions(table="scored", source=source, **options)


def test_a_table_is_not_there_after_an_error(fit, rows):
    connection = duckdb.connect()
    connection.register("frame", rows.assign(g=rows["g"].where(rows["key"] > 0, 999)))
    connection.execute("CREATE TABLE observed AS SELECT * FROM frame")
    few = relimited(fit, streamed=300)
    with pytest.raises(ms.DataError, match="levels that the fit has not seen: '999'"):
        few.stream_predictions(table="scored", source=connection.table("observed"))
    assert connection.sql("SELECT table_name FROM duckdb_tables()").fetchall() == [("observed",)]


def test_batches_with_limits_and_numbers_of_rows(fit, rows, wanted, tmp_path):
    rows.to_parquet(tmp_path / "rows.parquet")
    few = relimited(fit, streamed=300)
    options = {"columns": ["key"], "interval": "prediction", "level": 0.9, "row_number": "row"}
    batches = list(few.prediction_batches(tmp_path / "rows.parquet", **options))
    assert len(batches) > 2
    assert all(isinstance(batch, pa.RecordBatch) for batch in batches)
    found = pa.Table.from_batches(batches).to_pandas()
    assert list(found.columns) == ["row", "key", "predicted", "lower", "upper", "resid"]
    np.testing.assert_array_equal(found["row"], np.arange(len(rows)))
    assert_same(found, wanted)
    np.testing.assert_allclose(found["resid"], rows["y"] - fit.predict(rows), rtol=1e-10, equal_nan=True)


@pytest.mark.parametrize(
    ("random", "interval"), [("population", "confidence"), (["g"], "prediction"), ("conditional", "confidence")]
)
def test_intervals_are_those_of_predict(fit, rows, tmp_path, random, interval):
    rows.to_parquet(tmp_path / "rows.parquet")
    fit.stream_predictions(tmp_path / "out.parquet", tmp_path / "rows.parquet", random=random, interval=interval)
    found = pd.read_parquet(tmp_path / "out.parquet")[["predicted", "lower", "upper"]]
    right = fit.predict(rows, random=random, interval=interval)
    np.testing.assert_allclose(found, right, rtol=1e-10, equal_nan=True)


def test_the_fits_own_rows_have_intervals(rows, tmp_path):
    rows.to_parquet(tmp_path / "rows.parquet")
    own = ms.lmer(FORMULA, tmp_path / "rows.parquet", weights="w")
    own.stream_predictions(tmp_path / "out.parquet", interval="prediction", columns=["key"])
    found = pd.read_parquet(tmp_path / "out.parquet")
    right = own.predict(rows, interval="prediction")
    np.testing.assert_allclose(found[["lower", "upper"]], right[["lower", "upper"]], rtol=1e-10, equal_nan=True)


def test_what_cannot_be_written_is_said(fit, rows, tmp_path):
    rows.to_parquet(tmp_path / "rows.parquet")
    source = tmp_path / "rows.parquet"
    for name in ("out.csv", "out.feather", "out.Arrow"):
        with pytest.raises(ms.OptionError, match=r"would be a Parquet file: call it 'out.parquet'"):
            fit.stream_predictions(tmp_path / name, source)
    with pytest.raises(ms.OptionError, match=r"Give either path=, .*, or table="):
        fit.stream_predictions(source=source)
    with pytest.raises(ms.OptionError, match=r"Give either path=, .*, or table="):
        fit.stream_predictions(tmp_path / "out.parquet", source, table="scored")
    with pytest.raises(ms.OptionError, match=r"table='scored' is made in the database .*, and .* is none"):
        fit.stream_predictions(source=source, table="scored")
    with pytest.raises(ms.OptionError, match="'y' would stand beside the one"):
        fit.stream_predictions(tmp_path / "out.parquet", source, row_number="y")
    with pytest.raises(ms.OptionError, match="interval='both' is not known"):
        fit.stream_predictions(tmp_path / "out.parquet", source, interval="both")
    assert [entry.name for entry in tmp_path.iterdir()] == ["rows.parquet"]


def test_generalized_predictions_become_a_table(rows):
    fit = ms.glmer("yes ~ o + (1 | g)", rows.dropna().astype({"yes": int}), family="binomial")
    connection = duckdb.connect()
    connection.register("frame", rows.dropna().astype({"yes": int}))
    connection.execute("CREATE TABLE observed AS SELECT * FROM frame")
    fit.stream_predictions(table="scored", source=connection.table("observed"), columns=["key"])
    found = connection.table("scored").df().set_index("key")["predicted"].sort_index()
    right = fit.predict(rows.dropna()).set_axis(rows.dropna()["key"]).sort_index()
    np.testing.assert_allclose(found, right, rtol=1e-10)


@pytest.mark.parametrize(
    ("formula", "options", "interval"),
    [
        ("yes ~ o + (1 | g)", {}, "confidence"),
        ("yes ~ o + (1 | g)", {"type": "link"}, "confidence"),
        ("yes ~ o + (1 | g)", {}, "prediction"),
        ("cbind(yes, m - yes) ~ o + (1 | g)", {"trials": "m"}, "prediction"),
    ],
)
def test_generalized_limits_come_in_batches(rows, tmp_path, formula, options, interval):
    data = rows.dropna().astype({"yes": int}).assign(m=lambda d: 1 + np.arange(len(d)) % 3)
    data.to_parquet(tmp_path / "rows.parquet")
    fit = relimited(ms.glmer(formula, data, family="binomial"), streamed=300)
    asked = options | {"interval": interval, "level": 0.9}
    batches = fit.prediction_batches(tmp_path / "rows.parquet", ["key"], row_number="row", **asked)
    found = pa.Table.from_batches(list(batches)).to_pandas()
    assert found["row"].tolist() == list(range(len(data)))
    right = fit.predict(data, **asked)
    np.testing.assert_allclose(found[["predicted", "lower", "upper"]], right, rtol=1e-10)
    written = fit.stream_predictions(tmp_path / "out.parquet", tmp_path / "rows.parquet", ["key"], **asked)
    assert written == len(data)
    np.testing.assert_array_equal(
        pd.read_parquet(tmp_path / "out.parquet")[["lower", "upper"]], found[["lower", "upper"]]
    )


def test_arguments_of_generalized_streams_that_do_not_go_together_are_refused(rows, tmp_path):
    data = rows.dropna().astype({"yes": int})
    data.to_parquet(tmp_path / "rows.parquet")
    fit = ms.glmer("yes ~ o + (1 | g)", data, family="binomial")
    for given, words in (
        ({"trials": "key"}, "only interval='prediction' uses"),
        ({"type": "link", "interval": "prediction"}, "has no linear predictor"),
        ({"interval": "prediction", "trials": data["key"]}, "is not the name of a column"),
    ):
        with pytest.raises(ms.OptionError, match=words):
            fit.prediction_batches(tmp_path / "rows.parquet", **given)
