"""Wald tests and intervals of generalized fits, with the values of R's glmmTMB and emmeans."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms


@pytest.fixture(scope="module")
def cbpp():
    return ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", ms.datasets.load("cbpp"))


@pytest.fixture(scope="module")
def verbagg():
    return ms.glmer("r2 ~ Anger + Gender * btype + situ + (1 + situ | id) + (1 | item)", ms.datasets.load("VerbAgg"))


def test_joint_tests_are_those_of_emmeans(verbagg):
    # emmeans::joint_tests of glmmTMB: F ratios, times their numerator degrees of freedom.
    table = verbagg.joint_tests().set_index("term")
    expected = {"Anger": 9.807, "Gender": 2.878, "btype": 2 * 37.558, "situ": 24.810, "Gender:btype": 2 * 9.950}
    assert table["Chisq"].to_dict() == pytest.approx(expected, abs=2e-3)
    assert table["Df"].tolist() == [1, 1, 2, 1, 2]
    by = verbagg.joint_tests("Gender").query("term == 'btype'")
    assert by["Chisq"].tolist() == pytest.approx([2 * 29.138, 2 * 38.929], abs=2e-3)


def test_type_3_says_what_joint_tests_say_and_type_1_ends_with_the_same(verbagg):
    joint = verbagg.joint_tests().set_index("term")
    np.testing.assert_allclose(verbagg.anova(3)["Chisq"], joint["Chisq"], rtol=1e-8)
    assert verbagg.anova(1)["Chisq"].iloc[-1] == pytest.approx(joint["Chisq"].iloc[-1])
    assert verbagg.anova("II").loc["Gender:btype", "Chisq"] == pytest.approx(joint["Chisq"].iloc[-1])
    assert verbagg.anova(2).loc["btype", "Chisq"] != pytest.approx(joint.loc["btype", "Chisq"], rel=0.01)


def test_wald_statistic_is_the_quadratic_form(cbpp):
    L = np.array([[0.0, 1, -1, 0], [0, 0, 1, -1], [0, 1, 0, -1]])
    two, cov, beta = L[:2], cbpp.cov_params().to_numpy(), cbpp.params.to_numpy()
    expected = (two @ beta) @ np.linalg.solve(two @ cov @ two.T, two @ beta)
    table = cbpp.wald_test(L)
    assert table["Chisq"].item() == pytest.approx(expected)
    assert table["Df"].item() == 2
    single = cbpp.t_test(L[0])
    assert single["z"].item() == pytest.approx(L[0] @ beta / np.sqrt(L[0] @ cov @ L[0]))
    assert list(single) == ["Estimate", "SE", "z", "p"]


def test_limits_of_all_parameters_are_those_of_glmmtmb(cbpp, verbagg):
    limits = cbpp.conf_int(which="all")
    np.testing.assert_allclose(limits.loc["sd(Intercept|herd)"], [0.37244322, 1.10755154], atol=1e-5)
    np.testing.assert_allclose(limits.loc["period[T.4]"], [-2.41807402, -0.74255335], atol=1e-5)
    random = verbagg.conf_int(which="random")
    np.testing.assert_allclose(random.loc["sd(Intercept|id)"], [1.43634221, 1.81490307], atol=1e-4)
    np.testing.assert_allclose(random.loc["sd(situ[T.self]|id)"], [0.74136489, 1.10391244], atol=1e-4)
    np.testing.assert_allclose(random.loc["sd(Intercept|item)"], [0.36993950, 0.68998476], atol=1e-4)


def test_limits_of_correlations_rest_on_the_same_error_as_glmmtmbs(verbagg):
    # glmmTMB's interval is symmetric in c / sqrt(1 - c^2), this one in arctanh(c): same error by the delta method.
    lower, upper = verbagg.conf_int(which="cor(Intercept,situ[T.self]|id)").iloc[0]
    estimate = verbagg.varcorr().query("var2 == 'situ[T.self]'")["sdcor"].item()
    theirs = np.array([-0.71449539, -0.37817200])
    width = np.diff(theirs / np.sqrt(1 - theirs**2)).item() * np.sqrt(1 - estimate**2)
    assert np.arctanh(upper) - np.arctanh(lower) == pytest.approx(width, rel=1e-3)


def test_the_dispersion_has_limits_on_the_log_scale():
    fit = ms.glmer("TICKS ~ YEAR + cHEIGHT + (1 | BROOD)", ms.datasets.load("grouseticks"), "negative_binomial")
    limits = fit.conf_int(which="all")
    assert limits.index[-1] == "dispersion"
    error = np.sqrt(fit.fit.covariance[-1, -1])
    np.testing.assert_allclose(np.log(limits.iloc[-1]), np.log(fit.dispersion) + 1.959964 * error * np.array([-1, 1]))


@pytest.mark.parametrize("ddf", ["satterthwaite", "kenward-roger"])
@pytest.mark.parametrize("method", ["anova", "joint_tests", "conf_int"])
def test_degrees_of_freedom_of_a_residual_variance_are_refused(cbpp, method, ddf):
    with pytest.raises(ms.OptionError, match="does not have: its tests are normal"):
        getattr(cbpp, method)(ddf=ddf)


def test_a_variance_of_zero_has_no_wald_limits():
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"g": np.repeat(np.arange(30), 10), "x": rng.normal(size=300)})
    data["y"] = (np.arange(300) % 2).astype(int)  # five of ten in every group: less than chance varies
    with pytest.warns(ms.SingularFitWarning):
        fit = ms.glmer("y ~ x + (1 | g)", data)
    limits = fit.conf_int(which="all")
    assert limits.loc["sd(Intercept|g)"].isna().all()
    assert limits.loc[["Intercept", "x"]].notna().all(axis=None)


def test_tests_of_separated_fits_are_nan():
    data = pd.DataFrame({"x": np.repeat([0, 1], 100), "g": np.tile(np.arange(20), 10)})
    data["y"] = np.where(data["x"] == 1, 1, np.random.default_rng(2).integers(0, 2, 200))
    with pytest.warns(ms.ConvergenceWarning):
        fit = ms.glmer("y ~ x + (1 | g)", data)
    assert fit.t_test("x")[["Estimate", "SE", "p"]].isna().all(axis=None)
    assert fit.anova()[["Chisq", "p"]].isna().all(axis=None)
    assert fit.conf_int(which="all").isna().all(axis=None)


def test_covariance_parameters_have_errors_by_the_delta_method():
    data = ms.datasets.load("Contraception")
    fit = ms.glmer("use ~ age + I(age**2) + urban + livch + (urban | district)", data)
    table = fit.covariance_parameters(0.9)
    assert table["parameter"].tolist() == ["sd(Intercept)", "sd(urban[T.Y])", "cor(Intercept,urban[T.Y])"]
    limits = fit.conf_int(0.1, which="random")
    np.testing.assert_allclose(table[["lower", "upper"]], limits)
    # The delta method by differences of the joint covariance of theta.
    m = len(fit.theta)

    def values(theta):
        L = np.array([[theta[0], 0.0], [theta[1], theta[2]]])
        S = L @ L.T
        return np.array([np.sqrt(S[0, 0]), np.sqrt(S[1, 1]), S[0, 1] / np.sqrt(S[0, 0] * S[1, 1])])

    slopes = np.array([(values(fit.theta + h) - values(fit.theta - h)) / 2e-6 for h in 1e-6 * np.eye(m)]).T
    errors = np.sqrt(np.diagonal(slopes @ fit.fit.covariance[:m, :m] @ slopes.T))
    np.testing.assert_allclose(table["se"], errors, rtol=1e-6)
    np.testing.assert_allclose(table["estimate"], values(fit.theta))


def test_covariance_parameters_end_with_the_dispersion():
    fit = ms.glmer("TICKS ~ YEAR + (1 | BROOD)", ms.datasets.load("grouseticks"), "negative_binomial")
    last = fit.covariance_parameters().iloc[-1]
    assert last[["term", "structure", "parameter"]].tolist() == ["Residual", "negative_binomial", "dispersion"]
    assert last["estimate"] == fit.dispersion
    assert last["se"] == fit.dispersion * np.sqrt(fit.fit.covariance[-1, -1])


def test_correlations_of_1_have_no_limits_and_no_foreign_warning():
    rng = np.random.default_rng(2)
    data = pd.DataFrame({"g": np.repeat(np.arange(10), 8), "x": rng.normal(size=80)})
    b = rng.normal(size=10)[data["g"]]
    data["y"] = rng.poisson(np.exp(0.5 + b + 0.5 * b * data["x"]))
    with pytest.warns(ms.SingularFitWarning):
        fit = ms.glmer("y ~ x + (x | g)", data, "poisson")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        limits = fit.conf_int(which="all")
    assert limits.loc["cor(Intercept,x|g)"].isna().all()
    assert np.isfinite(limits.loc["sd(Intercept|g)"]).all()
