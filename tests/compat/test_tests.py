"""Tests of the look-alike under statsmodels' attributes, beside statsmodels' own."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mixedsparse.compat import MixedLM
from mixedsparse.ground.errors import DataError, OptionError
from tests.compat.cases import fit_both, quietly

# Estimates agree to 3e-3 of the largest, and standard errors to 5e-3.
STATISTIC = 2e-2


@pytest.fixture(params=["factors", "slope", "nested slopes"])
def pair(request):
    return fit_both(request.param, True)


def last_row(pair):
    return np.eye(pair.ours.k_fe)[[-1]]


def test_t_test_has_the_attributes_of_statsmodels(pair):
    ours, theirs = pair.ours.t_test(last_row(pair)), quietly(lambda: pair.theirs.t_test(last_row(pair)))
    assert ours.distribution == theirs.distribution == "norm"
    for name in ("effect", "sd", "statistic", "tvalue"):
        mine, yours = getattr(ours, name), getattr(theirs, name)
        np.testing.assert_allclose(mine, np.ravel(yours), rtol=STATISTIC)
    assert float(ours.pvalue) == pytest.approx(2 * pd.Series(ours.statistic).abs().map(norm_sf).item(), rel=1e-10)
    np.testing.assert_allclose(ours.conf_int(0.1), theirs.conf_int(0.1), rtol=STATISTIC)
    assert list(ours.summary_frame().columns) == list(theirs.summary_frame().columns)
    assert list(ours.summary_frame().index) == list(theirs.summary_frame().index)
    assert "Test for Constraints" in str(ours.summary())


def norm_sf(z):
    from scipy.stats import norm

    return norm.sf(z)


def test_t_test_is_a_table_with_degrees_of_freedom_too(pair):
    test = pair.ours.t_test(last_row(pair))
    pd.testing.assert_frame_equal(pd.DataFrame(test), pair.ours.mixed.t_test(mixed_row(pair)))
    normal = pair.ours.t_test(last_row(pair), ddf="normal")
    assert normal["p"].item() == pytest.approx(float(test.pvalue), rel=1e-12)
    asked = pair.ours.t_test(last_row(pair), ddf="satterthwaite")
    assert asked.distribution == "t"
    assert asked["p"].item() == pytest.approx(float(asked.pvalue), rel=1e-12)
    by_t = pair.ours.t_test(last_row(pair), use_t=True)
    assert by_t.dist_args == (pair.ours.df_resid,)


def mixed_row(pair):
    row = np.zeros((1, pair.ours.k_fe))
    row[0, pair.ours.model.structure.fe_order[-1]] = 1.0
    return row


def test_joint_tests(pair):
    L = np.eye(pair.ours.k_fe, len(pair.ours.params))
    ours, theirs = pair.ours.wald_test(L), quietly(lambda: pair.theirs.wald_test(L, scalar=True))
    assert isinstance(ours.statistic, float)
    assert ours.statistic == pytest.approx(theirs.statistic, rel=STATISTIC)
    assert ours.distribution == theirs.distribution == "chi2"
    assert ours.df_denom == theirs.df_denom == pair.ours.k_fe
    assert ours.summary().startswith("<Wald test (chi2): statistic=")
    assert np.shape(pair.ours.wald_test(L, scalar=False).statistic) == (1, 1)
    assert ours["F"].item() * pair.ours.k_fe == pytest.approx(ours.statistic, rel=1e-8)
    mine, yours = pair.ours.f_test(L), quietly(lambda: pair.theirs.f_test(L))
    assert mine.fvalue == pytest.approx(float(np.squeeze(yours.fvalue)), rel=STATISTIC)
    assert (mine.df_num, mine.df_denom) == (yours.df_num, yours.df_denom)
    assert mine["p"].item() == mine.pvalue


def test_hypotheses_about_variances_are_asymptotic():
    pair = fit_both("slope", True)
    L = np.eye(len(pair.ours.params))[1:]
    ours, theirs = pair.ours.wald_test(L, scalar=True), quietly(lambda: pair.theirs.wald_test(L, scalar=True))
    assert ours.statistic == pytest.approx(theirs.statistic, rel=STATISTIC)
    assert ours.df_denom == 4
    assert ours["DenDF"].item() == np.inf
    with pytest.raises(DataError, match="leave ddf out"):
        pair.ours.wald_test(L, ddf="satterthwaite")
    with pytest.raises(DataError, match="should have 2 columns"):
        pair.ours.t_test(L)


def test_hypotheses_as_text_and_as_a_pair():
    pair = fit_both("slope", True)
    for given in ("Time = 7", (np.eye(2, 5)[[1]], 7.0), (np.eye(2, 5)[[1]], [7.0])):
        ours, theirs = (
            pair.ours.wald_test(given),
            quietly(lambda given=given: pair.theirs.wald_test(given, scalar=True)),
        )
        assert ours.statistic == pytest.approx(theirs.statistic, rel=STATISTIC)
        assert float(ours.pvalue) == pytest.approx(float(theirs.pvalue), rel=STATISTIC)


def test_terms(pair):
    ours, theirs = pair.ours.wald_test_terms(), quietly(lambda: pair.theirs.wald_test_terms(scalar=True))
    assert list(ours.table.index) == list(theirs.table.index)
    assert list(ours.table.columns) == list(theirs.table.columns)
    np.testing.assert_allclose(ours.statistic, theirs.table["statistic"].astype(float), rtol=STATISTIC)
    assert str(ours).splitlines()[0].split() == str(theirs).splitlines()[0].split()


def test_terms_that_are_combined():
    fit = fit_both("factors", True).ours
    names = list(fit.model.structure.fixed.terms)
    assert names == ["Intercept", "Cu", "Time", "Time:Cu", "np.log(Start)"]
    table = fit.wald_test_terms(skip_single=True, combine_terms=["Cu"], extra_constraints=[("mine", np.eye(7, 8)[[3]])])
    assert list(table.table.index) == ["Cu", "Time:Cu", "Cu", "mine"] or list(table.table.index) == [
        "Cu",
        "Time:Cu",
        "mine",
    ]
    assert table.table.loc["mine", "df_constraint"] == 1
    with pytest.raises(OptionError, match="no term contains 'Zn'"):
        fit.wald_test_terms(combine_terms=["Zn"])


def test_dependent_rows_count_once():
    fit = fit_both("slope", True).ours
    with pytest.warns(UserWarning, match="Of 2 constraints 1 are independent"):
        twice = fit.wald_test([[0, 1], [0, 2]])
    once = fit.wald_test([[0, 1]])
    assert (twice.statistic, twice.df_denom) == (pytest.approx(once.statistic), 1)


def test_another_covariance():
    fit = fit_both("slope", True).ours
    doubled = fit.wald_test([[0, 1]], cov_p=2 * fit.cov_params())
    assert 2 * doubled.statistic == pytest.approx(fit.wald_test([[0, 1]]).statistic)
    inverse = np.linalg.inv([[fit.cov_params().iloc[1, 1]]])
    assert fit.wald_test([[0, 1]], invcov=inverse).statistic == pytest.approx(fit.wald_test([[0, 1]]).statistic)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda fit: fit.t_test([[1, 0]], "normal"), OptionError, "write ddf='normal'"),
        (lambda fit: fit.wald_test("Time = 7").conf_int(), OptionError, "no confidence limits"),
        (lambda fit: fit.wald_test("Time = 7").fvalue, AttributeError, "chi2 test"),
        (lambda fit: fit.wald_test("Time = 7").tvalue, AttributeError, "a joint test has no tvalue"),
        (lambda fit: fit.t_test([[1, 2, 3]]), DataError, "should have 2 columns"),
    ],
)
def test_what_a_test_does_not_have(call, error, message):
    with pytest.raises(error, match=message):
        call(fit_both("slope", True).ours)


def test_a_model_from_arrays_has_names_for_its_tests():
    rng = np.random.default_rng(1)
    X = np.column_stack([np.ones(200), rng.normal(size=200)])
    groups = np.repeat(np.arange(20), 10)
    y = X.sum(axis=1) + rng.normal(size=20)[groups] + rng.normal(size=200)
    fit = MixedLM(y[:, None], X, groups).fit()
    assert list(fit.wald_test_terms().table.index) == ["const", "x1"]
    assert fit.t_test("x1 = 1").effect == pytest.approx(fit.fe_params[[1]])
