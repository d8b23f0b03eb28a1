"""Random linear mixed models: designs, formulas and responses that no table of examples would hold."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["RandomModel", "random_model"]

GROUPS = "ghjk"
FIXED = {
    "1": 0.15,
    "x1": 0.2,
    "x1 + x2": 0.15,
    "x1 + f": 0.15,
    "x1 * f": 0.1,
    "x1 * x2": 0.1,
    "0 + x1": 0.05,
    "0 + f": 0.05,
    "f": 0.05,
}
EFFECTS = {
    "(1 | {g})": 0.5,
    "(x1 | {g})": 0.18,
    "(0 + x1 | {g})": 0.05,
    "(1 + x1 || {g})": 0.1,
    "(f | {g})": 0.06,
    "(x1 + x2 | {g})": 0.06,
    "(1 | {g}) + (0 + x2 | {g})": 0.05,
}
LAYOUTS = {"even": 0.3, "random": 0.3, "skewed": 0.2, "nested": 0.1, "singletons": 0.05, "two": 0.05}


@dataclass(frozen=True, eq=False)
class RandomModel:
    """One random model with its data.

    Attributes
    ----------
    number : int
        With the seed, all that the model depends on.
    formula : str
        The same in R and here.
    data : DataFrame
    weights, offset : str or None
        Columns of `data`.
    traits : tuple of str
        What is unusual about it.
    """

    number: int
    formula: str
    data: pd.DataFrame
    weights: str | None = None
    offset: str | None = None
    traits: tuple[str, ...] = field(default=())

    @property
    def arguments(self) -> dict[str, Any]:
        """Arguments of the model beside formula and data."""
        return {k: v for k, v in (("weights", self.weights), ("offset", self.offset)) if v is not None}

    @property
    def checksum(self) -> int:
        """Number that changes with the data: fits of R are used only for the data that they were made from."""
        return zlib.crc32(self.data.to_csv(index=False, float_format="%.9g").encode())


def random_model(seed: int, number: int) -> RandomModel:
    """Draw model `number` of `seed`; every model has a generator of its own."""
    rng = np.random.default_rng([seed, number])
    n = int(rng.choice([rng.integers(8, 20), rng.integers(20, 80), rng.integers(60, 400)], p=[0.1, 0.4, 0.5]))
    traits: list[str] = []
    groups = _groups(rng, n, traits)
    columns: dict[str, Any] = {name: [f"{name}{code:03d}" for code in codes] for name, codes in groups.items()}
    x1, x2 = _covariates(rng, n, columns, traits)
    fixed = _choose(rng, FIXED) + _redundant(rng, columns, traits)
    terms = [_choose(rng, EFFECTS).format(g=name) for name in groups]
    if len(groups) > 1 and rng.random() < 0.15:
        terms.append("(1 | g:h)")
    eta = rng.normal() + rng.normal() * x1 + rng.normal() * x2
    for codes, term in zip(groups.values(), terms, strict=False):
        levels = codes.max() + 1
        eta = eta + rng.choice([0, 0.05, 0.5, 1, 3, 30]) * rng.normal(size=levels)[codes]
        if "x1" in term:
            eta = eta + rng.choice([0, 0.3, 1]) * rng.normal(size=levels)[codes] * x1
    weights = _weights(rng, n, traits)
    columns["y"] = _response(rng, eta, weights, traits)
    if weights is not None:
        columns["w"] = weights
    if rng.random() < 0.12:
        columns["o"] = 3 * rng.normal(size=n) * np.std(columns["y"])
    return RandomModel(
        number,
        f"y ~ {fixed} + {' + '.join(terms)}",
        pd.DataFrame(columns),
        "w" if "w" in columns else None,
        "o" if "o" in columns else None,
        tuple(traits),
    )


def _choose(rng: np.random.Generator, table: dict[str, float]) -> str:
    return str(rng.choice(list(table), p=list(table.values())))


def _groups(rng: np.random.Generator, n: int, traits: list[str]) -> dict[str, np.ndarray]:
    """Codes of one to four grouping factors, each with two levels at least and none with as many as rows."""
    found: dict[str, np.ndarray] = {}
    for name in GROUPS[: rng.choice([1, 2, 3, 4], p=[0.35, 0.4, 0.2, 0.05])]:
        layout = _choose(rng, LAYOUTS)
        most = int(rng.integers(2, max(3, n // 2)))
        levels = min(most, int(rng.integers(2, 12))) if rng.random() < 0.5 else most
        if layout == "even":
            codes = rng.permutation(np.arange(n) % levels)
        elif layout == "skewed":
            codes = np.minimum(rng.zipf(1.5, n) - 1, levels - 1)
        elif layout == "nested" and found:
            codes = found["g"] * 3 + rng.integers(0, 3, n)
        elif layout == "singletons":
            codes = np.where(rng.random(n) < 0.5, 0, np.arange(n) + 1)
        elif layout == "two":
            codes = (np.arange(n) >= n // 2).astype(int)
        else:
            codes = np.sort(rng.integers(0, levels, n))
        if layout in ("singletons", "nested", "two"):
            traits.append(layout)
        codes[-1] = codes[0]
        codes[1] = codes[0] + 1
        found[name] = np.unique(codes, return_inverse=True)[1]
    return found


def _covariates(
    rng: np.random.Generator, n: int, columns: dict[str, Any], traits: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Two covariates and a factor; the columns are scaled and moved, what the response is made of is not."""
    x1 = rng.normal(size=n)
    x2 = rng.choice([0.0, 1.0, 2.0], n) if rng.random() < 0.3 else rng.normal(size=n)
    scales = 10 ** rng.uniform(-6, 6, 2) if rng.random() < 0.3 else np.ones(2)
    location = rng.choice([0, 1, 100, 1e4], p=[0.6, 0.2, 0.15, 0.05])
    traits += ["scaled"] * bool(scales[0] != 1) + ["far from 0"] * bool(location > 1)
    columns["x1"], columns["x2"] = (x1 + location) * scales[0], x2 * scales[1]
    codes = rng.integers(0, rng.integers(2, 6), n)
    codes[:2] = 0, 1
    columns["f"] = [f"l{code}" for code in codes]
    return x1, x2


def _redundant(rng: np.random.Generator, columns: dict[str, Any], traits: list[str]) -> str:
    """Now and then a column that says nothing new."""
    draw = rng.random()
    if draw < 0.05:
        columns["x3"] = 2 * columns["x1"] - 3 * columns["x2"]
        traits.append("collinear")
        return " + x1 + x2 + x3"
    if draw < 0.08:
        columns["x3"] = np.full(len(columns["x1"]), 3.0)
        traits.append("constant")
        return " + x3"
    return ""


def _weights(rng: np.random.Generator, n: int, traits: list[str]) -> np.ndarray | None:
    draw = rng.random()
    if draw < 0.15:
        return rng.uniform(0.5, 2, n)
    if draw < 0.25:
        traits.append("weights over twelve decades")
        return 10 ** rng.uniform(-6, 6, n)
    return None


def _response(rng: np.random.Generator, eta: np.ndarray, weights: np.ndarray | None, traits: list[str]) -> np.ndarray:
    sigma = 1.0
    if rng.random() < 0.08:
        sigma = 10 ** rng.uniform(-6, -2)
        traits.append("near-perfect")
    noise = rng.normal(size=len(eta))
    if weights is not None:
        noise = noise / np.sqrt(weights / np.median(weights))
    y = eta + sigma * noise
    if rng.random() < 0.05:
        y = np.exp(np.clip(y, -20, 20))
        traits.append("heavy tail")
    scale = 10 ** rng.uniform(-5, 5) if rng.random() < 0.2 else 1.0
    location = rng.choice([0, 100, 1e5], p=[0.8, 0.15, 0.05])
    traits += ["response far from 0"] * bool(location > 1)
    return (y + location) * scale
