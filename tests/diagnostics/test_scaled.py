"""Residuals scaled by simulation, and what their tests find and do not find."""

from __future__ import annotations

import numpy as np
import pytest

import mixedsparse as ms
from mixedsparse.core.cost import memory
from mixedsparse.errors import BackendError, OptionError
from tests.models import make

RANDOM = ("redraw", "conditional")
TESTS = ["uniformity", "dispersion", "outliers"]


def balanced(seed: int, noise=None) -> ms.MixedResults:
    """Twenty levels of ten rows; `noise` draws the errors from a generator and a shape."""
    rng = np.random.default_rng(seed)
    g, x = np.repeat(np.arange(20), 10), np.tile(np.linspace(-1.0, 1.0, 10), 20)
    errors = rng.normal(size=200) if noise is None else noise(rng)
    y = 1.0 + x + rng.normal(size=20)[g] + errors
    X = np.column_stack([np.ones(200), x])
    return ms.LinearMixedModel.from_arrays(y, X, [ms.RandomTerm("g", g, np.ones(200))]).fit()


@pytest.mark.parametrize("random", RANDOM)
def test_residuals_are_uniform_under_the_model(random):
    got = balanced(1).scaled_residuals(nsim=99, seed=1, random=random)
    assert got.tests.index.tolist() == TESTS
    assert got.residuals.between(0.0, 1.0, inclusive="neither").all()
    assert (got.tests["p"] > 0.05).all()
    assert got.tests["p_independent"].drop("dispersion").gt(0.01).all()
    assert got.tests.loc["outliers", "expected"] == pytest.approx(2 * 200 / 100)
    assert got.tests.loc["outliers", "statistic"] == got.table["outlier"].sum()
    np.testing.assert_allclose(got.table["normal"].abs() < 1.0, (got.residuals - 0.5).abs() < 0.3413447)


@pytest.mark.parametrize("random", RANDOM)
def test_skewed_errors_are_found(random):
    got = balanced(2, lambda rng: 0.8 * rng.exponential(size=200) ** 2).scaled_residuals(99, 1, random)
    assert got.tests.loc["uniformity", "p"] <= 0.02
    assert got.tests.loc["uniformity", "p_independent"] < 0.01


def test_wild_rows_are_outliers():
    def errors(rng):
        out = rng.normal(size=200)
        out[[3, 77, 150]] += [9.0, -9.0, 9.0]
        return out

    got = balanced(3, errors).scaled_residuals(199, 1, "conditional")
    assert got.table["outlier"][[3, 77, 150]].all()
    assert got.tests.loc["outliers", "statistic"] >= 3


@pytest.mark.parametrize("random", RANDOM)
@pytest.mark.parametrize("name", ["weighted", "crossed_slopes", "no_fixed"])
def test_values_follow_from_the_exact_distribution(name, random):
    """With many simulations a scaled residual is the normal probability of the residual over its own SD."""
    fit = make(name, 0).model().fit()
    got = fit.scaled_residuals(nsim=4000, seed=3, random=random)
    if random == "conditional":
        exact = fit.residuals("standardized")
    else:
        cov = fit.marginal_cov(slice(None)).to_numpy()
        X = fit.get("X")
        cov = cov - X @ np.linalg.solve(X.T @ np.linalg.solve(cov, X), X.T) if X.shape[1] else cov
        exact = fit.residuals("marginal") / np.sqrt(np.diag(cov))
    error = np.abs(got.table["normal"] - exact)
    assert error[np.abs(exact) < 2.0].max() < 0.15
    assert error[np.abs(exact) < 2.0].mean() < 0.03


def test_seeds_repeat_and_are_reported():
    fit = balanced(1)
    first = fit.scaled_residuals(nsim=20)
    again = fit.scaled_residuals(nsim=20, seed=first.seed)
    assert first.residuals.equals(again.residuals)
    assert first.tests.equals(again.tests)
    assert not fit.scaled_residuals(nsim=20, seed=np.int64(5)).residuals.equals(first.residuals)
    assert "20 simulations, redraw; uniformity p = " in repr(first)


def test_singular_fits_and_their_index():
    with pytest.warns(ms.errors.SingularFitWarning):
        fit = ms.lmer("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff2").set_index(np.arange(30) + 5))
    for random in RANDOM:
        got = fit.scaled_residuals(nsim=20, seed=1, random=random)
        assert got.table.index.equals(fit.resid.index)
        assert got.residuals.notna().all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"random": "none"}, "random='none' is not known; use one of 'redraw', 'conditional'"),
        ({"nsim": 1}, "nsim=1 must be a whole number of at least 2"),
        ({"nsim": 20.0}, "nsim=20.0 must be a whole number"),
        ({"seed": -1}, "seed=-1 must be a whole number that is not negative"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(OptionError, match=message):
        balanced(1).scaled_residuals(**arguments)


def test_too_many_simulations_are_refused(monkeypatch):
    monkeypatch.setattr("mixedsparse.diagnostics.scaled.available_memory", lambda: 1e6)
    assert memory.available_memory() > 1e6
    with pytest.raises(BackendError, match="2000 simulations of 200 rows take about"):
        balanced(1).scaled_residuals(nsim=2000)
