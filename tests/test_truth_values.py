"""Truth values are a factor wherever they stand and wherever they come from; right values from lme4 and lmerTest."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import mixedsparse as ms

pytestmark = pytest.mark.filterwarnings("ignore::mixedsparse.SingularFitWarning")


@pytest.fixture(scope="module")
def small() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    d = pd.DataFrame({"g": np.repeat(np.arange(12), 8), "x": np.tile(np.arange(8.0), 12)})
    d["b"] = rng.uniform(size=96) < 0.5
    d["y"] = 10 + 2 * d["b"] + 0.3 * d["x"] + rng.normal(size=12)[d["g"]] + rng.normal(size=96)
    return d


@pytest.fixture(scope="module")
def crossed() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    d = pd.DataFrame({"g": np.repeat(np.arange(24), 10)})
    d["b"], d["c"] = rng.random(240) < 0.5, rng.choice(list("ab"), 240)
    d["y"] = rng.normal(size=24)[d["g"]] + 0.5 * d["b"] * (d["c"] == "b") + rng.normal(size=240)
    return d


@pytest.fixture(scope="module")
def slopes() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    d = pd.DataFrame({"g": np.repeat(np.arange(24), 10), "t": np.tile(np.arange(10.0), 24), "x": rng.normal(size=240)})
    d["b"] = rng.random(240) < 0.5
    groups = rng.normal(size=24), np.where(d["b"], 0.3, -0.2) * d["t"], np.where(d["b"], 1, 0), rng.normal(size=24)
    d["y"] = groups[0][d["g"]] + groups[1] + groups[2] * groups[3][d["g"]] + rng.normal(size=240)
    return d


def text(data: pd.DataFrame) -> pd.DataFrame:
    """The same data with the truth values as text, None where missing."""
    return data.assign(b=data["b"].map({True: "True", False: "False"}, na_action="ignore").astype(object))


def test_without_an_intercept_there_is_a_mean_for_each(small):
    fit = ms.lmer("y ~ 0 + b + (1 | g)", small)
    assert fit.params.to_dict() == pytest.approx({"b[False]": 10.8453486, "b[True]": 12.7790479}, rel=1e-7)
    assert fit.criterion == pytest.approx(338.407081, abs=1e-6)


def test_left_of_a_bar_each_value_has_an_effect(small):
    fit = ms.lmer("y ~ b + (0 + b | g)", small)
    assert fit.criterion == pytest.approx(337.46587, abs=1e-5)
    np.testing.assert_allclose(fit.theta, [0.725468819, 0.955385553, 0.0], atol=1e-3)
    assert list(fit.random_effects["g"].columns) == ["b[False]", "b[True]"]


TYPES = {
    1: {"x": (81.01285, 64.58237), "b": (82.30660, 106.30190), "x:b": (82.16827, 0.01843)},
    2: {"x": (81.01792, 75.00059), "b": (81.96045, 33.87882), "x:b": (82.16827, 0.01843)},
    3: {"x": (81.06968, 71.65098), "b": (81.96045, 33.87882), "x:b": (82.16827, 0.01843)},
}


@pytest.mark.parametrize("kind", TYPES)
def test_anova_beside_a_number(small, kind):
    table = ms.lmer("y ~ x * b + (1 | g)", small).anova(type=kind)
    assert table.index.tolist() == ["x", "b", "x:b"]
    np.testing.assert_allclose(table[["DenDF", "F"]], list(TYPES[kind].values()), rtol=1e-4, atol=1e-5)


def test_joint_tests_agree_with_anova(small):
    table = ms.lmer("y ~ x * b + (1 | g)", small).joint_tests(ddf="kenward-roger").set_index("term")
    np.testing.assert_allclose(table["F"], [71.641, 105.799, 0.018], atol=1e-3)  # emmeans
    np.testing.assert_allclose(table["DenDF"], [81.06, 82.30, 82.16], atol=1e-2)


@pytest.mark.parametrize(
    ("kind", "p"),
    [
        (1, (0.0327311437, 0.0790232182, 0.0470470231)),
        (2, (0.0276343029, 0.0790232182, 0.0470470231)),
        (3, (0.0191019042, 0.0827118068, 0.0470470231)),
    ],
)
def test_anova_beside_a_factor(crossed, kind, p):
    np.testing.assert_allclose(ms.lmer("y ~ b * c + (1 | g)", crossed).anova(type=kind)["p"], p, rtol=1e-5)


LME4 = {
    "y ~ b:t + (1 | g)": (
        793.332365,
        {"Intercept": -0.387566098, "b[False]:t": -0.185989717, "b[True]:t": 0.335971188},
    ),
    "y ~ I(x > 0):t + (1 | g)": (
        997.776153,
        {"Intercept": -0.355351855, "I(x > 0)[False]:t": 0.0533741566, "I(x > 0)[True]:t": 0.0980292044},
    ),
    "y ~ 0 + I(x > 0) + (1 | g)": (993.873621, {"I(x > 0)[False]": -0.0912696805, "I(x > 0)[True]": 0.0550796364}),
    "y ~ t + I(x > 0):t + (1 | g)": (
        997.776153,
        {"Intercept": -0.355351855, "t": 0.0533741566, "I(x > 0)[T.True]:t": 0.0446550478},
    ),
    "y ~ t + (0 + b | g)": (895.724493, {"Intercept": -0.9816170138, "t": 0.0587479772}),
    "y ~ t + (0 + I(x > 0) | g)": (993.35364, {"Intercept": -0.344151212, "t": 0.072986006}),
    "y ~ I(x > 0) * b + (1 | g)": (
        876.330673,
        {
            "Intercept": -1.2109097784,
            "I(x > 0)[T.True]": 0.0271384546,
            "b[T.True]": 2.4938868505,
            "I(x > 0)[T.True]:b[T.True]": -0.3676596005,
        },
    ),
}


@pytest.mark.parametrize("formula", LME4)
def test_conditions_and_columns_as_in_lme4(slopes, formula):
    criterion, params = LME4[formula]
    fit = ms.lmer(formula, slopes)
    assert fit.criterion == pytest.approx(criterion, abs=2e-6)
    assert fit.params.to_dict() == pytest.approx(params, rel=1e-4, abs=1e-6)
    assert list(fit.params.index) == list(params)


def test_anova_of_conditions(slopes):
    fit = ms.lmer("y ~ I(x > 0) * b + (1 | g)", slopes)
    np.testing.assert_allclose(fit.anova(type=3)["F"], [0.730221428, 154.102799818, 0.950600616], rtol=1e-5)
    np.testing.assert_allclose(fit.anova(type=2)["F"], [0.788751444, 154.117195534, 0.950600616], rtol=1e-5)


@pytest.mark.parametrize(
    "condition",
    ["{x > 0}", "np.greater(x, 0)", "where(x > 0, True, False)", "~(x <= 0)", "x.gt(0)", "(x > 0) & ~np.isnan(x)"],
)
def test_every_expression_that_gives_truth_values(slopes, condition):
    wanted = ms.lmer("y ~ 0 + I(x > 0) * t + (1 | g)", slopes)
    term = condition if condition[0] in "{nwx" and "&" not in condition else f"I({condition})"
    fit = ms.lmer(f"y ~ 0 + {term} * t + (1 | g)", slopes)
    np.testing.assert_allclose(fit.params, wanted.params, rtol=1e-10)
    assert fit.params.index[0].endswith("[False]")


def test_membership_is_a_factor(crossed):
    wanted = ms.lmer("y ~ c * b + (1 | g)", crossed)
    for term in ("c.isin(['b'])", "isin(c, ['b'])", "I(c == 'b')"):
        fit = ms.lmer(f"y ~ {term} * b + (1 | g)", crossed)
        assert fit.params.index[1] == f"{term}[T.True]"
        np.testing.assert_allclose(fit.anova(type=3)["F"], wanted.anova(type=3)["F"], rtol=1e-9)


def test_arithmetic_makes_numbers_of_truth_values(slopes):
    fit = ms.lmer("y ~ I(1 * b) + I(b * t) + (0 + where(b, 1, 0) | g)", slopes)
    wanted = ms.lmer("y ~ n + nt + (0 + n | g)", slopes.assign(n=slopes["b"].astype(int), nt=slopes["b"] * slopes["t"]))
    assert fit.criterion == pytest.approx(wanted.criterion, abs=1e-9)
    assert list(fit.params.index) == ["Intercept", "I(1 * b)", "I(b * t)"]


def test_functions_of_truth_values_do_not_lose_digits(slopes):
    """To NumPy exp(True) is 2.719."""
    with pytest.raises(ms.DataError, match=r"The term 'exp\(b\)' is a function of truth values: .*where"):
        ms.lmer("y ~ exp(b) + (1 | g)", slopes)
    fit = ms.lmer("y ~ exp(where(b, 1, 0)) + (1 | g)", slopes)
    assert np.unique(fit.model.design.X[:, 1]).tolist() == [1.0, np.e]


def test_zeros_and_ones_stay_numbers(slopes):
    data = slopes.assign(n=slopes["b"].astype(int), o=slopes["b"].astype(int).astype(object))
    fit = ms.lmer("y ~ 0 + n + (0 + o | g)", data)
    assert list(fit.params.index) == ["n"]
    assert len(fit.theta) == 1


WITH_MISSING = [None, *([True, False, False, True, True] * 19)]
KINDS = {
    "bool": lambda b: b.fillna(False).astype(bool),
    "nullable": lambda b: b.astype("boolean"),
    "objects": lambda b: b.astype(object),
    "objects with NaN": lambda b: b.astype(object).where(b.notna(), np.nan),
    "arrow": lambda b: b.astype(pd.ArrowDtype(pa.bool_())),
    "categories": lambda b: b.astype("boolean").astype("category"),
}
FRAMES = {
    "pandas": lambda d: d,
    "dict": lambda d: {name: list(d[name]) for name in d},
    "polars": pl.from_pandas,
    "arrow": lambda d: pa.Table.from_pandas(d, preserve_index=False),
}
FORMULAS = {
    "y ~ b * x + (1 | g)": None,
    "y ~ x + (0 + b | g)": None,
    "y ~ x + (b || g)": None,
    "y ~ 0 + b:x + (b | g)": {"b": "sum"},
    "y ~ C(b) + (1 | g:b)": None,
}


@pytest.mark.filterwarnings("ignore::mixedsparse.DroppedRowsWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_column_and_table_is_fitted_as_text_is(small, kind):
    data = small.assign(b=KINDS[kind](pd.Series(WITH_MISSING, dtype=object)))
    for formula, contrasts in FORMULAS.items():
        wanted = ms.lmer(formula, text(data), contrasts=contrasts)
        for frame, make in FRAMES.items():
            fit = ms.lmer(formula, make(data), contrasts=contrasts)
            assert list(fit.params.index) == list(wanted.params.index), frame
            assert fit.criterion == pytest.approx(wanted.criterion, abs=1e-8), frame
            np.testing.assert_array_equal(fit.model.design.X, wanted.model.design.X, frame)
            assert fit.varcorr()["var1"].tolist() == wanted.varcorr()["var1"].tolist(), frame


def test_a_column_that_is_true_in_all_rows_used_is_named(small):
    data = small.assign(b=True, z=np.where(small["b"], 1.0, np.nan), half=small["b"])
    for formula in ("y ~ b + (1 | g)", "y ~ 0 + b + (1 | g)", "y ~ x + (b | g)", "y ~ x + (0 + b | g)"):
        with pytest.raises(ms.DataError, match=r"The factor 'b' has the one level True in the rows used.*remove it"):
            ms.lmer(formula, data)
    with pytest.raises(ms.DataError, match="The factor 'half' has the one level True in the rows used"):
        ms.lmer("y ~ z + half + (1 | g)", data)


@pytest.mark.parametrize("formula", ["y ~ x * b + (0 + b | g)", "y ~ I(~b) + where(b, x, 0) + (I(b) | g)"])
def test_new_rows_of_another_type_mean_the_same(small, formula):
    fit = ms.lmer(formula, small)
    new = small[["g", "x", "b"]].head(20)
    wanted = fit.predict(new)
    np.testing.assert_allclose(wanted, fit.fittedvalues.head(20))
    for given in (new["b"].astype(str), new["b"].astype(int), new["b"].astype(float), new["b"].astype("boolean")):
        np.testing.assert_allclose(fit.predict(new.assign(b=given)), wanted)
    np.testing.assert_allclose(fit.predict(new.assign(b=new["b"].map({True: "TRUE", False: "FALSE"}))), wanted)
    for odd in (["yes", "no"] * 10, [2, 0] * 10, pd.date_range("2024", periods=20)):
        with pytest.raises(ms.DataError, match=r"The (factor|column) 'b' "):
            fit.predict(new.assign(b=odd))


def test_text_in_new_rows_does_not_compare_unequal_to_numbers(small):
    """A condition on text would be false in every row, without a word."""
    fit = ms.lmer("y ~ where(x == 3, 1, 0) + (1 | g)", small)
    with pytest.raises(ms.DataError, match="The column 'x' is not numeric"):
        fit.predict(small.assign(x=small["x"].astype(int).astype(str)))
    codes = small.assign(x=small["x"].astype(int).astype(str))
    fit = ms.lmer("y ~ where(x == '3', 1, 0) + (1 | g)", codes)
    np.testing.assert_allclose(fit.predict(small), fit.fittedvalues)


def test_groups_in_new_rows_are_known_by_their_names(small):
    fit = ms.lmer("y ~ x + (1 | g)", small)
    np.testing.assert_allclose(fit.predict(small.assign(g=small["g"].astype(str))), fit.fittedvalues)
    np.testing.assert_allclose(fit.predict(small.assign(g=small["g"].astype(float))), fit.fittedvalues)


def test_means_and_slopes(small):
    fit, same = (ms.lmer("y ~ x * b + (1 | g)", data) for data in (small, text(small)))
    np.testing.assert_allclose(fit.emmeans("b").table["emmean"], same.emmeans("b").table["emmean"])
    assert fit.emmeans("b").table["b"].tolist() == [False, True]
    for level in (True, "True", 1):
        assert fit.emmeans("b", at={"b": [level]}).table["b"].tolist() == [True]
    np.testing.assert_allclose(fit.emtrends("b", "x").table["trend"], [0.360, 0.348], atol=1e-3)  # emmeans
    with pytest.raises(ms.OptionError, match="'b' is a factor, which has no slope"):
        fit.emtrends("x", "b")
    np.testing.assert_allclose(fit.drop1()["LRT"], same.drop1()["LRT"], rtol=1e-6)


def test_random_part_of_conditions_is_reduced_as_that_of_a_factor(slopes):
    for variable in ("b", "I(x > 0)"):
        table = ms.parsimony(ms.lmer(f"y ~ t + (0 + {variable} | g)", slopes)).table
        assert table["npar"].tolist()[:2] == [6, 5]
    ranova = ms.lmer("y ~ t + (I(x > 0) | g)", slopes).ranova()
    assert "I(x > 0)" in ranova.index[1]
    assert ranova["npar"].tolist() == [6, 4]


def test_a_response_of_truth_values_is_one_of_zeros_and_ones(slopes):
    with pytest.warns(ms.BinaryResponseWarning):
        fit = ms.lmer("b ~ x + (1 | g)", slopes)
    assert fit.criterion == pytest.approx(355.453, abs=1e-3)  # lme4
    assert fit.params.tolist() == pytest.approx([0.5165798, 0.0530421], rel=1e-5)


def test_planned_experiments(small):
    rows = ms.design(subjects=12, within={"late": [False, True]}, repeats=3)
    study = ms.plan(rows, "y ~ late + (late | subject)", {"late[T.True]": 2.0}, {"subject": {"Intercept": 1.0}}, 1.0)
    assert list(study.truth.params.index) == ["Intercept", "late[T.True]"]
    plain = ms.plan(
        rows.assign(late=rows["late"].astype(bool)),
        "y ~ late + (1 | subject)",
        {"late[T.True]": 2.0},
        {"subject": 1.0},
        1.0,
    )
    assert plain.truth.params["late[T.True]"] == 2.0


SM = {
    "y ~ b:t": {},
    "y ~ 0 + I(x > 0)": {},
    "y ~ t + I(x > 0):t": {},
    "y ~ t * b": {"re_formula": "0 + b"},
    "y ~ t": {"re_formula": "0 + I(x > 0)"},
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("formula", SM)
@pytest.mark.parametrize("objects", [False, True])
def test_the_look_alike_names_and_fits_as_statsmodels(slopes, formula, objects):
    smf = pytest.importorskip("statsmodels.formula.api")
    data = slopes.assign(b=slopes["b"].astype(object)) if objects else slopes
    fit, wanted = (mixedlm(formula, data, groups="g", **SM[formula]).fit() for mixedlm in (ms.mixedlm, smf.mixedlm))
    assert list(fit.fe_params.index) == list(wanted.fe_params.index)
    np.testing.assert_allclose(fit.fe_params, wanted.fe_params, rtol=1e-3, atol=1e-4)
    assert fit.llf == pytest.approx(wanted.llf, abs=1e-3)
    assert list(fit.cov_re.index) == list(wanted.cov_re.index)


def test_variance_components_of_truth_values(slopes):
    """Both values in every group are levels of a factor within it, by column or by condition."""
    wanted = ms.lmer("y ~ t + (1 | g) + (1 | g:b)", slopes)
    for data, component in ((slopes, "0 + b"), (slopes.assign(n=slopes["b"] * 2.5), "0 + I(n > 1)")):
        fit = ms.mixedlm("y ~ t", data, groups="g", re_formula="1", vc_formula={"v": component}).fit()
        assert fit.mixed.criterion == pytest.approx(wanted.criterion, abs=1e-6)
    with pytest.raises(ms.DataError, match="The column 'day' holds dates"):
        ms.mixedlm(
            "y ~ t", slopes.assign(day=pd.Timestamp("2024")), groups="g", re_formula="1", vc_formula={"v": "0 + day"}
        )


def test_what_columns_held_is_saved_with_a_fit(small, tmp_path):
    fit = ms.lmer("y ~ b + where(b, x, 0) + I(x > 3) + (1 | g)", small)
    fit.save(tmp_path / "fit.zip")
    again = ms.load(tmp_path / "fit.zip")
    assert again.model.design.encoding.sorts == fit.model.design.encoding.sorts
    np.testing.assert_allclose(again.predict(small.assign(b=small["b"].astype(str))), fit.fittedvalues)


@pytest.mark.parametrize(
    ("term", "mend"),
    [
        ("I(b + c)", "1*b + 1*c"),
        ("I((b + (x > 0)) * x)", "1*b + 1*(x > 0)"),
        ("I(x * -b)", "-1*b"),
        ("scale(-(x > 0) + x)", "-1*(x > 0)"),
        ("I(np.isnan(x) + x.isin([1.0]))", "1*(np.isnan(x)) + 1*(x.isin([1.0]))"),
    ],
)
def test_sums_of_truth_values_are_refused_wherever_the_rows_are(slopes, tmp_path, term, mend):
    data = slopes.assign(c=np.arange(240) % 3 > 0)  # pandas: "or" and "not"; R: numbers
    data.to_parquet(tmp_path / "rows.parquet")
    for rows in (
        data,
        data.astype({"b": object, "c": "boolean"}),
        pl.from_pandas(data),
        str(tmp_path / "rows.parquet"),
    ):
        if "isnan" in term and isinstance(rows, str):
            continue  # no function of databases
        with pytest.raises(ms.FormulaError, match=re.escape(f"write {mend!r} for numbers")):
            ms.lmer(f"y ~ {term} + (1 | g)", rows)
    with pytest.raises(ms.FormulaError, match="for numbers"):
        ms.mixedlm(f"y ~ {term}", data, groups="g")
    with pytest.raises(ms.FormulaError, match="for numbers"):
        ms.lmer(f"y ~ x + (1 | {term})", data)


def test_what_the_refusal_says_is_the_same_number_everywhere(slopes, tmp_path):
    data = slopes.assign(c=np.arange(240) % 3 > 0)
    data["both"], data["product"] = data["b"] * 1.0 + data["c"], data["b"] * 1.0 * data["c"]
    data.to_parquet(tmp_path / "rows.parquet")
    for rows in (data, str(tmp_path / "rows.parquet")):
        for term, column in [("I(1*b + 1*c)", "both"), ("I(b * c)", "product")]:
            fit, wanted = (ms.lmer(f"y ~ {x} + (1 | g)", rows) for x in (term, column))
            np.testing.assert_allclose(fit.params, wanted.params, rtol=1e-8)
        assert fit.params.index[1] == "I(b * c)[T.True]"
