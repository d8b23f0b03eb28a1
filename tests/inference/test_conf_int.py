"""Confidence intervals: names and order of the rows, Wald limits by their definition, arguments."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from mixedsparse.core.likelihood.hessian import observed_hessian
from tests.models import make
from tests.oracle import one_hot


@pytest.fixture(scope="module")
def sleep():
    return ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))


def test_wald_matches_lme4(sleep):
    """lme4 1.1-31: confint(m, method = "Wald")."""
    want = {"Intercept": (238.02914112, 264.78106858), "Days": (7.43759393, 13.49697799)}
    got = sleep.conf_int(ddf="normal")
    assert list(got.columns) == ["lower", "upper"]
    np.testing.assert_allclose(got, pd.DataFrame(want).T, rtol=1e-6)


@pytest.mark.parametrize("ddf", ["satterthwaite", "kenward-roger"])
def test_degrees_of_freedom(sleep, ddf):
    table, got = sleep.coef_table(ddf), sleep.conf_int(0.1, ddf=ddf)
    # R: qt(0.95, 17)
    assert table["df"].iloc[1] == pytest.approx(17, abs=1e-3)
    np.testing.assert_allclose(got["upper"] - table["Estimate"], 1.739606726 * table["SE"], rtol=1e-5)
    np.testing.assert_allclose(got.mean(axis=1), table["Estimate"])


def test_rows(sleep):
    names = [
        "Intercept",
        "Days",
        "sd(Intercept|Subject)",
        "sd(Days|Subject)",
        "cor(Intercept,Days|Subject)",
        "sigma",
    ]
    for method, options in (("wald", {}), ("profile", {}), ("boot", {"nsim": 40, "seed": 1})):
        whole = sleep.conf_int(method=method, which="all", **options)
        assert list(whole.index) == names
        assert (whole["lower"] < whole["upper"]).all()
        pd.testing.assert_frame_equal(sleep.conf_int(method=method, **options), whole.iloc[:2], rtol=1e-6)
        some = sleep.conf_int(method=method, which=["sigma", "Days"], **options)
        pd.testing.assert_frame_equal(some, whole.loc[["sigma", "Days"]], rtol=1e-6)
        assert list(sleep.conf_int(method=method, which="random", **options).index) == names[2:]
        mixed = sleep.conf_int(method=method, which=["random", "sigma", "Days"], **options)
        assert list(mixed.index) == [*names[2:], "Days"]


def test_a_coefficient_called_random_can_be_chosen_among_several(sleep):
    data = ms.datasets.load("sleepstudy").rename(columns={"Days": "random"})
    fit = ms.lmer("Reaction ~ random + (1 | Subject)", data)
    assert list(fit.conf_int(which=["sigma", "random"]).index) == ["sigma", "random"]
    assert list(fit.conf_int(which="random").index) == ["sd(Intercept|Subject)", "sigma"]


@pytest.mark.parametrize("reml", [True, False])
def test_wald_of_covariance_parameters_by_the_delta_method(reml):
    """The dense criterion in (log sd, log sd, atanh cor, log sigma) differenced twice, beta at its best."""
    small = make("slopes", 1)
    fit = small.model().fit(reml)
    X, n = small.X_kept, len(small.y)
    Z = one_hot(small.terms[0])

    def criterion(at):
        sd, cor, sigma = np.exp(at[:2]), np.tanh(at[2]), np.exp(at[3])
        cov = np.outer(sd, sd) * [[1, cor], [cor, 1]]
        V = sigma**2 * np.eye(n) + Z @ np.kron(np.eye(small.terms[0].n_levels), cov) @ Z.T
        VX, Vy = np.linalg.solve(V, X), np.linalg.solve(V, small.y)
        residual = small.y - X @ np.linalg.solve(X.T @ VX, X.T @ Vy)
        value = np.linalg.slogdet(V)[1] + residual @ np.linalg.solve(V, residual)
        return value + np.linalg.slogdet(X.T @ VX)[1] if reml else value

    def gradient(at):
        steps = 1e-4 * np.eye(4)
        return np.array([(criterion(at + s) - criterion(at - s)) / 2e-4 for s in steps])

    sd1, sd2, cor, sigma = fit.varcorr()["sdcor"]
    best = np.array([np.log(sd1), np.log(sd2), np.arctanh(cor), np.log(sigma)])
    error = 1.959963984540054 * np.sqrt(np.diag(2 * np.linalg.inv(observed_hessian(gradient, best))))
    lower, upper = best - error, best + error
    back = [np.exp, np.exp, np.tanh, np.exp]
    got = fit.conf_int(which="random")
    np.testing.assert_allclose(got["lower"], [f(v) for f, v in zip(back, lower, strict=True)], rtol=1e-4)
    np.testing.assert_allclose(got["upper"], [f(v) for f, v in zip(back, upper, strict=True)], rtol=1e-4)


def test_wald_on_the_boundary_is_missing():
    with pytest.warns(ms.SingularFitWarning):
        fit = ms.lmer("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff2"))
    got = fit.conf_int(which="all")
    assert got.loc["sd(Intercept|Batch)"].isna().all()
    assert np.isfinite(got.loc[["Intercept", "sigma"]]).all(axis=None)


def test_rank_deficient_and_weighted_models():
    for name in ("rank_deficient", "weighted", "no_fixed"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ms.MixedSparseWarning)
            fit = make(name, 0).model().fit()
        for method in ("wald", "profile"):
            got = fit.conf_int(method=method, which="all")
            assert list(got.index[: len(fit.params)]) == list(fit.params.index)
            assert (got.iloc[: len(fit.params)].notna()).all(axis=None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": 0}, "alpha=0 must lie between 0 and 1"),
        ({"alpha": 95}, "alpha=95"),
        ({"method": "Wald"}, "'wald', 'profile', 'boot'"),
        ({"which": "beta"}, "names among: Intercept, Days, sd"),
        ({"which": ["Days", 3]}, "which=3 is not a parameter"),
        ({"method": "profile", "ddf": "satterthwaite"}, "for method='wald'"),
        ({"ddf": "residual"}, "residual"),
        ({"method": "boot", "nsim": 3, "kind": "hpd"}, "kind='hpd' is not known"),
    ],
)
def test_bad_input(sleep, options, message):
    with pytest.raises(ms.OptionError, match=message):
        sleep.conf_int(**options)


def test_wald_of_a_deviation_hardly_above_zero_has_no_upper_limit():
    """The log-scale limit overflows there, which is no matter for a warning."""
    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(6), 4)
    noise, effect = rng.normal(size=24), rng.normal(size=6)[g]
    noise -= (np.bincount(g, noise) / 4)[g]
    low, high, deviation = 0.0, 5.0, 0.0
    while not 0 < deviation < 1e-3:  # a response between those of no and of some variance
        middle = 0.5 * (low + high)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ms.SingularFitWarning)
            fit = ms.lmer("y ~ 1 + (1 | g)", {"y": noise + middle * effect, "g": g})
        deviation = fit.varcorr()["sdcor"].iloc[0]
        low, high = (middle, high) if deviation == 0 else (low, middle)
    limits = fit.conf_int(which="random").loc["sd(Intercept|g)"]
    assert limits["lower"] < deviation < limits["upper"]
    assert limits["upper"] > 1e6
