"""Random generalized mixed models: sparse levels, separation, offsets, extreme rates."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit, ndtr

__all__ = ["RandomGeneralized", "random_generalized"]

# Family and link -> probability.
FAMILIES = {
    ("binomial", "logit"): 0.3,
    ("binomial", "probit"): 0.12,
    ("binomial", "cloglog"): 0.1,
    ("poisson", "log"): 0.24,
    ("negative_binomial", "log"): 0.12,
    ("gamma", "log"): 0.12,
}
FIXED = {"1": 0.15, "x1": 0.3, "x1 + x2": 0.2, "x1 + f": 0.2, "f": 0.15}
EFFECTS = {"(1 | {g})": 0.7, "(x1 | {g})": 0.18, "(1 | {g}) + (0 + x1 | {g})": 0.12}
LAYOUTS = {"even": 0.4, "random": 0.3, "sparse": 0.2, "few": 0.1}
TRAITS = {
    "plain": 0.5,
    "separated": 0.1,
    "empty cell": 0.08,
    "constant levels": 0.06,
    "rare": 0.08,
    "large": 0.06,
    "no variance": 0.07,
    "random effect for each row": 0.05,
}
TRIALS = 12


@dataclass(frozen=True, eq=False)
class RandomGeneralized:
    """One random model with its data.

    Attributes
    ----------
    number : int
        With the seed, all that the model depends on.
    formula : str
        The same in R and here.
    data : DataFrame
    family, link : str
    offset : str or None
        Column of `data`.
    trait : str
        What is unusual about it.
    """

    number: int
    formula: str
    data: pd.DataFrame
    family: str
    link: str
    offset: str | None
    trait: str

    @property
    def arguments(self) -> dict[str, Any]:
        """Arguments of the model beside formula and data."""
        return {"family": self.family, "link": self.link} | ({} if self.offset is None else {"offset": self.offset})

    @property
    def checksum(self) -> int:
        """Number that changes with the data: fits of R are used only for the data that they were made from."""
        return zlib.crc32(self.data.to_csv(index=False, float_format="%.9g").encode())

    @property
    def has_maximum(self) -> bool:
        """False where the likelihood is known to have none, by how the response was made."""
        return self.trait not in ("separated", "empty cell", "constant levels")


def random_generalized(seed: int, number: int) -> RandomGeneralized:
    """Draw model `number` of `seed`; every model has a generator of its own."""
    rng = np.random.default_rng([seed, number, 1])
    family, link = list(FAMILIES)[rng.choice(len(FAMILIES), p=list(FAMILIES.values()))]
    n, trait = int(rng.integers(30, 300)), _trait(rng, family)
    groups = {name: _codes(rng, n) for name in "gh"[: rng.choice([1, 2], p=[0.6, 0.4])]}
    x1, x2, f = rng.normal(size=n), rng.normal(size=n), rng.integers(0, 3, n)
    f[:3] = 0, 1, 2
    fixed = _choose(rng, FIXED)
    if trait == "separated" and "x1" not in fixed:
        fixed = "x1"
    if trait == "empty cell" and "f" not in fixed:
        fixed = "f"
    terms = [_choose(rng, EFFECTS).format(g=name) for name in groups]
    if trait == "constant levels":
        groups, terms, fixed = {"g": np.arange(n) // 3}, ["(1 | g)"], "1"
    eta = (
        _centre(rng, family, trait) + 0.5 * rng.normal() * x1 * ("x1" in fixed) + rng.normal(size=3)[f] * ("f" in fixed)
    )
    spread = 0.0 if trait == "no variance" else float(rng.choice([0.3, 0.7, 1.2]))
    for codes, term in zip(groups.values(), terms, strict=True):
        eta = eta + spread * rng.normal(size=codes.max() + 1)[codes]
        if "x1" in term:
            eta = eta + 0.5 * spread * rng.normal(size=codes.max() + 1)[codes] * x1
    columns: dict[str, Any] = {"x1": x1, "x2": x2, "f": [f"l{code}" for code in f]}
    columns |= {name: [f"{name}{code:03d}" for code in codes] for name, codes in groups.items()}
    if trait == "random effect for each row":
        terms.append("(1 | row)")
        columns["row"] = [f"r{i:03d}" for i in range(n)]
        eta = eta + 0.5 * rng.normal(size=n)
    if rng.random() < 0.15:
        columns["o"] = rng.normal(size=n) if family == "binomial" else np.log(rng.uniform(0.2, 5.0, n))
        eta = eta + columns["o"]
    left = _respond(rng, columns, family, link, np.clip(eta, -30.0, 12.0), trait, groups["g"], f)
    trait = "plain" if family == "gamma" and trait == "empty cell" else trait
    data = pd.DataFrame(columns)
    formula = f"{left} ~ {fixed} + {' + '.join(terms)}"
    return RandomGeneralized(number, formula, data, family, link, "o" if "o" in columns else None, trait)


def _choose(rng: np.random.Generator, table: dict[str, float]) -> str:
    return str(rng.choice(list(table), p=list(table.values())))


def _trait(rng: np.random.Generator, family: str) -> str:
    """Draw a trait that the family can have."""
    trait = _choose(rng, TRAITS)
    positive = family == "gamma" and trait in ("separated", "empty cell", "rare", "large", "random effect for each row")
    unlike = trait == "constant levels" and family != "binomial"
    if family != "binomial" and trait == "separated":
        return "empty cell"
    return "plain" if positive or unlike else trait


def _codes(rng: np.random.Generator, n: int) -> np.ndarray:
    """Codes of a grouping factor with two levels at least and none with as many as rows."""
    layout, levels = _choose(rng, LAYOUTS), int(rng.integers(4, max(5, n // 5)))
    if layout == "even":
        codes = rng.permutation(np.arange(n) % levels)
    elif layout == "sparse":
        codes = np.arange(n) // 2
    else:
        codes = rng.integers(0, 3 if layout == "few" else levels, n)
    codes[-1] = codes[0]
    codes[1] = codes[0] + 1
    return np.unique(codes, return_inverse=True)[1]


def _centre(rng: np.random.Generator, family: str, trait: str) -> float:
    if trait == "rare":
        return -3.0
    if trait == "large" and family != "binomial":
        return 8.0
    return float(rng.normal() if family in ("binomial", "gamma") else rng.normal(1.0, 0.5))


def _respond(
    rng: np.random.Generator,
    columns: dict[str, Any],
    family: str,
    link: str,
    eta: np.ndarray,
    trait: str,
    g: np.ndarray,
    f: np.ndarray,
) -> str:
    """Put a response into `columns`, and return the left side of the formula."""
    n = len(eta)
    if family == "gamma":
        shape = float(rng.choice([1.0, 4.0, 20.0]))
        columns["y"] = np.maximum(np.exp(eta) * rng.gamma(shape, 1.0 / shape, n), 1e-6)
        return "y"
    if family == "binomial":
        binary = trait == "constant levels" or (trait != "random effect for each row" and rng.random() < 0.6)
        m = np.ones(n, dtype=int) if binary else rng.integers(2, 10**5 if trait == "large" else TRIALS, n)
        chance = {"logit": expit, "probit": ndtr, "cloglog": lambda e: -np.expm1(-np.exp(np.minimum(e, 5.0)))}[link](
            eta
        )
        s = rng.binomial(m, chance)
        if trait == "separated":
            s = np.where(columns["x1"] > np.median(columns["x1"]), m, 0)
        elif trait == "empty cell":
            s = np.where(f == 2, 0, s)
        elif trait == "constant levels":
            s = (np.arange(g.max() + 1) % 2)[g]
        if trait not in ("separated", "constant levels"):
            s[:2] = 0, m[1]
        columns |= {"y": s} if binary else {"s": s, "m": m}
        return "y" if binary else "cbind(s, m - s)"
    mu = np.exp(eta)
    y = rng.poisson(mu if family == "poisson" else mu * rng.gamma(2.0, 0.5, n))
    y[:2] += 1
    columns["y"] = np.where(f == 2, 0, y) if trait == "empty cell" else y
    return "y"
