"""Fits of every kind that a file must hold, each with rows to predict."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

import mixedsparse as ms

__all__ = ["CASES", "new_rows", "shift"]

SLEEP = ms.datasets.load("sleepstudy")
OATS = ms.datasets.load("Oats")


def shift(x):
    """Function of a session that a formula may use."""
    return x + 1.0


def grown(n: int = 240) -> pd.DataFrame:
    """Rows with columns of many types, some values missing."""
    rng = np.random.default_rng(20261127)
    frame = pd.DataFrame(
        {
            "x": rng.normal(5.0, 2.0, n),
            "z": rng.normal(size=n),
            "f": np.array(["low", "mid", "high"])[rng.integers(0, 3, n)],
            "h": pd.Categorical(np.array(["b", "a", "c"])[rng.integers(0, 3, n)], ["c", "a", "b"], ordered=True),
            "k": rng.integers(1, 4, n),
            "day": pd.to_datetime("2026-01-01") + pd.to_timedelta(rng.integers(0, 12, n), "D"),
            "school": [f"s{i}" for i in rng.integers(0, 8, n)],
            "class id": rng.integers(0, 3, n),
            "person": rng.integers(100, 130, n),
            "item": [f"é{i}" for i in rng.integers(0, 10, n)],
            "w": rng.uniform(0.5, 2.0, n),
            "o": rng.normal(size=n),
        }
    )
    effects = rng.normal(size=(30, 2))
    at = frame["person"].to_numpy() - 100
    frame["y"] = 3 + 0.4 * frame["x"] + effects[at, 0] + 0.4 * effects[at, 1] * frame["z"] + rng.normal(size=n)
    frame.loc[rng.choice(n, 6, replace=False), "x"] = np.nan
    return frame


GROWN = grown()


def from_arrays() -> Any:
    n = len(SLEEP)
    subject = np.repeat(np.arange(18), 10)
    terms = [ms.RandomTerm("g", subject, np.column_stack([np.ones(n), SLEEP["Days"]]), ("one", "day"))]
    X = pd.DataFrame({"one": np.ones(n), "day": SLEEP["Days"].to_numpy(dtype=float)})
    return ms.LinearMixedModel.from_arrays(SLEEP["Reaction"], X, terms, weights=np.linspace(1, 2, n)).fit()


def iterative() -> Any:
    options = ms.FitOptions(seed=3)
    return ms.lmer("y ~ z + (1 | person) + (1 | item)", GROWN, method="iterative", options=options)


def dependent() -> Any:
    data = GROWN.assign(twice=2 * GROWN["z"])
    return ms.lmer("y ~ z + twice + f + (1 | person)", data)


def source() -> Any:
    GROWN.to_parquet("grown.parquet")
    return ms.lmer(
        "y ~ scale(x) * f + C(k) + h + offset(o) + (1 + z | person) + (1 | school:item)", "grown.parquet", weights="w"
    )


# Name -> fit. Data sets are those that the package ships, or made above.
CASES: dict[str, Callable[[], Any]] = {
    "crossed": lambda: ms.lmer("diameter ~ 1 + (1 | plate) + (1 | sample)", ms.datasets.load("Penicillin")),
    "cholmod": lambda: ms.lmer(
        "y ~ z + (z | person) + (1 | item)", GROWN, options=ms.FitOptions(backend="cholmod", max_evals=50)
    ),
    "slopes": lambda: ms.lmer("Reaction ~ Days + (Days | Subject)", SLEEP, reml=False),
    "double bar": lambda: ms.lmer("Reaction ~ Days + (Days || Subject)", SLEEP),
    "singular": lambda: ms.lmer("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff2")),
    "nested": lambda: ms.lmer("yield ~ nitro * Variety + (1 | Block/Variety)", OATS, contrasts={"Variety": "sum"}),
    "custom contrasts": lambda: ms.lmer(
        "y ~ f * h + (1 | person)",
        GROWN,
        contrasts={"f": np.array([[1.0, 0.25], [-1.0, 0.25], [0.0, -0.5]]), "h": "helmert"},
    ),
    "contrasts in the formula": lambda: ms.lmer(
        "y ~ C(f, contr.treatment(base='mid')) + C(k, contr.sum) + C(h, contr.poly):z + (0 + f | person)", GROWN
    ),
    "transforms": lambda: ms.lmer(
        "y ~ bs(x, df=4) + poly(z, 2) + scale(w):f + center(o) + log(x + 20) + I(k**2) + (scale(z) | person)", GROWN
    ),
    "cubic splines": lambda: ms.lmer(
        "y ~ cr(x, df=4, constraints='center') + cc(z, df=3) + (cr(z, df=3) || person)", GROWN
    ),
    "weights and offset by name": lambda: ms.lmer(
        "y ~ x + (1 | person) + offset(o)", GROWN.set_index("day"), weights="w", offset="z"
    ),
    "weights and offset as arrays": lambda: ms.lmer(
        "y ~ x + (1 | day) + (1 | `class id`:school)",
        GROWN,
        weights=GROWN["w"].to_numpy(),
        offset=GROWN["o"].to_numpy(),
    ),
    "session": lambda: ms.lmer("Reaction ~ shift(Days) + (1 | Subject)", SLEEP),
    "constant of the session": lambda knot=4.5: ms.lmer(
        "Reaction ~ Days + I((Days - knot) ** 2) + (1 | Subject)", SLEEP.rename(index=str)
    ),
    "dependent": dependent,
    "not identified": lambda: ms.lmer("y ~ f + (1 | f) + (1 | person)", GROWN),
    "arrays": from_arrays,
    "iterative": iterative,
    "source": source,
}


def new_rows(name: str) -> pd.DataFrame | None:
    """Rows to predict after the fit `name`, all of them complete; None where new data have no meaning."""
    if name == "arrays":
        return None
    if name == "crossed":
        return ms.datasets.load("Penicillin").iloc[::9].reset_index(drop=True)
    if name == "singular":
        return ms.datasets.load("Dyestuff2").iloc[::5].reset_index(drop=True)
    if name == "nested":
        return OATS.iloc[::7].reset_index(drop=True)
    if name in ("slopes", "double bar", "session", "constant of the session"):
        return SLEEP.iloc[::17].reset_index(drop=True)
    rows = GROWN.dropna().iloc[::19].reset_index(drop=True)
    return rows.assign(twice=2 * rows["z"])
