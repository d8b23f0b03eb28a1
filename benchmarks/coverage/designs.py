"""The designs: rows, a formula, and a generator of responses in plain NumPy, which knows nothing of the package.

All coefficients but the intercept are 0, so that every test of them is of a true hypothesis.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

__all__ = ["DESIGNS", "Design", "Effects"]


@dataclass(frozen=True, eq=False)
class Effects:
    """Random effects of one grouping factor: labels (L,) and names (k,), codes (n,), z (n, k), covariance (k, k)."""

    group: str
    labels: np.ndarray
    codes: np.ndarray
    names: tuple[str, ...]
    z: np.ndarray
    cov: np.ndarray

    @classmethod
    def of(cls, group: str, labels: np.ndarray, columns: dict[str, np.ndarray], sds: tuple[float, ...], cor: float = 0):
        """Effects of rows with `labels` (n,): `columns` of z by name, standard deviations, one correlation."""
        codes, levels = pd.factorize(labels)
        R = np.full((len(sds), len(sds)), cor)
        np.fill_diagonal(R, 1.0)
        z = np.column_stack(list(columns.values()))
        return cls(group, np.asarray(levels), codes, tuple(columns), z, R * np.outer(sds, sds))

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Random effects (L, k); the covariance may be singular."""
        values, vectors = np.linalg.eigh(self.cov)
        return rng.standard_normal((len(self.labels), len(values))) @ (vectors * np.sqrt(np.clip(values, 0, None))).T

    def parameters(self) -> dict[str, float]:
        """Standard deviations, and correlations of effects that vary, as `conf_int` names them."""
        sd = np.sqrt(np.diagonal(self.cov))
        out = {f"sd({name}|{self.group})": float(s) for name, s in zip(self.names, sd, strict=True)}
        for i, j in zip(*np.triu_indices(len(sd), 1), strict=True):
            if sd[i] * sd[j] > 0:
                out[f"cor({self.names[i]},{self.names[j]}|{self.group})"] = float(self.cov[i, j] / (sd[i] * sd[j]))
        return out


@dataclass(frozen=True, eq=False)
class Design:
    """One design.

    Attributes
    ----------
    name : str
    data : DataFrame
        Without the response ``y``.
    formula, smaller : str
        The model, and the one without the term `tested`.
    tested : str
    intercept, sigma : float
    effects : tuple of Effects
    weights : str or None
        Column of prior weights.
    """

    name: str
    data: pd.DataFrame
    formula: str
    smaller: str
    tested: str
    intercept: float
    sigma: float
    effects: tuple[Effects, ...]
    weights: str | None = None

    def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
        """Response (n,), the random effects behind it, and the means of the rows given them."""
        b = [effects.draw(rng) for effects in self.effects]
        mean = np.full(len(self.data), self.intercept)
        for effects, own in zip(self.effects, b, strict=True):
            mean += np.einsum("ij,ij->i", effects.z, own[effects.codes])
        noise = self.sigma * rng.standard_normal(len(mean))
        weights = 1.0 if self.weights is None else self.data[self.weights].to_numpy()
        return mean + noise / np.sqrt(weights), b, mean

    def parameters(self) -> dict[str, float]:
        """Parameters of the covariance, as `conf_int` names them."""
        out: dict[str, float] = {}
        for effects in self.effects:
            out |= effects.parameters()
        return out | {"sigma": self.sigma}


def _labels(prefix: str, codes: np.ndarray) -> np.ndarray:
    return np.array([f"{prefix}{code:03d}" for code in codes])


def _crossed(subjects: int, items: int) -> Design:
    s, i = np.divmod(np.arange(subjects * items), items)
    data = pd.DataFrame(
        {
            "subj": _labels("s", s),
            "item": _labels("i", i),
            "A": np.where((s + i) % 2, 0.5, -0.5),
            "G": np.where(s < subjects / 2, -0.5, 0.5),
            "f": np.array(list("abcd"))[i % 4],
        }
    )
    columns = {"Intercept": np.ones(len(data)), "A": data["A"].to_numpy()}
    effects = (
        Effects.of("subj", data["subj"].to_numpy(), columns, (1.0, 0.5), 0.3),
        Effects.of("item", data["item"].to_numpy(), columns, (0.5, 0.3)),
    )
    random = "(A | subj) + (A | item)"
    formulas = f"y ~ A * G + f + {random}", f"y ~ A * G + {random}"
    return Design(f"crossed, {subjects} subjects x {items} items", data, *formulas, "f", 10.0, 1.5, effects)


def _nested() -> Design:
    rng = np.random.default_rng(1)
    rows = [(k, c) for k in range(12) for c in range(2 + k % 3) for _ in range(int(rng.integers(1, 8)))]
    k, c = np.array(rows).T
    data = pd.DataFrame(
        {
            "school": _labels("k", k),
            "cls": _labels("c", c),
            "treat": np.where(k % 2, 0.5, -0.5),
            "x": rng.standard_normal(len(k)),
            "f": np.array(list("abc"))[(k // 2) % 3],
        }
    )
    one = {"Intercept": np.ones(len(data))}
    both = (data["school"] + ":" + data["cls"]).to_numpy()
    effects = (
        Effects.of("school:cls", both, one, (0.6,)),
        Effects.of("school", data["school"].to_numpy(), one, (0.5,)),
    )
    formulas = (f"y ~ {fixed} + (1 | school/cls)" for fixed in ("treat + x + f", "treat + x"))
    return Design("nested, classes in 12 schools", data, *formulas, "f", 5.0, 1.0, effects)


def _longitudinal(subjects: int, sds: tuple[float, float] = (1.0, 0.4), cor: float = 0.2) -> Design:
    s, t = np.divmod(np.arange(subjects * 5), 5)
    data = pd.DataFrame({"subj": _labels("s", s), "time": t - 2.0, "f": np.array(list("abc"))[s % 3]})
    columns = {"Intercept": np.ones(len(data)), "time": data["time"].to_numpy()}
    effects = (Effects.of("subj", data["subj"].to_numpy(), columns, sds, cor),)
    formulas = (f"y ~ {fixed} + (time | subj)" for fixed in ("time * f", "time + f"))
    what = "" if sds[1] else ", slopes do not vary"
    return Design(f"longitudinal, {subjects} subjects{what}", data, *formulas, "time:f", 3.0, 1.0, effects)


def _grouped(name: str, sizes: list[int], sd: float, seed: int, weights: list[float] | None = None) -> Design:
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(len(sizes)), sizes)
    data = pd.DataFrame(
        {
            "g": _labels("g", g),
            "x": rng.standard_normal(len(g)),
            "w": rng.standard_normal(len(sizes))[g],
            "f": np.array(list("abc"))[
                rng.integers(0, 3, len(g)) if max(sizes) != min(sizes) else np.arange(len(g)) % 3
            ],
        }
    )
    if weights is not None:
        data["wt"] = np.tile(weights, len(sizes))
    effects = (Effects.of("g", data["g"].to_numpy(), {"Intercept": np.ones(len(data))}, (sd,)),)
    formulas = (f"y ~ {fixed} + (1 | g)" for fixed in ("x + w + f", "x + w"))
    return Design(name, data, *formulas, "f", 2.0, 1.0, effects, None if weights is None else "wt")


_UNEQUAL = [1] * 8 + [2] * 4 + [3] * 3 + [4, 5, 6, 7, 8, 9, 10, 11, 12, 3]

# Short name -> design, from the largest to those whose truth is on the boundary.
DESIGNS: dict[str, Callable[[], Design]] = {
    "crossed-40": lambda: _crossed(40, 40),
    "crossed-20": lambda: _crossed(20, 16),
    "nested": _nested,
    "longitudinal-30": lambda: _longitudinal(30),
    "longitudinal-12": lambda: _longitudinal(12),
    "unbalanced": lambda: _grouped("25 groups of 1 to 12", _UNEQUAL, 0.7, 2),
    "weighted": lambda: _grouped("15 groups of 6, weights", [6] * 15, 0.7, 3, [0.25, 0.25, 1.0, 1.0, 4.0, 4.0]),
    "small": lambda: _grouped("5 groups of 4", [4] * 5, 1.0, 4),
    "zero-slope": lambda: _longitudinal(20, (1.0, 0.0), 0.0),
    "zero-unbalanced": lambda: _grouped("25 groups of 1 to 12, variance 0", _UNEQUAL, 0.0, 2),
    "zero-small": lambda: _grouped("6 groups of 4, variance 0", [4] * 6, 0.0, 4),
}
