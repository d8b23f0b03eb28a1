"""Marginal means on the scale of the response, and tables for other programs, against R's numbers."""

from __future__ import annotations

import numpy as np
import pytest

import mixedsparse as ms

FORMULA = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
CBPP = ms.datasets.load("cbpp")


@pytest.fixture(scope="module")
def cbpp():
    return ms.glmer(FORMULA, CBPP)


def test_means_of_the_response_are_those_of_emmeans(cbpp):
    table = cbpp.emmeans("period", type="response").table
    assert table["prob"].tolist() == pytest.approx([0.198049, 0.083872, 0.073973, 0.048391], abs=2e-6)
    assert table["SE"].tolist() == pytest.approx([0.0369225, 0.0238360, 0.0226241, 0.0198044], rel=1e-4)
    assert table["lower"].tolist() == pytest.approx([0.135384, 0.047477, 0.040135, 0.021420], abs=2e-6)
    assert table["upper"].tolist() == pytest.approx([0.280316, 0.143951, 0.132403, 0.105654], abs=2e-6)


def test_contrasts_of_logits_are_odds_ratios(cbpp):
    contrasts = cbpp.emmeans("period", type="response").contrast("pairwise").table
    assert contrasts["contrast"].tolist()[0] == "period1 / period2"
    assert contrasts["odds_ratio"].tolist() == pytest.approx(
        [2.697520, 3.091548, 4.856480, 1.146071, 1.800350, 1.570889], rel=1e-5
    )
    assert contrasts["SE"].tolist()[:2] == pytest.approx([0.827174, 1.009817], rel=1e-4)
    assert contrasts["p"].tolist()[:3] == pytest.approx([0.0066494, 0.0030844, 0.0012474], rel=1e-3)
    assert contrasts["z"].tolist()[0] == pytest.approx(3.236124, abs=1e-4)


def test_contrasts_that_the_user_names_keep_their_names(cbpp):
    table = cbpp.emmeans("period", type="response").contrast({"1 - 2": [1, -1, 0, 0]}).table
    assert table["contrast"].tolist() == ["1 - 2"]


def test_contrasts_of_probits_stay_differences_and_say_so():
    contrasts = ms.glmer(FORMULA, CBPP, link="probit").emmeans("period", type="response").contrast()
    assert "estimate" in contrasts.table
    assert "probit" in contrasts.notes[0]


def test_rates_and_their_ratios():
    fit = ms.glmer("TICKS ~ YEAR + (1 | BROOD)", ms.datasets.load("grouseticks"), "poisson")
    means = fit.emmeans("YEAR", type="response")
    np.testing.assert_allclose(means.table["rate"], np.exp(fit.emmeans("YEAR").table["emmean"]))
    ratios = means.contrast("trt.vs.ctrl", adjust="none").table["ratio"]
    np.testing.assert_allclose(ratios, np.exp(fit.params.iloc[1:]), rtol=1e-10)


def test_limits_stay_in_order_where_the_link_falls():
    data = ms.datasets.load("sleepstudy")
    fit = ms.glmer("Reaction ~ Days + (1 | Subject)", data, "gamma", link="inverse")
    table = fit.emmeans("Days", at={"Days": [0, 9]}, type="response").table
    assert (table["lower"] < table["response"]).all()
    assert (table["response"] < table["upper"]).all()
    interval = fit.predict(interval="confidence")
    assert (interval["lower"] <= interval["upper"]).all()


def test_an_unknown_scale_is_refused(cbpp):
    with pytest.raises(ms.OptionError, match="type"):
        cbpp.emmeans("period", type="probability")


def test_tidy_has_the_columns_of_broom(cbpp):
    fixed = cbpp.tidy(conf_int=True)
    assert list(fixed) == ["effect", "term", "estimate", "std.error", "statistic", "p.value", "conf.low", "conf.high"]
    np.testing.assert_allclose(fixed["estimate"], cbpp.params)
    ratios = cbpp.tidy(conf_int=True, exponentiate=True)
    np.testing.assert_allclose(ratios[["conf.low", "conf.high"]], np.exp(fixed[["conf.low", "conf.high"]]))
    parameters = cbpp.tidy("ran_pars")
    assert parameters["term"].tolist() == ["sd__Intercept"]
    assert parameters["estimate"].tolist() == pytest.approx([0.642261], abs=1e-5)
    modes = cbpp.tidy("ran_vals", conf_int=True)
    assert len(modes) == 15
    assert (modes["conf.high"] > modes["estimate"]).all()


def test_glance_is_one_row(cbpp):
    row = cbpp.glance().iloc[0]
    assert row["deviance"] == pytest.approx(cbpp.criterion)
    assert row["df.residual"] == 51
    gamma = ms.glmer("Reaction ~ Days + (1 | Subject)", ms.datasets.load("sleepstudy"), "gamma")
    assert gamma.glance()["dispersion"][0] == pytest.approx(gamma.dispersion)


@pytest.mark.parametrize("method", ["wald", "profile"])
def test_tidy_has_the_limits_of_conf_int(method):
    data = ms.datasets.load("cbpp")
    fit = ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", data)
    want = fit.conf_int(0.1, method, which="all").to_numpy()
    table = fit.tidy(["fixed", "ran_pars"], conf_int=True, conf_level=0.9, conf_method=method)
    np.testing.assert_allclose(table[["conf.low", "conf.high"]], want, rtol=1e-4)
    shown = fit.tidy(conf_int=True, conf_level=0.9, conf_method=method, exponentiate=True)
    np.testing.assert_allclose(shown[["conf.low", "conf.high"]], np.exp(want[:4]), rtol=1e-4)


def test_tidy_leaves_the_limits_of_the_dispersion_out():
    fit = ms.glmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"), "gamma", link="log")
    table = fit.tidy("ran_pars", conf_int=True)
    assert table["term"].tolist() == ["sd__Intercept", "sd__Days", "cor__Intercept.Days"]
    np.testing.assert_allclose(table[["conf.low", "conf.high"]], fit.conf_int(which="random").iloc[:3])


def test_augment_has_leverage_and_distances_and_none_without_an_optimum():
    data = ms.datasets.load("cbpp")
    fit = ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", data)
    table = fit.augment()
    assert table[".hat"].equals(fit.leverage().rename(".hat"))
    assert table[".cooksd"].equals(fit.cooks_distance().rename(".cooksd"))
    with pytest.warns(ms.ConvergenceWarning, match="Separated"):
        apart = ms.glmer("I(period == '1') ~ period + (1 | herd)", data)
    assert apart.augment()[[".hat", ".cooksd"]].isna().all(axis=None)


def test_variance_inflation_is_that_of_the_covariance_of_the_coefficients():
    fit = ms.glmer("TICKS ~ cHEIGHT + I(cHEIGHT**2) + (1 | BROOD)", ms.datasets.load("grouseticks"), "poisson")
    cov = fit.cov_params().to_numpy()[1:, 1:]
    correlation = cov[0, 1] / np.sqrt(cov[0, 0] * cov[1, 1])
    assert fit.vif()["GVIF"].tolist() == pytest.approx([1 / (1 - correlation**2)] * 2)
    assert fit.bse_fe.equals(fit.bse)
    assert fit.fe_params.equals(fit.params)
    assert fit.residuals("normalized").tolist() == fit.residuals("pearson").tolist()
