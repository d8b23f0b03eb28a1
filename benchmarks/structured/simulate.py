"""Data of the structured models, with their seeds."""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["animals", "crossed", "days", "parents", "persons", "series", "strata", "visits"]


def days() -> pd.DataFrame:
    """200 groups, 10 days, two rows of each; effects of the days by an autoregression."""
    rng = np.random.default_rng(10)
    groups, k = 200, 10
    lags = np.abs(np.subtract.outer(np.arange(k), np.arange(k)))
    effects = rng.normal(size=(groups, k)) @ np.linalg.cholesky(0.6**lags).T
    g, day = np.repeat(np.arange(groups), 2 * k), np.tile(np.repeat(np.arange(k), 2), groups)
    x = rng.normal(size=len(g))
    y = 1.0 + 0.5 * x + effects[g, day] + rng.normal(size=len(g))
    return pd.DataFrame({"y": y, "x": x, "g": g, "day": [f"d{i}" for i in day]})


def series() -> pd.DataFrame:
    """250 series of 20 times: an intercept and autocorrelated residuals."""
    rng = np.random.default_rng(11)
    groups, k = 250, 20
    e = rng.normal(size=(groups, k))
    for t in range(1, k):
        e[:, t] = 0.5 * e[:, t - 1] + np.sqrt(0.75) * e[:, t]
    x = rng.normal(size=groups * k)
    y = 0.3 * x + np.repeat(rng.normal(size=groups), k) + e.ravel()
    return pd.DataFrame({"y": y, "x": x, "g": np.repeat(np.arange(groups), k), "t": np.tile(np.arange(k), groups)})


def strata() -> pd.DataFrame:
    """250 groups of 20 rows in four strata of other residual variances."""
    rng = np.random.default_rng(12)
    g, s = np.repeat(np.arange(250), 20), rng.integers(0, 4, 5000)
    x = rng.normal(size=5000)
    y = 0.3 * x + rng.normal(size=250)[g] + rng.normal(size=5000) * np.array([1.0, 1.4, 0.7, 2.0])[s]
    return pd.DataFrame({"y": y, "x": x, "g": g, "s": np.array(list("abcd"))[s]})


def crossed() -> pd.DataFrame:
    """100 subjects by 60 items, each pair once, in two strata."""
    rng = np.random.default_rng(13)
    a, b = np.repeat(np.arange(100), 60), np.tile(np.arange(60), 100)
    x, s = rng.normal(size=6000), rng.integers(0, 2, 6000)
    y = 0.3 * x + rng.normal(size=100)[a] + 0.5 * rng.normal(size=60)[b] + rng.normal(size=6000) * (1.0 + 0.6 * s)
    return pd.DataFrame({"y": y, "x": x, "a": a, "b": b, "s": np.array(["p", "q"])[s]})


def visits(subjects: int, k: int, missing: float, seed: int) -> pd.DataFrame:
    """Two arms, `k` visits, some missing; an unstructured covariance of the visits."""
    rng = np.random.default_rng(seed)
    root = np.linalg.cholesky(0.5 ** np.abs(np.subtract.outer(np.arange(k), np.arange(k))) + 0.3)
    e = rng.normal(size=(subjects, k)) @ (root * np.linspace(1.0, 2.0, k)[:, None]).T
    i, v = np.repeat(np.arange(subjects), k), np.tile(np.arange(k), subjects)
    arm, base = (i % 2), np.repeat(rng.normal(size=subjects), k)
    frame = pd.DataFrame({"y": 0.3 * base + 0.1 * arm * v + e.ravel(), "base": base, "id": i, "visit": v + 1})
    frame["v"], frame["arm"] = [f"v{j:02d}" for j in v], np.where(arm == 1, "B", "A")
    last = np.repeat(rng.geometric(missing, size=subjects) + k // 2, k)
    return frame[(v < last) & (rng.random(len(v)) > missing / 2)].reset_index(drop=True)


def persons() -> pd.DataFrame:
    """200 persons, 8,000 directed pairs: what one sends and receives is correlated."""
    rng = np.random.default_rng(16)
    s = np.repeat(np.arange(200), 40)
    r = (s + rng.integers(1, 200, 8000)) % 200
    effects = rng.normal(size=(200, 2)) @ np.array([[1.0, 0.5], [0.0, 0.8]])
    x = rng.normal(size=8000)
    y = 0.3 * x + effects[s, 0] + effects[r, 1] + rng.normal(size=8000)
    return pd.DataFrame({"y": y, "x": x, "sender": s, "receiver": r})


def parents(animals: int) -> pd.DataFrame:
    """Pedigree in generations of a tenth of all animals; 40 sires a generation."""
    rng = np.random.default_rng(17)
    size = animals // 10
    born = np.arange(animals)
    before = (born // size - 1) * size
    sire, dam = before + rng.integers(0, min(40, size // 2), animals), before + rng.integers(size // 2, size, animals)
    known = born >= size
    names = [[f"a{j}" if ok else None for j, ok in zip(column, known, strict=True)] for column in (sire, dam)]
    return pd.DataFrame({"animal": [f"a{i}" for i in born], "sire": names[0], "dam": names[1]})


def animals(animals: int, rows: int) -> pd.DataFrame:
    """Records of the later generations: additive and permanent effects."""
    rng = np.random.default_rng(18)
    family, size = parents(animals), animals // 10
    place = {name: i for i, name in enumerate(family["animal"])}
    additive = np.zeros(animals)
    for i, (sire, dam) in enumerate(zip(family["sire"], family["dam"], strict=True)):
        own = rng.normal()
        additive[i] = (
            own if not isinstance(sire, str) else 0.5 * (additive[place[sire]] + additive[place[dam]]) + own * 0.5**0.5
        )
    at = np.sort(rng.integers(size, animals, rows))
    sex, age = np.array(["f", "m"])[at % 2], rng.random(rows)
    y = 0.5 * (at % 2) + age + additive[at] + 0.5 * rng.normal(size=animals)[at] + rng.normal(size=rows)
    return pd.DataFrame({"y": y, "sex": sex, "age": age, "animal": [f"a{i}" for i in at]})
