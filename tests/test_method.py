"""`method`: which one a fit takes and says, and what results of an iterative fit have and refuse."""

from __future__ import annotations

import pickle
import re

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from mixedsparse.api.parsimony import parsimony
from mixedsparse.core.choose import plan as cost
from tests.limits import limited, relimited

FORMULA = "y ~ x + (1 + x | u) + (1 | i) + (1 + x | g)"
# Direct and iterative fits agree within the Monte-Carlo error, far below a thousandth of a standard error here.
SHARE = 1e-3


def draw(n: int = 3000) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    x = rng.normal(size=n)
    codes = {name: rng.integers(0, levels, n) for name, levels in (("u", 250), ("i", 230), ("g", 12))}
    y = 1.0 + 0.3 * x + rng.normal(size=n)
    for code in codes.values():
        y += 0.5 * rng.normal(size=250)[code] + 0.3 * x * rng.normal(size=250)[code]
    return {"y": y, "x": x, **{name: np.array([f"{name}{c}" for c in code]) for name, code in codes.items()}}


@pytest.fixture(scope="module")
def model() -> ms.LinearMixedModel:
    return ms.LinearMixedModel(FORMULA, draw())


@pytest.fixture(scope="module")
def direct(model):
    return model.fit(method="direct")


@pytest.fixture(scope="module")
def iterative(model):
    return model.fit(method="iterative")


# Which method


def test_small_models_are_fitted_directly(model, direct):
    results = model.fit()
    assert results.solver == "direct"
    assert results.criterion == direct.criterion
    assert results.monte_carlo is None
    assert results.cost.method == "direct"


def test_auto_goes_without_a_factor_where_memory_is_short():
    short = {"small_rest": 0, "entry_bytes": 0, "side_bytes": 0, "memory": 20_000.0}
    fresh = limited(ms.LinearMixedModel(FORMULA, draw()), **short)
    results = fresh.fit()
    assert results.solver == "iterative"
    assert results.cost.method == "iterative"
    assert "20 KiB are available" in results.cost.reason
    assert "Iterative method, as it suits: Eliminating u leaves" in str(results.summary())
    assert fresh.fit() is not results
    with pytest.raises(ms.BackendError, match=r"A direct fit .* and 20 KiB are available: use method='iterative'"):
        fresh.fit(method="direct")


def test_auto_analyses_the_pattern_once(monkeypatch):
    made = []
    plan = cost.plan

    def counted(*args, **kwargs):
        made.append(args)
        return plan(*args, **kwargs)

    monkeypatch.setattr("mixedsparse.core.choose.engines.plan", counted)
    fresh = limited(ms.LinearMixedModel(FORMULA, draw()), small_rest=0)
    assert fresh.fit().solver == "direct"
    fresh.fit(reml=False)
    assert fresh.cost().method == "direct"
    assert len(made) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "exact"}, "method='exact' is not known; use one of 'auto', 'direct', 'iterative'"),
        (
            {"method": "iterative", "options": ms.FitOptions(backend="split")},
            "makes no factor, but options.backend='split'",
        ),
    ],
)
def test_methods_that_are_refused(model, arguments, message):
    with pytest.raises(ms.OptionError, match=re.escape(message)):
        model.fit(**arguments)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"seed": -1}, "seed=-1 must be a whole number that is not negative"),
        ({"seed": 1.5}, "seed=1.5 must be a whole number"),
        ({"mc_share": 0}, "mc_share=0 must lie between 0 and 1"),
        ({"mc_share": "1 %"}, "mc_share='1 %' must lie between 0 and 1"),
    ],
)
def test_options_that_are_refused(option, message):
    with pytest.raises(ms.OptionError, match=re.escape(message)):
        ms.FitOptions(**option)


def test_one_factor_needs_no_iterations():
    fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"), method="iterative")
    assert fit.solver == "direct"
    assert fit.cost.reason == "Subject is the only grouping factor: nothing fills in."


# What the results have


def test_estimates_agree_within_the_error(direct, iterative):
    assert iterative.converged
    np.testing.assert_allclose(iterative.params, direct.params, atol=SHARE * direct.bse.min())
    np.testing.assert_allclose(iterative.bse, direct.bse, rtol=SHARE)
    np.testing.assert_allclose(iterative.varcorr()["sdcor"], direct.varcorr()["sdcor"], atol=SHARE)
    for group, modes in direct.random_effects.items():
        np.testing.assert_allclose(iterative.random_effects[group], modes, atol=SHARE)
    errors = iterative.monte_carlo
    assert abs(iterative.criterion - direct.criterion) < 5.0 * errors.criterion_error
    assert (np.abs(iterative.theta - direct.theta) < 5.0 * errors.theta_error + 1e-6).all()
    assert 0.0 < errors.share <= 0.01


@pytest.mark.slow
def test_an_error_above_the_share_that_was_asked_for_is_said(model):
    with pytest.warns(ms.ConvergenceWarning, match=r"1024 probes the Monte-Carlo error .* more than mc_share=1e-08"):
        results = model.fit(method="iterative", options=ms.FitOptions(mc_share=1e-8))
    assert results.monte_carlo.share > results.monte_carlo.wanted == 1e-8


def test_every_coefficient_has_its_error_beside_it(direct, iterative):
    table = iterative.coef_table()
    assert list(table.columns) == [*direct.coef_table().columns, "MC error"]
    np.testing.assert_array_equal(table["MC error"], iterative.monte_carlo.beta_error)
    assert (table["MC error"] > 0).all()
    text = str(iterative.summary())
    assert "MC error" in text
    assert re.search(r"Monte-Carlo error of the iterative method \(\d+ probes, seed 0\): at most", text)
    assert "MC error" in iterative.summary()._repr_html_()
    assert "MC error" not in str(direct.summary())


def test_degrees_of_freedom_by_the_average_information(direct, iterative):
    # The direct fit has the observed information: in a design this uneven they differ by a few per cent.
    found, exact = iterative.coef_table()["df"], direct.coef_table()["df"]
    np.testing.assert_allclose(found, exact, rtol=0.05)
    np.testing.assert_allclose(iterative.pvalues, direct.pvalues, rtol=0.05, atol=1e-12)
    assert iterative.anova()["DenDF"].to_numpy() == pytest.approx(direct.anova()["DenDF"].to_numpy(), rel=0.05)


def test_intervals_of_all_parameters(direct, iterative):
    found, exact = (fit.conf_int(which="all") for fit in (iterative, direct))
    width = (exact["upper"] - exact["lower"]).to_numpy()[:, None]
    assert list(found.index) == list(exact.index)
    assert (np.abs(found - exact).to_numpy() < 0.02 * width).all()


def test_predictions_and_their_intervals(direct, iterative):
    new = {"x": [0.0, 1.0, np.nan], "u": ["u3", "somebody", "u1"], "i": ["i1", "i2", "i3"], "g": ["g1", "g11", "g2"]}
    for interval in (None, "confidence", "prediction"):
        found, exact = (f.predict(new, new_levels="zero", interval=interval) for f in (iterative, direct))
        np.testing.assert_allclose(found, exact, atol=SHARE)
    np.testing.assert_allclose(iterative.predict(), direct.predict(), atol=SHARE)
    some = iterative.predict(new, random=["i"], interval="confidence")
    np.testing.assert_allclose(some, direct.predict(new, random=["i"], interval="confidence"), atol=SHARE)


def test_intervals_of_many_rows_are_refused(iterative):
    with pytest.raises(ms.BackendError, match="3,000 rows are asked for: give at most 100 rows"):
        relimited(iterative, rows_solved=100).predict(interval="confidence")


@pytest.mark.parametrize("group", ["u", "i", "g"])
def test_conditional_covariances_of_chosen_levels(direct, iterative, group):
    levels = direct.random_effects[group].index[[4, 1]]
    every = direct.random_effects_cov[group]
    for fit, tolerance in ((direct, 1e-12), (iterative, SHARE)):
        found = fit.conditional_cov(group, levels)
        assert list(found) == list(levels)
        for label, place in zip(levels, (4, 1), strict=True):
            assert list(found[label].index) == list(direct.random_effects[group].columns)
            np.testing.assert_allclose(found[label], every[place], rtol=tolerance, atol=tolerance * every[place].max())
    assert list(iterative.conditional_cov(group, levels[0])) == [levels[0]]


def test_levels_that_are_not_there(direct):
    with pytest.raises(ms.OptionError, match="group='v' is not a grouping factor; use one of 'u', 'i', 'g'"):
        direct.conditional_cov("v", "u1")
    with pytest.raises(ms.OptionError, match="'u' has no level 'nobody'"):
        direct.conditional_cov("u", ["u1", "nobody"])


def test_the_seed_tells_the_numbers(model, iterative):
    again = model.fit(method="iterative")
    np.testing.assert_array_equal(again.theta, iterative.theta)
    assert again.criterion == iterative.criterion
    other = model.fit(method="iterative", options=ms.FitOptions(seed=7))
    assert other.monte_carlo.seed == 7
    assert other.criterion != iterative.criterion


def test_refit_stays_iterative(iterative, direct):
    y = direct.simulate(1, seed=2)[0]
    found, exact = iterative.refit(y), direct.refit(y)
    assert found.solver == "iterative"
    np.testing.assert_allclose(found.params, exact.params, atol=SHARE)


def test_results_are_kept(iterative, tmp_path):
    iterative.save(tmp_path / "iterative.fit")
    for copy in (ms.load(tmp_path / "iterative.fit"), pickle.loads(pickle.dumps(iterative))):
        pd.testing.assert_frame_equal(copy.coef_table(), iterative.coef_table())
        assert copy.solver == "iterative"
        pd.testing.assert_frame_equal(copy.conditional_cov("g", "g1")["g1"], iterative.conditional_cov("g", "g1")["g1"])


def test_tables_of_an_iterative_fit(iterative):
    assert np.isfinite(iterative.tidy()[["estimate", "std.error", "p.value"]].to_numpy()).all()
    assert np.isfinite(iterative.glance().to_numpy()).all()
    assert iterative.wald_test("x = 0.3")["p"].between(0, 1).all()
    assert np.isfinite([*iterative.r2(), *iterative.icc()]).all()
    assert "x" in iterative.to_latex()
    assert iterative.simulate(2, seed=1).shape == (3000, 2)
    assert (np.abs(iterative.residuals("scaled")) < 6).all()


# What they refuse


@pytest.mark.parametrize(
    ("what", "instead"),
    [
        (lambda fit: fit.random_effects_cov, r"Ask conditional_cov\(group, levels\) for chosen levels, or fit with"),
        (lambda fit: fit.coef_table("kenward-roger"), "Use ddf='satterthwaite', or fit with method='direct'"),
        (lambda fit: fit.leverage(), "Leverage, and what rests on it"),
        (lambda fit: fit.residuals("studentized"), r"residuals\('scaled'\) is there"),
        (lambda fit: fit.influence("u"), "Fit with method='direct'"),
        (lambda fit: fit.profile(), r"Use conf_int\(which='all'\), by Wald's method"),
        (lambda fit: fit.conf_int(method="profile"), "The profile likelihood"),
        (lambda fit: fit.bootstrap(2), "The bootstrap"),
        (lambda fit: fit.caic(), "The conditional AIC"),
        (lambda fit: fit.ranova(), "Use wald_test: log-likelihoods of iterative fits have an error"),
        (lambda fit: fit.drop1(), "A likelihood ratio"),
        (lambda fit: ms.anova(fit, fit, refit=False), "A likelihood ratio"),
        (lambda fit: parsimony(fit), "A likelihood ratio"),
    ],
)
def test_what_needs_a_factor_is_refused(iterative, what, instead):
    with pytest.raises(ms.BackendError, match=instead):
        what(iterative)
