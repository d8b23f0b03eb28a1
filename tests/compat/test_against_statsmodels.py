"""Fits of both packages side by side, on statsmodels' own examples."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.compat.cases import CASES, LLF, PARAMETERS, close, fit_both, quietly

# It inverts the joint Hessian of fixed effects and variances, whose blocks are uncorrelated in expectation only.
ERRORS = 5e-3


@pytest.fixture(params=[True, False], ids=["reml", "ml"])
def reml(request):
    return request.param


@pytest.fixture(params=list(CASES))
def pair(request, reml):
    return fit_both(request.param, reml)


def test_likelihood(pair):
    assert pair.ours.llf == pytest.approx(pair.theirs.llf, abs=LLF)
    assert pair.ours.llf > pair.theirs.llf - 1e-8


def test_parameters_and_their_names(pair):
    assert list(pair.ours.params.index) == list(pair.theirs.params.index)
    close(pair.ours.params, pair.theirs.params, PARAMETERS)
    close(pair.ours.fe_params, pair.theirs.fe_params, PARAMETERS)
    assert pair.ours.scale == pytest.approx(pair.theirs.scale, rel=PARAMETERS)


def test_covariances(pair):
    assert list(pair.ours.cov_re.index) == list(pair.theirs.cov_re.index)
    assert pair.ours.cov_re.shape == pair.theirs.cov_re.shape
    assert type(pair.ours.vcomp) is type(pair.theirs.vcomp)
    close(pair.ours.cov_re, pair.theirs.cov_re, PARAMETERS)
    close(pair.ours.cov_re_unscaled, pair.theirs.cov_re_unscaled, PARAMETERS)
    close(pair.ours.vcomp, pair.theirs.vcomp, PARAMETERS)


def test_standard_errors(pair):
    close(pair.ours.bse_fe, pair.theirs.bse_fe, ERRORS)
    close(pair.ours.bse, pair.theirs.bse, ERRORS)
    close(pair.ours.tvalues, pair.theirs.tvalues, 2 * ERRORS)
    close(pair.ours.conf_int(0.1), pair.theirs.conf_int(0.1), ERRORS)
    assert list(pair.ours.pvalues.index) == list(pair.theirs.pvalues.index)
    close(pair.ours.pvalues, pair.theirs.pvalues, 2e-2)
    assert pair.ours.cov_params().shape == pair.theirs.cov_params().shape


def test_tests_of_fixed_effects(pair):
    k, unknowns = pair.ours.k_fe, len(pair.ours.params)
    weights = np.vander(np.arange(1.0, 3.0), k, increasing=True) / 10.0 ** np.arange(k)
    theirs = quietly(lambda: pair.theirs.t_test(weights))
    ours = pair.ours.t_test(weights, ddf="normal")
    close(ours["Estimate"], theirs.effect, PARAMETERS)
    close(ours["SE"], theirs.sd, ERRORS)
    pd.testing.assert_frame_equal(pair.ours.t_test(weights[0]), pair.ours.t_test(weights).iloc[:1])
    every = np.eye(k, unknowns)
    joint = quietly(lambda: pair.theirs.wald_test(every, scalar=True, use_f=False))
    (row,) = pair.ours.wald_test(every, ddf="normal").itertuples()
    assert row.NumDF == k
    assert row.F * k == pytest.approx(joint.statistic, rel=2 * ERRORS)


def test_random_effects(pair):
    ours, theirs = pair.ours.random_effects, pair.theirs.random_effects
    assert list(ours) == list(theirs)
    for group in list(theirs)[:5]:
        assert list(ours[group].index) == list(theirs[group].index)
        close(ours[group], theirs[group], PARAMETERS)


def test_covariances_of_random_effects(pair):
    ours, theirs = pair.ours.random_effects_cov, pair.theirs.random_effects_cov
    for group in list(theirs)[:3]:
        assert list(ours[group].columns) == list(theirs[group].columns)
        close(ours[group], theirs[group], PARAMETERS)


def test_rows_and_counts(pair):
    ours, theirs = pair
    close(ours.resid, theirs.resid, PARAMETERS)
    close(ours.predict(), theirs.predict(), PARAMETERS)
    for name in ("nobs", "df_resid", "k_fe", "k_re", "k_re2", "k_vc", "method", "reml", "converged"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert ours.model.exog_names == list(theirs.model.exog_names)
    close(ours.model.exog, theirs.model.exog, 1e-12)
    if not ours.reml:
        assert ours.aic == pytest.approx(theirs.aic, abs=1e-4)
        assert ours.bic == pytest.approx(theirs.bic, abs=1e-4)


def test_summary(pair):
    ours, theirs = pair.ours.summary(), pair.theirs.summary()
    assert list(ours.tables[1].columns) == list(theirs.tables[1].columns)
    assert list(ours.tables[1].index) == list(theirs.tables[1].index)
    k = pair.ours.k_fe
    ours_fixed = ours.tables[1].iloc[:k].astype(float)
    close(ours_fixed["Coef."], theirs.tables[1]["Coef."].iloc[:k].astype(float), PARAMETERS)
    facts = ours.tables[0].drop(index=range(2, 6)), theirs.tables[0].drop(index=range(2, 6))
    pd.testing.assert_frame_equal(*[f.iloc[:, [0, 1, 2]] for f in facts])


def test_predictions_for_new_data():
    pair = fit_both("factors", True)
    new = pd.DataFrame({"Time": [1, 5], "Cu": ["Cu175", "Cu000"], "Start": [25.0, 26.0]}, index=["p", "q"])
    close(pair.ours.predict(new), pair.theirs.predict(new), PARAMETERS)
    assert list(pair.ours.predict(new).index) == ["p", "q"]


@pytest.mark.parametrize(
    ("case", "which", "vtype"), [("slope", 1, "re"), ("intercept", 0, "re"), ("nested", "group2", "vc")]
)
def test_profile(case, which, vtype):
    pair = fit_both(case, True)
    distance = 0.05 if case == "slope" else 2.0
    points = {"num_low": 2, "dist_low": distance, "num_high": 2, "dist_high": distance}
    ours = pair.ours.profile_re(which, vtype, **points)
    theirs = quietly(lambda: pair.theirs.profile_re(which, vtype, **points))
    assert ours.shape == theirs.shape
    close(ours, theirs, PARAMETERS)
    assert ours[:, 1].max() == pytest.approx(pair.ours.llf, abs=1e-8)
    assert ours[:, 1].argmax() == 2


def test_profile_by_name_is_the_same():
    fit = fit_both("slope", True).ours
    by_name, by_place = (fit.profile_re(which, "re", 1, 0.05, 1, 0.05) for which in ("Time", 1))
    np.testing.assert_array_equal(by_name, by_place)
