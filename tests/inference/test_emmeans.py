"""Marginal means and contrasts against R's emmeans, and what happens to bad input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from tests.inference.golden_means import DDF, WANTED, cases_with, columns, fit_of, numbers

# Both programs solve the same normal equations; Satterthwaite's df of lmerTest rest on a numeric Hessian.
REL, DF_REL = 1e-8, 1e-5
# R's ptukey and p.adjust lose what is far below 1e-9.
P_ABS, P_REL = 1e-9, 1e-4

BLOCKS = [
    pytest.param(name, i, method, id=f"{name}-{i}-{method}")
    for name in cases_with("emmeans")
    for i, block in enumerate(WANTED[name]["emmeans"])
    for method in DDF
    if method in block
]


@pytest.mark.parametrize(("name", "i", "method"), BLOCKS)
def test_means_and_contrasts_are_those_of_emmeans(name, i, method):
    block = WANTED[name]["emmeans"][i]
    want, contrasts = columns(block[method]["emmeans"]), columns(block[method]["contrasts"])
    means = fit_of(name).emmeans(block["specs"], at=block["at"], ddf=DDF[method])
    table = means.table
    for column, rel in (("emmean", REL), ("SE", REL), ("df", DF_REL), ("lower", 1e-6), ("upper", 1e-6)):
        np.testing.assert_allclose(table[column], numbers(want[column]), rtol=rel)
    how = block[method]["contrasts_method"]
    plain = means.contrast(how, adjust="none").table
    assert plain["contrast"].tolist() == contrasts["contrast"]
    scale = max(numbers(contrasts["SE"]))
    np.testing.assert_allclose(plain["df"], numbers(contrasts["df"]), rtol=DF_REL)
    for column in ("estimate", "SE", "lower", "upper"):
        np.testing.assert_allclose(plain[column], numbers(contrasts[column]), atol=1e-6 * scale)
    np.testing.assert_allclose(plain["p"], numbers(contrasts["p"]), rtol=P_REL, atol=P_ABS)
    for adjust in ("tukey", "holm", "bonferroni", "sidak", "fdr"):
        got = means.contrast(how, adjust=adjust).table["p"]
        np.testing.assert_allclose(got, numbers(block[method][f"p_{adjust}"]), rtol=P_REL, atol=P_ABS)


@pytest.fixture(scope="module")
def diets():
    return ms.datasets.load("dietox")


@pytest.fixture(scope="module")
def diet(diets):
    """m1 <- lmer(Weight ~ Evit*Cu + poly(Time,2) + log(Start) + (1|Pig), dietox); emmeans 1.8.4, lmerTest 3.1-3."""
    return ms.lmer("Weight ~ Evit*Cu + poly(Time, 2) + log(Start) + (1 | Pig)", diets)


@pytest.mark.parametrize(
    ("weights", "emmean", "se"),
    [  # emmeans(m1, ~Cu, weights=...)
        ("equal", [60.041398584, 58.915382144, 60.823991858], [0.76986772947, 0.73744746227, 0.74997986106]),
        ("proportional", [60.025716372, 58.887298340, 60.798093190], [0.76912431121, 0.73659904977, 0.75040089204]),
        ("outer", [60.025716372, 58.887298340, 60.798093190], [0.76912431121, 0.73659904977, 0.75040089204]),
        ("cells", [60.027024930, 58.891840034, 60.822056488], [0.76849483416, 0.73645196670, 0.74997866170]),
    ],
)
def test_weights(diet, weights, emmean, se):
    table = diet.emmeans("Cu", weights=weights).table
    assert table["emmean"].tolist() == pytest.approx(emmean, rel=1e-8)
    assert table["SE"].tolist() == pytest.approx(se, rel=1e-7)


def test_outer_weights_are_products_of_margins(diets):
    fit = ms.lmer("Weight ~ Evit + Cu + C(Litter) + Time + (1 | Pig)", diets)
    litter, evit = diets["Litter"].value_counts(normalize=True), diets["Evit"].value_counts(normalize=True)
    each = fit.emmeans(["Cu", "Evit", "Litter"], ddf="normal").table
    want = (each["emmean"] * each["Litter"].map(litter).astype(float) * each["Evit"].map(evit).astype(float)).groupby(
        each["Cu"]
    )
    got = fit.emmeans("Cu", weights="outer", ddf="normal").table["emmean"]
    assert got.tolist() == pytest.approx(want.sum().tolist(), rel=1e-10)


def test_at_and_by(diet):
    # emmeans(m1, ~Cu|Time, at=list(Time=c(3,9), Evit=c("Evit000","Evit200")))
    means = diet.emmeans("~ Cu | Time", at={"Time": [3, 9], "Evit": ["Evit000", "Evit200"]})
    want = [36.906952828, 36.515707993, 37.614419962, 77.971920077, 77.580675241, 78.679387211]
    assert means.table["emmean"].tolist() == pytest.approx(want, rel=1e-8)
    assert means.table["Time"].tolist() == [3, 3, 3, 9, 9, 9]
    contrasts = means.contrast().table
    assert contrasts["p"].tolist() == pytest.approx(2 * [0.9504086, 0.8507447, 0.6625031], rel=1e-5)


def test_spellings_of_specs(diet):
    tables = [
        diet.emmeans(*specs, ddf="normal").table
        for specs in (
            ("~ Cu * Evit",),
            ("Cu*Evit",),
            (["Cu", "Evit"],),
            ("~ Cu | Evit",),
            ("Cu", "Evit"),
            ("Cu", ["Evit"]),
        )
    ]
    for table in tables[1:]:
        pd.testing.assert_frame_equal(table, tables[0])
    assert diet.emmeans("Cu | Evit").by == ("Evit",)


def test_adjustments_by_default(diet):
    means = diet.emmeans("Cu")
    # summary(contrast(emmeans(m1, ~Cu), method), infer=TRUE); "mvt" is random in R to about 1e-4
    control = means.contrast("trt.vs.ctrl").table
    assert control["p"].tolist() == pytest.approx([0.463643580, 0.677288044], rel=1e-6)
    assert control["lower"].tolist() == pytest.approx([-3.51291949, -1.63248021], rel=1e-5)
    consec = means.contrast("consec").table
    assert consec["p"].tolist() == pytest.approx([0.461821, 0.126539], rel=1e-3)
    assert consec["upper"].tolist() == pytest.approx([1.251339, 4.260218], rel=1e-3)
    effects = means.contrast("eff").table
    assert effects["p"].tolist() == pytest.approx([0.852409032, 0.216030226, 0.216030226], rel=1e-6)
    assert effects["upper"].tolist() == pytest.approx([1.622215091, 0.462458892, 2.388857495], rel=1e-6)
    pairs = means.contrast("pairwise").table
    assert pairs["upper"].tolist() == pytest.approx([3.645630526, 1.766757173, 0.583730117], rel=1e-6)
    sidak = means.contrast("pairwise", adjust="sidak").table
    assert sidak["upper"].tolist() == pytest.approx([3.700921326, 1.822698818, 0.638424264], rel=1e-6)


def test_own_contrasts_by_number_and_by_label(diet):
    means = diet.emmeans("Cu")
    by_number = means.contrast({"doses": [-1, 0.5, 0.5], "last": [0, -1, 1]}).table
    by_label = means.contrast({"doses": {"Cu000": -1, "Cu035": 0.5, "Cu175": 0.5}, "last": {"Cu175": 1, "Cu035": -1}})
    pd.testing.assert_frame_equal(by_number, by_label.table)
    m = means.table["emmean"]
    assert by_number["estimate"].tolist() == pytest.approx([(m[1] + m[2]) / 2 - m[0], m[2] - m[1]])
    assert by_label.adjust == "none"


def test_control_by_label(diet):
    table = diet.emmeans("Cu").contrast("trt.vs.ctrl", ref="Cu035").table
    assert table["contrast"].tolist() == ["Cu000 - Cu035", "Cu175 - Cu035"]
    last = diet.emmeans("Cu").contrast("trt.vs.ctrlk").table
    assert last["contrast"].tolist() == ["Cu000 - Cu175", "Cu035 - Cu175"]


def test_tukey_for_other_than_pairs_is_sidak(diet):
    means = diet.emmeans("Cu")
    assert means.contrast("consec", adjust="tukey").adjust == "sidak"


def test_labels_of_numbers_and_of_arithmetic():
    data = ms.datasets.load("Oats").assign(Variety=lambda d: d["Variety"].astype(str).str.replace(" ", "-"))
    fit = ms.lmer("yield ~ Variety * C(nitro) + (1 | Block)", data)
    table = fit.emmeans("Variety").contrast().table
    assert table["contrast"][0] == "(Golden-Rain) - Marvellous"
    crossed = fit.emmeans(["nitro"]).contrast("consec", adjust="none").table
    assert crossed["contrast"].tolist()[0] == "nitro0.2 - nitro0.0"


def test_offset_and_weights(diets):
    data = diets.assign(w=1.0 + (np.arange(len(diets)) + 1) % 3)
    # m4 <- lmer(Weight ~ Cu + Time + offset(Start) + (1|Pig), dietox, weights=w); emmeans(m4, ~Cu)
    want = [60.829608896, 59.833616256, 61.784267735]
    fit = ms.lmer("Weight ~ Cu + Time + offset(Start) + (1 | Pig)", data, weights="w")
    assert fit.emmeans("Cu").table["emmean"].tolist() == pytest.approx(want, rel=1e-8)
    for offset in ("Start", data["Start"].to_numpy()):
        same = ms.lmer("Weight ~ Cu + Time + (1 | Pig)", data, weights="w", offset=offset)
        assert same.emmeans("Cu").table["emmean"].tolist() == pytest.approx(want, rel=1e-8)
    # m5 <- lmer(Weight ~ Cu + Evit + Time + (1|Pig), dietox, weights=w); emmeans(m5, ~Cu, weights="proportional")
    fit = ms.lmer("Weight ~ Cu + Evit + Time + (1 | Pig)", data, weights="w")
    table = fit.emmeans("Cu", weights="proportional").table
    assert table["emmean"].tolist() == pytest.approx([60.472730566, 59.699655845, 62.244140858], rel=1e-8)


def test_what_the_data_do_not_determine_is_nan(diets):
    # m3 <- lmer(Weight ~ Evit*Cu + Time + (1|Pig), subset(dietox, !(Evit=="Evit100" & Cu=="Cu175")))
    empty = (diets["Evit"] == "Evit100") & (diets["Cu"] == "Cu175")
    with pytest.warns(ms.DroppedColumnsWarning):
        fit = ms.lmer("Weight ~ Evit*Cu + Time + (1 | Pig)", diets[~empty])
    with pytest.warns(ms.DroppedColumnsWarning, match=r"1 of 3 rows are NaN \(Evit100\)"):
        means = fit.emmeans("Evit")
    assert means.table["emmean"].tolist() == pytest.approx([60.508958139, np.nan, 59.343651079], rel=1e-8, nan_ok=True)
    assert "dropped: 'Evit[T.Evit100]:Cu[T.Cu175]'" in repr(means)
    with pytest.warns(ms.DroppedColumnsWarning, match="2 of 3 rows"):
        contrasts = means.contrast().table
    # The mean without an estimate is in no family: one comparison is left, and nothing to adjust for.
    with pytest.warns(ms.DroppedColumnsWarning):
        plain = means.contrast(adjust="none").table
    pd.testing.assert_frame_equal(contrasts, plain)
    assert contrasts["estimate"][1] == pytest.approx(60.508958139 - 59.343651079, rel=1e-7)


def test_overall_mean_and_intercept_only():
    fit = ms.lmer("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff"))
    table = fit.emmeans("1").table
    assert table["emmean"].tolist() == pytest.approx([fit.params["Intercept"]])
    assert table["SE"].tolist() == pytest.approx([fit.bse["Intercept"]])


@pytest.fixture(scope="module")
def words():
    return ms.lmer("RTtrunc ~ S*P*C + (1 + P | item) + (1 | subj)", ms.datasets.load("kb07"))


def test_a_number_with_two_values_stands_at_both(words):
    # emmeans(lmer(RTtrunc ~ S*P*C + (1 + P | item) + (1 | subj), kb07), "P")
    table = words.emmeans("P").table
    assert table["P"].tolist() == [-1, 1]
    assert table["emmean"].tolist() == pytest.approx([2514.33107, 1846.80184], rel=1e-6)
    assert table["SE"].tolist() == pytest.approx([112.0531462, 65.6770594], rel=1e-5)
    pair = words.emmeans("P").contrast().table.iloc[0]
    assert pair["contrast"] == "(P-1) - P1"
    assert pair[["estimate", "SE", "df"]].tolist() == pytest.approx([667.529234, 96.4916027, 28.7145], rel=1e-4)
    # emmeans(m, "P", weights = "proportional"): the other two are averaged over by how often they occur.
    table = words.emmeans("P", weights="proportional").table
    assert table["emmean"].tolist() == pytest.approx([2514.41364, 1846.89591], rel=1e-7)


def test_two_values_can_be_set_and_have_slopes(words):
    assert words.emmeans("P", at={"P": [0, 1]}).table["P"].tolist() == [0.0, 1.0]
    slope = words.emtrends("1", "P").table
    assert 2 * slope["trend"][0] == pytest.approx(-667.529234, rel=1e-6)
    joint = words.joint_tests().set_index("term")
    assert joint.loc["P", ["F", "DenDF"]].tolist() == pytest.approx([47.858763, 28.7145], rel=1e-4)


def test_two_values_in_files(words, tmp_path):
    ms.datasets.load("kb07").to_parquet(tmp_path / "kb07.parquet")
    fit = ms.lmer("RTtrunc ~ S*P*C + (1 + P | item) + (1 | subj)", str(tmp_path / "kb07.parquet"))
    pd.testing.assert_frame_equal(fit.emmeans("P").table, words.emmeans("P").table, rtol=1e-5)
    again = ms.lmer("RTtrunc ~ T + (1 | subj)", _with_a_third_value(tmp_path))
    assert len(again.emmeans("T").table) == 1


def _with_a_third_value(folder):
    data = ms.datasets.load("kb07").assign(T=lambda d: d["P"] + 0.0)
    data.loc[0, "T"] = 0.5
    data.to_parquet(folder / "three.parquet")
    return str(folder / "three.parquet")


def test_an_empty_table_says_what_to_write(diet):
    with pytest.warns(ms.EmptyTableWarning, match=r"empty: 'Time' stands at 6\.4.*Give at=\{'Time': \[\.\.\.\]\}"):
        assert diet.emmeans("Time").contrast("pairwise").table.empty
    with pytest.warns(ms.EmptyTableWarning, match="'Time' stands at"):
        assert diet.emmeans("Time", by="Cu").contrast("consec").table.empty
    with pytest.warns(ms.EmptyTableWarning, match=r"each combination of by=\['Cu'\] has one mean"):
        assert diet.emmeans("Cu").contrast("pairwise", by="Cu").table.empty


def test_bool_is_a_factor():
    data = ms.datasets.load("sleepstudy").assign(late=lambda d: d["Days"] > 4)
    table = ms.lmer("Reaction ~ late + (1 | Subject)", data).emmeans("late").table
    assert table["late"].tolist() == [False, True]
    assert table["emmean"].tolist() == pytest.approx(data.groupby("late")["Reaction"].mean().tolist())


def test_means_do_not_depend_on_coding(diets):
    tables = [
        ms.lmer("Weight ~ Evit * Cu + Time + (1 | Pig)", diets, contrasts={"Evit": a, "Cu": b}).emmeans("Evit").table
        for a, b in (("treatment", "treatment"), ("sum", "helmert"))
    ]
    pd.testing.assert_frame_equal(*tables, rtol=1e-7)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda m: m.emmeans("Copper"),
            "specs: 'Copper' is not a predictor.*Predictors: 'Evit', 'Cu', 'Time', 'Start'",
        ),
        (lambda m: m.emmeans("Cu", by="Ewit"), "Did you mean 'Evit'"),
        (
            lambda m: m.emmeans("Cu", at={"Evit": ["Evit300"]}),
            "no level 'Evit300'; its levels are 'Evit000', 'Evit100'",
        ),
        (lambda m: m.emmeans("Cu", at={"Tine": 3}), "at: 'Tine' is not a predictor.*Did you mean 'Time'"),
        (lambda m: m.emmeans("Cu", at={"Time": "late"}), "'Time' is a covariate; give numbers"),
        (lambda m: m.emmeans("Cu", at={"Time": []}), "is empty"),
        (lambda m: m.emmeans("Cu", weights="flat"), "weights='flat' is not known; use one of 'equal', 'proportional'"),
        (lambda m: m.emmeans("Cu", ddf="lme4"), "ddf='lme4' is not known"),
        (lambda m: m.emmeans("Cu", level=95), "level=95 must lie between 0 and 1"),
        (lambda m: m.emmeans("pairwise ~ Cu"), "write '~ Cu' and take contrasts by .contrast"),
        (lambda m: m.emmeans("Cu").contrast({"x": [1, -1]}), "2 coefficients for 3 means.*'Cu000', 'Cu035', 'Cu175'"),
        (lambda m: m.emmeans("Cu").contrast({"x": {"Cu100": 1}}), "no mean 'Cu100'; the means are 'Cu000'"),
        (lambda m: m.emmeans("Cu").contrast({"x": ["a", "b", "c"]}), "is not numeric"),
        (lambda m: m.emmeans("Cu").contrast({}), "empty"),
        (lambda m: m.emmeans("Cu").contrast("tukeys"), "method='tukeys' is not known; use one of 'pairwise'"),
        (lambda m: m.emmeans("Cu").contrast(adjust="dunnett"), "adjust='dunnett' is not known; use one of"),
        (lambda m: m.emmeans("Cu").contrast(by="Evit"), "by='Evit' is not a factor of these means; they have 'Cu'"),
        (lambda m: m.emmeans("Cu").contrast(ref="Cu000"), "ref='Cu000' is for method='trt.vs.ctrl' only"),
    ],
)
def test_bad_input_lists_what_there_is(diet, call, words):
    with pytest.raises(ms.OptionError, match=words):
        call(diet)


def test_models_from_arrays_have_no_factors():
    g = np.repeat(np.arange(20), 5)
    y = np.random.default_rng(1).normal(size=20)[g] + np.random.default_rng(2).normal(size=100)
    fit = ms.LinearMixedModel.from_arrays(y, np.ones((100, 1)), [ms.RandomTerm("g", g, np.ones(100))]).fit()
    with pytest.raises(ms.MixedSparseError, match="from arrays"):
        fit.emmeans("1")


@pytest.mark.parametrize("ddf", ["satterthwaite", "kenward-roger"])
def test_singular_fits_have_means(ddf):
    with pytest.warns(ms.SingularFitWarning):
        fit = ms.lmer("Yield ~ half + (1 | Batch)", ms.datasets.load("Dyestuff2").assign(half=15 * ["a"] + 15 * ["b"]))
    table = fit.emmeans("half", ddf=ddf).table
    assert np.isfinite(table[["emmean", "SE"]]).all(axis=None)


def test_text_columns_of_any_library(diets):
    import polars as pl

    plain = diets.assign(Cu=diets["Cu"].astype(str), Evit=diets["Evit"].astype(object))
    formula = "Weight ~ C(Cu) + Evit + Time + (1 | Pig)"
    want = ms.lmer("Weight ~ Cu + Evit + Time + (1 | Pig)", diets).emmeans("Cu", weights="proportional").table
    for data in (plain, pl.from_pandas(plain.astype({"Pig": str, "Litter": str}))):
        got = ms.lmer(formula, data).emmeans("Cu", weights="proportional").table
        assert got["emmean"].tolist() == pytest.approx(want["emmean"].tolist(), rel=1e-8)


def test_results_survive_pickling(diet):
    import pickle

    again = pickle.loads(pickle.dumps(diet))
    pd.testing.assert_frame_equal(again.emmeans("Cu").table, diet.emmeans("Cu").table)
