"""Interaction contrasts, simple effects and contrasts of contrasts, as R's emmeans 1.8.4 has them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms

COLUMNS = ["estimate", "SE", "df", "lower", "upper", "t", "p"]


@pytest.fixture(scope="module")
def fit():
    """m <- lmer(angle ~ recipe*temperature + (1|recipe:replicate), cake)."""
    return ms.lmer("angle ~ recipe * temperature + (1 | recipe:replicate)", ms.datasets.load("cake"))


@pytest.fixture(scope="module")
def means(fit):
    return fit.emmeans("~ recipe * temperature")


def equal(table, want, rel=1e-5):
    np.testing.assert_allclose(table[COLUMNS].to_numpy(dtype=float)[: len(want)], want, rtol=rel)


def test_interaction_contrasts_by_factor(means):
    # contrast(emmeans(m, ~recipe*temperature), interaction=c("pairwise","poly"))
    table = means.contrast(interaction=["pairwise", "poly"]).table
    assert list(table.columns) == ["recipe_pairwise", "temperature_poly", *COLUMNS]
    assert table["recipe_pairwise"].tolist()[:4] == ["A - B", "A - C", "B - C", "A - B"]
    assert table["temperature_poly"].tolist()[2:4] == ["linear", "quadratic"]
    want = [
        [-3.8, 13.82250803, 210, -31.04865279, 23.44865279, -0.27491392961, 0.7836526442],
        [-0.7333333333, 13.82250803, 210, -27.98198612, 26.51531945, -0.05305356536, 0.9577396629],
        [3.0666666667, 13.82250803, 210, -24.18198612, 30.31531945, 0.22186036425, 0.8246381869],
        [2.1333333333, 15.1417989, 210, -27.71607025, 31.98273692, 0.14089034912, 0.8880916194],
    ]
    equal(table, want)


def test_one_method_serves_for_all_factors(means):
    # contrast(e, "consec", interaction=TRUE)
    table = means.contrast("consec", interaction=True).table
    assert table.iloc[2, :2].tolist() == ["B - A", "195 - 185"]
    equal(table.iloc[2:], [[3.0666666667, 2.336430295, 210, -1.539196301, 7.672530, 1.31254361561, 0.1907694634]])
    pd.testing.assert_frame_equal(table, means.contrast(interaction="consec").table)
    assert means.contrast(interaction="pairwise", adjust="tukey").adjust == "sidak"


def test_interaction_of_own_contrasts_and_within_by(means):
    own = {"recipe": {"h": [1, -0.5, -0.5]}, "temperature": "poly"}
    table = means.contrast(interaction=own).table
    assert list(table.columns[:2]) == ["recipe_custom", "temperature_poly"]
    assert table["estimate"].tolist()[:3] == pytest.approx([-2.266666667, -4.5, -35.766666667], rel=1e-8)
    # contrast(e, interaction=list(temperature="poly"), by="recipe")
    within = means.contrast(interaction={"temperature": "poly"}, by="recipe").table
    want = [53.8, 9.773989162, 210, 34.53229284, 73.0677071638, 5.5044055307, 1.073857545e-07]
    equal(within, [want])
    assert within["recipe"].tolist() == list(np.repeat(["A", "B", "C"], 5))


def test_products_do_not_hang_on_the_order_of_the_means(fit, means):
    turned = fit.emmeans("~ temperature * recipe").contrast(interaction={"recipe": "consec", "temperature": "poly"})
    straight = means.contrast(interaction={"temperature": "poly", "recipe": "consec"})
    key = ["recipe_consec", "temperature_poly"]
    left, right = (c.table.set_index(key).sort_index()["estimate"] for c in (turned, straight))
    np.testing.assert_allclose(left, right.reindex(left.index), rtol=1e-9)


def test_differences_of_differences_of_lexical_decisions():
    # f: log_rt ~ stimulus*frequency*density + (1|id)+(1|item); contrast(emmeans(f, ~stimulus*frequency), ...)
    fit = ms.lmer("log_rt ~ stimulus*frequency*density + (1 | id) + (1 | item)", ms.datasets.load("fhch"))
    means = fit.emmeans(["stimulus", "frequency"])
    want = [-0.04689935538, 0.02115107645, 567.8128823, -0.08844325622, -0.005355454536, -2.217350757, 0.02699432056]
    equal(means.contrast([1, -1, -1, 1]).table, [want], 1e-4)
    equal(means.contrast(interaction="pairwise").table, [want], 1e-4)
    assert means.notes[0] == "Averaged over density, which interacts with stimulus and frequency."


def test_interactions_of_two_values(fit):
    # kb07, covariates at both values: contrast(emmeans(k, ~S*P|C), interaction="pairwise"), then pairs(, by=NULL)
    fit = ms.lmer("RTtrunc ~ S*P*C + (1 | subj) + (1 | item)", ms.datasets.load("kb07"))
    found = fit.emmeans("~ S * P | C").contrast(interaction="pairwise")
    want = [
        [184.1331513, 96.41781367, 1696.055116, -4.977245139, 373.2435478, 1.90974203111, 0.0563349786],
        [-7.1968750, 96.30519595, 1696.012018, -196.086390572, 181.6926406, -0.07472987235, 0.9404384523],
    ]
    equal(found.table, want, 1e-4)
    want = [191.3300263, 136.2757703, 1696.033594, -75.9563204, 458.616373, 1.403991524, 0.1605044535]
    equal(found.contrast("pairwise", by=()).table, [want], 1e-4)
    equal(fit.emmeans("~ S * P * C").contrast(interaction="pairwise").table, [want], 1e-4)


def test_simple_effects_are_those_within_all_other_factors(fit, means):
    simple = means.contrast("consec", simple="temperature").table
    pd.testing.assert_frame_equal(simple, fit.emmeans("temperature", by="recipe").contrast("consec").table)


def test_simple_effects_of_each_factor_are_a_table_for_each(means):
    # contrast(e, "consec", simple = "each") is a list of "simple contrasts for" each factor, by factors too
    each = means.contrast("consec", simple="each")
    assert list(each) == ["recipe", "temperature"]
    for name, contrasts in each.items():
        pd.testing.assert_frame_equal(contrasts.table, means.contrast("consec", simple=name).table)
    text = repr(each)
    assert text.index("recipe\n") < text.index("temperature\n")
    assert each._repr_html_().count("<h4>") == 2
    by = means.contrast("consec", simple="recipe").contrast(simple="each")
    assert set(by) == {"contrast", "temperature"}


def test_contrasts_of_contrasts(fit, means):
    # contrast(contrast(e, "consec", simple="temperature"), "pairwise", by="contrast")
    found = means.contrast("consec", simple="temperature").contrast("pairwise", by="contrast")
    assert list(found.table.columns[:2]) == ["contrast1", "contrast"]
    want = [
        [-0.1333333333, 2.336430295, 210, -5.648366370, 5.3816997034, -0.05706711372, 0.99820615044],
        [1.4, 2.336430295, 210, -4.115033037, 6.9150330367, 0.59920469408, 0.82068506765],
    ]
    equal(found.table, want)
    assert found.notes[-1].endswith("adjusted by Tukey's method for families of 3 means.")
    # pairs(pairs(e, simple="recipe"), by="contrast"); pairs(pairs(emmeans(m, ~recipe|temperature)), by=NULL)
    equal(
        means.contrast(simple="recipe").contrast(by="contrast").table[1:],
        [[3.2, 2.336430295, 210, -3.520089352, 9.920089352, 1.36961072933, 0.7451488813]],
    )
    table = fit.emmeans("~ recipe | temperature").contrast().contrast(by=()).table
    assert table["contrast"][0] == "(A - B temperature175) - (A - C temperature175)"
    want = [1.066666667, 2.882312420, 77.43682307, -9.336241287, 11.46957462, 0.3700732299, 1.0]
    equal(table, [want])


@pytest.mark.parametrize(
    ("method", "names", "estimates", "p"),
    [
        ("revpairwise", ["B - A", "C - A", "C - B"], [-1.477777778, -1.522222222, -0.04444444444], 0.8199878223),
        ("del.eff", ["A effect", "B effect", "C effect"], [1.5, -0.7166666667, -0.7833333333], 0.7378628263),
        ("mean_chg", ["A|B", "B|C"], [-1.5, -0.7833333333], 0.7048816022),
        ("dunnett", ["B - A", "C - A"], [-1.477777778, -1.522222222], 0.7635857391),
        (lambda names: {"last": [0, 0, 1]}, ["last"], [31.6], 2.9e-21),
    ],
)
def test_families_of_contrasts(fit, method, names, estimates, p):
    table = fit.emmeans("recipe").contrast(method).table
    assert table["contrast"].tolist() == names
    assert table["estimate"].tolist() == pytest.approx(estimates, rel=1e-8)
    if isinstance(method, str):
        assert table["p"][0] == pytest.approx(p, rel=1e-3 if method == "mean_chg" else 1e-6)


def test_footers_say_what_the_numbers_rest_on(fit):
    means = fit.emmeans("recipe", ddf="kenward-roger", level=0.9)
    assert means.notes == (
        "Averaged over temperature, which interacts with recipe.",
        "Degrees of freedom: Kenward-Roger.",
        "Intervals of level 0.9.",
    )
    assert means.contrast("eff", adjust="bonferroni").notes == (
        *means.notes[:2],
        "Intervals of level 0.9 and p-values adjusted by Bonferroni's method for a family of 3 tests.",
    )
    assert means.contrast("poly").notes[-1] == "Intervals of level 0.9, tests not adjusted for their number."
    assert all(note in repr(means) for note in means.notes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"interaction": {"recipe": "consec"}}, "the factors are 'recipe', 'temperature': give one for each"),
        ({"interaction": ["consec"]}, "give True, one method, or one for each of 'recipe', 'temperature'"),
        ({"interaction": "consec", "ref": 1}, "ref=1 is for contrasts of means"),
        ({"simple": "recipe", "by": "temperature"}, "drop one"),
        ({"simple": "each", "by": "temperature"}, "drop one"),
        ({"simple": "baker"}, "simple='baker' is not a factor of these means"),
        ({"method": [1, -1]}, "has 2 coefficients for 18 means"),
    ],
)
def test_what_cannot_be_contrasted_is_refused(means, options, message):
    with pytest.raises(ms.OptionError, match=message):
        means.contrast(**options)


def test_products_need_every_combination():
    data = pd.DataFrame({"a": list("xxyyzz") * 8, "b": list("pqpqpq") * 8, "g": np.repeat(np.arange(8), 6)})
    data["y"] = np.random.default_rng(1).normal(size=48)
    data["b"] = data["a"] + data["b"]
    with pytest.warns(ms.DroppedColumnsWarning):
        fit = ms.lmer("y ~ a / b + (1 | g)", data)
    with pytest.raises(ms.OptionError, match="need every combination of 'b', 'a', and some do not occur"):
        fit.emmeans("b", by=()).contrast(interaction="pairwise", by=())
