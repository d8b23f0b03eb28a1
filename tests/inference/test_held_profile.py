"""Profiles of structured covariances: points against the dense likelihood, which is stationary in all else there."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms


def series() -> pd.DataFrame:
    """Return 16 series of 5 times, some rows missing, with a crossed factor and strata."""
    rng = np.random.default_rng(2)
    G, T = 16, 5
    g, t = np.repeat(np.arange(G), T), np.tile(np.arange(T), G)
    e = rng.normal(size=(G, T))
    for i in range(1, T):
        e[:, i] += 0.6 * e[:, i - 1]
    d = pd.DataFrame({"g": g, "t": t, "item": rng.integers(0, 8, G * T), "x": rng.normal(size=G * T)})
    d["w"], d["s"] = rng.uniform(0.5, 2.0, G * T), np.where(rng.random(G * T) > 0.5, "a", "b")
    d["y"] = 1.0 + 0.5 * d["x"] + 0.7 * rng.normal(size=G)[g] + 0.8 * rng.normal(size=8)[d["item"]] + e.ravel()
    return d[rng.random(G * T) > 0.1].sample(frac=1.0, random_state=1).reset_index(drop=True)


DATA = series()
MACHINES = ms.datasets.load("Machines")
G = np.equal.outer(DATA["g"].to_numpy(), DATA["g"].to_numpy())
LAGS = np.abs(np.subtract.outer(DATA["t"].to_numpy(), DATA["t"].to_numpy()))
ITEM = np.equal.outer(DATA["item"].to_numpy(), DATA["item"].to_numpy())


def of_series(p):
    root = p["sigma"] / np.sqrt(DATA["w"].to_numpy())
    return p["sd(Intercept|g)"] ** 2 * G + np.outer(root, root) * G * p["cor"] ** LAGS


def of_strata(p):
    sd = np.where(DATA["s"] == "a", p["sd(a)"], p["sd(b)"])
    return p["sd(Intercept|item)"] ** 2 * ITEM + np.outer(sd, sd) * G * p["cor"] ** LAGS


def of_visits(p):
    k = DATA["t"].nunique()
    R = np.diag([p[f"sd({i})"] for i in range(k)])
    C = np.eye(k)
    for i, j in zip(*np.triu_indices(k, 1), strict=True):
        C[i, j] = C[j, i] = p[f"cor({i},{j})"]
    at = DATA["t"].to_numpy()
    return (R @ C @ R)[np.ix_(at, at)] * G


def of_machines(p, deviations):
    rho = p["cor(Worker)"]
    codes = MACHINES["Machine"].astype("category").cat.codes.to_numpy()
    sd, worker = np.asarray(deviations)[codes], MACHINES["Worker"].to_numpy()
    inside = np.outer(sd, sd) * np.where(np.equal.outer(codes, codes), 1.0, rho)
    return inside * np.equal.outer(worker, worker) + p["sigma"] ** 2 * np.eye(len(worker))


def of_equal_machines(p):
    return of_machines(p, [p["sd(Worker)"]] * 3)


def of_different_machines(p):
    return of_machines(p, [p[f"sd(Machine[{m}]|Worker)"] for m in "ABC"])


# Formula, data, arguments, V of the parameters, what is profiled.
CASES = {
    "ar1 and intercept": (
        "y ~ x + (1 | g)",
        DATA,
        {"residual": "ar1(t | g)", "weights": "w"},
        of_series,
        ["x", "sd(Intercept|g)", "sigma", "cor"],
    ),
    "strata, ar1 and crossed": (
        "y ~ x + (1 | item)",
        DATA,
        {"residual": "ar1(t | g)", "dispersion": "~ s"},
        of_strata,
        ["sd(b)", "cor"],
    ),
    "visits": ("y ~ x", DATA, {"residual": "us(t | g)"}, of_visits, ["sd(2)", "cor(0,1)"]),
    "equal effects": (
        "score ~ Machine + homcs(0 + Machine | Worker)",
        MACHINES,
        {},
        of_equal_machines,
        ["Machine[T.B]", "sd(Worker)", "cor(Worker)"],
    ),
    "effects": (
        "score ~ Machine + cs(0 + Machine | Worker)",
        MACHINES,
        {},
        of_different_machines,
        ["sd(Machine[B]|Worker)", "cor(Worker)", "sigma"],
    ),
}


@cache
def fit(name):
    formula, data, given, _, _ = CASES[name]
    return ms.lmer(formula, data, reml=False, **given)


def deviance(name, p):
    """-2 log-likelihood at all parameters."""
    found = fit(name)
    e = found.model.design.y - found.model.design.X @ np.array([p[c] for c in found.params.index])
    V = CASES[name][3](p)
    return float(np.linalg.slogdet(2.0 * np.pi * V)[1] + e @ np.linalg.solve(V, e))


@pytest.mark.parametrize("name", CASES)
def test_points_are_those_of_the_dense_likelihood_and_stationary_in_all_else(name):
    found = fit(name).profile(CASES[name][4], level=0.95)
    minimum = -2.0 * fit(name).llf
    # Sigma is the deviation of the first visit or stratum there.
    copies = {"sigma"} if any(c.startswith("sd(") and "|" not in c for c in found.estimates.index) else set()
    for held, rows in found.table.groupby("parameter"):
        assert rows["zeta"].iloc[0] < -1.9 or rows["value"].iloc[0] == 0.0
        assert rows["zeta"].iloc[-1] > 1.9
        for i in (0, len(rows) // 2 + 1, len(rows) - 1):
            p = rows.iloc[i].drop(["parameter", "value", "zeta"]).astype(float).to_dict()
            assert p[held] == pytest.approx(rows["value"].iloc[i])
            assert deviance(name, p) == pytest.approx(minimum + rows["zeta"].iloc[i] ** 2, abs=1e-6)
            for other in set(p) - copies - {held}:
                h = 1e-4 * max(abs(p[other]), 0.1)
                if p[other] < 1e-3 and other.startswith("sd"):
                    continue
                high, low = (deviance(name, p | {other: p[other] + s}) for s in (h, -h))
                curve = (high + low - 2.0 * deviance(name, p)) / h**2
                # What a step to the lowest point would gain.
                assert ((high - low) / (2.0 * h)) ** 2 / (2.0 * max(curve, 1e-3)) < 1e-5


def test_terms_without_correlation_have_the_profiles_of_separate_terms():
    data = ms.datasets.load("sleepstudy")
    one = ms.lmer("Reaction ~ Days + diag(1 + Days | Subject)", data).profile(["Days", "sd(Days|Subject)"])
    two = ms.lmer("Reaction ~ Days + (1 | Subject) + (0 + Days | Subject)", data)
    two = two.profile(["Days", "sd(Days|Subject)"])
    assert np.allclose(one.conf_int(0.95), two.conf_int(0.95), rtol=1e-6)
    assert np.allclose(one.conf_int(0.998), two.conf_int(0.998), rtol=1e-6)


def test_limits_end_where_the_range_of_a_parameter_does():
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"g": np.repeat(np.arange(12), 6), "v": np.tile(["a", "b", "c"], 24), "y": rng.normal(size=72)})
    with pytest.warns(ms.SingularFitWarning):
        found = ms.lmer("y ~ 1 + homcs(0 + v | g)", data, reml=False)
    limits = found.conf_int(method="profile", which=["sd(g)", "sigma"])
    assert limits.loc["sd(g)", "lower"] == 0.0
    assert 0.1 < limits.loc["sd(g)", "upper"] < 1.0
    assert limits.loc["sigma", "lower"] < found.sigma < limits.loc["sigma", "upper"]


def test_profile_of_a_fit_by_reml_is_that_of_a_refit_and_parameters_have_names():
    formula, data, given, _, _ = CASES["ar1 and intercept"]
    found = ms.lmer(formula, data, **given)
    with pytest.raises(ms.OptionError, match="sigma, cor"):
        found.profile("rho")
    one, two = found.profile("cor", level=0.95), fit("ar1 and intercept").profile("cor", level=0.95)
    assert "maximum likelihood" in one.note
    assert np.allclose(one.conf_int(), two.conf_int(), rtol=1e-5)


@pytest.mark.parametrize("name", ["strata, ar1 and crossed", "equal effects"])
def test_tidy_rows_have_the_limits_of_the_profile(name):
    rows = fit(name).tidy("ran_pars", conf_int=True, conf_method="profile")
    limits = fit(name).conf_int(method="profile", which="random")
    wanted = ["sd(Intercept|item)", "sd(a)", "sd(b)"] if "strata" in name else ["sigma"]
    assert np.allclose(rows[["conf.low", "conf.high"]].iloc[-len(wanted) :], limits.loc[wanted], rtol=1e-6)
