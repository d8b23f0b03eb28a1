"""The model as users hold it: criterion without a fit, progress, interrupts, pickles, warnings, missing rows."""

from __future__ import annotations

import pickle
import warnings
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from mixedsparse.core.engines.cholmod import cholmod
from tests.oracle import dense

FORMULA = "Reaction ~ Days + (Days | Subject)"


@pytest.fixture
def sleepstudy() -> pd.DataFrame:
    return ms.datasets.load("sleepstudy")


@pytest.fixture
def model(sleepstudy) -> ms.LinearMixedModel:
    return ms.LinearMixedModel(FORMULA, sleepstudy)


@pytest.mark.parametrize("reml", [True, False])
def test_objective_gradient_and_hessian_in_the_users_units(model, reml):
    theta, design = np.array([0.9, 0.05, 0.3]), model.design
    want = dense(design.y, design.X, design.terms, theta, reml=reml)
    assert model.objective(theta, reml) == pytest.approx(want.criterion, rel=1e-12)
    steps = 1e-5 * np.eye(3)
    slopes = [(model.objective(theta + s, reml) - model.objective(theta - s, reml)) / 2e-5 for s in steps]
    np.testing.assert_allclose(model.gradient(theta, reml), slopes, rtol=1e-6)
    curvature = [(model.gradient(theta + s, reml) - model.gradient(theta - s, reml)) / 2e-5 for s in steps]
    np.testing.assert_allclose(model.hessian(theta, reml), curvature, rtol=1e-5)


def test_objective_accepts_lists_and_scalars(sleepstudy):
    model = ms.LinearMixedModel("Reaction ~ Days + (1 | Subject)", sleepstudy)
    assert model.objective(1.0) == model.objective([1.0]) == model.objective(np.array([1.0]))


def test_lmer_is_the_model_and_its_fit(model, sleepstudy):
    one, two = model.fit(reml=False), ms.lmer(FORMULA, sleepstudy, reml=False)
    assert one.criterion == two.criterion
    np.testing.assert_array_equal(one.theta, two.theta)


def test_start_at_the_optimum_is_kept(model):
    best = model.fit()
    again = model.fit(start=best.theta)
    assert again.optim.nfev <= 3
    assert again.criterion == pytest.approx(best.criterion, abs=1e-9)


def test_progress_is_shown_on_stderr(model, capsys):
    results = model.fit(progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "fit:" in err
    assert f"criterion {results.criterion:.4f}" in err


def test_no_progress_prints_nothing(model, capsys):
    model.fit()
    assert capsys.readouterr() == ("", "")


def test_progress_calls_a_function_with_each_iteration(model):
    seen = []
    results = model.fit(progress=seen.append)
    assert tuple(seen) == results.optim.path
    assert [line.number for line in seen] == list(range(len(seen)))
    assert all(a.criterion >= b.criterion for a, b in pairwise(seen))
    assert seen[-1].nfev <= results.optim.nfev


@pytest.mark.parametrize("backend", ["split", "cholmod"])
def test_an_interrupted_fit_leaves_the_model_usable(sleepstudy, backend):
    if backend == "cholmod" and not cholmod.available():
        pytest.skip("scikit-sparse is not installed")
    options = ms.FitOptions(backend=backend)
    model = ms.LinearMixedModel(FORMULA, sleepstudy)

    def interrupt(line):
        if line.number == 2:
            raise KeyboardInterrupt

    with pytest.warns(ms.ConvergenceWarning, match="it was interrupted"):
        model.fit(start=[5.0, 0.0, 5.0], progress=interrupt, options=options)
    fresh = ms.LinearMixedModel(FORMULA, sleepstudy).fit(options=options)
    again = model.fit(options=options)
    assert again.criterion == fresh.criterion
    np.testing.assert_array_equal(again.theta, fresh.theta)


@pytest.mark.parametrize("backend", ["split", "cholmod"])
def test_pickles(model, backend):
    if backend == "cholmod" and not cholmod.available():
        pytest.skip("scikit-sparse is not installed")
    results = model.fit(options=ms.FitOptions(backend=backend))
    copy = pickle.loads(pickle.dumps(results))
    pd.testing.assert_series_equal(copy.params, results.params)
    pd.testing.assert_frame_equal(copy.varcorr(), results.varcorr())
    np.testing.assert_allclose(copy.random_effects_cov["Subject"], results.random_effects_cov["Subject"], rtol=1e-12)
    assert str(copy.summary()) == str(results.summary())
    again = pickle.loads(pickle.dumps(model)).fit(options=ms.FitOptions(backend=backend))
    assert again.criterion == results.criterion


def test_missing_rows_are_dropped_and_counted(sleepstudy):
    sleepstudy.loc[3, "Reaction"] = np.nan
    sleepstudy.loc[[7, 8], "Days"] = np.nan
    sleepstudy["Subject"] = sleepstudy["Subject"].astype(object)
    sleepstudy.loc[20, "Subject"] = None
    with pytest.warns(ms.DroppedRowsWarning, match="^4 rows with missing values left out"):
        results = ms.lmer(FORMULA, sleepstudy)
    assert (results.nobs, results.nmissing) == (176, 4)
    complete = ms.lmer(FORMULA, sleepstudy.dropna().astype({"Days": int}))
    assert results.criterion == pytest.approx(complete.criterion, abs=1e-9)
    assert results.fittedvalues.index.equals(sleepstudy.dropna().index)


def test_a_missing_weight_drops_its_row(sleepstudy):
    weights = np.ones(180)
    weights[5] = np.nan
    with pytest.warns(ms.DroppedRowsWarning, match="^1 row with"):
        results = ms.lmer(FORMULA, sleepstudy, weights=weights)
    assert results.nobs == 179


def test_missing_values_in_other_columns_do_not_matter(sleepstudy):
    assert ms.lmer(FORMULA, sleepstudy.assign(other=np.nan)).nmissing == 0


def test_dependent_columns_are_dropped_and_named(sleepstudy):
    sleepstudy["Hours"] = 24 * sleepstudy["Days"]
    with pytest.warns(ms.DroppedColumnsWarning, match=r"linear combinations of earlier columns: Hours\."):
        results = ms.lmer("Reaction ~ Days + Hours + (Days | Subject)", sleepstudy)
    assert results.dropped_columns == ["Hours"]
    assert list(results.params.index) == ["Intercept", "Days"]
    assert results.criterion == pytest.approx(ms.lmer(FORMULA, sleepstudy).criterion, abs=1e-9)


def test_warnings_point_at_the_users_line():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ms.lmer("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff2"))
    assert [w.category for w in caught] == [ms.SingularFitWarning]
    assert caught[0].filename == __file__


def test_a_binary_response_is_warned_of_once_and_can_be_silenced(sleepstudy):
    for slow in (sleepstudy["Reaction"] > 300, (sleepstudy["Reaction"] > 300) * 1.0):
        data = sleepstudy.assign(slow=slow)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            ms.lmer("slow ~ Days + (1 | Subject)", data)
        assert [w.category for w in caught] == [ms.BinaryResponseWarning]
        assert "'slow' is 0 or 1 in all rows" in str(caught[0].message)
        assert caught[0].filename == __file__
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ms.BinaryResponseWarning)
            assert ms.lmer("slow ~ Days + (1 | Subject)", data).nobs == 180


def test_a_response_that_starts_with_zeros_and_ones_is_not_binary(sleepstudy):
    first = np.arange(180) < 150
    data = sleepstudy.assign(count=np.where(first, sleepstudy["Reaction"] > 300, 2.0))
    assert ms.lmer("count ~ Days + (1 | Subject)", data).nobs == 180


def test_a_fit_changes_neither_data_nor_model(model, sleepstudy):
    before = ms.datasets.load("sleepstudy")
    y, X = model.design.y.copy(), model.design.X.copy()
    model.fit()
    pd.testing.assert_frame_equal(sleepstudy, before)
    np.testing.assert_array_equal(model.design.y, y)
    np.testing.assert_array_equal(model.design.X, X)


def test_repr(model):
    assert repr(model) == "LinearMixedModel('Reaction ~ Days + (Days | Subject)', n=180, q=36)"
