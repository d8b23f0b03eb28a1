"""Coefficients, means with arrows, influence, residuals by simulation, effects over the data, the page of checks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from mixedsparse.plotting.arrows import arrow_lengths
from tests.plotting.layout import render

pyplot = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(scope="module")
def cake():
    return ms.lmer("angle ~ recipe + temperature + (1 | recipe:replicate)", ms.datasets.load("cake"))


@pytest.fixture(scope="module")
def cbpp():
    return ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", ms.datasets.load("cbpp"))


def segments(panel):
    return np.array([segment[:, 0] for segment in panel.collections[0].get_segments()])


def test_coefficients_are_those_of_the_table_with_its_limits(cake):
    panel = render(cake.plot.coefficients())[0]
    want = cake.conf_int().drop("Intercept")
    np.testing.assert_allclose(segments(panel), want.to_numpy())
    np.testing.assert_allclose(panel.lines[-1].get_xdata(), cake.params.drop("Intercept"))
    assert [text.get_text() for text in panel.get_yticklabels()] == list(want.index)
    assert len(panel.texts) == len(want)
    assert panel.texts[0].get_text().startswith(f"{cake.params.iloc[1]:.3g} [")


def test_coefficients_are_chosen_named_and_exponentiated(cake, cbpp):
    panel = render(
        cake.plot.coefficients(["recipe[T.C]", "Intercept"], labels={"Intercept": "constant"}, values=False)
    )[0]
    assert [text.get_text() for text in panel.get_yticklabels()] == ["recipe[T.C]", "constant"]
    assert not panel.texts
    ratios = render(cbpp.plot.coefficients(exp=True))[0]
    np.testing.assert_allclose(segments(ratios), np.exp(cbpp.conf_int().drop("Intercept")))
    assert ratios.get_xscale() == "log"
    with pytest.raises(ms.OptionError, match="which='Days' is no coefficient"):
        cake.plot.coefficients("Days")


def test_a_model_of_an_intercept_says_how_to_draw_it(flat):
    with pytest.raises(ms.OptionError, match="intercept=True"):
        flat.plot.coefficients()
    assert len(render(flat.plot.coefficients(intercept=True))[0].get_yticklabels()) == 1


def test_means_are_drawn_with_their_limits(cake):
    means = cake.emmeans("recipe")
    panel = render(means.plot())[0]
    np.testing.assert_allclose(segments(panel), means.table[["lower", "upper"]])
    assert panel.get_xlabel() == "angle, 95 % interval"
    by = render(cake.emmeans("recipe", by="temperature").plot())
    assert [panel.get_title() for panel in by][:2] == ["temperature: 175", "temperature: 185"]
    assert len({panel.get_xlim() for panel in by}) == 1


def test_contrasts_are_drawn_from_where_there_is_no_difference(cake, cbpp):
    contrasts = cake.emmeans("recipe").contrast()
    panel = render(contrasts.plot())[0]
    np.testing.assert_allclose(segments(panel), contrasts.table[["lower", "upper"]])
    assert panel.lines[0].get_xdata()[0] == 0.0
    ratios = render(cbpp.emmeans("period", type="response").contrast().plot())[0]
    assert ratios.lines[0].get_xdata()[0] == 1.0
    assert ratios.get_xlabel() == "Odds ratio, 95 % interval"


@pytest.mark.parametrize("seed", range(5))
def test_arrows_overlap_where_pairs_do_not_differ(seed):
    rng = np.random.default_rng(seed)
    means, half = rng.normal(size=6), 1.0
    first, second = np.triu_indices(6, 1)
    left, right, wrong = arrow_lengths(means, first, second, np.full(15, half))
    low, high = np.where(means[first] < means[second], [first, second], [second, first])
    gap = (means[high] - left[high]) - (means[low] + right[low])
    np.testing.assert_array_equal(gap > 0, means[high] - means[low] > half)
    assert not wrong.any()
    np.testing.assert_allclose([left[np.argmin(means)], right[np.argmax(means)]], 0.0, atol=1e-12)


def test_equal_intervals_have_arrows_of_half_of_them():
    means = np.array([0.0, 0.1, 0.2])
    left, right, _ = arrow_lengths(means, np.array([0, 0, 1]), np.array([1, 2, 2]), np.full(3, 2.0))
    np.testing.assert_allclose([right[0], left[1], right[1], left[2]], 1.0)


def test_pairs_that_no_arrows_can_tell_are_said():
    # 0 and 3 differ although their distance is above that of pairs that do not, each way round.
    means = np.array([0.0, 1.0, 2.0, 3.0])
    first, second = np.triu_indices(4, 1)
    differ = np.array([True, False, False, False, False, True])  # 0-1 and 2-3 differ, 0-3 does not
    half = np.where(differ, 0.5, 4.0)
    *_, wrong = arrow_lengths(means, first, second, half)
    left, right, _ = arrow_lengths(means, first, second, half)
    overlap = means[first] + right[first] >= means[second] - left[second]
    np.testing.assert_array_equal(wrong, overlap == differ)


def test_arrows_of_means_are_those_of_their_pairs(cbpp):
    means = cbpp.emmeans("period", type="response")
    panel = render(means.plot(comparisons=True))[0]
    arrows = [text for text in panel.texts if text.arrowprops is not None]
    assert len(arrows) >= 4
    assert all(0.0 < arrow.xy[0] < 1.0 for arrow in arrows)
    assert panel.get_legend().get_texts()[0].get_text().startswith("overlap: no difference")


def test_effects_lie_over_the_data(oats, cbpp):
    data = ms.datasets.load("Oats")
    panel = render(oats.plot.effects("nitro", by="Variety", data=True))[0]
    points = [line for line in panel.lines if line.get_linestyle() == "None"]
    assert len(points) == 3
    for line, variety in zip(points, ["Golden Rain", "Marvellous", "Victory"], strict=True):
        own = data[data["Variety"] == variety]
        np.testing.assert_allclose(np.sort(line.get_ydata()), np.sort(own["yield"]))
    shares = render(cbpp.plot.effects(data=True))[0].lines[0]
    frame = ms.datasets.load("cbpp")
    np.testing.assert_allclose(shares.get_ydata(), frame["incidence"] / frame["size"])
    assert np.abs(shares.get_xdata() - (frame["period"].astype(int) - 1)).max() <= 0.2
    with pytest.raises(ms.OptionError, match="type='response'"):
        cbpp.plot.effects(type="link", data=True)


def test_single_outcomes_are_drawn_as_proportions_of_units():
    rng = np.random.default_rng(8)
    data = pd.DataFrame(
        {"subj": np.repeat(np.arange(12), 20), "cond": np.tile(["a", "b"], 120), "x": rng.normal(size=240)}
    )
    data["y"] = rng.random(240) < 0.4 + 0.2 * (data["cond"] == "a") + 0.06 * (data["subj"] - 6)
    fit = ms.glmer("y ~ cond + x + (1 | subj)", data)
    cond, x = render(fit.plot.effects(data=True))
    wanted = data.groupby(["subj", "cond"])["y"].mean()
    points = cond.lines[0]
    assert len(points.get_ydata()) == 24
    for at, level in enumerate("ab"):
        own = np.abs(points.get_xdata() - at) <= 0.2
        np.testing.assert_allclose(np.sort(points.get_ydata()[own]), np.sort(wanted[:, level]))
    tenth = pd.qcut(data["x"], 10, labels=False)
    shares = data.groupby(["subj", tenth])[["x", "y"]].mean()
    np.testing.assert_allclose(np.sort(x.lines[0].get_xdata()), np.sort(shares["x"]))
    np.testing.assert_allclose(np.sort(x.lines[0].get_ydata()), np.sort(shares["y"]))
    by = render(fit.plot.effects("x", by="cond", data=True))[0]
    points = [line for line in by.lines if line.get_linestyle() == "None"]
    assert len(points) == 2
    assert sum(len(line.get_ydata()) for line in points) == data.groupby(["subj", "cond", tenth]).ngroups


def test_a_second_factor_makes_panels():
    data = ms.datasets.load("Oats")
    data = data.assign(nitro=data["nitro"].astype(str), half=data["Block"].isin(["I", "II", "III"]))
    oats = ms.lmer("yield ~ nitro + Variety + half + (1 | Block)", data)
    panels = render(oats.plot.effects("nitro", by=["Variety", "half"], data=True))
    assert [panel.get_title() for panel in panels] == ["half: False", "half: True"]
    want = oats.emmeans("nitro", by=["Variety", "half"]).table
    drawn = panels[1].lines
    one = want[(want["Variety"] == "Victory") & want["half"].astype(bool)]["emmean"].to_numpy()
    assert any(len(line.get_ydata()) == 4 and np.allclose(line.get_ydata(), one) for line in drawn)
    with pytest.raises(ms.OptionError, match="one predictor for lines"):
        oats.plot.effects("nitro", by=["Variety", "half", "nitro"])


def test_influence_names_the_largest_distances(sleep):
    panel = render(sleep.plot.influence())[0]
    distances = sleep.cooks_distance()
    np.testing.assert_allclose(panel.lines[0].get_ydata(), distances)
    assert panel.texts[0].get_text() == str(distances.idxmax())
    levels = render(sleep.plot.influence("Subject"))[0]
    order = sleep.cooks_distance("Subject").sort_values()
    assert [text.get_text() for text in levels.get_yticklabels()] == list(order.index)
    assert levels.lines[0].get_xdata()[0] == pytest.approx(4 / 18)


@pytest.mark.slow
def test_residuals_by_simulation_are_drawn_along_fitted_values(sleep, cbpp):
    found = sleep.scaled_residuals(20, seed=1)
    uniform, along = render(sleep.plot.scaled_residuals(found))
    np.testing.assert_allclose(uniform.lines[-1].get_ydata(), np.sort(found.residuals))
    np.testing.assert_allclose(along.lines[0].get_ydata(), found.residuals)
    assert along.get_xlabel() == "Fitted value (population), ranks"
    assert uniform.get_title() == f"Uniform? p = {found.tests.loc['uniformity', 'p']:.3g}"
    render(cbpp.plot.scaled_residuals(nsim=10, seed=1, random="conditional"))
    with pytest.raises(ms.AbsentError, match=r"write fit\.plot\.scaled_residuals\(residuals\)"):
        found.plot  # noqa: B018


@pytest.mark.slow
def test_the_page_of_checks_says_what_it_cannot_draw(cake):
    titles = [panel.get_title("left") for panel in render(cake.plot.check_model(nsim=3, seed=1))]
    assert titles[:5] == ["Simulated responses", "Linearity", "Equal variances", "Normal residuals", "Influential rows"]
    assert titles[5:] == ["Collinearity", "Intercept | recipe:replicate"]
    trial = ms.lmer("FEV1 ~ ARMCD + AVISIT", ms.datasets.load("fev"), residual="cs(AVISIT | USUBJID)")
    assert len(render(trial.plot.check_model(nsim=3, seed=1))) == 6


@pytest.mark.slow
def test_fits_without_rows_draw_what_they_can(oats, tmp_path):
    oats.save(tmp_path / "fit", data=False)
    slim = ms.load(tmp_path / "fit")
    for axes in (slim.plot.effects(), slim.plot.coefficients(), slim.plot.caterpillar(), slim.plot.random_qq()):
        render(axes)
    assert "stay where its source is" in render(slim.plot.check_model(nsim=3))[0].texts[0].get_text().replace("\n", " ")
    for draw in (lambda: slim.plot.effects(data=True), slim.plot.influence, slim.plot.residuals):
        with pytest.raises(ms.RowsElsewhereError):
            draw()


def test_models_without_random_effects_say_so():
    trial = ms.lmer("FEV1 ~ ARMCD + AVISIT", ms.datasets.load("fev"), residual="cs(AVISIT | USUBJID)")
    for draw in (trial.plot.caterpillar, trial.plot.shrinkage, trial.plot.random_qq, trial.plot.sparsity):
        with pytest.raises(ms.OptionError, match="no random effects"):
            draw()


def test_fits_without_estimates_have_no_pictures():
    data = pd.DataFrame({"x": np.tile(np.linspace(-1, 1, 20), 6), "g": np.repeat(np.arange(6), 20)})
    data["y"] = (data["x"] > 0).astype(int)
    with pytest.warns(ms.ConvergenceWarning, match="Separated"):
        fit = ms.glmer("y ~ x + (1 | g)", data)
    plot = fit.plot
    for draw in (
        plot.check_model,
        plot.coefficients,
        plot.effects,
        plot.caterpillar,
        plot.residuals,
        plot.qq,
        plot.influence,
    ):
        with pytest.raises(ms.DataError, match="Separated"):
            draw()


def test_pairs_share_the_range_of_an_effect(machines):
    axes = machines.plot.random_pairs()
    render(axes)
    for j in range(3):
        assert len({axes[i, j].get_xlim() for i in range(j, 3)}) == 1
    assert axes[2, 0].get_ylim() == axes[2, 1].get_ylim() == axes[2, 2].get_xlim()


def test_colours_come_with_lines_and_marks():
    from mixedsparse.plotting.looks import look

    looks = [look(i) for i in range(6)]
    assert len({one["color"] for one in looks}) == 6
    assert len({(str(one["linestyle"]), one["marker"]) for one in map(look, range(35))}) == 35
    assert len({(one["color"], str(one["linestyle"]), one["marker"]) for one in map(look, range(210))}) == 210


@pytest.mark.slow
def test_shades_have_scales(many):
    for axes in (many.plot.residuals(), many.plot.sparsity()):
        figure = render(axes)[0].figure
        assert len(figure.axes) == np.size(axes) + 1
        assert figure.axes[-1].get_ylabel() in ("Rows", "Share of a cell that is filled")


def test_limits_have_legends(sleep):
    assert [t.get_text() for t in sleep.plot.qq().get_legend().get_texts()] == ["95 % band"]
    axes = sleep.plot.bootstrap(sleep.bootstrap(10, seed=1), level=0.9)
    assert [t.get_text() for t in axes[2].get_legend().get_texts()] == ["estimate", "90 % limits"]


def test_labels_are_no_mathematics():
    data = pd.DataFrame({"price": np.tile(["$5 to $10", "_less_", "more"], 20), "g": np.repeat(np.arange(10), 6)})
    data["y"] = np.random.default_rng(2).normal(size=60) + data["g"]
    fit = ms.lmer("y ~ price + (1 | g)", data)
    panel = render(fit.plot.effects(ddf="normal"))[0]
    labels = [text.get_text().replace("\n", " ") for text in panel.get_xticklabels()]
    assert labels == [r"\$5 to \$10", "_less_", "more"]
