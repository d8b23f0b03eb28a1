"""One data set with everything: missing values, weights, offsets, factors, nested and crossed groups."""

from __future__ import annotations

import warnings

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
