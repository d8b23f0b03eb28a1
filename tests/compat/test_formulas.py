"""statsmodels' formulas as bars, and what cannot be said in them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mixedsparse import datasets
from mixedsparse.compat import MixedLM, mixedlm
from mixedsparse.ground.errors import ColumnError, DataError, FormulaError, OptionError


@pytest.fixture
def pigs():
    data = datasets.load("dietox")
    return data.assign(late=data["Time"] > 6, **{"the litter": data["Litter"].astype(str)})


def bars(model):
    return model.linear.formula.partition("Time + ")[2]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, "(1 | Pig)"),
        ({"re_formula": "1"}, "(1 | Pig)"),
        ({"re_formula": " ~ Time"}, "(Time | Pig)"),
        ({"vc_formula": {"t": "0 + Time"}}, "(0 + Time | Pig)"),
        ({"vc_formula": {"t": "~ 0 + Time", "i": "1"}}, "(1 | Pig) + (0 + Time | Pig)"),
        ({"vc_formula": {"c": "Time - 1"}}, "(0 + Time | Pig)"),
        ({"re_formula": "1", "vc_formula": {"c": "0 + C(Cu)"}}, "(1 | Pig) + (1 | Pig:Cu)"),
        ({"vc_formula": {"c": "0 + Cu:np.log(Time)"}}, "(0 + np.log(Time) | Pig:Cu)"),
        ({"vc_formula": {"c": "0 + late"}}, "(1 | Pig:late)"),
        ({"vc_formula": {"c": "0 + C(Time > 3, Sum)"}}, "(1 | Pig:I(Time > 3))"),
        ({"vc_formula": {"c": "0 + C(Cu):Evit"}, "groups": np.ones(861)}, "(1 | Cu:Evit)"),
        ({"re_formula": "~0", "vc_formula": {"c": "0 + Cu"}, "groups": np.ones(861)}, "(1 | Cu)"),
        ({"re_formula": "1 - 1", "vc_formula": {"t": "0 + Time"}}, "(0 + Time | Pig)"),
        ({"vc_formula": {"c": '0 + C(Q("the litter"))'}, "groups": np.ones(861)}, "(1 | `the litter`)"),
        ({"vc_formula": {"c": "0 + Time + Start"}}, "(0 + Time + Start || Pig)"),
        ({"vc_formula": {"c": "C(Cu)"}}, "(C(Cu) || Pig)"),
        ({"vc_formula": {"c": "~ 0 + C(Cu) * Evit"}}, "(0 + C(Cu) * Evit || Pig)"),
    ],
)
def test_translation(pigs, arguments, expected):
    assert bars(mixedlm("Weight ~ Time", pigs, **{"groups": "Pig", **arguments})) == expected


@pytest.mark.parametrize(("component", "message"), [("0", "has no columns"), (3, "must be text, not of type int")])
def test_component_that_is_no_random_term(pigs, component, message):
    with pytest.raises(FormulaError, match=message):
        mixedlm("Weight ~ Time", pigs, groups="Pig", vc_formula={"c": component})


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"groups": np.ones(861)}, FormulaError, "groups has one value.*leave re_formula out and give vc_formula"),
        ({"groups": np.ones(861), "vc_formula": {"t": "0 + Time"}}, FormulaError, "groups has one value.*'0 \\+ Time'"),
        ({"re_formula": "0"}, FormulaError, r"'\(0 \| Pig\)' has no effects"),
        ({"groups": "pig"}, ColumnError, "Did you mean 'Pig'"),
        ({"groups": np.ones(5)}, DataError, r"groups has shape \(5,\), but the data have 861 rows"),
        ({"vc_formula": {"c": "0 + C(litter)"}}, ColumnError, "Did you mean 'Litter'"),
        ({"formula": "Weight ~ tme"}, ColumnError, "no column 'tme'"),
        ({"formula": "Weight ~ Time + (1 | Litter)"}, FormulaError, "terms in bars"),
        ({"formula": None}, FormulaError, "formula must be text"),
        ({"missing": "ignore"}, OptionError, "use one of 'none', 'drop', 'raise'"),
        ({"subset": [True, False]}, DataError, "subset does not select rows"),
        ({"formula": "Weight ~ own(Time)", "eval_env": -1}, FormulaError, "'own' in .* is not known"),
        ({"eval_env": "here"}, OptionError, "give a number of frames"),
        ({"formula": "Weight ~ Feed"}, DataError, r"72 in 'Feed'\).*missing='drop'"),
        ({"groups": np.where(np.arange(861) < 5, np.nan, np.arange(861) // 12)}, DataError, r"5 in 'Group'\)"),
    ],
)
def test_bad_arguments(pigs, arguments, error, message):
    with pytest.raises(error, match=message):
        mixedlm(**{"formula": "Weight ~ Time", "data": pigs, "groups": "Pig", **arguments})


def test_missing_rows_are_dropped_without_a_warning_when_asked(pigs):
    fit = mixedlm("Weight ~ Feed", pigs, groups="Pig", missing="drop").fit()
    assert fit.nobs == 789
    assert fit.mixed.nmissing == 72


def test_subset_selects_rows(pigs):
    late = mixedlm("Weight ~ Time", pigs, groups=pigs["Pig"], subset=pigs["Time"] > 3)
    assert late.nobs == (pigs["Time"] > 3).sum()
    assert mixedlm("Weight ~ Time", pigs, groups="Pig", subset=range(120)).n_groups == 10


def test_patsy_order_of_columns(pigs):
    model = mixedlm("Weight ~ Start:Cu + Time + Time:Cu + late + Cu", pigs, groups="Pig")
    patsy = ["Intercept", "late[T.True]", "Cu[T.Cu035]", "Cu[T.Cu175]"]
    assert model.exog_names[:4] == patsy
    assert all("Start" in name for name in model.exog_names[4:7])
    assert model.exog_names[7:] == ["Time", "Time:Cu[T.Cu035]", "Time:Cu[T.Cu175]"]
    fit = model.fit()
    np.testing.assert_allclose(model.exog @ fit.fe_params.to_numpy(), fit.predict())
    np.testing.assert_allclose(fit.predict(pigs), fit.predict(), rtol=1e-10)
    np.testing.assert_allclose(fit.bse_fe, fit.mixed.bse[fit.bse_fe.index])


def test_names_of_the_caller(pigs):
    def own(x):
        return x**2

    for call in (mixedlm, MixedLM.from_formula):
        assert call("Weight ~ own(Time)", pigs, groups="Pig").exog_names == ["Intercept", "own(Time)"]


def test_groups_may_be_an_array_beside_a_column_of_its_name(pigs):
    data = pigs.rename(columns={"Pig": "Group"})
    by_column, by_array = (mixedlm("Weight ~ Time", data, groups=g).fit() for g in ("Group", data["Group"]))
    pd.testing.assert_series_equal(by_column.params, by_array.params)


@pytest.mark.parametrize("group", ["Pig", "hog"])
def test_new_data_need_the_grouping_variable_by_its_own_name(pigs, group):
    labels = pigs["Pig"].rename(group)
    by_column, by_series = (mixedlm("Weight ~ Time", pigs, groups=g).fit() for g in ("Pig", labels))
    new = pigs.head().rename(columns={"Pig": group})
    np.testing.assert_allclose(by_series.mixed.predict(new), by_column.mixed.predict(pigs.head()), rtol=1e-12)
    assert by_series.params.index[-1] == "Group Var"  # as in statsmodels


@pytest.mark.parametrize("name", ["Cu", "factor", None, ("a", "b")])
def test_groups_whose_name_means_something_else_are_called_group(pigs, name):
    factor = 2.0  # noqa: F841 - a name in the formula
    model = mixedlm("Weight ~ I(factor * Time)", pigs, groups=pigs["Pig"].rename(name))
    assert model.linear.formula == "Weight ~ I(factor * Time) + (1 | Group)"


def test_other_frames(pigs):
    plain = {name: pigs[name].to_numpy() for name in ("Weight", "Time")} | {"Pig": pigs["Pig"].tolist()}
    polars = pytest.importorskip("polars")
    fits = [mixedlm("Weight ~ Time", data, groups="Pig").fit() for data in (pigs, plain, polars.DataFrame(plain))]
    for fit in fits[1:]:
        pd.testing.assert_series_equal(fits[0].params, fit.params)


def test_crossed_components_need_no_dummies():
    ratings = datasets.load("InstEval").iloc[::20]
    components = {name: f"0 + C({name})" for name in ("s", "d")}
    model = mixedlm("y ~ service", ratings, groups=np.ones(len(ratings)), vc_formula=components)
    assert [term.k for term in model.linear.design.terms] == [1, 1]
    fit = model.fit()
    effects = fit.random_effects[1.0]
    assert len(effects) == sum(term.n_levels for term in model.linear.design.terms)
    own = fit.mixed.random_effects["d"]["Intercept"]
    np.testing.assert_allclose(effects[[f"d[C(d)[{level}]]" for level in own.index]], own)


def test_groups_that_cannot_be_levels_are_refused_by_name(pigs):
    with pytest.raises(DataError, match="The factor 'lists' holds objects of type list"):
        mixedlm("Weight ~ Time", pigs.assign(lists=[[pig] for pig in pigs["Pig"]]), groups="lists")
