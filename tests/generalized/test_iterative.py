"""Generalized fits without a factor: how they are chosen, what they report, what they refuse."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from mixedsparse.core.choose.candidates import generalized_demands
from mixedsparse.core.choose.engines import Engines
from mixedsparse.ground.limits import Limits

FORMULA = "y ~ x + f + (1 | s) + (1 | i)"


def make_rows(n: int = 3000) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    s, i, x = rng.integers(0, 250, n), rng.integers(0, 220, n), rng.normal(size=n)
    eta = 0.5 * x - 0.3 + rng.normal(size=250)[s] + 0.6 * rng.normal(size=220)[i]
    y = (rng.random(n) < 1.0 / (1.0 + np.exp(-eta))).astype(int)
    return pd.DataFrame({"s": s, "i": i, "x": x, "f": rng.choice(list("ab"), n), "y": y})


@pytest.fixture(scope="module")
def rows():
    return make_rows()


@pytest.fixture(scope="module")
def fits(rows):
    model = ms.GeneralizedLinearMixedModel(FORMULA, rows)
    return model.fit(method="direct"), model.fit(method="iterative")


def test_estimates_and_errors(fits):
    exact, found = fits
    assert (exact.solver, found.solver) == ("direct", "iterative")
    assert exact.monte_carlo is None
    told = found.monte_carlo
    assert told.share <= 0.01
    assert (np.abs(found.params - exact.params) < 0.05 * exact.bse).all()
    assert (told.beta_error < 0.01 * exact.bse).all()
    np.testing.assert_allclose(found.bse, exact.bse, rtol=0.01)
    assert abs(found.llf - exact.llf) < 5.0 * 0.5 * told.criterion_error
    assert list(found.coef_table().columns) == ["Estimate", "SE", "z", "p", "MC error"]
    assert "Monte-Carlo error of the iterative method" in str(found.summary())


def test_the_same_seed_gives_the_same_numbers(rows, fits):
    again = ms.glmer(FORMULA, rows, method="iterative")
    pd.testing.assert_series_equal(again.params, fits[1].params, check_exact=True)
    other = ms.glmer(FORMULA, rows, method="iterative", options=ms.FitOptions(seed=1))
    assert (other.params != fits[1].params).any()


def test_modes_predictions_and_chosen_covariances(rows, fits):
    exact, found = fits
    np.testing.assert_allclose(found.random_effects["s"], exact.random_effects["s"], atol=0.01)
    new = rows.head(4)
    np.testing.assert_allclose(
        found.predict(new, interval="confidence"), exact.predict(new, interval="confidence"), rtol=0.02
    )
    own, other = (fit.conditional_cov("s", [3, 7])[7].to_numpy() for fit in (found, exact))
    np.testing.assert_allclose(own, other, rtol=0.02)


@pytest.mark.parametrize(
    ("what", "instead"),
    [
        ("drop1", "wald_test"),
        ("profile", "wald_test"),
        ("leverage", "residuals"),
        ("influence", "direct"),
        ("bootstrap", "refit"),
    ],
)
def test_what_needs_a_factor_says_what_there_is_instead(what, instead, fits):
    arguments = (2,) if what == "bootstrap" else ()
    with pytest.raises(ms.BackendError, match=instead):
        getattr(fits[1], what)(*arguments)


def test_quadrature_has_no_iterative_method(rows):
    with pytest.raises(ms.OptionError, match="nAGQ=5"):
        ms.glmer("y ~ x + (1 | s)", rows, nAGQ=5, method="iterative")


def test_saved_and_pickled(fits, rows, tmp_path):
    found = fits[1]
    found.save(tmp_path / "fit.mixedsparse")
    for other in (ms.load(tmp_path / "fit.mixedsparse"), pickle.loads(pickle.dumps(found))):
        assert other.monte_carlo.probes == found.monte_carlo.probes
        new = rows.head(2)
        pd.testing.assert_frame_equal(
            other.predict(new, interval="confidence"), found.predict(new, interval="confidence")
        )


def test_a_source_is_fitted_without_a_factor(rows, fits, tmp_path):
    rows.to_parquet(tmp_path / "rows.parquet")
    found = ms.glmer(FORMULA, tmp_path / "rows.parquet", method="iterative")
    np.testing.assert_allclose(found.params, fits[0].params, atol=0.05 * fits[0].bse.min())


def test_cost_foresees_the_method_and_auto_takes_it(rows):
    """On a machine without room for a factor, or without patience, the iterative method is taken."""
    model = ms.GeneralizedLinearMixedModel(FORMULA, rows)
    assert model.cost().method == "direct"
    demands = generalized_demands(len(rows), 5)
    hasty = Limits(patience=1.0, worth_it=0.0, small_rest=0)
    model._engines = Engines(model.problem, limits=hasty, demands=demands)
    assert model.cost().method == "iterative"
    fit = model.fit()
    assert fit.solver == "iterative"
    assert "Iterative method, as it suits" in str(fit.summary())
    evaluations = model.cost().table.loc["iterative", "evaluations"]
    assert 0.4 < (fit.optim.nfev + len(fit.theta) + len(fit.params)) / evaluations < 2.5


def test_few_probes_warn(rows):
    with pytest.warns(ms.ConvergenceWarning, match="probes the Monte-Carlo error is"):
        ms.glmer(FORMULA, rows, method="iterative", options=ms.FitOptions(mc_share=1e-6))
