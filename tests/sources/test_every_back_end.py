"""The same models on every back end that can be had, a PostgreSQL server of our own among them."""

from __future__ import annotations

import os
import sqlite3
import uuid
import warnings
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms

ibis = pytest.importorskip("ibis")

MODELS = {
    "crossed": "y ~ x + (1 | g) + (1 | h)",
    "one factor": "y ~ x + (1 | g)",
    "slope": "y ~ x + (1 + x | g)",
    "slope apart": "y ~ x + (x || g)",
    "factor": "y ~ f + (1 | g)",
    "factor by number": "y ~ f * x + (1 | h)",
    "two factors": "y ~ f * k + (1 | g)",
    "interaction alone": "y ~ f:k + (1 | g)",
    "no intercept": "y ~ 0 + f + (1 | g)",
    "numbers as a factor": "y ~ C(level) + (1 | g)",
    "slope of a factor": "y ~ x + (f | h)",
    "slope beside a factor": "y ~ f + x + (1 | g) + (0 + x | h)",
    "group of two": "y ~ x + (1 | g:h)",
    "nested": "y ~ x + (1 | g / h)",
    "groups of whole numbers": "y ~ x + (1 | level)",
    "missing": "y ~ missing + (1 | g)",
    "NaN": "y ~ gap + (1 | g)",
    "scale": "y ~ scale(x) + (1 | g)",
    "center": "y ~ center(x) + (1 | h)",
    "square": "y ~ x + I(x ** 2) + (1 | g)",
    "logarithm": "y ~ log(x + 10) + (1 | g)",
    "left side": "log(y + 20) ~ x + (1 | g)",
    "where": "y ~ where(x > 3, 1, 0) + (1 | g)",
    "remainder": "y ~ I(level % 2) + (1 | g)",
    "comparison": "y ~ I(x > 3) + (1 | g)",
    "products": "y ~ x * z + (1 | g:k)",
}
OPTIONS = {
    "contrasts": ("y ~ f * x + (1 | g)", {"contrasts": {"f": "sum"}}),
    "weights and offset": ("y ~ x + (1 | g)", {"weights": "w", "offset": "o"}),
    "maximum likelihood": ("y ~ x + (1 | g)", {"reml": False}),
    "answers": ("answer ~ x + (1 | g)", {"family": "binomial"}),
    "counts": ("count ~ z + (1 | g)", {"family": "poisson"}),
}
CASES = {name: (formula, {}) for name, formula in MODELS.items()} | OPTIONS
# Where databases differ most: these run with the fast tests.
QUICK = ("crossed", "factor by number", "NaN", "where", "weights and offset", "answers")
EACH = [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in CASES]


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    rng, n = np.random.default_rng(3), 400
    d = pd.DataFrame(
        {
            "g": rng.integers(0, 12, n),
            "h": rng.choice(list("pqrstu"), n),
            "f": rng.choice(["lo", "mid", "hi"], n),
            "k": rng.choice(["yes", "no"], n),
            "x": rng.normal(3.0, 1.0, n),
            "z": rng.normal(size=n),
            "level": rng.integers(1, 5, n),
            "w": rng.uniform(0.5, 2.0, n),
            "o": rng.normal(size=n),
        }
    )
    d["y"] = rng.normal(size=12)[d["g"]] + 0.3 * d["x"] + rng.normal(size=n) + (d["f"] == "hi")
    d["missing"] = d["z"].where(rng.random(n) > 0.05)
    d["gap"] = d["z"].where(rng.random(n) > 0.05)
    d["answer"] = (d["y"] > d["y"].mean()).astype(int)
    d["count"] = rng.poisson(np.exp(0.3 + 0.2 * d["z"]))
    return d


@pytest.fixture(scope="module")
def sqlite(rows, tmp_path_factory):
    path = tmp_path_factory.mktemp("sqlite") / "rows.db"
    with sqlite3.connect(path) as connection:
        rows.to_sql("observed", connection, index=False)
    reader = ibis.sqlite.connect(path)
    yield reader.table("observed")
    reader.disconnect()


@pytest.fixture(scope="module")
def polars(rows):
    pl = pytest.importorskip("polars")
    # NaN that is not NULL.
    frame = pl.from_pandas(rows).with_columns(gap=pl.Series(rows["gap"].to_numpy()))
    assert frame["gap"].null_count() == 0
    return ibis.polars.connect({"observed": frame}).table("observed")


@pytest.fixture(scope="module")
def postgres(rows, server):
    connection = ibis.postgres.connect(host=str(server), user="postgres", database="postgres")
    # The fixture is made anew when parameters of tests alternate.
    name = f"observed_{uuid.uuid4().hex[:8]}"
    connection.create_table(name, rows)
    yield connection.table(name)
    connection.disconnect()


@pytest.fixture(scope="module")
def parquet(rows, tmp_path_factory):
    path = tmp_path_factory.mktemp("parquet") / "rows.parquet"
    rows.to_parquet(path)
    return path


@pytest.fixture(scope="module")
def duckdb(rows):
    connection = pytest.importorskip("duckdb").connect()
    connection.register("frame", rows)
    connection.execute("CREATE TABLE observed AS SELECT * FROM frame")
    return connection.table("observed")


@pytest.fixture(scope="module")
def datafusion(parquet):
    pytest.importorskip("datafusion")
    return ibis.datafusion.connect().read_parquet(parquet)


@pytest.fixture(scope="module")
def pyspark(spark, parquet):
    return ibis.pyspark.connect(spark).read_parquet(str(parquet))


BACK_ENDS = ["parquet", "duckdb", "sqlite", "polars", "postgres", "datafusion", "pyspark"]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=[pytest.mark.slow] if name in ("datafusion", "pyspark") else []) for name in BACK_ENDS
    ],
)
def back_end(request):
    return request.param


@pytest.fixture
def table(back_end, request):
    return request.getfixturevalue(back_end)


@pytest.fixture(scope="session")
def differences():
    """Largest differences by back end and model, which become docs/backends.md where BACK_ENDS_TABLE names the file."""
    found: dict[tuple[str, str], float] = {}
    yield found
    if target := os.environ.get("BACK_ENDS_TABLE"):
        write_table(Path(target), found)


def write_table(target: Path, found: dict[tuple[str, str], float]) -> None:
    names = [name for name in BACK_ENDS if any(back_end == name for back_end, _ in found)]
    lines = [
        "# Back ends and models",
        "",
        "Largest difference of criterion and coefficients (over the larger of 1 and their size) from the same fit in",
        "memory; `make backends` writes this table, and the tests hold it.",
        "",
        "| model | formula | " + " | ".join(names) + " |",
        "|---|---|" + "---|" * len(names),
    ]
    for case, (formula, options) in CASES.items():
        given = "".join(f", {name}={value!r}" for name, value in options.items())
        cells = [f"{found[name, case]:.0e}" if (name, case) in found else "" for name in names]
        text = f"`{formula}`{given}".replace("|", "\\|")
        lines.append(f"| {case} | {text} | " + " | ".join(cells) + " |")
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")


def fitted(formula, data, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return (ms.glmer if "family" in options else ms.lmer)(formula, data, **options)


@pytest.fixture(scope="module")
def in_memory(rows):
    """Fit in memory by the name of its case, each made once."""
    return cache(lambda case: fitted(CASES[case][0], rows, **CASES[case][1]))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", EACH)
def test_a_table_fits_as_memory_does(back_end, table, in_memory, differences, case):
    formula, options = CASES[case]
    wanted, found = in_memory(case), fitted(formula, table, **options)
    assert list(found.params.index) == list(wanted.params.index)
    off = np.abs(found.params - wanted.params) / np.maximum(1.0, np.abs(wanted.params))
    differences[back_end, case] = max(abs(found.criterion - wanted.criterion), off.max())
    assert found.criterion == pytest.approx(wanted.criterion, abs=1e-9)
    assert off.max() < 1e-8
    assert found.nmissing == wanted.nmissing


def test_the_table_of_the_docs_has_every_model_and_back_end():
    text = (Path(__file__).resolve().parents[2] / "docs" / "backends.md").read_text(encoding="utf-8")
    head = next(line for line in text.splitlines() if line.startswith("| model"))
    assert set(head.strip("| ").split(" | ")[2:]) >= set(BACK_ENDS[:5])
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")][1:]
    assert [row[0].strip("| ") for row in rows] == list(CASES)
    assert all(float(cell.strip("| ")) < 1e-8 for row in rows for cell in row[2:])


@pytest.mark.filterwarnings("ignore")
def test_keys_of_every_type_of_a_server(rows, server):
    """Identifiers, dates, padded text and enumerations are joined as text, and decimals are numbers."""
    import psycopg

    at = [datetime(2024, 1, 1) + timedelta(days=int(g)) for g in rows["g"]]
    keys = pd.DataFrame(
        {
            "y": rows["y"],
            "x": rows["x"].round(3),
            "identifier": [str(uuid.UUID(int=7919 * int(g) + 1)) for g in rows["g"]],
            "day": [date(when.year, when.month, when.day) for when in at],
            "moment": at,
            "padded": [f"c{g}" for g in rows["g"]],
            "mood": rows["f"],
            "truth": rows["k"] == "yes",
        }
    )
    types = ["float8", "numeric(10, 3)", "uuid", "date", "timestamp", "char(6)", "mood", "boolean"]
    with psycopg.connect(host=str(server), user="postgres", dbname="postgres", autocommit=True) as connection:
        connection.execute("CREATE TYPE mood AS ENUM ('lo', 'mid', 'hi')")
        made = ", ".join(f"{name} {kind}" for name, kind in zip(keys, types, strict=True))
        connection.execute(f"CREATE TABLE keys ({made})")
        with connection.cursor() as cursor:
            cursor.executemany(f"INSERT INTO keys VALUES ({', '.join(['%s'] * 8)})", keys.values.tolist())
    reader = ibis.postgres.connect(host=str(server), user="postgres", database="postgres")
    table = reader.table("keys")
    keys["day"] = pd.to_datetime(keys["day"])
    keys["mood"] = pd.Categorical(keys["mood"], ["lo", "mid", "hi"])
    for formula in (
        "y ~ x + (1 | identifier)",
        "y ~ x + (1 | day)",
        "y ~ x + (1 | moment)",
        "y ~ truth * x + (1 | padded)",
        "y ~ mood + (0 + truth | padded)",
        "y ~ x + (1 | mood:truth)",
    ):
        wanted, found = fitted(formula, keys), fitted(formula, table)
        assert found.criterion == pytest.approx(wanted.criterion, abs=1e-9), formula
        pd.testing.assert_series_equal(found.params, wanted.params, rtol=1e-8, atol=1e-8)
    reader.disconnect()


@pytest.mark.filterwarnings("ignore")
def test_enumerations_of_duckdb_keep_their_order(rows):
    connection = pytest.importorskip("duckdb").connect()
    connection.execute("CREATE TYPE mood AS ENUM ('lo', 'mid', 'hi')")
    connection.register("frame", rows)
    connection.execute("CREATE TABLE moods AS SELECT * REPLACE (f::mood AS f) FROM frame")
    wanted = fitted("y ~ f + (1 | g)", rows.assign(f=pd.Categorical(rows["f"], ["lo", "mid", "hi"])))
    found = fitted("y ~ f + (1 | g)", connection.table("moods"))
    pd.testing.assert_series_equal(found.params, wanted.params, rtol=1e-8, atol=1e-8)
    assert list(found.params.index) == ["Intercept", "f[T.mid]", "f[T.hi]"]


@pytest.mark.filterwarnings("ignore")
def test_a_role_that_may_only_read_is_enough(rows, server, postgres):
    """Levels had been sent there as temporary tables."""
    import psycopg

    with psycopg.connect(host=str(server), user="postgres", dbname="postgres", autocommit=True) as connection:
        connection.execute("REVOKE ALL ON DATABASE postgres FROM PUBLIC")
        connection.execute("CREATE ROLE reader LOGIN")
        connection.execute("GRANT CONNECT ON DATABASE postgres TO reader")
        connection.execute(f"GRANT SELECT ON {postgres.get_name()} TO reader")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SET ROLE reader").connection.execute("CREATE TEMP TABLE more (x int)")
    reader = ibis.postgres.connect(host=str(server), user="reader", database="postgres")
    found = fitted("y ~ f * x + (1 | g) + (1 | h)", reader.table(postgres.get_name()))
    assert found.criterion == pytest.approx(fitted("y ~ f * x + (1 | g) + (1 | h)", rows).criterion, abs=1e-9)
    with pytest.raises(ms.DataError, match="would not take the table 'scored'"):
        found.stream_predictions(table="scored", source=reader.table(postgres.get_name()), new_levels="zero")
    reader.disconnect()


@pytest.mark.filterwarnings("ignore")
def test_predictions_become_a_table_of_a_server(rows, server, postgres):
    fit = fitted("y ~ x + (1 | g)", rows)
    name = f"scored_{uuid.uuid4().hex[:8]}"
    fit.stream_predictions(table=name, source=postgres, columns=["g", "x"], interval="confidence")
    connection = ibis.postgres.connect(host=str(server), user="postgres", database="postgres")
    found = connection.table(name).to_pandas().sort_values(["g", "x"])
    right = fit.predict(rows, interval="confidence").loc[rows.sort_values(["g", "x"]).index]
    np.testing.assert_allclose(found[["predicted", "lower", "upper"]], right, rtol=1e-9)
    connection.disconnect()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("library", ["pyarrow", "polars"])
def test_nan_in_files_is_missing_though_their_statistics_do_not_know_of_it(rows, tmp_path, library):
    """DuckDB had answered from the columns' smallest and largest values that none is NaN: an IndexError."""
    columns = {name: rows[name].to_numpy() for name in ("y", "x", "gap", "g")}
    if library == "pyarrow":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.table({name: pa.array(values) for name, values in columns.items()}), tmp_path / "a.parquet")
    else:
        pytest.importorskip("polars").DataFrame(columns).write_parquet(tmp_path / "a.parquet")
    for formula in ("y ~ gap + (1 | g)", "gap ~ x + (1 | g)"):
        wanted, found = fitted(formula, rows), fitted(formula, tmp_path / "a.parquet")
        assert found.nmissing == wanted.nmissing > 0
        assert found.criterion == pytest.approx(wanted.criterion, abs=1e-9)


def test_what_a_database_cannot_do_is_said_of_databases(sqlite):
    with pytest.raises(ms.DataError, match="add it as a column, or write the rows to a Parquet file") as caught:
        ms.lmer("y ~ arctan2(x, z) + (1 | g)", sqlite.mutate(x=sqlite.x.hash()))
    assert "every file" not in str(caught.value)
