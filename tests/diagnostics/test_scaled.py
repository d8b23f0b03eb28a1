"""Residuals scaled by simulation, and what their tests find and do not find."""

from __future__ import annotations

import numpy as np
import pytest

import mixedsparse as ms
from mixedsparse.core.batch.draws import parametric_sampler
from mixedsparse.core.choose import memory
from mixedsparse.ground.errors import BackendError, OptionError
from mixedsparse.inference.responses import fit_response
from tests.models import make

RANDOM = ("redraw", "conditional")
TESTS = ["uniformity", "outliers"]


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
    assert got.tests["p_independent"].gt(0.01).all()
    assert got.tests.loc["outliers", "expected"] == pytest.approx(2 * 200 / 100)
    assert got.tests.loc["outliers", "statistic"] == got.table["outlier"].sum()
    np.testing.assert_allclose(got.table["normal"].abs() < 1.0, (got.residuals - 0.5).abs() < 0.3413447)


@pytest.mark.parametrize("random", RANDOM)
def test_skewed_errors_are_found(random):
    got = balanced(2, lambda rng: 0.8 * rng.exponential(size=200) ** 2).scaled_residuals(99, 1, random)
    assert got.tests.loc["uniformity", "p"] <= 0.02
    assert got.tests.loc["uniformity", "p_independent"] < 0.01


def test_no_test_of_what_was_fitted_is_offered():
    """A Gaussian fit matches its own dispersion: such a test could never reject, not even with these errors."""
    got = balanced(2, lambda rng: rng.standard_t(1.5, size=200)).scaled_residuals(19, 1)
    assert "dispersion" not in got.tests.index


@pytest.mark.parametrize("random", RANDOM)
def test_refits_compare_residuals_over_their_own_scale(random):
    """By hand: simulated responses fitted one by one, residuals over the standard deviations of each fit."""
    fit = make("weighted", 0).model().fit()
    got = fit.scaled_residuals(nsim=19, seed=4, random=random, refit=True)
    *seeds, last = np.random.SeedSequence(4).spawn(20)
    moved = parametric_sampler(fit.model.problem, fit.fit)(seeds)
    mean = (fit.get("y") - fit.residuals("marginal")).to_numpy()
    every = np.array([_over_own_scale(fit.refit(y), random) for y in (fit.get("y"), *(mean + moved))])
    below = (every[1:] < every[0]).sum(axis=0)
    jitter = np.random.default_rng(last).random(len(below))
    np.testing.assert_allclose(got.residuals, (below + jitter) / 20, atol=1e-12)
    assert got.refit
    assert "19 refits" in repr(got)


def _over_own_scale(fit: ms.MixedResults, random: str) -> np.ndarray:
    if random == "conditional":
        return fit.resid_scaled.to_numpy()
    return fit.residuals("marginal").to_numpy() / np.sqrt(np.diag(fit.marginal_cov(slice(None))))


@pytest.mark.slow
def test_refits_do_not_depend_on_the_workers():
    pytest.importorskip("joblib")
    fit, seen = balanced(1), []
    alone = fit.scaled_residuals(30, 2, refit=True, progress=lambda done, total: seen.append((done, total)))
    assert seen[-2:] == [(15, 30), (30, 30)]
    assert fit.scaled_residuals(30, 2, refit=True, n_jobs=2).residuals.equals(alone.residuals)


@pytest.mark.slow
def test_uniformity_holds_its_level_with_refits_and_not_without():
    """Size at 10 % over 150 true models: near 10 % with refits (Monte-Carlo error 2.4 %), about 4 % without."""
    fit = balanced(1)
    responses = fit.simulate(150, seed=9)
    p = np.array(
        [
            [
                fit.refit(responses[j]).scaled_residuals(39, j, refit=refit).tests.loc["uniformity", "p"]
                for j in responses
            ]
            for refit in (False, True)
        ]
    )
    plain, refitted = (p <= 0.1).mean(axis=1)
    assert 0.04 < refitted < 0.18
    assert plain < refitted


def test_refits_find_skewed_errors():
    got = balanced(2, lambda rng: 0.8 * rng.exponential(size=200) ** 2).scaled_residuals(49, 1, refit=True)
    assert got.tests.loc["uniformity", "p"] <= 0.02


def test_responses_that_cannot_be_fitted_are_left_out(monkeypatch):
    calls = []

    def fails_once(*arguments, **options):
        calls.append(1)
        if len(calls) == 3:
            raise ms.DataError("no fit")
        return fit_response(*arguments, **options)

    monkeypatch.setattr("mixedsparse.diagnostics.refitted.fit_response", fails_once)
    with pytest.warns(ms.ConvergenceWarning, match="1 of 9 simulated responses could not be fitted"):
        got = balanced(1).scaled_residuals(9, 1, refit=True)
    assert got.nsim == 8


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
    with pytest.warns(ms.SingularFitWarning):
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
