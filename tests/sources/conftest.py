"""One data set with everything: missing values, weights, offsets, factors, nested and crossed groups."""

from __future__ import annotations

import os
import shutil
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("ibis")
pytest.importorskip("duckdb")
pytest.importorskip("pyarrow")


def make_frame(n: int = 1200, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "g": rng.integers(0, 25, n),
            "h": [f"item {i}" for i in rng.integers(0, 40, n)],
            "x": rng.normal(5.0, 1.0, n),
            "year": rng.integers(1990, 2020, n),
            "f": rng.choice(list("abc"), n),
            "k": rng.choice(["u", "v"], n),
            "yes": rng.random(n) < 0.4,
            "w": rng.uniform(0.5, 2.0, n),
            "o": rng.normal(size=n),
        }
    )
    frame["cell"] = frame["g"] * 3 + rng.integers(0, 3, n)
    slope, item = 0.4 * rng.normal(size=25), rng.normal(size=40)
    frame["y"] = (
        100.0
        + rng.normal(size=25)[frame["g"]]
        + (0.5 + slope[frame["g"]]) * frame["x"]
        + item[frame["h"].str[5:].astype(int)]
        + (frame["f"] == "b")
        + 0.8 * rng.normal(size=75)[frame["cell"]]
        + rng.normal(size=n)
    )
    for column, count in (("x", 13), ("y", 5), ("o", 7)):
        frame.loc[rng.choice(n, count, replace=False), column] = np.nan
    frame.loc[rng.choice(n, 9, replace=False), "f"] = None
    return frame


@pytest.fixture(scope="session")
def frame():
    return make_frame()


@pytest.fixture(scope="session")
def path(frame, tmp_path_factory):
    path = tmp_path_factory.mktemp("source") / "data.parquet"
    frame.to_parquet(path)
    return path


@pytest.fixture(scope="session")
def quiet_lmer():
    import mixedsparse as ms

    def fit(*args, **kwargs):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ms.MixedSparseWarning)
            return ms.lmer(*args, **kwargs)

    return fit


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """Folder of the socket of a PostgreSQL server that listens nowhere else."""
    pytest.importorskip("psycopg")
    found = shutil.which("pg_ctl") or next(map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))), None)
    if found is None:
        pytest.skip("needs PostgreSQL")
    # It refuses to be run by root.
    user = "postgres" if os.geteuid() == 0 else None
    folder = Path(subprocess.check_output(["mktemp", "-d", "-p", "/tmp"], text=True, user=user).strip())
    folder.chmod(0o755)

    def control(*arguments: str) -> None:
        subprocess.run(
            [found, "-D", str(folder / "data"), *arguments], check=True, user=user, stdout=subprocess.DEVNULL
        )

    control("initdb", "-o", "-A trust -U postgres --no-sync")
    settings = f"-k {folder} -c listen_addresses='' -c fsync=off"
    control("-w", "-l", str(folder / "log"), "-o", settings, "start")
    yield folder
    control("-m", "immediate", "stop")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def spark():
    """A session of Spark; `make test-spark` installs it."""
    pytest.importorskip("pyspark")
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("PySpark needs Java")
    from pyspark.sql import SparkSession

    # One partition and plans that are compiled in one go: queries of few rows take a second otherwise.
    settings = {
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "1",
        "spark.default.parallelism": "1",
        "spark.driver.memory": "1g",
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "spark.driver.host": "127.0.0.1",
        "spark.sql.session.timeZone": "UTC",
    }
    session = SparkSession.builder.master("local[1]").config(map=settings).getOrCreate()
    yield session
    session.stop()
