"""Means and contrasts of transformed responses on the scale of the column, as R's emmeans 1.8.4 has them."""

from __future__ import annotations

import numpy as np
import pytest

import mixedsparse as ms

MEANS = ["response", "SE", "lower", "upper"]
RATIO = ["A / B", 1.054809743, 0.07479198027, 0.8878926398, 1.253105999, 0.75255505307, 0.7337672768]
LOG = [32.33996555, 1.621457070, 29.22783374, 35.78347204]


def fit_of(response):
    return ms.lmer(f"{response} ~ recipe*temperature + (1 | recipe:replicate)", ms.datasets.load("cake"))


@pytest.mark.parametrize(
    ("response", "mean", "contrast"),
    [  # as.data.frame(emmeans(lmer(...), ~recipe, type="response"))[1, ]; summary(pairs(.), infer=TRUE)[1, ]
        ("log(angle)", LOG, RATIO),
        ("np.log10(angle)", LOG, RATIO),
        ("log2(angle)", LOG, RATIO),
        ("2 * log(angle)", LOG, RATIO),
        ("-log(angle) / 3 + 1", LOG, RATIO),
        (
            "log(angle + 5)",
            [32.43998151, 1.630035405, 29.29080853, 35.87836581],
            ["A / B", 1.046161692, 0.06441325161, 0.9008121850, 1.214963901, 0.73294106129, 0.7454508214],
        ),
        (
            "log1p(angle)",
            [32.36234336, 1.623208971, 29.24225815, 35.80432689],
            ["A - B", 0.051477318993, 0.06880704142, -0.1156889586, 0.2186435966, 0.7481402765, 0.7364068699],
        ),
        (
            "sqrt(angle)",
            [32.72487137, 1.675090324, 29.43170259, 36.19264086],
            ["A - B", 0.140283202622, 0.2070543019, -0.3627539313, 0.6433203365, 0.67751889886, 0.7777772189],
        ),
        (  # by hand from emmean 0.03163472976, SE 0.001541400409, limits 0.02852405779, 0.03474540172
            "1 / angle",
            [31.61082796, 1.540235786, 28.78078674, 35.05812573],
            ["A - B", -0.0019535564383, 0.002179869363, -0.007249535457, 0.00334242258, -0.8961805102, 0.6456851614],
        ),
    ],
)
def test_means_and_contrasts_go_back(response, mean, contrast):
    means = fit_of(response).emmeans("recipe", type="response")
    assert means.table.loc[0, MEANS].tolist() == pytest.approx(mean, rel=1e-6)
    row = means.contrast().table.iloc[0].drop("df").tolist()
    row[5] = abs(row[5])
    assert row[0] == contrast[0]
    assert row[1:] == pytest.approx([*contrast[1:5], abs(contrast[5]), contrast[6]], rel=1e-5)
    assert response.replace(" ", "") in " ".join(means.contrast().notes).replace(" ", "")


def test_interaction_contrasts_of_logarithms_are_ratios_of_ratios():
    means = fit_of("log(angle)").emmeans("~ recipe * temperature", type="response")
    table = means.contrast(interaction=["pairwise", "consec"]).table
    assert table.iloc[1, :2].tolist() == ["A / C", "185 / 175"]
    want = [1.0457330878, 0.07489762249, 0.9080350449, 1.204312209, 0.62436238703, 0.5330673334]
    assert table.loc[1, ["ratio", "SE", "lower", "upper", "t", "p"]].tolist() == pytest.approx(want, rel=1e-6)


def test_effects_are_ratios_and_sums_stay_where_they_are():
    means = fit_of("log(angle)").emmeans("recipe", type="response")
    want = [1.0377415345, 0.04248244184, 0.9370323125, 1.149274660, 0.6922784653]
    table = means.contrast("eff").table
    assert table.loc[0, ["ratio", "SE", "lower", "upper", "p"]].tolist() == pytest.approx(want, rel=1e-6)
    sums = means.contrast({"h": [1, -0.5, -0.5], "s": [1, 1, 0]})
    assert sums.table["estimate"].tolist() == pytest.approx([0.05557012558, 6.89924716546], rel=1e-7)
    assert sums.notes[0] == "Not all of these are differences, so that they stay on the scale of log(angle)."


def test_sums_of_log_odds_are_no_odds_ratios():
    fit = ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", ms.datasets.load("cbpp"))
    means = fit.emmeans("period", type="response")
    assert "odds_ratio" in means.contrast({"d": [1, -1, 0, 0]}).table
    sums = means.contrast({"s": [1, 1, 0, 0]})
    assert "odds_ratio" not in sums.table
    assert "the logit link" in sums.notes[0]


def test_a_response_that_is_a_column_has_one_scale():
    fit = fit_of("angle")
    assert fit.emmeans("recipe", type="response").table.equals(fit.emmeans("recipe").table)
    assert fit_of("log(angle)").emmeans("recipe").notes[1] == "Estimates are on the scale of log(angle)."


def test_limits_end_where_the_function_does():
    rng = np.random.default_rng(2)
    level = np.repeat(rng.uniform(0.0, 2.0, 10), 3)
    data = {"g": np.repeat(np.arange(10), 3), "x": np.tile(["a", "b", "c"], 10)}
    data["y"] = (level * np.tile([0.1, 1.0, 2.0], 10) + rng.uniform(0.0, 0.2, 30)) ** 2
    fit = ms.lmer("sqrt(y) ~ x + (1 | g)", data)
    plain, table = fit.emmeans("x").table, fit.emmeans("x", type="response").table
    assert plain["lower"][0] < 0.0
    assert table["lower"][0] == 0.0
    assert table["response"].tolist() == pytest.approx((plain["emmean"] ** 2).tolist())
    data["z"] = 1.0 / (level + np.where(data["x"] == "a", rng.normal(-0.6, 0.3, 30), 5.0 + rng.normal(0.0, 0.3, 30)))
    table = ms.lmer("1 / z ~ x + (1 | g)", data).emmeans("x", type="response").table
    assert np.isinf(table["upper"][0])
    assert table["lower"][0] > 0.0


def test_no_way_back_is_said():
    data = ms.datasets.load("cake")
    data["cup"] = data["angle"] * 2.0
    for response in ("angle * cup", "abs(angle)", "where(angle > 30, 1.0, angle)"):
        fit = ms.lmer(f"np.{response} ~ recipe + (1 | replicate)".replace("np.angle", "angle"), data)
        with pytest.raises(ms.OptionError, match="no known way back from the response"):
            fit.emmeans("recipe", type="response")


def test_a_function_of_the_session_is_no_logarithm_because_of_its_name():
    data = ms.datasets.load("cake")
    fit = ms.LinearMixedModel("log(angle) ~ recipe + (1 | replicate)", data, env={"log": lambda x: np.sqrt(x)}).fit()
    np.testing.assert_allclose(fit.model.design.y, np.sqrt(data["angle"]))
    with pytest.raises(ms.OptionError, match="is another function here than its name says"):
        fit.emmeans("recipe", type="response")
