"""Generalized designs, and what one of their replicates is asked: intervals, tests, and how far estimates are off."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

import mixedsparse as ms
from benchmarks.coverage.designs import Effects
from benchmarks.coverage.measures import INTERVAL_DRAWS, LEVEL, TEST_DRAWS, Shares, by_kind

__all__ = ["DESIGNS", "MEASURES", "GeneralizedDesign", "GeneralizedReplicate", "simulated"]

# Nodes of the quadrature, where the design allows for it.
NODES = 7
KINDS = ("perc", "norm")


@dataclass(frozen=True, eq=False)
class GeneralizedDesign:
    """One design.

    Attributes
    ----------
    name : str
    data : DataFrame
        Without the response ``y``; with numbers of trials ``m`` of a binomial one.
    formula, smaller : str
        The model, and the one without the term `tested`.
    tested : str
    family : {"binomial", "poisson"}
    beta : dict
        Coefficients that are not 0, by name.
    effects : tuple of Effects
    """

    name: str
    data: pd.DataFrame
    formula: str
    smaller: str
    tested: str
    family: str
    beta: Mapping[str, float]
    effects: tuple[Effects, ...]

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Response (n,): numbers of successes, or counts."""
        eta = sum(value * (1.0 if name == "Intercept" else self.data[name]) for name, value in self.beta.items())
        eta = np.asarray(eta, dtype=float)
        for effects in self.effects:
            eta = eta + np.einsum("ij,ij->i", effects.z, effects.draw(rng)[effects.codes])
        if self.family == "poisson":
            return rng.poisson(np.exp(eta)).astype(float)
        return rng.binomial(self.data["m"].to_numpy(), 1.0 / (1.0 + np.exp(-eta))).astype(float)

    def parameters(self) -> dict[str, float]:
        """All parameters that are not 0, as `conf_int` names them."""
        out = dict(self.beta)
        for effects in self.effects:
            out |= effects.parameters()
        return out

    def fit(self, formula: str, y: np.ndarray, nodes: int = 1) -> ms.GeneralizedResults:
        """Fit a model of the design to a response."""
        return ms.glmer(formula, self.data.assign(y=y), self.family, nAGQ=nodes)


@dataclass(frozen=True, eq=False)
class GeneralizedReplicate:
    """One response of a design, and the fits to it: of the larger and the smaller model, and by quadrature."""

    design: GeneralizedDesign
    seed: int
    fit: ms.GeneralizedResults
    smaller: ms.GeneralizedResults
    exact: ms.GeneralizedResults | None


def simulated(design: GeneralizedDesign, count: int, seed: int) -> Iterator[GeneralizedReplicate]:
    """Yield `count` replicates of `design`, each with a seed of its own; those without an optimum are drawn again."""
    alone = len(design.effects) == 1
    for i in range(count):
        rng = np.random.default_rng([seed, i])
        while True:
            y = design.draw(rng)
            fits = [design.fit(formula, y) for formula in (design.formula, design.smaller)]
            if all(fit.converged for fit in fits):
                break
        exact = design.fit(design.formula, y, NODES) if alone else None
        yield GeneralizedReplicate(design, seed + i, *fits, exact)


def wald(one: GeneralizedReplicate) -> Shares:
    """Wald intervals of all parameters, by Laplace's approximation and by quadrature."""
    out = by_kind(one.design.parameters(), "Wald", one.fit.conf_int(which="all"))
    if one.exact is not None:
        out |= by_kind(one.design.parameters(), f"Wald, nAGQ={NODES}", one.exact.conf_int(which="all"))
    return out


def recovery(one: GeneralizedReplicate) -> Shares:
    """Estimates over the truth."""
    out: Shares = {}
    for fit, how in ((one.fit, "Laplace"), (one.exact, f"nAGQ={NODES}")):
        if fit is None:
            continue
        estimates = dict(fit.params) | {f"sd({effect}|{group})": v**0.5 for (group, effect), v in fit.vcomp.items()}
        shares: dict[str, list[float]] = {}
        for name, value in one.design.parameters().items():
            if name in estimates:
                kind = "standard deviations" if name.startswith("sd(") else "coefficients"
                shares.setdefault(kind, []).append(float(estimates[name]) / value)
        out |= {(f"recovery of {kind}", how): float(np.mean(values)) for kind, values in shares.items()}
    return out


def ratios(one: GeneralizedReplicate) -> Shares:
    """Tests of a term whose coefficients are 0."""
    table = ms.anova(one.smaller, one.fit)
    return {
        ("test of a term", "Wald, chi-squared"): float(one.fit.anova().loc[one.design.tested, "p"] <= 1 - LEVEL),
        ("test of a term", "likelihood ratio, chi-squared"): float(table["p"].iloc[1] <= 1 - LEVEL),
    }


def profiles(one: GeneralizedReplicate) -> Shares:
    """Profile intervals of all parameters."""
    return by_kind(one.design.parameters(), "profile", one.fit.conf_int(method="profile", which="all"))


def replicates(one: GeneralizedReplicate) -> Shares:
    """Bootstrap intervals of all parameters."""
    boot = one.fit.bootstrap(INTERVAL_DRAWS, seed=one.seed)
    out: Shares = {}
    for kind in KINDS:
        out |= by_kind(one.design.parameters(), f"bootstrap, {kind}", boot.conf_int(kind=kind))
    return out


def ratio_bootstrap(one: GeneralizedReplicate) -> Shares:
    """The likelihood ratio of the same term, by the bootstrap."""
    table = ms.anova(one.smaller, one.fit, test="bootstrap", nsim=TEST_DRAWS, seed=one.seed)
    return {("test of a term", "likelihood ratio, bootstrap"): float(table["p"].iloc[1] <= 1 - LEVEL)}


Measure = Callable[[GeneralizedReplicate], Shares]
# Measure -> whether a replicate costs many refits.
MEASURES: dict[Measure, bool] = {
    wald: False,
    recovery: False,
    ratios: False,
    profiles: True,
    replicates: True,
    ratio_bootstrap: True,
}


def _crossed() -> GeneralizedDesign:
    s, i = np.divmod(np.arange(30 * 16), 16)
    data = pd.DataFrame(
        {"subj": _labels("s", s), "item": _labels("i", i), "m": 1, "A": np.where((s + i) % 2, 0.5, -0.5)}
    )
    data["f"] = np.array(list("abc"))[s % 3]
    one = {"Intercept": np.ones(len(data))}
    effects = (
        Effects.of("subj", data["subj"].to_numpy(), one, (0.8,)),
        Effects.of("item", data["item"].to_numpy(), one, (0.6,)),
    )
    formulas = (f"y ~ {fixed} + (1 | subj) + (1 | item)" for fixed in ("A + f", "A"))
    name = "binary answers, 30 subjects x 16 items"
    return GeneralizedDesign(name, data, *formulas, "f", "binomial", {"Intercept": 0.8, "A": 0.6}, effects)


def _grouped(
    name: str, groups: int, size: int, family: str, intercept: float, sd: float, trials: int = 1
) -> GeneralizedDesign:
    rng = np.random.default_rng(7)
    g = np.repeat(np.arange(groups), size)
    data = pd.DataFrame({"g": _labels("g", g), "x": rng.standard_normal(len(g)), "m": trials})
    data["f"] = np.array(list("ab"))[g % 2]
    effects = (Effects.of("g", data["g"].to_numpy(), {"Intercept": np.ones(len(g))}, (sd,)),)
    left = "cbind(y, m - y)" if trials > 1 else "y"
    formulas = (f"{left} ~ {fixed} + (1 | g)" for fixed in ("x + f", "x"))
    return GeneralizedDesign(name, data, *formulas, "f", family, {"Intercept": intercept, "x": 0.5}, effects)


def _labels(prefix: str, codes: np.ndarray) -> np.ndarray:
    return np.array([f"{prefix}{code:03d}" for code in codes])


# Short name -> design.
DESIGNS: dict[str, Callable[[], GeneralizedDesign]] = {
    "binary-crossed": _crossed,
    "binary-groups": lambda: _grouped("40 groups of 6 binary rows", 40, 6, "binomial", 0.3, 1.2),
    "binomial-groups": lambda: _grouped("20 groups of 4 rows of 10 trials", 20, 4, "binomial", -0.5, 0.7, 10),
    "poisson-groups": lambda: _grouped("25 groups of 5 counts", 25, 5, "poisson", 0.7, 0.5),
    "poisson-small": lambda: _grouped("8 groups of 5 counts", 8, 5, "poisson", 0.7, 0.5),
}
