"""Predictions of further rows of known groups, with what their residuals tell, against dense conditional means."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms


def series() -> pd.DataFrame:
    """Return 14 series of 5 times in random order, with a crossed factor and strata."""
    rng = np.random.default_rng(4)
    G, T = 14, 5
    g, t = np.repeat(np.arange(G), T), np.tile(np.arange(T), G)
    e = rng.normal(size=(G, T))
    for i in range(1, T):
        e[:, i] += 0.7 * e[:, i - 1]
    d = pd.DataFrame({"g": g, "t": t, "a": g // 7, "b": g % 7, "item": rng.integers(0, 8, G * T)})
    d["x"], d["w"] = rng.normal(size=G * T), rng.uniform(0.5, 2.0, G * T)
    d["s"] = np.where(rng.random(G * T) > 0.5, "a", "b")
    d["y"] = 1.0 + 0.5 * d["x"] + 0.7 * rng.normal(size=G)[g] + 0.8 * rng.normal(size=8)[d["item"]] + e.ravel()
    return d.sample(frac=1.0, random_state=1).reset_index(drop=True)


DATA = series()
# The last visits of some groups are what is predicted, and one that nobody had.
HIDDEN = DATA["t"].ge(3) & DATA["g"].lt(6)
SEEN, NEW = DATA[~HIDDEN].reset_index(drop=True), DATA[HIDDEN]

MODELS = {
    "ar1": ("y ~ x + (1 | g)", {"residual": "ar1(t | g)"}),
    "ar1, crossed, strata and weights": (
        "y ~ x + (1 | item)",
        {"residual": "ar1(t | g)", "dispersion": "~ s", "weights": "w"},
    ),
    "car1": ("y ~ x", {"residual": "car1(t | g)"}),
    "cs": ("y ~ x", {"residual": "cs(1 | g)"}),
    "us": ("y ~ x", {"residual": "us(t | g)"}),
    "toep of combinations": ("y ~ x + (1 | item)", {"residual": "homtoep(t | a:b)"}),
}


@pytest.mark.parametrize("name", MODELS)
def test_predictions_are_conditional_means_given_all_observed_rows(name):
    formula, given = MODELS[name]
    found = ms.lmer(formula, SEEN, **given)
    # V of old and new rows by the same parameters: a fit of all rows, its parameters set to those of the fit.
    V = _covariance(name, found)
    n = len(SEEN)
    X = np.column_stack([np.ones(len(DATA)), pd.concat([SEEN, NEW])["x"]])
    beta = found.params.to_numpy()
    wanted = X[n:] @ beta + V[n:, :n] @ np.linalg.solve(V[:n, :n], SEEN["y"] - X[:n] @ beta)
    got = found.predict(NEW, residual=True)
    assert np.allclose(got, wanted, rtol=1e-8)
    assert got.index.equals(NEW.index)
    assert not np.allclose(got, found.predict(NEW), rtol=1e-4)


def _covariance(name, found):
    """Return V of the rows of `SEEN` and then of `NEW`, by the parameters that the fit reports."""
    both = pd.concat([SEEN, NEW])
    own = found.residual_params.set_index("parameter")["estimate"]
    g, t = both["g"].to_numpy(), both["t"].to_numpy()
    same = np.equal.outer(g, g)
    gaps = np.abs(np.subtract.outer(t, t))
    if name in ("us", "toep of combinations"):
        R = found.residual_cov().to_numpy()[np.ix_(t, t)] * same
    elif name == "cs":
        R = own["sigma"] ** 2 * np.where(np.eye(len(g)) > 0, 1.0, own["cor"]) * same
    else:
        sd = np.full(len(g), found.sigma)
        if "strata" in name:
            sd = np.where(both["s"] == "a", own["sd(a)"], own["sd(b)"]) / np.sqrt(both["w"].to_numpy())
        R = np.outer(sd, sd) * own["cor"] ** gaps * same
    for group, size in found.cov_re.items() if isinstance(found.cov_re, dict) else ():
        level = both[group].to_numpy()
        R = R + float(np.asarray(size).ravel()[0]) * np.equal.outer(level, level)
    return R


def test_rows_of_the_fit_and_rows_that_it_has_are_the_response_itself():
    found = ms.lmer("y ~ x + (1 | g)", SEEN, residual="ar1(t | g)")
    assert np.allclose(found.predict(residual=True), SEEN["y"])
    assert np.allclose(found.predict(SEEN.iloc[:7], residual=True), SEEN["y"].iloc[:7])


def test_groups_that_the_fit_has_not_seen_have_nothing_to_go_by():
    found = ms.lmer("y ~ x", SEEN, residual="ar1(t | g)")
    new = pd.DataFrame({"x": [1.0, 1.0, 1.0], "g": [99, 0, 0], "t": [3.0, 3.0, np.nan]})
    got, plain = found.predict(new, residual=True), found.predict(new)
    assert got[0] == plain[0]
    assert got[1] != plain[1]
    assert np.isnan(got[2])


def test_what_residuals_cannot_be_added_to_is_refused_by_name():
    plain = ms.lmer("y ~ x + (1 | g)", SEEN)
    with pytest.raises(ms.OptionError, match="residuals are correlated"):
        plain.predict(NEW, residual=True)
    found = ms.lmer("y ~ x + (1 | g)", SEEN, residual="ar1(t | g)")
    with pytest.raises(ms.OptionError, match="no intervals"):
        found.predict(NEW, residual=True, interval="prediction")
    with pytest.raises(ms.OptionError, match="random='conditional'"):
        found.predict(NEW, residual=True, random="population")
