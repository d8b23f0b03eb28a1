from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import mixedsparse as ms
from mixedsparse.ground.errors import ColumnError, DataError, DroppedColumnsWarning, OptionError, SingularFitWarning

# Predictions are sums of a few products.
EXACT = {"rtol": 1e-12, "atol": 1e-12}
# lme4 stops a little short of the optimum: in units of the response.
LME4 = 1e-3


def quiet(formula: str, data: pd.DataFrame, **options) -> ms.MixedResults:
    """Fit, on the boundary or not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularFitWarning)
        return ms.lmer(formula, data, **options)


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    n = 240
    out = pd.DataFrame(
        {
            "x": rng.uniform(1, 5, n),
            "w": rng.uniform(5, 15, n),
            "f": rng.choice(["low", "mid", "top"], n),
            "g": rng.integers(15, size=n),
            "h": rng.choice([f"h{i}" for i in range(8)], n),
            "o": rng.normal(size=n),
            "wt": rng.uniform(0.5, 2, n),
        }
    )
    by_g, by_h = rng.normal(size=(15, 2))[out["g"]], rng.normal(size=8)[out["h"].str[1].astype(int)]
    out["y"] = out["x"] ** 2 + by_g[:, 0] + by_g[:, 1] * out["x"] + by_h + rng.normal(size=n)
    out["g"] = "g" + out["g"].astype(str)
    return out


@pytest.fixture(scope="module")
def crossed(data) -> ms.MixedResults:
    return ms.lmer("y ~ x + f + (x | g) + (1 | h)", data)


@pytest.mark.parametrize(
    ("formula", "contrasts"),
    [
        ("y ~ poly(x, 2) + f + (1 + x | g) + (1 | h)", {"f": "helmert"}),
        ("y ~ scale(x) * f + (scale(x) | g) + (1 | h)", {"f": "sum"}),
        ("y ~ bs(x, df=4) + center(w) + (f || h) + (1 | g)", None),
        ("y ~ cr(x, df=3, constraints='center') + log(w) + (1 | g) + (1 | g:f)", None),
        ("y ~ C(f, contr.sum) + I(x**2) + offset(o) + (1 + x | g)", None),
    ],
)
def test_new_rows_are_encoded_as_the_rows_of_the_fit(data, formula, contrasts):
    fit = quiet(formula, data, contrasts=contrasts)
    np.testing.assert_allclose(fit.predict(), fit.fittedvalues, **EXACT)
    # The mean and the range of x, and the levels of f, are other ones in these rows.
    rows = data.iloc[[70, 5, 131, 8]].drop(columns="y")
    for random in ("conditional", "population"):
        some = fit.predict(rows, random=random)
        assert some.index.equals(rows.index)
        assert some.name == "predicted"
        np.testing.assert_allclose(some, fit.predict(random=random)[rows.index], rtol=1e-9)
        np.testing.assert_allclose(fit.predict(rows.iloc[:1], random=random), some.iloc[:1], rtol=1e-12)


def test_scale_and_poly_by_hand(data):
    fit = quiet("y ~ scale(x) + (1 | g)", data)
    z = (7.0 - data["x"].mean()) / data["x"].std(ddof=1)
    expected = fit.params["Intercept"] + fit.params["scale(x)"] * z
    assert fit.predict({"x": [7.0]}, random="population")[0] == pytest.approx(expected, rel=1e-12)
    curved, plain = (quiet(f"y ~ {side} + (1 | g)", data) for side in ("poly(x, 2)", "x + I(x**2)"))
    new = pd.DataFrame({"x": [1.5, 4.0], "g": ["g3", "g4"]})
    np.testing.assert_allclose(curved.predict(new), plain.predict(new), rtol=1e-7)


def test_against_lme4():
    """R 4.2.2, lme4 1.1-31.

    d <- sleepstudy; d$off <- d$Days^2
    m <- lmer(Reaction ~ Days + offset(off) + (Days | Subject), d)
    new <- data.frame(Days = c(0, 3, 12, 5), Subject = c("308", "309", "372", "new"), off = c(1, -2, 10, 4))
    predict(m, new, allow.new.levels = TRUE); predict(m, new, re.form = NA)
    p <- lmer(strength ~ 1 + (1 | batch) + (1 | batch:cask), Pastes)
    predict(p, data.frame(batch = c("A", "B"), cask = c("a", "c")), re.form = ~ (1 | batch))
    """
    data = ms.datasets.load("sleepstudy")
    data["off"] = data["Days"] ** 2
    new = pd.DataFrame({"Days": [0, 3, 12, 5], "Subject": ["308", "309", "372", "new"], "off": [1, -2, 10, 4]})
    in_formula = ms.lmer("Reaction ~ Days + offset(off) + (Days | Subject)", data)
    by_column = ms.lmer("Reaction ~ Days + (Days | Subject)", data, offset="off")
    conditional = [266.974058125, 199.703523757, 318.804891164, 274.741534646]
    population = [264.405104848, 265.806962727, 291.012536364, 274.741534646]
    # lme4 leaves an offset out of new rows when the fit got it as an argument; offset= asks for it.
    for fit, again in ((in_formula, {}), (by_column, {"offset": "off"})):
        np.testing.assert_allclose(fit.predict(new, new_levels="zero", **again), conditional, atol=LME4)
        np.testing.assert_allclose(fit.predict(new, random="population", **again), population, atol=LME4)
    without = np.array(conditional) - new["off"]
    np.testing.assert_allclose(by_column.predict(new, new_levels="zero"), without, atol=LME4)
    pastes = ms.lmer("strength ~ 1 + (1 | batch) + (1 | batch:cask)", ms.datasets.load("Pastes"))
    some = pastes.predict({"batch": ["A", "B"], "cask": ["a", "c"]}, random=["batch"])
    np.testing.assert_allclose(some, [60.8539773272, 59.7808249860], atol=LME4)


def test_any_set_of_grouping_factors(data, crossed):
    rows = data.iloc[:6]
    population = crossed.predict(rows, random="population")
    only_h = crossed.predict(rows.drop(columns="g"), random=["h"])
    modes = crossed.random_effects["h"].loc[rows["h"], "Intercept"].to_numpy()
    np.testing.assert_allclose(only_h, population + modes, **EXACT)
    np.testing.assert_allclose(crossed.predict(rows, random="h"), only_h, **EXACT)
    np.testing.assert_allclose(crossed.predict(rows, random=[]), population, **EXACT)
    np.testing.assert_allclose(crossed.predict(rows, random=["h", "g"]), crossed.predict(rows), **EXACT)
    with pytest.raises(OptionError, match=r"'subject' is no grouping factor .* among: 'g', 'h'"):
        crossed.predict(rows, random=["subject"])


def test_levels_that_the_fit_has_not_seen(data, crossed):
    rows = data.iloc[:3].assign(h=["h1", "new", "newer"])
    with pytest.raises(DataError, match=r"'h' has levels .* not seen: 'new', 'newer' .*new_levels='zero'"):
        crossed.predict(rows)
    got = crossed.predict(rows, new_levels="zero")
    np.testing.assert_allclose(got[1:], crossed.predict(rows, random=["g"])[1:], **EXACT)
    assert got[0] != crossed.predict(rows, random=["g"])[0]
    crossed.predict(rows, random=["g"])  # levels of a factor that is left out do not matter
    with pytest.raises(DataError, match="factor 'f' has levels that the fit has not seen: 'bottom'"):
        crossed.predict(rows.assign(f="bottom"), random="population")


def test_missing_values_give_nan_in_place(data, crossed):
    rows = data.iloc[:6].copy()
    rows.loc[1, "x"] = np.nan
    rows.loc[2, "f"] = None
    rows.loc[4, "h"] = None
    got = crossed.predict(rows)
    assert np.isnan(got).tolist() == [False, True, True, False, True, False]
    np.testing.assert_allclose(got.dropna(), crossed.predict(data.iloc[[0, 3, 5]]), **EXACT)
    assert np.isnan(crossed.predict(rows, random=["g"])).tolist() == [False, True, True, False, False, False]
    for interval in ("confidence", "prediction"):
        table = crossed.predict(rows, interval=interval)
        assert (np.isnan(table).all(axis=1) == np.isnan(got)).all()
        assert np.isnan(table).any(axis=1).sum() == 3


def test_rows_that_the_fit_left_out(data):
    holes = data.copy()
    holes.loc[[3, 7], "y"] = np.nan
    with pytest.warns(ms.DroppedRowsWarning):
        fit = ms.lmer("y ~ x + (1 | g)", holes)
    assert len(fit.predict()) == len(data) - 2
    assert fit.predict(holes).notna().all()


def test_other_kinds_of_table(data, crossed):
    rows = data.iloc[10:20]
    expected = crossed.predict(rows, interval="prediction").to_numpy()
    columns = rows[["x", "f", "g", "h"]]
    for table in (pl.DataFrame(columns), pa.Table.from_pandas(columns), columns.to_dict("list")):
        got = crossed.predict(table, interval="prediction")
        assert got.index.equals(pd.RangeIndex(10))
        np.testing.assert_allclose(got, expected, **EXACT)


def test_offset_given_as_an_argument_belongs_to_the_rows_of_the_fit(data):
    for offset in ("o", data["o"].to_numpy()):
        fit = ms.lmer("y ~ x + (1 | g)", data, offset=offset)
        np.testing.assert_allclose(fit.predict(), fit.fittedvalues, **EXACT)
        rows = data.iloc[4:9]
        np.testing.assert_allclose(fit.predict(rows, offset="o"), fit.fittedvalues[rows.index], **EXACT)
        np.testing.assert_allclose(fit.predict(rows), fit.predict(rows, offset=0), **EXACT)
        np.testing.assert_allclose(fit.predict(rows, offset=2), fit.predict(rows) + 2, **EXACT)
        with pytest.raises(OptionError, match="rows of the fit have their own"):
            fit.predict(offset=0)


def test_columns_left_out_of_X():
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"x": rng.normal(size=60), "g": np.repeat(range(10), 6), "y": rng.normal(size=60)})
    data["x2"] = 2 * data["x"]
    with pytest.warns(DroppedColumnsWarning):
        fit = quiet("y ~ x + x2 + (1 | g)", data)
    fit.predict(data)
    with pytest.warns(DroppedColumnsWarning, match="1 of 2 new rows are not estimable: .* x2 was left out"):
        fit.predict({"x": [1.0, 1.0], "x2": [2.0, 5.0], "g": [1, 2]})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"new_levels": "drop"}, "new_levels='drop' is not known"),
        ({"interval": "both"}, "interval='both' is not known"),
        ({"interval": "confidence", "level": 95}, "level=95 must lie between 0 and 1"),
        ({"weights": 1}, "only interval='prediction'"),
    ],
)
def test_options_are_checked(crossed, options, message):
    with pytest.raises(OptionError, match=message):
        crossed.predict(**options)


def test_columns_that_are_needed(data, crossed):
    with pytest.raises(ColumnError, match="no column 'h'"):
        crossed.predict(data[["x", "f", "g"]])
    term = ms.RandomTerm("g", np.arange(40) // 4, np.ones(40))
    y = np.random.default_rng(0).normal(size=40) + np.arange(40) // 4
    from_arrays = ms.LinearMixedModel.from_arrays(y, np.ones((40, 1)), [term]).fit()
    with pytest.raises(DataError, match="made from arrays"):
        from_arrays.predict({"x": [1]})
