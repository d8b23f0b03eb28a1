"""Labelled things given beside the data: they go where their labels say, or are refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import mixedsparse as ms
from mixedsparse.data.formula.alignment import aligned

MACHINES = ms.datasets.load("Machines")
FORMULA = "score ~ Machine + (1 | Worker)"
# Differences between neighbours, rows in an order that is not that of the levels.
NEIGHBOURS = pd.DataFrame({"B-A": [1 / 3, -2 / 3, 1 / 3], "C-B": [-1 / 3, -1 / 3, 2 / 3]}, index=["B", "A", "C"])


def test_a_table_of_contrasts_gives_the_differences_its_columns_are_named_for(tmp_path):
    means = MACHINES.groupby("Machine", observed=True)["score"].mean()  # balanced: differences of plain means
    fit = ms.lmer(FORMULA, MACHINES, contrasts={"Machine": NEIGHBOURS})
    wanted = {"Machine[B-A]": means["B"] - means["A"], "Machine[C-B]": means["C"] - means["B"]}
    assert fit.params.drop("Intercept").to_dict() == pytest.approx(wanted)
    MACHINES.to_parquet(tmp_path / "machines.parquet")
    stored = ms.lmer(FORMULA, str(tmp_path / "machines.parquet"), contrasts={"Machine": NEIGHBOURS})
    pd.testing.assert_series_equal(stored.params, fit.params)
    plain = ms.lmer(FORMULA, MACHINES)
    pd.testing.assert_frame_equal(fit.emmeans("Machine").table, plain.emmeans("Machine").table)
    new = MACHINES.iloc[[50, 3, 20]]
    np.testing.assert_allclose(fit.predict(new), plain.predict(new))


def test_contrasts_inside_c_are_those_of_the_bare_column_from_files_too(tmp_path):
    MACHINES.to_parquet(tmp_path / "machines.parquet")
    called = "score ~ factor(Machine) + (C(Machine) | Worker)"
    bare = ms.lmer("score ~ Machine + (Machine | Worker)", MACHINES, contrasts={"Machine": "sum"})
    for data in (MACHINES, str(tmp_path / "machines.parquet")):
        fit = ms.lmer(called, data, contrasts={"Machine": "sum"})
        assert list(fit.params.index) == ["Intercept", "C(Machine)[S.A]", "C(Machine)[S.B]"]
        np.testing.assert_allclose(fit.params, bare.params, rtol=1e-6)
        np.testing.assert_allclose(fit.theta, bare.theta, atol=1e-5)
        with pytest.raises(ms.OptionError, match="would change nothing"):
            ms.lmer("score ~ 1 + (1 + score | Worker)", data, contrasts={"Machine": "sum"})
        with pytest.warns(ms.UnusedOptionWarning, match="changes nothing"):
            ms.lmer("score ~ 1 + (1 | Worker)", data, contrasts={"Machine": "sum"})


def study(seed=0, labels=None):
    """Rows with labels, weights, an offset, and an order to shuffle them by."""
    rng = np.random.default_rng(seed)
    data = pd.DataFrame({"x": rng.normal(size=60), "g": np.repeat(range(10), 6)}, index=labels)
    data["w"], data["o"] = rng.uniform(0.2, 5.0, 60), rng.normal(size=60)
    data["y"] = data["o"] + rng.normal(size=10)[data["g"]] + rng.normal(size=60) / np.sqrt(data["w"])
    data["y"] += (2.0 + 2.0 * rng.normal(size=10)[data["g"]]) * data["x"]
    return data, rng.permutation(60)


@pytest.fixture(params=["numbers", "shuffled", "text", "dates", "pairs"])
def data(request):
    labels = {
        "numbers": None,
        "shuffled": np.random.default_rng(1).permutation(60),
        "text": [f"row {i}" for i in range(60)],
        "dates": pd.date_range("2026-01-01", periods=60),
        "pairs": pd.MultiIndex.from_product([range(10), list("abcdef")]),
    }[request.param]
    return study(labels=labels)[0]


ORDER = study()[1]


@pytest.mark.parametrize("argument", ["weights", "offset"])
def test_weights_and_offset_go_to_the_rows_of_their_labels(data, argument):
    column = argument[0]
    named = ms.lmer("y ~ x + (1 | g)", data, **{argument: column})
    moved = ms.lmer("y ~ x + (1 | g)", data, **{argument: data[column].iloc[ORDER]})
    assert moved.criterion == named.criterion
    array = ms.lmer("y ~ x + (1 | g)", data, **{argument: data[column].to_numpy()})
    assert array.criterion == named.criterion
    data.iloc[3, 0] = np.nan
    with pytest.warns(ms.DroppedRowsWarning):
        named = ms.lmer("y ~ x + (1 | g)", data, **{argument: column})
    with pytest.warns(ms.DroppedRowsWarning):
        moved = ms.lmer("y ~ x + (1 | g)", data, **{argument: data[column].iloc[ORDER]})
    assert moved.criterion == named.criterion


@pytest.mark.parametrize("change", ["others", "repeated", "default"])
def test_labels_that_do_not_tell_the_row_are_refused(change):
    data, _ = study(labels=[f"row {i}" for i in range(60)])
    w = data["w"].iloc[ORDER]
    w.index = {
        "others": w.index + "!",
        "repeated": [*w.index[:59], w.index[0]],
        "default": pd.RangeIndex(60),
    }[change]
    with pytest.raises(ms.DataError, match=r"index of weights is not that of the data.*\.to_numpy\(\)"):
        ms.lmer("y ~ x + (1 | g)", data, weights=w)


def test_repeated_labels_do_no_harm_where_both_have_them_in_one_order():
    data, _ = study(labels=np.repeat(range(30), 2))
    named = ms.lmer("y ~ x + (1 | g)", data, weights="w")
    assert ms.lmer("y ~ x + (1 | g)", data, weights=data["w"]).criterion == named.criterion
    with pytest.raises(ms.DataError, match="several times"):
        ms.lmer("y ~ x + (1 | g)", data, weights=data["w"].iloc[ORDER])


@pytest.mark.parametrize("kind", [pl.from_pandas, lambda d: d.to_dict("list"), lambda d: pl.from_pandas(d).to_arrow()])
def test_data_without_labels_take_order_and_refuse_an_index_of_its_own(kind):
    data, _ = study()
    named = ms.lmer("y ~ x + (1 | g)", kind(data), weights="w")
    for w in (data["w"], pl.Series(data["w"].to_numpy()), data["w"].tolist()):
        assert ms.lmer("y ~ x + (1 | g)", kind(data), weights=w).criterion == named.criterion
    with pytest.raises(ms.DataError, match="the rows of the data have no labels"):
        ms.lmer("y ~ x + (1 | g)", kind(data), weights=data["w"].iloc[ORDER])


def test_the_series_of_a_dict_are_put_in_one_order():
    data, _ = study(labels=[f"row {i}" for i in range(60)])
    whole = ms.lmer("y ~ x + (1 | g)", data)
    parts = ms.lmer("y ~ x + (1 | g)", {"y": data["y"], "x": data["x"].iloc[ORDER], "g": data["g"].to_numpy()})
    assert parts.criterion == whole.criterion
    pd.testing.assert_series_equal(parts.resid, whole.resid)
    with pytest.raises(ms.DataError, match="index of the column 'x' is not that of the data"):
        ms.lmer("y ~ x + (1 | g)", {"y": data["y"], "x": data["x"].reset_index(drop=True), "g": data["g"]})


def test_a_series_of_the_caller_in_a_formula_is_aligned(data):
    named = ms.lmer("y ~ o + (1 | g)", data)
    beside = data["o"].iloc[ORDER]
    found = ms.lmer("y ~ beside + (1 | g)", data)
    assert found.criterion == named.criterion
    assert beside.name == "o"


def test_expressions_that_change_the_order_of_rows_do_not_move_the_response(data):
    def sorted_copy(values):
        return values.sort_values()

    assert ms.lmer("sorted_copy(y) ~ x + (1 | g)", data).criterion == ms.lmer("y ~ x + (1 | g)", data).criterion
    assert sorted_copy(data["x"]).is_monotonic_increasing


def test_new_responses_go_to_the_rows_of_their_labels(data):
    data.iloc[3, 0] = np.nan
    with pytest.warns(ms.DroppedRowsWarning):
        fit = ms.lmer("y ~ x + (1 | g)", data)
    y = data["o"] + data["w"]
    wanted = fit.refit(y.drop(index=data.index[3]).to_numpy()).criterion
    assert fit.refit(y.iloc[ORDER]).criterion == wanted
    assert fit.refit(y.drop(index=data.index[3]).iloc[::-1]).criterion == wanted
    drawn = fit.simulate(1, seed=1)
    assert fit.refit(drawn.iloc[::-1]).criterion == fit.refit(drawn).criterion
    with pytest.raises(ms.DataError, match="is not that of the data"):
        fit.refit(pd.Series(np.arange(59.0), index=pd.RangeIndex(1000, 1059)))


def test_weights_and_offset_of_new_rows_are_aligned(data):
    fit = ms.lmer("y ~ x + (1 | g)", data, weights="w")
    new = data.iloc[::-2]
    moved = new["o"].sort_values()
    pd.testing.assert_series_equal(fit.predict(new, offset=moved), fit.predict(new, offset="o"))
    arguments = {"random": "population", "interval": "prediction"}
    found = fit.predict(new, weights=new["w"].sort_values(), **arguments)
    pd.testing.assert_frame_equal(found, fit.predict(new, weights="w", **arguments))
    pd.testing.assert_frame_equal(
        fit.simulate(2, seed=1, newdata=new, offset=moved), fit.simulate(2, seed=1, newdata=new, offset="o")
    )
    with pytest.raises(ms.DataError, match="is not that of the data"):
        fit.predict(new, offset=moved.set_axis(range(1000, 1030)))


def test_a_mask_of_rows_is_aligned(data):
    fit = ms.lmer("y ~ x + (1 | g)", data)
    mask = data["x"] > 1.0
    pd.testing.assert_frame_equal(fit.marginal_cov(mask.iloc[ORDER]), fit.marginal_cov(mask.to_numpy()))


def test_arrays_with_labels_are_put_in_the_order_of_the_response(data):
    X = pd.DataFrame({"one": 1.0, "x": data["x"]})
    term = ms.RandomTerm("g", data["g"].to_numpy(), np.ones(60))
    wanted = ms.LinearMixedModel.from_arrays(data["y"].to_numpy(), X.to_numpy(), [term], weights=data["w"].to_numpy())
    moved = data.iloc[ORDER]
    other = ms.RandomTerm("g", moved["g"], pd.Series(1.0, index=data.index))
    found = ms.LinearMixedModel.from_arrays(data["y"], X.iloc[::-1], [other], weights=moved["w"])
    assert found.fit().criterion == wanted.fit().criterion
    slope = ms.RandomTerm("g", moved["g"], data["x"])
    np.testing.assert_array_equal(slope.z[:, 0], moved["x"])
    with pytest.raises(ms.DataError, match="codes and z have different labels"):
        ms.RandomTerm("g", moved["g"], data["x"].set_axis(range(1000, 1060)))
    with pytest.raises(ms.DataError, match="index of X is not that of the data"):
        ms.LinearMixedModel.from_arrays(data["y"], X.set_axis(range(1000, 1060)), [term])


def test_statsmodels_arrays_and_groups_are_put_in_the_order_of_the_response(data):
    X = pd.DataFrame({"const": 1.0, "x": data["x"]})
    wanted = ms.MixedLM(data["y"].to_numpy(), X.to_numpy(), data["g"].to_numpy(), data["x"].to_numpy()).fit()
    moved = X.iloc[ORDER]
    found = ms.MixedLM(data["y"], moved, data["g"].iloc[::-1], moved["x"].iloc[::-1]).fit()
    # Columns lie in memory otherwise, and BLAS sums them in another order.
    assert found.llf == pytest.approx(wanted.llf, rel=1e-13)
    np.testing.assert_array_equal(found.predict(X[["x", "const"]]), found.predict(X))
    with pytest.raises(ms.DataError, match="index of exog is not that of the data"):
        ms.MixedLM(data["y"], moved.set_axis(range(1000, 1060)), data["g"])
    named = ms.mixedlm("y ~ x", data, groups="g").fit()
    assert ms.mixedlm("y ~ x", data, groups=data["g"].iloc[ORDER]).fit().llf == named.llf


def test_weights_of_coefficients_go_by_their_names():
    fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
    wanted = fit.t_test([[1.0, 9.0], [0.0, 1.0]])["Estimate"].to_numpy()
    table = pd.DataFrame({"Days": [9.0, 1.0], "Intercept": [1.0, 0.0]}, index=["day 9", "slope"])
    found = fit.t_test(table)["Estimate"]
    assert found.to_dict() == dict(zip(table.index, wanted, strict=True))
    assert fit.t_test(table.iloc[0])["Estimate"].iloc[0] == pytest.approx(wanted[0], rel=1e-14)
    assert fit.t_test([table.iloc[0], table.iloc[1]])["Estimate"].tolist() == wanted.tolist()
    assert fit.t_test(table[["Days"]].iloc[[1]])["Estimate"].iloc[0] == wanted[1]
    numbered = table[["Intercept", "Days"]].set_axis(range(2), axis="columns")
    assert fit.t_test(numbered)["Estimate"].tolist() == wanted.tolist()
    with pytest.raises(ms.DataError, match="no coefficient 'days'"):
        fit.wald_test(table.rename(columns={"Days": "days"}))
    with pytest.raises(ms.DataError, match="several columns called 'Days'"):
        fit.wald_test(table.set_axis(["Days", "Days"], axis="columns"))
    with pytest.raises(ms.DataError, match="several weights for 'Days'"):
        fit.t_test(pd.Series([1.0, 2.0], index=["Days", "Days"]))
    for other in (pl.from_pandas(table), pa.Table.from_pandas(table, preserve_index=False)):
        assert fit.t_test(other)["Estimate"].tolist() == wanted.tolist()


def test_weights_of_means_go_by_their_labels():
    means = ms.lmer(FORMULA, MACHINES).emmeans("Machine")
    wanted = means.contrast({"C - A": [-1, 0, 1]}).table["estimate"].iloc[0]
    table = pd.DataFrame({"C - A": [1.0, 0.0, -1.0]}, index=["C", "B", "A"])
    assert means.contrast(table).table["estimate"].iloc[0] == wanted
    assert means.contrast({"C - A": table["C - A"]}).table["estimate"].iloc[0] == wanted
    assert means.contrast(table.iloc[::-1].reset_index(drop=True)).table["estimate"].iloc[0] == wanted
    with pytest.raises(ms.OptionError, match="no mean 'D'"):
        means.contrast(table.set_axis(["C", "B", "D"]))
    for several in (pd.concat([table, table.iloc[:1]]), {"C - A": {"A": -1, "C": 1, 0: 1}}):
        with pytest.raises(ms.OptionError, match=r"several weights for '[AC]'"):
            means.contrast(several)


def test_theta_goes_by_position_and_refuses_labels():
    fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
    assert fit.model.objective(pd.Series(fit.theta)) == fit.model.objective(fit.theta)
    with pytest.raises(ms.OptionError, match="theta goes by position"):
        fit.model.fit(start=pd.Series(fit.theta, index=["a", "b", "c"]))


def test_the_rule_itself():
    values = pd.Series([1.0, 2.0, 3.0], index=[2, 0, 1])
    assert aligned(values, pd.RangeIndex(3), "v").tolist() == [2.0, 3.0, 1.0]
    assert aligned([3, 1, 2], pd.RangeIndex(3), "v") == [3, 1, 2]
    assert len(aligned(values, pd.RangeIndex(4), "v")) == 3  # the caller refuses the shape
    assert aligned(values.set_axis(range(3)), None, "v").tolist() == [1.0, 2.0, 3.0]
