"""Every plot is rendered, and shows the numbers that it is about."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import beta, norm

import mixedsparse as ms
from mixedsparse.plotting.axes import normal_order, smooth

pyplot = pytest.importorskip("matplotlib.pyplot")


def render(axes):
    """Draw the figure of one Axes or of an array; return the panels as a list."""
    panels = list(np.ravel(np.asarray(axes, dtype=object)))
    assert all(panel.figure is panels[0].figure for panel in panels)
    panels[0].figure.canvas.draw()
    return panels


PLOTS = {
    "caterpillar": (lambda fit, ax: fit.plot.caterpillar(ax=ax), 2),
    "residuals": (lambda fit, ax: fit.plot.residuals(ax=ax), 1),
    "scale_location": (lambda fit, ax: fit.plot.scale_location(ax=ax), 1),
    "qq": (lambda fit, ax: fit.plot.qq(ax=ax), 1),
    "random_qq": (lambda fit, ax: fit.plot.random_qq(ax=ax), 2),
    "random_pairs": (lambda fit, ax: fit.plot.random_pairs(ax=ax), 4),
    "shrinkage": (lambda fit, ax: fit.plot.shrinkage(ax=ax), 1),
    "effects": (lambda fit, ax: fit.plot.effects(ax=ax), 1),
    "profile": (lambda fit, ax: fit.plot.profile(which="fixed", ax=ax), 2),
    "bootstrap": (lambda fit, ax: fit.plot.bootstrap(fit.bootstrap(20, seed=1), ["Days", "sigma"], ax=ax), 2),
    "sparsity": (lambda fit, ax: fit.plot.sparsity(ax=ax), 2),
}
every_plot = pytest.mark.parametrize("name", PLOTS)


@every_plot
def test_plot_is_rendered_in_a_figure_of_its_own(sleep, name):
    draw, count = PLOTS[name]
    assert len(render(draw(sleep, None))) == count


@every_plot
def test_plot_goes_where_it_is_told(sleep, name):
    draw, count = PLOTS[name]
    _, given = pyplot.subplots(1, count, squeeze=False)
    before = pyplot.get_fignums()
    drawn = render(draw(sleep, given if count > 1 else given[0, 0]))
    assert drawn == list(given.ravel())
    assert pyplot.get_fignums() == before


@every_plot
def test_wrong_number_of_axes_is_an_error(sleep, name):
    draw, count = PLOTS[name]
    _, given = pyplot.subplots(1, count + 1, squeeze=False)
    with pytest.raises(ms.OptionError, match=f"ax holds {count + 1} Axes"):
        draw(sleep, given)


def test_the_accessor_lists_its_plots(sleep):
    assert "caterpillar" in repr(sleep.plot)
    assert all(name in repr(sleep.plot) for name in PLOTS)


@pytest.mark.parametrize("errors", ["prediction", "conditional"])
def test_caterpillar_shows_modes_with_intervals_and_says_which(sleep, errors):
    first, second = render(sleep.plot.caterpillar(level=0.9, errors=errors))
    modes = sleep.random_effects["Subject"]
    order = modes["Intercept"].sort_values().index
    assert [t.get_text() for t in first.get_yticklabels()] == [str(s) for s in order]
    shown = second.lines[-1].get_xdata()
    np.testing.assert_allclose(shown, modes.loc[order, "Days"])
    cov = sleep.random_effects_error_cov if errors == "prediction" else sleep.random_effects_cov
    deviations = np.sqrt(cov["Subject"][:, 1, 1])[modes.index.get_indexer(order)]
    words = {"prediction": "prediction error", "conditional": "given the coefficients"}[errors]
    assert second.get_xlabel() == f"Mode, 90 % interval, {words}"
    lengths = [segment[1, 0] - segment[0, 0] for segment in second.collections[0].get_segments()]
    np.testing.assert_allclose(lengths, 2 * ndtri(0.95) * deviations)


def test_caterpillar_keeps_the_order_of_the_data_or_takes_another_effect(sleep):
    panel = sleep.plot.caterpillar("Subject", "Days", sort=None)
    assert [t.get_text() for t in panel.get_yticklabels()][::-1] == [
        str(s) for s in sleep.random_effects["Subject"].index
    ]
    by_days = sleep.plot.caterpillar(effects="Intercept", sort="Days")
    order = sleep.random_effects["Subject"]["Days"].sort_values().index
    assert [t.get_text() for t in by_days.get_yticklabels()] == [str(s) for s in order]


@pytest.mark.slow
def test_many_rows_and_levels_are_drawn_too(many):
    for axes in (
        many.plot.caterpillar(),
        many.plot.residuals(),
        many.plot.scale_location(),
        many.plot.qq(),
        many.plot.random_qq(),
        many.plot.random_pairs(),
        many.plot.shrinkage(effects="x"),
        many.plot.effects(ddf="normal"),
        many.plot.sparsity(),
    ):
        render(axes)
    assert many.plot.caterpillar()[0].get_ylabel() == "g (2500 levels)"


def test_a_fit_without_variance_is_drawn_too(flat):
    for axes in (flat.plot.caterpillar(), flat.plot.random_qq(), flat.plot.shrinkage(), flat.plot.sparsity()):
        render(axes)
    render(flat.plot.bootstrap(flat.bootstrap(10, seed=2)))


def test_residuals_against_columns(oats):
    by_number = render(oats.plot.residuals("nitro", kind="response"))[0]
    assert by_number.get_xlabel() == "nitro"
    np.testing.assert_allclose(by_number.lines[1].get_ydata(), oats.resid)
    by_factor = render(oats.plot.residuals("Variety"))[0]
    assert [t.get_text() for t in by_factor.get_xticklabels()] == ["Golden Rain", "Marvellous", "Victory"]


def test_qq_shows_ordered_scaled_residuals(sleep):
    panel = sleep.plot.qq()
    np.testing.assert_allclose(panel.lines[-1].get_ydata(), np.sort(sleep.resid_scaled))


def test_band_of_normal_order_statistics():
    order, quantiles, lower, upper = normal_order(99, 0.95)
    np.testing.assert_allclose(quantiles, norm.ppf((order + 0.5) / 99))
    np.testing.assert_allclose(lower, norm.ppf(beta.ppf(0.025, order + 1, 99 - order)))
    np.testing.assert_allclose(upper, norm.ppf(beta.ppf(0.975, order + 1, 99 - order)))
    thinned = normal_order(1_000_000, 0.95)[0]
    assert len(thinned) < 2100
    assert thinned[0] == 0
    assert thinned[-1] == 999_999


def test_trend_reproduces_a_straight_line_and_follows_a_curve():
    x = np.random.default_rng(1).uniform(size=5000)
    at, height = smooth(x, 3.0 * x - 1.0)
    np.testing.assert_allclose(height, 3.0 * at - 1.0, atol=1e-9)
    at, height = smooth(x, (x - 0.5) ** 2)
    assert height[0] > height[40] < height[-1]
    assert smooth(np.array([0.0, 1.0] * 5), x[:10])[0].size == 0


def test_effects_are_marginal_means(oats):
    nitro, variety = render(oats.plot.effects())
    want = oats.emmeans("Variety").table
    np.testing.assert_allclose(variety.lines[0].get_ydata(), want["emmean"])
    assert [t.get_text() for t in variety.get_xticklabels()] == list(want["Variety"])
    ends = oats.emmeans("nitro", at={"nitro": [0.0, 0.6]}).table["emmean"]
    np.testing.assert_allclose(nitro.lines[0].get_ydata()[[0, -1]], ends)


def test_effects_by_another_predictor(oats):
    panel = render(oats.plot.effects("nitro", by="Variety"))[0]
    assert len(panel.lines) == 3
    assert [t.get_text() for t in panel.get_legend().get_texts()] == ["Golden Rain", "Marvellous", "Victory"]
    want = oats.emmeans("nitro", by="Variety", at={"nitro": [0.6], "Variety": ["Victory"]}).table["emmean"][0]
    assert panel.lines[2].get_ydata()[-1] == pytest.approx(want)
    quantiles = render(oats.plot.effects("Variety", by="nitro"))[0]
    assert [t.get_text() for t in quantiles.get_legend().get_texts()] == ["0", "0.3", "0.6"]


def test_profile_marks_the_interval(sleep):
    profile = sleep.profile("Days", level=0.96)
    panel = render(sleep.plot.profile(profile))[0]
    lower, upper = profile.conf_int().loc["Days"]
    assert {round(line.get_xdata()[0], 6) for line in panel.lines[1:3]} == {round(lower, 6), round(upper, 6)}
    assert render(sleep.plot.profile(profile, "Days", kind="density"))[0].get_ylabel() == "density"
    assert render(sleep.plot.profile(profile, "Days", kind="abs"))[0].get_ylabel() == "|zeta|"


WRONG = [
    (lambda plot: plot.caterpillar("Item"), "group='Item' is not a grouping factor.*'Subject'"),
    (lambda plot: plot.caterpillar(effects="x"), "effects='x' is not an effect of 'Subject'; use 'Intercept', 'Days'"),
    (lambda plot: plot.caterpillar(level=95), "level=95 must lie between 0 and 1"),
    (lambda plot: plot.random_pairs(effects=["Days"]), "needs at least 2"),
    (lambda plot: plot.residuals("Nights"), "against='Nights' is not a column.*'Days'"),
    (lambda plot: plot.caterpillar(errors="both"), "errors='both'.*'prediction', 'conditional'"),
    (lambda plot: plot.residuals(kind="pearson"), "kind='pearson'.*'scaled', 'response'"),
    (lambda plot: plot.effects("Nights"), "'Nights' is not a predictor"),
    (lambda plot: plot.effects("Days", by="Days"), "by='Days'"),
    (lambda plot: plot.profile(which="fixed", kind="zet"), "kind='zet'.*'zeta', 'abs', 'density'"),
]


@pytest.mark.parametrize(("draw", "message"), WRONG, ids=[message[:25] for _, message in WRONG])
def test_wrong_names_list_what_there_is(sleep, draw, message):
    with pytest.raises(ms.OptionError, match=message):
        draw(sleep.plot)
    assert not pyplot.get_fignums()


def test_a_model_without_predictors_has_no_effects(flat):
    with pytest.raises(ms.OptionError, match="no predictors"):
        flat.plot.effects()
