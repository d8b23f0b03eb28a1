"""Further fits: other formulas, data and criteria, contrasts kept; and coefficients level by level."""

from __future__ import annotations

import gc
import warnings

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from mixedsparse.data.formula.updating import updated_formula

OLD = "y ~ x + a*b + (1 | g) + (x || h)"


@pytest.mark.parametrize(
    ("new", "want"),
    [
        ("~ . - x", "y ~ a*b + (1 | g) + (x || h)"),
        (". ~ . + z", f"{OLD} + z"),
        ("log(.) ~ .", f"log({OLD[0]}){OLD[1:]}"),
        ("~ . - (1|g) + (x|g)", "y ~ x + a*b + (x || h) + (x|g)"),
        ("~ . * w", "y ~ (x + a*b) * w + (1 | g) + (x || h)"),
        ("~ . - a:b", f"{OLD} - a:b"),
        ("~ . + x", OLD),
        ("~ 0 + .", "y ~ 0 + x + a*b + (1 | g) + (x || h)"),
        ("z ~ 1 + (1 | g)", "z ~ 1 + (1 | g)"),
    ],
)
def test_formulas_are_written_out(new, want):
    assert updated_formula(OLD, new) == want


def test_what_is_not_there_cannot_be_taken_away():
    with pytest.raises(ms.FormulaError, match=r"no random-effects term '\(z \| g\)' in"):
        updated_formula(OLD, "~ . - (z | g)")
    with pytest.raises(ms.FormulaError, match="needs one '~'"):
        updated_formula(OLD, ". - x")


@pytest.fixture(scope="module")
def machines():
    return ms.datasets.load("Machines")


def test_contrasts_weights_and_rows_are_kept(machines):
    data = machines.assign(w=np.linspace(1.0, 2.0, len(machines)), x=np.arange(len(machines)) % 5.0)
    data.loc[3, "x"] = np.nan
    with pytest.warns(ms.DroppedRowsWarning):
        fit = ms.lmer("score ~ Machine + x + (1 | Worker)", data, weights="w", contrasts={"Machine": "sum"})
    small = fit.update("~ . - x")
    assert (fit.nmissing, small.nmissing, small.update(reml=False).nmissing) == (1, 1, 1)
    rows = data.dropna()
    want = ms.lmer("score ~ Machine + (1 | Worker)", rows, weights="w", contrasts={"Machine": "sum"})
    assert small.formula == want.formula
    assert small.nobs == len(rows)
    assert small.criterion == pytest.approx(want.criterion, rel=1e-12)
    assert small.params.index.tolist() == ["Intercept", "Machine[S.A]", "Machine[S.B]"]
    assert fit.update("~ . - Machine").params.index.tolist() == ["Intercept", "x"]
    other = fit.update(contrasts={"Machine": "sdif"}, reml=False)
    assert other.method == "ML"
    assert "Machine[B-A]" in other.params
    assert type(other) is ms.MixedResults


def test_rows_left_out_stay_counted_and_are_told_of_once(machines):
    data = machines.assign(x=np.arange(len(machines)) % 5.0, y=machines["score"] > 60.0)
    data.loc[[3, 9], "x"] = np.nan
    for call, formula in ((ms.lmer, "score ~ x + (x | Worker)"), (ms.glmer, "y ~ x + (1 | Worker)")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ms.SingularFitWarning)
            with pytest.warns(ms.DroppedRowsWarning):
                fit = call(formula, data)
            small, final = fit.update("~ . - x"), fit.parsimony(keep_intercepts=False).final
            assert (small.nobs, small.nmissing, final.nmissing) == (52, 2, 2)
            assert "2 rows" in small.report()
            with pytest.warns(ms.DroppedRowsWarning, match="2 rows"):
                assert fit.update(data=data).nmissing == 2
            assert fit.update(data=data.dropna()).nmissing == 0


def test_columns_that_the_fit_does_not_have_come_from_the_data(machines):
    data = machines.assign(x=np.arange(len(machines)) % 5.0)
    fit = ms.lmer("score ~ Machine + (1 | Worker)", data, contrasts={"Machine": "helmert"})
    larger = fit.update(". ~ . + x")
    assert larger.params.index.tolist() == ["Intercept", "Machine[H.B]", "Machine[H.C]", "x"]
    assert larger.update("~ . - Machine").params.index.tolist() == ["Intercept", "x"]
    del data, larger
    gc.collect()
    with pytest.raises(ms.ColumnError, match=r"no column 'x'.*give data= for others"):
        fit.update(". ~ . + x")
    again = fit.update(". ~ . + x", machines.assign(x=1.0 * (np.arange(len(machines)) % 5)))
    assert "x" in again.params


def shifted(x):
    return x - 2.0


def test_functions_of_the_session_are_found(machines):
    data = machines.assign(x=np.arange(len(machines)) % 5.0)
    fit = ms.lmer("score ~ x + (1 | Worker)", data)
    assert fit.update("~ . - x + shifted(x)").params.index.tolist() == ["Intercept", "shifted(x)"]


def test_residual_covariances_are_kept():
    data = ms.datasets.load("Orthodont")
    fit = ms.lmer("distance ~ age * Sex", data, residual="ar1(age | Subject)")
    small = fit.update("~ . - age:Sex")
    want = ms.lmer("distance ~ age * Sex - age:Sex", data, residual="ar1(age | Subject)")
    assert small.criterion == pytest.approx(want.criterion, rel=1e-9)


def test_files_are_read_again(tmp_path, machines):
    pytest.importorskip("duckdb")
    machines.to_parquet(tmp_path / "machines.parquet")
    fit = ms.lmer("score ~ Machine + (1 | Worker)", str(tmp_path / "machines.parquet"), contrasts={"Machine": "sum"})
    assert fit.update(reml=False).criterion == pytest.approx(
        ms.lmer("score ~ Machine + (1 | Worker)", machines, reml=False).criterion, rel=1e-9
    )
    assert fit.update("~ 1 + (1 | Worker)").params.index.tolist() == ["Intercept"]


def test_a_model_of_arrays_has_no_formula():
    term = ms.RandomTerm("g", np.repeat(np.arange(5), 4), np.ones(20))
    y = np.repeat(np.arange(5.0), 4) + np.tile([0.0, 0.3, -0.2, 0.4], 5)
    fit = ms.LinearMixedModel.from_arrays(y, np.ones((20, 1)), [term]).fit()
    with pytest.raises(ms.DataError, match="made from arrays"):
        fit.update("~ . + x")
    assert fit.coef()["g"].columns.tolist() == ["x0", "Intercept"] or len(fit.coef()["g"]) == 5


def test_coefficients_of_levels_are_those_of_lme4():
    fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
    table = fit.coef()["Subject"]
    # coef(lmer(Reaction ~ Days + (Days|Subject), sleepstudy))$Subject[1:2, ]
    np.testing.assert_allclose(table.head(2), [[253.6637, 19.66617], [211.0064, 1.847605]], rtol=5e-5)
    pd.testing.assert_frame_equal(table, fit.random_effects["Subject"] + fit.params, check_names=False)


def test_effects_without_a_fixed_one_stand_alone():
    data = ms.datasets.load("sleepstudy")
    fit = ms.lmer("Reaction ~ 1 + (1 | Subject) + (0 + Days | Subject)", data)
    table = fit.coef()["Subject"]
    assert table.columns.tolist() == ["Intercept", "Days"]
    np.testing.assert_allclose(table["Days"], fit.random_effects["Subject"]["Days"])
    np.testing.assert_allclose(table["Intercept"], fit.random_effects["Subject"]["Intercept"] + fit.params["Intercept"])


def test_generalized_fits_keep_family_trials_and_contrasts():
    data = ms.datasets.load("cbpp").assign(share=lambda d: d["incidence"] / d["size"], x=np.arange(56) % 3.0)
    options = {"link": "probit", "contrasts": {"period": "sum"}}
    fit = ms.glmer("share ~ period + (1 | herd)", data, trials="size", **options)
    larger = fit.update("~ . + x")
    want = ms.glmer("share ~ period + x + (1 | herd)", data, trials="size", **options)
    assert larger.criterion == pytest.approx(want.criterion, rel=1e-10)
    assert larger.params.index.tolist() == want.params.index.tolist()
    assert larger.family.link.name == "probit"
    values = ms.glmer("share ~ period + (1 | herd)", data, trials=data["size"].to_numpy(), **options)
    assert values.update("~ . - period").criterion == pytest.approx(fit.update("~ . - period").criterion, rel=1e-10)
    assert fit.update(nAGQ=5).criterion == pytest.approx(
        ms.glmer("share ~ period + (1 | herd)", data, trials="size", nAGQ=5, **options).criterion, rel=1e-10
    )
    successes = ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", data)
    assert successes.update("~ . - period").nobs == 56
    assert successes.coef()["herd"].shape == (15, 4)


def test_generalized_fits_keep_offsets():
    data = ms.datasets.load("cbpp")
    fit = ms.glmer("incidence ~ period + (1 | herd)", data, "poisson", offset=np.log(data["size"].to_numpy()))
    want = ms.glmer("incidence ~ 1 + (1 | herd)", data, "poisson", offset=np.log(data["size"].to_numpy()))
    assert fit.update("~ . - period").criterion == pytest.approx(want.criterion, rel=1e-10)
