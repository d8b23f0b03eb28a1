"""Tables in broom.mixed's vocabulary."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

import mixedsparse as ms

DATA = ms.datasets.load("sleepstudy")
FORMULA = "Reaction ~ Days + (Days | Subject)"


@pytest.fixture(scope="module")
def sleep():
    return ms.lmer(FORMULA, DATA)


@pytest.fixture(scope="module")
def several():
    """Two terms on one factor, a factor with two correlated effects, weights and an offset."""
    rng = np.random.default_rng(3)
    n = 400
    data = pd.DataFrame({"x": rng.normal(size=n), "g": rng.integers(30, size=n), "h": rng.integers(15, size=n)})
    effects = rng.normal(size=(30, 2))[data["g"]], rng.normal(size=(15, 2))[data["h"]]
    data["y"] = sum(e[:, 0] + e[:, 1] * data["x"] for e in effects) + rng.normal(size=n)
    data["w"], data["o"] = rng.uniform(0.5, 2.0, size=n), 0.1 * rng.normal(size=n)
    return ms.lmer("y ~ x + offset(o) + (x || g) + (x | h)", data, weights="w")


def test_coefficients(sleep):
    tidy = sleep.tidy()
    assert list(tidy) == ["effect", "term", "estimate", "std.error", "statistic", "df", "p.value"]
    assert tidy["effect"].unique().tolist() == ["fixed"]
    want = sleep.coef_table()
    np.testing.assert_array_equal(tidy.iloc[:, 2:], want[["Estimate", "SE", "t", "df", "p"]])
    assert tidy["term"].tolist() == ["Intercept", "Days"]


def test_parameters_are_those_of_varcorr(several):
    tidy = several.tidy("ran_pars")
    assert list(tidy) == ["effect", "group", "term", "estimate"]
    assert tidy[["group", "term"]].to_numpy().tolist() == [
        ["g", "sd__Intercept"],
        ["g.1", "sd__x"],
        ["h", "sd__Intercept"],
        ["h", "sd__x"],
        ["h", "cor__Intercept.x"],
        ["Residual", "sd__Observation"],
    ]
    np.testing.assert_array_equal(tidy["estimate"], several.varcorr()["sdcor"])


@pytest.mark.parametrize("errors", ["prediction", "conditional"])
def test_modes_with_errors(sleep, errors):
    tidy = sleep.tidy("ran_vals", conf_int=True, conf_level=0.9, errors=errors)
    assert list(tidy) == [
        *["effect", "group", "level", "term", "estimate", "std.error", "conf.low", "conf.high"],
    ]
    row = tidy[(tidy["level"] == "309") & (tidy["term"] == "Days")].iloc[0]
    at = sleep.random_effects["Subject"].index.get_loc("309")
    assert row["estimate"] == sleep.random_effects["Subject"].loc["309", "Days"]
    cov = sleep.random_effects_error_cov if errors == "prediction" else sleep.random_effects_cov
    assert row["std.error"] == pytest.approx(np.sqrt(cov["Subject"][at, 1, 1]), rel=1e-15)
    assert row["conf.high"] - row["estimate"] == pytest.approx(1.6448536269514722 * row["std.error"])


def test_several_kinds_share_one_table(sleep):
    tidy = sleep.tidy(["ran_pars", "fixed"])
    assert list(tidy)[:4] == ["effect", "group", "term", "estimate"]
    assert tidy["effect"].tolist() == ["ran_pars"] * 4 + ["fixed"] * 2
    assert tidy.loc[tidy["effect"] == "fixed", "group"].isna().all()
    assert tidy.loc[tidy["effect"] == "ran_pars", "p.value"].isna().all()


def test_intervals_stand_beside_their_parameters(several):
    tidy = several.tidy(["fixed", "ran_pars"], conf_int=True, conf_level=0.8)
    want = pd.concat([several.conf_int(0.2, ddf="satterthwaite"), several.conf_int(0.2, which="random")])
    np.testing.assert_array_equal(tidy[["conf.low", "conf.high"]], want)
    inside = (tidy["conf.low"] < tidy["estimate"]) & (tidy["estimate"] < tidy["conf.high"])
    assert inside.all()
    assert want.index[2:].tolist() == [
        *["sd(Intercept|g)", "sd(x|g)", "sd(Intercept|h)", "sd(x|h)", "cor(Intercept,x|h)", "sigma"]
    ]


def test_intervals_by_another_method(sleep):
    tidy = sleep.tidy("fixed", conf_int=True, conf_method="profile")
    np.testing.assert_array_equal(tidy[["conf.low", "conf.high"]], sleep.conf_int(method="profile"))


def test_degrees_of_freedom_are_passed_on(sleep):
    tidy = sleep.tidy(conf_int=True, ddf="normal")
    assert np.isinf(tidy["df"]).all()
    np.testing.assert_array_equal(tidy[["conf.low", "conf.high"]], sleep.conf_int(ddf="normal"))


def test_glance(sleep):
    # R 4.2.2, lme4: m <- lmer(Reaction ~ Days + (Days | Subject), sleepstudy); c(logLik(m), AIC(m), BIC(m), sigma(m))
    glance = sleep.glance()
    assert list(glance) == ["nobs", "sigma", "logLik", "AIC", "BIC", "REMLcrit", "df.residual"]
    want = [180, 25.5918, -871.8141, 1755.628, 1774.786, 1743.628, 174]
    np.testing.assert_allclose(glance.iloc[0], want, rtol=1e-6)
    assert "deviance" in sleep.model.fit(reml=False).glance()


def test_augment_adds_to_the_columns_of_the_data(several):
    augmented = several.augment()
    assert list(augmented) == [
        *["y", "x", "g", "h", "o", "w", ".fitted", ".fixed", ".resid", ".hat", ".cooksd", ".offset", ".weights"]
    ]
    np.testing.assert_allclose(augmented[".fitted"] + augmented[".resid"], augmented["y"])
    np.testing.assert_allclose(augmented[".fixed"], several.predict(random="population"))
    np.testing.assert_array_equal(augmented[".hat"], several.leverage())
    np.testing.assert_array_equal(augmented[".cooksd"], several.cooks_distance())
    np.testing.assert_array_equal(augmented[".weights"], augmented["w"])
    np.testing.assert_array_equal(augmented[".offset"], augmented["o"])


def test_augment_leaves_out_dropped_rows_and_keeps_the_index():
    data = DATA.copy()
    data.index = [f"row {i}" for i in range(180)]
    data.loc["row 3", "Days"] = np.nan
    with pytest.warns(ms.DroppedRowsWarning):
        fit = ms.lmer("log(Reaction) ~ Days + (1 | Subject)", data)
    augmented = fit.augment()
    assert augmented.index[3] == "row 4"
    assert augmented.columns[0] == "log(Reaction)"
    np.testing.assert_allclose(augmented["log(Reaction)"], np.log(augmented["Reaction"]))


@pytest.mark.parametrize("form", [pd.DataFrame, pl.DataFrame, dict])
def test_augment_of_new_rows(sleep, form):
    new = {"Days": [3, 12, 0], "Subject": ["308", "309", "new"], "note": ["a", "b", "c"]}
    augmented = sleep.augment(form(new), new_levels="zero")
    assert list(augmented) == ["Days", "Subject", "note", ".fitted", ".fixed"]
    np.testing.assert_array_equal(augmented[".fitted"], sleep.predict(new, new_levels="zero"))
    assert augmented.loc[2, ".fitted"] == augmented.loc[2, ".fixed"]
    assert augmented["note"].tolist() == ["a", "b", "c"]
    with pytest.raises(ms.DataError, match="new"):
        sleep.augment(form(new))


def test_augment_of_arrays():
    y = DATA["Reaction"].to_numpy()
    term = ms.RandomTerm("g", np.arange(180) // 10, np.ones(180))
    fit = ms.LinearMixedModel.from_arrays(y, np.ones((180, 1)), [term]).fit()
    assert list(fit.augment())[-5:] == [".fitted", ".fixed", ".resid", ".hat", ".cooksd"]


def test_polars_goes_in_and_the_same_tables_come_out(sleep):
    other = ms.lmer(FORMULA, pl.DataFrame(DATA.astype({"Subject": str}).to_dict("list")))
    for effects in ("fixed", "ran_pars", "ran_vals"):
        pd.testing.assert_frame_equal(other.tidy(effects), sleep.tidy(effects), rtol=1e-9)
    pd.testing.assert_frame_equal(other.glance(), sleep.glance())
    back = pl.DataFrame(other.augment().to_dict("list"))
    assert back["Subject"].to_list() == DATA["Subject"].tolist()
    again = ms.lmer(FORMULA, back)
    assert again.criterion == pytest.approx(sleep.criterion, rel=1e-12)


def test_a_model_without_fixed_effects():
    y = ms.datasets.load("Dyestuff")["Yield"].to_numpy()
    term = ms.RandomTerm("g", np.repeat(np.arange(6), 5), np.ones(30))
    fit = ms.LinearMixedModel.from_arrays(y - y.mean(), np.empty((30, 0)), [term]).fit()
    assert fit.tidy().empty
    assert fit.tidy(["fixed", "ran_pars"], conf_int=True)["effect"].tolist() == ["ran_pars"] * 2


@pytest.mark.parametrize("effects", ["random", [], ["fixed", "ran_coefs"]])
def test_unknown_effects_are_refused(sleep, effects):
    with pytest.raises(ms.OptionError, match="'fixed', 'ran_pars', 'ran_vals'"):
        sleep.tidy(effects)
