"""Attributes of models and results that scripts read, their likelihood, and results in files."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from mixedsparse import datasets
from mixedsparse.compat import MixedLM, MixedLMParams, MixedLMResults, mixedlm
from mixedsparse.ground.errors import AbsentError, DataError, OptionError, RowsElsewhereError, SingularFitWarning
from tests.compat.cases import CASES, DATA, close, fit_both, quietly


@pytest.fixture(params=["factors", "slope", "nested", "crossed", "nested slopes"])
def name(request):
    return request.param


def models(name):
    import statsmodels.formula.api as smf

    case = CASES[name]
    data = DATA[case.data]()
    return tuple(quietly(lambda call=c: call(case.formula, data, **case.arguments)) for c in (mixedlm, smf.mixedlm))


def test_arrays_and_names(name):
    ours, theirs = models(name)
    assert ours.formula == theirs.formula
    np.testing.assert_array_equal(ours.groups, theirs.groups)
    assert list(ours.row_indices) == list(theirs.row_indices)
    for group, rows in theirs.row_indices.items():
        np.testing.assert_array_equal(ours.row_indices[group], rows)
    assert (ours.exog_re is None) == (theirs.k_re == 0)
    if ours.exog_re is not None:
        np.testing.assert_allclose(ours.exog_re, theirs.exog_re)
    for what in ("xnames", "ynames", "exog_re_names", "exog_re_names_full", "param_names"):
        mine, yours = getattr(ours.data, what), getattr(theirs.data, what)
        assert (mine if isinstance(mine, str) else list(mine)) == (yours if isinstance(yours, str) else list(yours)), (
            what
        )
    assert ours.exog_vc.names == list(theirs.exog_vc.names)
    assert ours.data.frame.shape == theirs.data.frame.shape
    first = ours.group_list(ours.endog)[0]
    np.testing.assert_array_equal(first, theirs.group_list(theirs.endog)[0])


def test_a_formula_may_be_given_back(name):
    ours, _ = models(name)
    case = CASES[name]
    again = mixedlm(ours.formula, DATA[case.data](), **case.arguments)
    assert again.linear.formula == ours.linear.formula


def test_log_likelihood_beside_statsmodels(name):
    from statsmodels.regression.mixed_linear_model import MixedLMParams as Theirs

    ours, theirs = models(name)
    rng = np.random.default_rng(2)
    for reml in (True, False):
        ours.reml = theirs.reml = reml
        root = rng.normal(size=(ours.k_re, ours.k_re))
        cov, vcomp = root @ root.T + np.eye(ours.k_re), rng.uniform(0.5, 2, size=ours.k_vc)
        beta = rng.normal(size=ours.k_fe)
        kinds = {"fe_params": beta, "cov_re": cov, "vcomp": vcomp}
        mine = MixedLMParams.from_components(**kinds)
        theirs.cov_pen = theirs.fe_pen = None
        theirs._cov_sing, theirs._freepat = 0, None
        for profile in (True, False):
            yours = Theirs.from_components(**kinds)  # its score changes it
            want = theirs.loglike(yours, profile_fe=profile)
            assert ours.loglike(mine, profile_fe=profile) == pytest.approx(want, rel=1e-10)
            want = theirs.score(yours, profile_fe=profile)
            np.testing.assert_allclose(
                ours.score(mine, profile_fe=profile), want, rtol=1e-5, atol=1e-5 * abs(want).max()
            )


def test_log_likelihood_of_a_fit():
    for reml in (True, False):
        fit = mixedlm("Weight ~ Time", datasets.load("dietox"), groups="Pig", re_formula="~Time").fit(reml=reml)
        assert fit.model.loglike(fit.params_object) == pytest.approx(fit.llf, abs=1e-8)
        assert fit.model.loglike(fit.params_object, profile_fe=False) == pytest.approx(fit.llf, abs=1e-8)
        packed = fit.params_object.get_packed(use_sqrt=True)
        assert fit.model.loglike(packed) == pytest.approx(fit.llf, abs=1e-8)
        hessian, singular = fit.model.hessian(fit.params_object)
        assert not singular
        close(np.linalg.inv(-hessian[:2, :2]), fit.cov_params().iloc[:2, :2], 5e-2)
    with pytest.raises(OptionError, match="negative eigenvalue"):
        fit.model.loglike(MixedLMParams.from_components([0, 0], cov_re=[[1, 2], [2, 1]]))


def test_draws_are_those_of_statsmodels(name):
    ours, theirs = models(name)
    params = np.concatenate([np.arange(1.0, ours.k_fe + 1), np.eye(ours.k_re)[np.tril_indices(ours.k_re)] * 2])
    params = np.concatenate([params, np.full(ours.k_vc, 0.5)])
    draws = [
        model.get_distribution(params, 1.5, None).rvs(0, rng=np.random.default_rng(3))
        for model in ((ours, theirs) if ours.k_re else (ours, ours))
    ]
    np.testing.assert_allclose(*draws, rtol=1e-8)


def test_predictions_of_the_model():
    ours, theirs = fit_both("factors", True)
    for params in (ours.params, ours.fe_params, ours.params_object, np.asarray(ours.params)):
        np.testing.assert_allclose(ours.model.predict(params), ours.predict(), rtol=1e-10)
    X = np.vander(np.arange(1.0, 4.0), ours.k_fe)
    np.testing.assert_allclose(ours.model.predict(theirs.params, X), theirs.model.predict(theirs.params, X))
    with pytest.raises(DataError, match=f"give {ours.k_fe} columns"):
        ours.model.predict(ours.params, X[:, :1])


def test_covariances_of_functions_of_parameters():
    ours, theirs = fit_both("slope", True)
    L = np.array([[1.0, 5.0, 0, 0, 0], [0, 1.0, 0, 0, 0]])
    close(ours.cov_params(r_matrix=L), theirs._results.cov_params(r_matrix=L), 1e-2)
    assert ours.cov_params(column=1) == pytest.approx(ours.bse["Time"] ** 2)
    assert ours.cov_params(column=[0, 1]).shape == (2, 2)


def test_results_take_attributes_and_tell_how_they_were_found():
    fit = mixedlm("Weight ~ Time", datasets.load("dietox"), groups="Pig").fit(full_output=True)
    fit.note = "mine"
    assert fit.note == "mine"
    assert fit.use_t is False
    assert fit.hist[0]["fopt"] == -fit.llf
    assert fit.hist[0]["converged"]


def test_summary_as_latex():
    text = fit_both("factors", True).ours.summary().as_latex()
    assert text.startswith("\\begin{table}")
    assert "Time:Cu[T.Cu175]" in text
    assert "Log-Likelihood:" in text


def test_summary_col_of_statsmodels():
    from statsmodels.iolib.summary2 import summary_col

    ours, theirs = fit_both("factors", True)
    mine, yours = (summary_col([fit, fit], stars=True).tables[0] for fit in (ours, theirs))
    assert list(mine.index) == list(yours.index)
    assert list(mine.columns) == list(yours.columns)


def test_results_in_files(tmp_path):
    pigs = datasets.load("dietox")
    fit = mixedlm("Weight ~ scale(Time) + C(Cu, Sum)", pigs, groups="Pig", re_formula="~Time").fit()
    fit.save(tmp_path / "pigs")
    for again in (MixedLMResults.load(tmp_path / "pigs"), type(fit).load(str(tmp_path / "pigs"))):
        assert isinstance(again, MixedLMResults)
        pd.testing.assert_series_equal(again.params, fit.params)
        pd.testing.assert_series_equal(again.predict(pigs), fit.predict(pigs))
        assert str(again.summary()) == str(fit.summary())
        assert set(again.model.data.frame.columns) == {"Weight", "Time", "Cu", "Pig"}
    fit.mixed.save(tmp_path / "mixed")
    np.testing.assert_allclose(ms.load(tmp_path / "mixed").predict(pigs), fit.mixed.predict(pigs))
    (tmp_path / "other").write_bytes(pickle.dumps([1]))
    with pytest.raises(OptionError, match="holds list, not results"):
        MixedLMResults.load(tmp_path / "other")


@pytest.mark.parametrize("formula", ["Weight ~ Time", "Weight ~ 0 + Time"])
def test_results_without_the_rows(tmp_path, formula):
    fit = mixedlm(formula, datasets.load("dietox"), groups="Pig", re_formula="~Time").fit()
    r2 = fit.mixed.r2()
    text, params, effects = str(fit.summary()), fit.params, fit.random_effects["4601"]
    fit.save(tmp_path / "whole")
    fit.save(tmp_path / "part", remove_data=True)
    assert (tmp_path / "part").stat().st_size < (tmp_path / "whole").stat().st_size
    for results in (fit, MixedLMResults.load(tmp_path / "part")):
        assert str(results.summary()) == text
        pd.testing.assert_series_equal(results.params, params)
        pd.testing.assert_series_equal(results.random_effects["4601"], effects)
        assert results.model.loglike(results.params_object) == pytest.approx(results.llf, abs=1e-8)
        assert float(results.wald_test("Time = 0").pvalue) < 1e-10
        pd.testing.assert_series_equal(results.mixed.r2(), r2)
        with pytest.raises(RowsElsewhereError):
            results.resid  # noqa: B018 - a property that raises


def test_arguments_of_other_models_are_warned_of():
    model = mixedlm("Weight ~ Time", datasets.load("dietox"), groups="Pig")
    with pytest.warns(FutureWarning, match="Argument cov_type is not used by MixedLM.fit: standard errors are those"):
        robust = model.fit(cov_type="hc1")
    assert robust.bse.equals(model.fit().bse)
    assert model.fit(method="nm", xatol=1e-6, adaptive=True).llf == model.fit().llf


def test_filters_for_statsmodels_warnings_hold():
    from statsmodels.tools.sm_exceptions import ConvergenceWarning, SingularMatrixWarning

    model = mixedlm("Yield ~ 1", datasets.load("Dyestuff2"), groups="Batch")
    for category in (ConvergenceWarning, SingularMatrixWarning, SingularFitWarning):
        with pytest.warns(category, match="random effects covariance matrix is singular. Converged on the") as caught:
            model.fit()
        assert caught[0].filename == __file__
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", category)
            model.fit()


def test_parameters_filled_by_attributes():
    free = MixedLMParams(2, 2, 0)
    free.fe_params, free.cov_re, free.vcomp = np.ones(2), np.eye(2), np.array([])
    fit = mixedlm("Weight ~ Time", datasets.load("dietox"), groups="Pig", re_formula="~Time").fit(free=free)
    assert fit.llf == pytest.approx(-2217.3481, abs=1e-4)  # statsmodels' notebook on dietox


@pytest.mark.parametrize("use_sqrt", [True, False])
@pytest.mark.parametrize("has_fe", [True, False])
def test_packed_parameters_are_those_of_statsmodels(use_sqrt, has_fe):
    from statsmodels.regression.mixed_linear_model import MixedLMParams as Theirs

    kinds = {"fe_params": np.array([1.0, 2]), "cov_re": np.array([[2.0, 1], [1, 3]]), "vcomp": np.array([4.0])}
    mine, yours = MixedLMParams.from_components(**kinds), Theirs.from_components(**kinds)
    packed = mine.get_packed(use_sqrt, has_fe)
    np.testing.assert_allclose(packed, yours.get_packed(use_sqrt, has_fe))
    again = MixedLMParams.from_packed(packed, 2, 2, use_sqrt, has_fe)
    np.testing.assert_allclose(again.cov_re, mine.cov_re)
    np.testing.assert_allclose(again.vcomp, mine.vcomp)
    np.testing.assert_allclose(again.fe_params, mine.fe_params if has_fe else [0, 0])
    assert (again.k_tot, again.copy().k_re2) == (6, 3)
    root = MixedLMParams.from_components(cov_re_sqrt=np.linalg.cholesky(kinds["cov_re"]))
    np.testing.assert_allclose(root.cov_re, mine.cov_re)


@pytest.mark.parametrize("kind", ["column", "frame", "patsy"])
def test_responses_with_one_column(kind):
    patsy = pytest.importorskip("patsy")
    pigs = datasets.load("dietox")
    X = np.column_stack([np.ones(len(pigs)), pigs["Time"]])
    y, design = patsy.dmatrices("Weight ~ Time", pigs)
    given = {"column": (pigs[["Weight"]].to_numpy(), X), "frame": (pigs[["Weight"]], X), "patsy": (y, design)}[kind]
    fit = MixedLM(*given, groups=pigs["Pig"]).fit()
    np.testing.assert_allclose(fit.fe_params, [15.7235, 6.9425], rtol=1e-4)  # statsmodels


def test_labels_of_columns_are_kept():
    pigs = datasets.load("dietox")
    X = pd.DataFrame({0: 1.0, 1: pigs["Time"]})
    assert list(MixedLM(pigs["Weight"], X, pigs["Pig"]).fit().fe_params.index) == [0, 1]
    X.columns = pd.MultiIndex.from_tuples([("f", "one"), ("f", "x")])
    assert list(MixedLM(pigs["Weight"], X, pigs["Pig"]).fit().fe_params.index) == ["f_one", "f_x"]


def test_a_model_from_arrays_has_no_formula():
    model = MixedLM(np.arange(6.0), np.ones((6, 1)), np.repeat([0, 1], 3))
    with pytest.raises(AbsentError, match=r"linear\.formula"):
        model.formula  # noqa: B018 - a property that raises
    assert model.data.frame is None


def test_no_rows():
    with pytest.raises(DataError, match="The data have no rows"):
        mixedlm("Weight ~ Time", datasets.load("dietox").iloc[:0], groups="Pig")
