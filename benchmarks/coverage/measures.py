"""What one replicate is asked: which intervals hold the truth, and which tests reject it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtri, stdtrit

import mixedsparse as ms
from benchmarks.coverage.designs import Design

__all__ = [
    "INTERVAL_DRAWS",
    "LEVEL",
    "MEASURES",
    "RESIDUAL_DRAWS",
    "TEST_DRAWS",
    "Measure",
    "Replicate",
    "Shares",
    "by_kind",
    "simulated",
]

LEVEL = 0.95
# Simulations behind one bootstrap interval, one bootstrap p-value, one test of residuals.
INTERVAL_DRAWS, TEST_DRAWS, RESIDUAL_DRAWS = 199, 99, 59
KINDS = ("perc", "basic", "norm", "bca")

# Quantity and method -> share of intervals that hold, or of tests that reject, in one replicate.
Shares = dict[tuple[str, str], float]


@dataclass(frozen=True, eq=False)
class Replicate:
    """One response of a design, its fit, and what is behind it."""

    design: Design
    seed: int
    y: np.ndarray
    b: list[np.ndarray]
    mean: np.ndarray
    fit: ms.MixedResults
    first: Mapping[str, ms.MixedResults]
    rng: np.random.Generator


def simulated(design: Design, count: int, seed: int) -> Iterator[Replicate]:
    """Yield `count` replicates of `design`, each with a seed of its own."""
    rng = np.random.default_rng(0)
    data = design.data.assign(y=design.draw(rng)[0])
    fits = {
        "larger": (design.formula, True),
        "larger, ML": (design.formula, False),
        "smaller, ML": (design.smaller, False),
    }
    first = {name: ms.lmer(f, data, reml=reml, weights=design.weights) for name, (f, reml) in fits.items()}
    for i in range(count):
        rng = np.random.default_rng([seed, i])
        y, b, mean = design.draw(rng)
        yield Replicate(design, seed + i, y, b, mean, first["larger"].refit(y), first, rng)


def coefficients(one: Replicate) -> Shares:
    """Wald intervals of the coefficients, by degrees of freedom."""
    out: Shares = {}
    for ddf in ("normal", "satterthwaite", "kenward-roger"):
        table = one.fit.coef_table(ddf=ddf)
        truth = np.where(table.index == "Intercept", one.design.intercept, 0.0)
        half = stdtrit(table["df"].to_numpy(), 0.5 + 0.5 * LEVEL) * table["SE"].to_numpy()
        out["coefficients", f"Wald, {ddf}"] = np.mean(np.abs(table["Estimate"] - truth) <= half)
    return out


def term_tests(one: Replicate) -> Shares:
    """Tests of a term whose coefficients are 0."""
    out: Shares = {}
    for ddf in ("satterthwaite", "kenward-roger"):
        out["test of a term", f"F, {ddf}"] = one.fit.anova(ddf=ddf).loc[one.design.tested, "p"] <= 1 - LEVEL
    out["test of a term", "likelihood ratio, chi-square"] = ms.anova(*_by_ml(one))["p"].iloc[1] <= 1 - LEVEL
    return out


def term_bootstrap(one: Replicate) -> Shares:
    """The likelihood ratio of the same term, by the bootstrap."""
    table = ms.anova(*_by_ml(one), test="bootstrap", nsim=TEST_DRAWS, seed=one.seed)
    return {("test of a term", "likelihood ratio, bootstrap"): table["p"].iloc[1] <= 1 - LEVEL}


def _by_ml(one: Replicate) -> list[ms.MixedResults]:
    return [one.first[name].refit(one.y) for name in ("smaller, ML", "larger, ML")]


def variance_tests(one: Replicate) -> Shares:
    """Tests of a variance that is 0, where it is the only one."""
    truth = [value for name, value in one.design.parameters().items() if name.startswith("sd")]
    if truth != [0.0]:
        return {}
    row = one.fit.ranova(test="exact", nsim=399, seed=one.seed).iloc[1]
    names = {"p": "chi-square", "p_boundary": "chi-square mixture", "p_exact": "exact"}
    return {("test of a variance of 0", name): row[p] <= 1 - LEVEL for p, name in names.items()}


def modes(one: Replicate) -> Shares:
    """Intervals of the random effects around their conditional modes."""
    out: Shares = {}
    z = float(ndtri(0.5 + 0.5 * LEVEL))
    names = {"prediction": "errors of prediction (default)", "conditional": "given the coefficients (condVar)"}
    for errors, name in names.items():
        table = one.fit.tidy("ran_vals", errors=errors).set_index(["group", "level", "term"])
        hits = []
        for effects, b in zip(one.design.effects, one.b, strict=True):
            own = table.loc[effects.group]
            for j, term in enumerate(effects.names):
                row = own.loc[[(label, term) for label in effects.labels]]
                hits.append(np.abs(row["estimate"] - b[:, j]) <= z * row["std.error"] + 1e-12)
        out["random effects", name] = np.mean(np.concatenate(hits))
    return out


def predictions(one: Replicate) -> Shares:
    """Intervals of `predict`: population means, means of known levels, new rows of new levels."""
    design, fit = one.design, one.fit
    some = design.data.iloc[np.linspace(0, len(design.data) - 1, 12).astype(int)]
    population = fit.predict(some, random="population", interval="confidence")
    known = fit.predict(some, interval="confidence")
    groups = {part for effects in design.effects for part in effects.group.split(":")}
    new = some.assign(**{group: "new" for group in groups})
    fresh = fit.predict(new, new_levels="zero", interval="prediction")
    y = np.full(len(some), design.intercept)
    for effects in design.effects:
        # All rows are of one new level, which has one draw.
        y += effects.z[design.data.index.get_indexer(some.index)] @ effects.draw(one.rng)[0]
    weights = 1.0 if design.weights is None else some[design.weights].to_numpy()
    y += design.sigma * one.rng.standard_normal(len(some)) / np.sqrt(weights)
    return {
        ("predict", "population means"): _held(population, design.intercept),
        ("predict", "means of known levels"): _held(known, one.mean[design.data.index.get_indexer(some.index)]),
        ("predict", "responses of new levels"): _held(fresh, y),
    }


def covariance(one: Replicate) -> Shares:
    """Wald and profile intervals of standard deviations and correlations, and profiles of coefficients."""
    wald = one.fit.conf_int(which="random")
    profile = one.fit.conf_int(method="profile", which="all")
    return _by_parameter(one, "Wald", wald) | _by_parameter(one, "profile", profile)


def bootstrap(one: Replicate) -> Shares:
    """Bootstrap intervals of all parameters."""
    replicates = one.fit.bootstrap(INTERVAL_DRAWS, seed=one.seed)
    out: Shares = {}
    for kind in KINDS:
        out |= _by_parameter(one, f"bootstrap, {kind}", replicates.conf_int(kind=kind))
    return out


def residual_tests(one: Replicate) -> Shares:
    """Tests of the uniformity of scaled residuals, which are those of a true model."""
    out: Shares = {}
    for refit, name in ((False, "uniformity"), (True, "uniformity, refit=True")):
        tests = one.fit.scaled_residuals(RESIDUAL_DRAWS, one.seed, refit=refit).tests
        out["test of residuals", name] = tests.loc["uniformity", "p"] <= 1 - LEVEL
    return out


def _by_parameter(one: Replicate, method: str, limits: pd.DataFrame) -> Shares:
    """Shares by kind of parameter; an interval that is not there (NaN) does not hold."""
    return by_kind({"Intercept": one.design.intercept} | one.design.parameters(), method, limits)


def by_kind(truth: Mapping[str, float], method: str, limits: pd.DataFrame) -> Shares:
    """Shares by kind of parameter of limits of a method; coefficients without a truth are 0."""
    kinds: dict[str, list[float]] = {}
    for name in limits.index:
        if name in truth or not name.startswith(("sd(", "cor(", "sigma")):
            value = truth.get(name, 0.0)
            kinds.setdefault(_kind(name, value), []).append(_held(limits.loc[[name]], value))
    return {(kind, method): float(np.mean(hits)) for kind, hits in kinds.items()}


def _kind(name: str, value: float) -> str:
    if name.startswith("sd("):
        return "standard deviations" if value > 0 else "standard deviations of 0"
    return "correlations" if name.startswith("cor(") else "sigma" if name == "sigma" else "coefficients"


def _held(limits: pd.DataFrame, truth: np.ndarray | float) -> float:
    return float(np.mean((limits["lower"] <= truth) & (truth <= limits["upper"])))


Measure = Callable[[Replicate], Shares]
# Measure -> whether a replicate costs many refits.
MEASURES: dict[Measure, bool] = {
    coefficients: False,
    term_tests: False,
    variance_tests: False,
    modes: False,
    predictions: False,
    covariance: True,
    bootstrap: True,
    term_bootstrap: True,
    residual_tests: True,
}
