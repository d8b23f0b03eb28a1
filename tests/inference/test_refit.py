"""refit(y): the same as a fresh fit, nothing of the old one changed, and what y may be."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from mixedsparse.core.engines.cholmod import cholmod
from tests.models import DESIGNS, make

BACKENDS = ["split", pytest.param("cholmod", marks=pytest.mark.skipif(not cholmod.available(), reason="no CHOLMOD"))]


@pytest.fixture(scope="module")
def sleep():
    return ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))


def quiet(function, *args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ms.MixedSparseWarning)
        return function(*args, **options)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", DESIGNS)
def test_refit_is_a_fresh_fit(name, backend):
    # Every design by REML and by ML, every backend by both on half of the designs.
    reml = list(DESIGNS).index(name) % 2 == (backend == "split")
    small = make(name, 0)
    other = make(name, 1).y
    offset = np.linspace(-1, 1, len(other))

    def fit(y):
        model = ms.LinearMixedModel.from_arrays(y, small.X, small.terms, weights=small.weights, offset=offset)
        return quiet(model.fit, reml, options=ms.FitOptions(backend=backend))

    old, fresh = fit(small.y), fit(other)
    got = quiet(old.refit, other)
    assert got.criterion == pytest.approx(fresh.criterion, abs=1e-8)
    assert got.reml == reml
    np.testing.assert_allclose(got.params, fresh.params, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(got.bse, fresh.bse, rtol=1e-6)
    np.testing.assert_allclose(got.resid, fresh.resid, atol=1e-5)
    np.testing.assert_allclose(got.fittedvalues, fresh.fittedvalues, atol=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_refit_leaves_the_old_fit_alone(backend):
    """Both share one factorisation object: each must notice when the other has moved it on."""
    small = make("crossed_slopes", 0)
    old = quiet(small.model().fit, options=ms.FitOptions(backend=backend))
    want = quiet(make("crossed_slopes", 0).model().fit, options=ms.FitOptions(backend=backend))
    new = quiet(old.refit, make("crossed_slopes", 1).y)
    for group, cov in want.random_effects_cov.items():
        np.testing.assert_allclose(old.random_effects_cov[group], cov, rtol=1e-6)
    assert not np.allclose(new.random_effects_cov["s"], old.random_effects_cov["s"])
    assert old.model.objective(old.theta) == pytest.approx(old.criterion)
    assert new.model.objective(new.theta) == pytest.approx(new.criterion)
    assert new.model.design.y is not old.model.design.y


def test_huge_means_cost_no_digits(sleep):
    y = sleep.model.design.y
    got = sleep.refit(y + 1e8)
    assert got.sigma == pytest.approx(sleep.sigma, rel=1e-6)
    assert got.params["Days"] == pytest.approx(sleep.params["Days"], rel=1e-6)


def test_refit_of_a_refit_and_pickles(sleep):
    y = sleep.model.design.y
    once = sleep.refit(y[::-1].copy())
    assert once.refit(y).criterion == pytest.approx(sleep.criterion, abs=1e-9)
    again = pickle.loads(pickle.dumps(once))
    assert again.refit(y).criterion == pytest.approx(sleep.criterion, abs=1e-9)


def test_series_are_aligned():
    data = ms.datasets.load("sleepstudy")
    data.index = [f"row {i}" for i in range(180)]
    data.loc["row 7", "Days"] = np.nan
    with pytest.warns(ms.DroppedRowsWarning):
        fit = ms.lmer("Reaction ~ Days + (Days | Subject)", data)
    got = fit.refit(data["Reaction"].iloc[::-1])
    assert got.criterion == pytest.approx(fit.criterion, abs=1e-9)
    pd.testing.assert_index_equal(got.fittedvalues.index, fit.fittedvalues.index)
    with pytest.raises(ms.DataError, match="no label 'row 0'"):
        fit.refit(data["Reaction"].iloc[1:])
    with pytest.raises(ms.DataError, match=r"179 rows were fitted \(1 rows with missing values were left out\)"):
        fit.refit(data["Reaction"].to_numpy())


def test_singular_refits_warn(sleep):
    y = np.random.default_rng(0).normal(size=180)
    with pytest.warns(ms.SingularFitWarning):
        assert sleep.refit(y).singular


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (3.0, "one column of 180 numbers, not float"),
        ({"y": [1, 2]}, "not dict"),
        (np.zeros((180, 2)), r"shape \(180, 2\)"),
        (np.zeros(180), "constant"),
        (np.full(180, np.nan), "y"),
        (np.array(["a"] * 180), "not numeric"),
        (np.arange(180) % 10, "perfectly"),
    ],
)
def test_bad_input(sleep, y, message):
    with pytest.raises(ms.DataError, match=message):
        sleep.refit(y)
