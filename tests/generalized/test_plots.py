"""Plots of generalized fits are rendered, and show the numbers that they are about."""

from __future__ import annotations

import numpy as np
import pytest

import mixedsparse as ms
from mixedsparse.diagnostics.calibration import calibration
from mixedsparse.plotting.generalized import maximum_within

pyplot = pytest.importorskip("matplotlib.pyplot")

CBPP = ms.datasets.load("cbpp")
TICKS = ms.datasets.load("grouseticks")


@pytest.fixture(autouse=True)
def _closed_figures():
    yield
    pyplot.close("all")


@pytest.fixture(scope="module")
def cbpp():
    return ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", CBPP)


@pytest.fixture(scope="module")
def verbagg():
    return ms.glmer("r2 ~ Anger + btype + (1 | id) + (1 | item)", ms.datasets.load("VerbAgg"))


@pytest.fixture(scope="module")
def ticks():
    return ms.glmer("TICKS ~ YEAR + cHEIGHT + (1 | BROOD)", TICKS, "poisson")


@pytest.fixture(scope="module")
def slopes():
    return ms.glmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"), "gamma", link="log")


def render(axes):
    panels = list(np.ravel(np.asarray(axes, dtype=object)))
    panels[0].figure.canvas.draw()
    return panels


PLOTS = {
    "caterpillar": 2,
    "random_qq": 2,
    "random_pairs": 4,
    "residuals": 1,
    "qq": 1,
    "calibration": 1,
    "effects": 1,
    "shrinkage": 1,
}


@pytest.mark.parametrize("name", PLOTS)
def test_every_plot_is_rendered(slopes, name):
    assert len(render(getattr(slopes.plot, name)())) == PLOTS[name]
    assert name in repr(slopes.plot)


def test_what_has_no_meaning_is_not_offered(cbpp):
    for name in ("scale_location", "sparsity"):
        assert not hasattr(cbpp.plot, name)


def test_profiles_and_replicates_are_drawn_from_the_accessor(cbpp):
    profile = cbpp.profile("sd(Intercept|herd)")
    for axes in (cbpp.plot.profile(profile), cbpp.plot.profile(which="sd(Intercept|herd)")):
        assert [panel.get_title() or panel.get_xlabel() for panel in render(axes)] == ["sd(Intercept|herd)"]
    boot = cbpp.bootstrap(5, seed=1)
    assert len(render(cbpp.plot.bootstrap(boot))) == boot.table.shape[1]


def test_residuals_are_quantile_residuals(cbpp):
    panel = cbpp.plot.residuals(seed=4)
    x, y = panel.lines[1].get_data()
    np.testing.assert_array_equal(x, cbpp.linear_predictor)
    np.testing.assert_array_equal(y, cbpp.residuals("quantile", seed=4))
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("Linear predictor", "Quantile residual")
    other = cbpp.plot.residuals("period", kind="pearson")
    assert other.get_ylabel() == "Pearson residual"
    with pytest.raises(ms.OptionError, match="kind"):
        cbpp.plot.residuals(kind="scaled")
    points = cbpp.plot.qq(seed=4).lines[1].get_ydata()
    np.testing.assert_array_equal(points, np.sort(cbpp.residuals("quantile", seed=4)))


def test_effects_are_the_means_of_emmeans(cbpp, ticks):
    panel = cbpp.plot.effects("period")
    table = cbpp.emmeans("period", type="response").table
    np.testing.assert_array_equal(panel.lines[0].get_ydata(), table["prob"])
    assert panel.get_ylabel() == "P(cbind(incidence, size - incidence))"
    link = cbpp.plot.effects("period", type="link")
    np.testing.assert_array_equal(link.lines[0].get_ydata(), cbpp.emmeans("period").table["emmean"])
    assert link.get_ylabel() == "Linear predictor"
    drawn = ticks.plot.effects("cHEIGHT").lines[0].get_data()
    want = ticks.emmeans("cHEIGHT", at={"cHEIGHT": drawn[0]}, type="response").table["rate"]
    np.testing.assert_allclose(drawn[1], want)


def test_calibration_compares_means_within_bins(verbagg):
    table = calibration(verbagg._fitted, 10, 0.9)
    y, mu = verbagg.model.response, verbagg.fittedvalues.to_numpy()
    order = np.argsort(mu, kind="stable")
    assert table["rows"].sum() == len(y)
    assert table["rows"].max() - table["rows"].min() <= 10
    lowest = order[: table["rows"].iloc[0]]
    assert table["fitted"].iloc[0] == pytest.approx(mu[lowest].mean())
    assert table["observed"].iloc[0] == pytest.approx(y[lowest].mean())
    panel = verbagg.plot.calibration(level=0.9)
    np.testing.assert_array_equal(panel.lines[1].get_xdata(), table["fitted"])
    np.testing.assert_array_equal(panel.lines[1].get_ydata(), table["observed"])


def test_limits_of_proportions_are_those_of_wilson(cbpp):
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    table = calibration(cbpp._fitted, 4)
    edges = np.quantile(cbpp.fittedvalues, [0.25, 0.5, 0.75])
    at = np.searchsorted(edges, cbpp.fittedvalues, side="right")
    successes, trials = np.bincount(at, CBPP["incidence"]), np.bincount(at, CBPP["size"])
    lower, upper = proportion.proportion_confint(successes, trials, method="wilson")
    np.testing.assert_allclose(table["observed"], successes / trials)
    np.testing.assert_allclose(table[["lower", "upper"]], np.column_stack([lower, upper]))


def test_limits_of_counts_have_the_variance_of_the_family(ticks):
    table = calibration(ticks._fitted, 5)
    edges = np.quantile(ticks.fittedvalues, [0.2, 0.4, 0.6, 0.8])
    last = ticks.fittedvalues >= edges[-1]
    half = 1.959963984540054 * np.sqrt(ticks.fittedvalues[last].sum()) / last.sum()
    assert table["upper"].iloc[-1] == pytest.approx(TICKS["TICKS"][last.to_numpy()].mean() + half)


def test_rows_with_the_same_fitted_value_share_a_bin():
    fit = ms.glmer("r2 ~ btype + situ + (1 | item)", ms.datasets.load("VerbAgg"))
    table = calibration(fit._fitted, 60)
    counts = fit.fittedvalues.round(12).value_counts().sort_index()  # two of the 24 items have the same outcomes
    assert table["rows"].tolist() == counts.tolist()
    assert len(table) == 23
    with pytest.raises(ms.OptionError, match="bins"):
        fit.plot.calibration(1)


def test_estimates_of_levels_alone_solve_their_score(cbpp):
    found = maximum_within(cbpp._fitted, "herd")
    herd = CBPP["herd"].astype(str)
    successes = CBPP.groupby("herd", observed=True)["incidence"].sum()
    successes.index = successes.index.astype(str)
    found.index = found.index.astype(str)
    assert found["Intercept"].isna().equals((successes == 0).reindex(found.index))
    modes = cbpp.random_effects["herd"]["Intercept"]
    modes.index = modes.index.astype(str)
    shift = (found["Intercept"] - modes).reindex(herd).to_numpy()
    mean = 1.0 / (1.0 + np.exp(-(cbpp.linear_predictor.to_numpy() + shift)))
    left = (CBPP["incidence"] - CBPP["size"] * mean).groupby(herd).sum()  # the score of a logit
    np.testing.assert_allclose(left[~np.isnan(left) & (successes.reindex(left.index) > 0)], 0.0, atol=1e-8)
    further = found["Intercept"].abs() > modes.reindex(found.index).abs()
    assert further[found["Intercept"].notna()].all()


def test_estimates_of_slopes_alone_solve_their_score(slopes):
    found = maximum_within(slopes._fitted, "Subject")
    data = ms.datasets.load("sleepstudy")
    shift = (found - slopes.random_effects["Subject"]).loc[data["Subject"]].to_numpy()
    eta = slopes.linear_predictor + shift[:, 0] + shift[:, 1] * data["Days"].to_numpy()
    left = data["Reaction"] * np.exp(-eta) - 1.0  # the score of a gamma mean with log link
    for column in (left, left * data["Days"]):
        np.testing.assert_allclose(column.groupby(data["Subject"], observed=True).sum(), 0.0, atol=1e-6)


def test_a_loaded_fit_without_rows_draws_its_modes(cbpp, tmp_path):
    cbpp.save(tmp_path / "fit", data=False)
    again = ms.load(tmp_path / "fit")
    render(again.plot.caterpillar())
    with pytest.raises(ms.RowsElsewhereError):
        again.plot.calibration()
