"""Pictures can be read: no text overlaps another or is cut, no legend lies over points, whatever labels are like."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from mixedsparse.plotting.words import columns_of, ticks, wrapped

pyplot = pytest.importorskip("matplotlib.pyplot")

from tests.plotting.layout import check_layout  # noqa: E402

WORDS = ("$5 to $10", "_hidden", "مستشفى المدينة", "plain", "a/b-c_d:e")


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(3)
    n = 360
    levels = [f"{word} of the northern district of the whole county, {i}"[:60] for i, word in enumerate(WORDS)]
    data = pd.DataFrame({"f": pd.Categorical(rng.choice(levels, n), levels), "x": rng.normal(size=n)})
    data["k"] = rng.choice(["a", "b"], n)
    code = rng.integers(12, size=n)
    data["g"] = [f"group number {i} with a name of about sixty characters, so be it" for i in code]
    slope = 0.5 * rng.normal(size=12)
    data["y"] = (1.0 + slope[code]) * data["x"] + 0.3 * code + rng.normal(size=n)
    data["b"] = (data["x"] + 0.2 * code + rng.normal(size=n) > 1).astype(int)
    return data


@pytest.fixture(scope="module")
def linear(frame):
    return ms.lmer("y ~ x + f * k + (x | g)", frame)


@pytest.fixture(scope="module")
def binary(frame):
    return ms.glmer("b ~ x + f + k + (1 | g)", frame)


LINEAR = {
    "caterpillar": lambda plot: plot.caterpillar(),
    "random_qq": lambda plot: plot.random_qq(),
    "random_pairs": lambda plot: plot.random_pairs(),
    "shrinkage": lambda plot: plot.shrinkage(),
    "ladder": lambda plot: plot.shrinkage(effects="x"),
    "residuals": lambda plot: plot.residuals(),
    "boxes": lambda plot: plot.residuals("f"),
    "qq": lambda plot: plot.qq(),
    "scale_location": lambda plot: plot.scale_location(),
    "coefficients": lambda plot: plot.coefficients(ddf="normal"),
    "effects": lambda plot: plot.effects(ddf="normal"),
    "by": lambda plot: plot.effects("x", by="f", ddf="normal", data=True),
    "panels": lambda plot: plot.effects("x", by=["k", "f"], ddf="normal"),
    "influence": lambda plot: plot.influence("g"),
    "scaled": lambda plot: plot.scaled_residuals(against="f", nsim=10, seed=1),
    "sparsity": lambda plot: plot.sparsity(),
}


@pytest.mark.parametrize("name", LINEAR)
def test_long_labels_are_wrapped_or_turned(linear, name):
    check_layout(LINEAR[name](linear.plot))


GENERALIZED = {
    "effects": lambda plot: plot.effects("f", by="k", data=True),
    "coefficients": lambda plot: plot.coefficients(exp=True),
    "calibration": lambda plot: plot.calibration(),
    "influence": lambda plot: plot.influence(),
    "scaled": lambda plot: plot.scaled_residuals(nsim=10, seed=1),
}


@pytest.mark.parametrize("name", GENERALIZED)
def test_generalized_fits_are_readable_too(binary, name):
    check_layout(GENERALIZED[name](binary.plot))


@pytest.mark.slow
@pytest.mark.parametrize("style", ["dark_background", "ggplot"])
def test_the_page_of_checks_is_readable_in_other_styles(linear, binary, style):
    with pyplot.style.context(style):
        check_layout(linear.plot.check_model(nsim=3, seed=1))
        check_layout(binary.plot.check_model(nsim=3, seed=1))


@pytest.mark.slow
def test_means_and_contrasts_are_readable(linear):
    means = linear.emmeans("f", by="k", ddf="normal")
    check_layout(means.plot(comparisons=True))
    check_layout(means.contrast().plot())


def test_chinese_labels_are_drawn(sleep):
    with pytest.warns(UserWarning, match="missing from font"):  # the font of the tests has none
        check_layout(
            sleep.plot.coefficients(labels={"Days": "睡眠不足の日数睡眠不足の日数睡眠不足の日数睡眠不足の日数"})
        )


@pytest.mark.slow
def test_two_hundred_levels_have_no_labels_but_their_number():
    rng = np.random.default_rng(5)
    data = pd.DataFrame({"g": np.repeat([f"g{i}" for i in range(200)], 3), "w": [f"w{i % 70}" for i in range(600)]})
    data["y"] = rng.normal(size=200).repeat(3) + rng.normal(size=600)
    fit = ms.lmer("y ~ w + (1 | g)", data)
    panel = check_layout(fit.plot.effects(ddf="normal"))[0]
    assert panel.get_xlabel() == "w (70 levels)"
    assert not panel.get_xticks().size
    assert check_layout(fit.plot.residuals("w"))[0].get_xlabel() == "w (70 levels)"
    assert check_layout(fit.plot.coefficients(ddf="normal"))[0].get_ylabel() == "69 rows"
    assert check_layout(fit.plot.caterpillar())[0].get_ylabel() == "g (200 levels)"
    assert check_layout(fit.plot.influence("g"))[0].get_xlabel() == "g (200 levels)"


def test_a_legend_narrows_axes_of_a_figure_without_layout(oats):
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.5))
    before = left.get_position()
    oats.plot.effects("nitro", by="Variety", ax=left)
    figure.canvas.draw()
    legend = left.get_legend().get_window_extent()
    assert legend.x0 >= left.get_window_extent().x1
    assert legend.x1 <= before.x1 * figure.bbox.width + 1
    assert left.get_position().x0 == before.x0
    assert right.get_legend() is None


def test_panels_fill_even_grids():
    from mixedsparse.plotting.axes import panels

    shapes = {}
    for count in range(1, 10):
        axes = panels(None, [""] * count)
        spec = axes[0].get_subplotspec().get_gridspec()
        shapes[count] = spec.nrows, spec.ncols
        pyplot.close("all")
    assert shapes == {1: (1, 1), 2: (1, 2), 3: (1, 3), 4: (2, 2), 5: (2, 3), 6: (2, 3), 7: (2, 4), 8: (2, 4), 9: (3, 3)}


def test_words_are_wrapped_by_their_width():
    assert wrapped("short", 10) == "short"
    assert wrapped("one two three", 8) == "one two\nthree"
    assert wrapped("a_rather_long_name", 10) == "a_rather_\nlong_name"
    assert wrapped("abcdefghij", 4) == "abcd\nefgh\nij"
    assert columns_of("睡眠") == 4
    assert wrapped("睡眠不足", 4) == "睡眠\n不足"
    assert wrapped("cost $5", 20) == r"cost \$5"
    assert wrapped("", 5) == ""


def test_labels_are_turned_only_where_they_do_not_fit():
    few = ticks(["low", "high"], 3.0)
    assert (few.texts, few.turned, few.extra) == (["low", "high"], False, 0.0)
    assert not ticks(["Golden Rain", "Marvellous", "Victory"], 2.8).turned
    long = ticks(["a level with a name that needs several lines"] * 6, 3.0)
    assert long.turned
    assert long.extra > 1.0
    assert ticks(["x"] * 61, 30.0).texts == []
