"""Leverage, influence and residuals by simulation of generalized fits, beside dense algebra and fits from nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms

CBPP = ms.datasets.load("cbpp")
BOUND = "cbind(incidence, size - incidence) ~ period + (1 | herd)"


@pytest.fixture(scope="module")
def cbpp():
    return ms.glmer(BOUND, CBPP)


@pytest.fixture(scope="module")
def slopes():
    rng = np.random.default_rng(5)
    g, h = np.repeat(np.arange(20), 12), np.tile(np.arange(12), 20)
    data = pd.DataFrame({"g": g, "h": h, "x": np.repeat([0.0, 1.0], 120)[rng.permutation(240)]})
    b = rng.normal(scale=[0.6, 0.4], size=(20, 2))
    eta = 0.4 + 0.5 * data["x"] + b[g, 0] + b[g, 1] * data["x"] + rng.normal(scale=0.3, size=12)[h]
    data["y"] = rng.poisson(np.exp(eta))
    return ms.glmer("y ~ x + (x | g) + (1 | h)", data, "poisson")


@pytest.mark.parametrize("which", ["cbpp", "slopes"])
def test_leverage_is_the_diagonal_of_the_dense_hat_matrix(which, request):
    fit = request.getfixturevalue(which)
    X, spherical = fit.get("X"), fit.get("Z").toarray() @ fit.get("Lam").toarray()
    mu = fit.fittedvalues.to_numpy()
    w = CBPP["size"].to_numpy() * mu * (1 - mu) if which == "cbpp" else mu
    A = np.hstack([X, spherical]) * np.sqrt(w)[:, None]
    penalty = np.diag(np.repeat([0.0, 1.0], [X.shape[1], spherical.shape[1]]))
    hat = A @ np.linalg.solve(A.T @ A + penalty, A.T)
    np.testing.assert_allclose(fit.leverage(), np.diagonal(hat), rtol=1e-8)
    e, h, p = fit.residuals("pearson"), fit.leverage(), X.shape[1]
    np.testing.assert_allclose(fit.cooks_distance(), e**2 * h / ((1 - h) ** 2 * p))


def test_leverage_of_rows_that_agree_is_that_of_each_row():
    # 1,200 rows of 40 patterns are fitted as 40: each row has its own share.
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"g": np.repeat(np.arange(20), 60), "x": np.tile(np.repeat([0, 1], 30), 20)})
    data["y"] = (rng.normal(scale=0.8, size=20)[data["g"]] + data["x"] + rng.logistic(size=1200) > 0).astype(int)
    fit = ms.glmer("y ~ x + (1 | g)", data)
    counts = data.groupby(["g", "x"], as_index=False)["y"].agg(["sum", "size"])
    few = ms.glmer("cbind(sum, size - sum) ~ x + (1 | g)", counts)
    assert fit.leverage().sum() == pytest.approx(few.leverage().sum(), rel=1e-5)
    np.testing.assert_allclose(fit.leverage()[::30], few.leverage() / 30, rtol=1e-4)


def test_influence_of_a_level_is_a_fit_to_the_other_rows(cbpp):
    found = cbpp.influence("herd")
    assert found.failures.empty
    for herd in ("1", "11"):
        other = ms.glmer(BOUND, CBPP[CBPP["herd"] != herd])
        np.testing.assert_allclose(found.params.loc[herd], other.params, atol=1e-5)
        assert found.parameters.loc[herd, "sd(Intercept|herd)"] == pytest.approx(other.theta[0], abs=1e-5)
        moved = cbpp.params - other.params
        np.testing.assert_allclose(found.dfbetas.loc[herd], moved / other.bse, atol=1e-4)
        cooks = moved @ np.linalg.solve(cbpp.cov_params(), moved) / 4
        assert found.cooks_distance[herd] == pytest.approx(cooks, rel=1e-3)
        ratio = np.linalg.det(other.cov_params()) / np.linalg.det(cbpp.cov_params())
        assert found.table.loc[herd, "covratio"] == pytest.approx(ratio, rel=1e-3)
    assert found.cooks_distance.equals(cbpp.cooks_distance("herd"))


def test_influence_keeps_terms_apart_when_their_order_changes(slopes):
    # 20 levels of g and 12 of h; without ten of g, h has more, and theta comes in another order.
    half = slopes.get("y") * 0 + (np.arange(240) >= 120)
    found = slopes.influence(half)
    rows = pd.DataFrame({"g": np.repeat(np.arange(20), 12), "h": np.tile(np.arange(12), 20)})
    rows = rows.assign(x=slopes.get("X")[:, 1], y=slopes.get("y"))
    other = ms.glmer("y ~ x + (x | g) + (1 | h)", rows[:120], "poisson")
    np.testing.assert_allclose(found.params.iloc[1], other.params, atol=1e-4)
    deviations = {name: found.parameters.iloc[1][f"sd({name})"] for name in ("Intercept|g", "x|g", "Intercept|h")}
    assert deviations["Intercept|h"] == pytest.approx(np.sqrt(other.vcomp["h", "Intercept"]), abs=1e-4)
    assert deviations["x|g"] == pytest.approx(np.sqrt(other.vcomp["g", "x"]), abs=1e-4)


def test_deletions_without_estimates_say_why(cbpp):
    with pytest.warns(ms.ConvergenceWarning, match="No estimates without"):
        found = cbpp.influence((CBPP["incidence"] > 0).to_numpy())
    assert found.params.loc[True].isna().all()
    assert "0" in found.failures[True]


def test_scaled_residuals_are_uniform_under_the_model_and_find_overdispersion():
    data = ms.datasets.load("grouseticks")
    nb = ms.glmer("TICKS ~ YEAR + cHEIGHT + (1 | BROOD)", data, "negative_binomial")
    y = nb.simulate(1, seed=3)[0]
    right = nb.refit(y).scaled_residuals(seed=1)
    assert right.tests.index.tolist() == ["uniformity", "outliers", "dispersion", "zeros"]
    assert (right.tests["p"] > 0.01).all()
    assert right.residuals.between(0, 1).all()
    wrong = ms.glmer("y ~ YEAR + cHEIGHT + (1 | BROOD)", data.assign(y=y), "poisson")
    conditional = wrong.scaled_residuals(seed=1, random="conditional")
    assert conditional.tests.loc["dispersion", "p"] < 0.02
    assert conditional.tests.loc["dispersion", "statistic"] > 1.3
    again = wrong.scaled_residuals(seed=1, random="conditional")
    pd.testing.assert_frame_equal(conditional.table, again.table)


def test_ties_of_whole_numbers_are_broken_at_random():
    # Nearly all zeros: without that the quantiles would heap at one end.
    rng = np.random.default_rng(2)
    data = pd.DataFrame({"g": np.repeat(np.arange(40), 25)})
    data["y"] = (rng.normal(scale=0.7, size=40)[data["g"]] + rng.logistic(size=1000) > 3).astype(int)
    found = ms.glmer("y ~ 1 + (1 | g)", data).scaled_residuals(seed=4)
    assert found.residuals.mean() == pytest.approx(0.5, abs=0.05)
    assert found.tests.loc["uniformity", "p"] > 0.05


def test_matrices_and_components_of_the_random_effects(slopes):
    assert slopes.get("theta") == pytest.approx(slopes.theta)
    np.testing.assert_allclose(slopes.get("Lam") @ slopes.get("u"), slopes.get("b"), atol=1e-12)
    eta = slopes.get("X") @ slopes.get("beta") + slopes.get("Z") @ slopes.get("b")
    np.testing.assert_allclose(eta, slopes.linear_predictor)
    with pytest.raises(ms.OptionError, match="sigma"):
        slopes.get("sigma")
    pca = slopes.rePCA()
    np.testing.assert_allclose(np.square(pca["g"].sdev).sum(), np.trace(slopes.cov_re["g"]))
    np.testing.assert_allclose(slopes.conditional_cov("g", 3)[3], slopes.random_effects_cov["g"][3])


@pytest.mark.parametrize(
    ("name", "answer"),
    [("sigma", "dispersion"), ("caic", "normal responses"), ("KRmodcomp", "chi-squared"), ("marginal_cov", "simulate")],
)
def test_what_has_no_meaning_is_answered(cbpp, name, answer):
    with pytest.raises(AttributeError, match=answer):
        getattr(cbpp, name)
