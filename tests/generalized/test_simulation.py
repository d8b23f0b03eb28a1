"""Responses drawn from generalized fits have the moments of the model; refits take every form of response."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms

CBPP = ms.datasets.load("cbpp")
TICKS = ms.datasets.load("grouseticks")


@pytest.fixture(scope="module")
def cbpp():
    return ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", CBPP)


@pytest.fixture(scope="module")
def nb():
    return ms.glmer("TICKS ~ YEAR + cHEIGHT + (1 | BROOD)", TICKS, "negative_binomial")


@pytest.mark.slow
def test_counts_have_the_moments_of_the_marginal_distribution(nb):
    # Log link: E y = exp(x'b + s^2 / 2), E mu^2 = exp(2 x'b + 2 s^2), Var(y) = E y + (1 + 1 / size) E mu^2 - (E y)^2.
    drawn = nb.simulate(4000, seed=1)
    s2, fixed = nb.vcomp.iloc[0], nb.predict(random="population", type="link")
    mean = np.exp(fixed + s2 / 2)
    variance = mean + np.exp(2 * fixed + 2 * s2) * (1 + 1 / nb.dispersion) - mean**2
    z = (drawn.mean(axis=1) - mean) / np.sqrt(variance / 4000)
    assert abs(z).max() < 5.5  # sums of skewed counts, 403 of them
    assert np.mean(z**2) == pytest.approx(1.0, abs=0.5)  # rows of a brood are one draw: few degrees of freedom
    middle = np.median(drawn.var(axis=1) / variance)
    assert middle == pytest.approx(1.0, abs=0.12)


def test_successes_have_the_mean_of_the_marginal_distribution(cbpp):
    nodes, weights = np.polynomial.hermite_e.hermegauss(31)
    eta = cbpp.predict(random="population", type="link").to_numpy()[:, None] + np.sqrt(cbpp.vcomp.iloc[0]) * nodes
    p = (1 / (1 + np.exp(-eta)) * weights / weights.sum()).sum(axis=1)
    drawn = cbpp.simulate(4000, seed=2)
    assert (drawn.to_numpy() <= CBPP["size"].to_numpy()[:, None]).all()
    z = (drawn.mean(axis=1) - p * CBPP["size"]) / (drawn.std(axis=1) / np.sqrt(4000))
    assert abs(z).max() < 4.5


@pytest.mark.slow
def test_kept_effects_give_the_conditional_mean(cbpp):
    drawn = cbpp.simulate(4000, seed=3, random="conditional")
    mu = cbpp.fittedvalues
    z = (drawn.mean(axis=1) - mu * CBPP["size"]) / np.sqrt(CBPP["size"] * mu * (1 - mu) / 4000)
    assert abs(z).max() < 4.5


def test_the_same_seed_gives_the_same_responses(cbpp):
    few, many = cbpp.simulate(2, seed=7), cbpp.simulate(5, seed=7)
    pd.testing.assert_frame_equal(few, many[[0, 1]])
    assert not few.equals(cbpp.simulate(2, seed=8))


def test_new_rows_need_their_trials(cbpp):
    new = pd.DataFrame({"period": ["1", "4"], "herd": ["1", "new"], "n": [1000, 2000]})
    with pytest.raises(ms.DataError, match="give trials="):
        cbpp.simulate(newdata=new)
    drawn = cbpp.simulate(500, seed=1, newdata=new, trials="n")
    assert drawn.to_numpy().max() > 100
    assert cbpp.simulate(5, seed=1, newdata=new, trials=1).to_numpy().max() <= 1
    with pytest.raises(ms.DataError, match="whole numbers"):
        cbpp.simulate(newdata=new, trials=1.5)
    with pytest.raises(ms.OptionError, match="poisson"):
        ms.glmer("TICKS ~ YEAR + (1 | BROOD)", TICKS, "poisson").simulate(trials=3)


@pytest.mark.slow
def test_positive_responses_have_their_mean():
    rng = np.random.default_rng(0)
    g = np.repeat(np.arange(40), 6)
    data = pd.DataFrame({"g": g, "x": rng.normal(size=240)})
    data["y"] = rng.gamma(4.0, np.exp(1 + 0.3 * data["x"] + rng.normal(scale=0.4, size=40)[g]) / 4.0)
    for family in ("gamma", "inverse_gaussian"):
        fit = ms.glmer("y ~ x + (1 | g)", data, family, link="log")
        drawn = fit.simulate(3000, seed=1, random="conditional")
        z = (drawn.mean(axis=1) - fit.fittedvalues) / (drawn.std(axis=1) / np.sqrt(3000))
        assert abs(z).max() < 5.0


@pytest.mark.parametrize(
    "y",
    [
        CBPP["incidence"],
        CBPP["incidence"] / CBPP["size"],
        CBPP[["incidence"]].assign(failures=CBPP["size"] - CBPP["incidence"]),
        CBPP["incidence"].sample(frac=1.0, random_state=1),
        CBPP["incidence"].tolist(),
    ],
)
def test_refits_take_every_form_of_response(cbpp, y):
    again = cbpp.refit(y)
    assert type(again) is type(cbpp)
    assert again.criterion == pytest.approx(cbpp.criterion, abs=1e-8)
    np.testing.assert_allclose(again.bse, cbpp.bse, rtol=1e-4)


def test_refits_of_two_levels_keep_the_event():
    data = ms.datasets.load("VerbAgg").iloc[:1500]
    fit = ms.glmer("r2 ~ Anger + (1 | item)", data)
    assert fit.refit(data["r2"]).criterion == pytest.approx(fit.criterion, abs=1e-8)
    assert fit.refit(data["r2"] == "Y").criterion == pytest.approx(fit.criterion, abs=1e-8)
    turned = data["r2"].cat.reorder_categories(["Y", "N"])
    with pytest.raises(ms.DataError, match="event"):
        fit.refit(turned)


def test_a_refit_is_the_fit_of_the_new_response(nb):
    y = nb.simulate(1, seed=5)[0]
    again = nb.refit(y)
    fresh = ms.glmer("y ~ YEAR + cHEIGHT + (1 | BROOD)", TICKS.assign(y=y), "negative_binomial")
    assert again.criterion == pytest.approx(fresh.criterion, abs=1e-6)
    np.testing.assert_allclose(again.params, fresh.params, atol=1e-5)
    assert again.dispersion == pytest.approx(fresh.dispersion, rel=1e-4)


def test_a_refit_leaves_a_boundary_and_goes_to_one():
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"g": np.repeat(np.arange(30), 10), "x": rng.normal(size=300)})
    data["flat"] = np.arange(300) % 2
    data["steep"] = (rng.normal(scale=1.5, size=30)[data["g"]] + rng.logistic(size=300) > 0).astype(int)
    with pytest.warns(ms.SingularFitWarning):
        flat = ms.glmer("flat ~ x + (1 | g)", data)
    steep = ms.glmer("steep ~ x + (1 | g)", data)
    assert flat.refit(data["steep"]).criterion == pytest.approx(steep.criterion, abs=1e-7)
    with pytest.warns(ms.SingularFitWarning):
        back = steep.refit(data["flat"])
    assert back.criterion == pytest.approx(flat.criterion, abs=1e-7)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (CBPP["incidence"].iloc[:50], "50 rows"),
        (CBPP["size"] + 1, "between 0 and the trials"),
        (CBPP["incidence"] + 0.5, "not a whole number|between 0"),
        (CBPP[["incidence"]].assign(failures=40), "trials in row"),
        (CBPP["incidence"].where(CBPP.index > 3), "missing"),
        ("incidence", "not str"),
        (CBPP["incidence"] * 0, "failures only"),
    ],
)
def test_responses_that_do_not_fit_are_refused(cbpp, y, message):
    with pytest.raises(ms.DataError, match=message):
        cbpp.refit(y)


def test_weights_of_counts_that_no_draw_can_have_are_said():
    data = ms.datasets.load("grouseticks").assign(w=lambda d: 1.0 + np.arange(len(d)) % 2)
    fit = ms.glmer("TICKS ~ YEAR + (1 | BROOD)", data, "poisson", weights="w")
    for call in (lambda: fit.simulate(1, seed=1), lambda: fit.residuals("quantile", seed=1)):
        with pytest.warns(ms.UnusedOptionWarning, match="without them"):
            call()
