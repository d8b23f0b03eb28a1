"""The same code wherever the rows are: DuckDB in its guises, and other back ends of Ibis."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest

import mixedsparse as ms

FORMULA = "y ~ x * f + scale(year) + (1 + x | g) + (1 | g:k)"
OPTIONS = {"weights": "w", "offset": "o"}


@pytest.fixture(scope="module")
def wanted(frame, quiet_lmer):
    return quiet_lmer(FORMULA, frame, **OPTIONS)


def assert_same(found, wanted):
    assert found.criterion == pytest.approx(wanted.criterion, rel=1e-11)
    np.testing.assert_allclose(found.params, wanted.params, rtol=1e-7)
    np.testing.assert_allclose(found.theta, wanted.theta, rtol=1e-6, atol=1e-7)
    assert found.nmissing == wanted.nmissing


def test_relation_of_a_connection(path, wanted, quiet_lmer):
    import duckdb

    connection = duckdb.connect()
    relation = connection.sql(f"SELECT * FROM '{path}'")
    assert_same(quiet_lmer(FORMULA, relation, **OPTIONS), wanted)
    assert connection.sql("SELECT count(*) FROM duckdb_tables()").fetchall() == [(0,)]


def test_relation_of_the_default_connection(path, wanted, quiet_lmer):
    import duckdb

    relation = duckdb.sql(f"SELECT *, 1 AS unused FROM '{path}'")
    assert_same(quiet_lmer(FORMULA, relation, **OPTIONS), wanted)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Ibis 12 on DuckDB 2 and pandas 3
def test_ibis_tables_of_duckdb(path, frame, wanted, quiet_lmer, tmp_path):
    import ibis

    table = ibis.duckdb.connect().read_parquet(path)
    found = quiet_lmer(FORMULA, table, **OPTIONS)
    assert_same(found, wanted)
    assert_same(quiet_lmer(FORMULA.replace("x", "z"), table.rename(z="x"), **OPTIONS), wanted)
    assert_same(quiet_lmer(FORMULA, ibis.memtable(frame), **OPTIONS), wanted)
    assert found.stream_predictions(tmp_path / "out.parquet", table, new_levels="zero") == len(frame)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Ibis 12 on DuckDB 2 and pandas 3
def test_fits_to_tables_do_not_know_their_rows(path, quiet_lmer, tmp_path):
    import ibis

    fit = quiet_lmer("y ~ x + (1 | g)", ibis.duckdb.connect().read_parquet(path))
    with pytest.raises(ms.OptionError, match="give source="):
        fit.stream_predictions(tmp_path / "out.parquet")


def test_without_ibis(path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "ibis", None)
    with pytest.raises(ms.BackendError, match=r"needs DuckDB and Ibis: pip install 'mixedsparse\[big\]'"):
        ms.lmer("y ~ x + (1 | g)", path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_spark(path, frame, wanted, quiet_lmer, tmp_path):
    """PySpark is half a gigabyte and needs Java: `make test-spark` installs it."""
    pytest.importorskip("pyspark")
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("PySpark needs Java")
    import ibis
    from pyspark.sql import SparkSession

    settings = {"spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "2", "spark.driver.memory": "1g"}
    session = SparkSession.builder.master("local[1]").config(map=settings).getOrCreate()
    try:
        table = ibis.pyspark.connect(session).read_parquet(str(path))
        found = quiet_lmer(FORMULA, table, **OPTIONS)
        assert_same(found, wanted)
        assert found.stream_predictions(tmp_path / "out.parquet", table, new_levels="zero") == len(frame)
    finally:
        session.stop()
