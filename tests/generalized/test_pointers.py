"""Linear fits of binary responses and of counts say where generalized models are."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms

VERBAGG = ms.datasets.load("VerbAgg")


def test_mixedlm_on_zeros_and_ones_points_to_glmer():
    data = VERBAGG.assign(y=(VERBAGG["r2"] == "Y").astype(int))
    model = ms.mixedlm("y ~ Anger", data, groups=data["id"])
    with pytest.warns(ms.BinaryResponseWarning, match=r"mixedsparse\.glmer\(formula, data\)"):
        model.fit()
    with pytest.raises(ms.ArgumentError, match=r"mixedsparse\.glmer"):
        ms.mixedlm("y ~ Anger", data, groups=data["id"], family="binomial")


def test_bound_columns_in_a_linear_model_point_to_glmer():
    data = ms.datasets.load("cbpp")
    for call in (ms.lmer, lambda formula, data: ms.mixedlm(formula, data, groups=data["herd"])):
        with pytest.raises(ms.FormulaError, match="glmer"):
            call("cbind(incidence, size - incidence) ~ period" + " + (1 | herd)" * (call is ms.lmer), data)


def responses() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(2)
    means = np.exp(0.5 * rng.normal(size=30))[np.repeat(np.arange(30), 12)]
    return {
        "counts": rng.poisson(2.0 * means),
        "counts above 0": 1 + rng.poisson(2.0 * means),
        "scores from 0 to 10": np.clip(np.round(6.0 + 2.5 * rng.normal(size=360)), 0, 10),
        "answers from 0 to 4": rng.integers(0, 5, 360),
        "milliseconds": np.round(500.0 + 80.0 * rng.normal(size=360)),
        "halves": 0.5 * rng.poisson(2.0 * means),
    }


@pytest.mark.parametrize("name", responses())
@pytest.mark.parametrize("where", ["memory", "file"])
def test_counts_point_to_glmer_and_scores_do_not(name, where, tmp_path):
    data = pd.DataFrame({"y": responses()[name].astype(float), "g": np.repeat(np.arange(30), 12)})
    given = data
    if where == "file":
        given = tmp_path / "rows.parquet"
        data.to_parquet(given)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ms.lmer("y ~ 1 + (1 | g)", given)
    said = [str(w.message) for w in caught if w.category is ms.CountResponseWarning]
    assert len(said) == (name == "counts")
    assert all("mixedsparse.glmer(formula, data, 'poisson')" in text for text in said)


def test_text_of_two_levels_in_a_linear_model_points_to_glmer():
    with pytest.raises(ms.DataError, match=r"it holds 'N', 'Y'.*write mixedsparse\.glmer\(formula, data\)"):
        ms.lmer("r2 ~ Anger + (1 | id)", VERBAGG)
    with pytest.raises(ms.DataError, match="it holds 'curse', 'scold', 'shout'") as caught:
        ms.lmer("btype ~ Anger + (1 | id)", VERBAGG)
    assert "glmer" not in str(caught.value)


FIT = ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", ms.datasets.load("cbpp"))


@pytest.mark.parametrize(
    "call",
    [
        lambda ddf: FIT.coef_table(ddf=ddf),
        lambda ddf: FIT.summary(ddf),
        lambda ddf: FIT.emmeans("period", ddf=ddf),
        lambda ddf: FIT.emtrends("1", "period", ddf=ddf),
        lambda ddf: FIT.anova(ddf=ddf),
        lambda ddf: FIT.conf_int(ddf=ddf),
    ],
)
@pytest.mark.parametrize("ddf", ["satterthwaite", "kenward-roger"])
def test_degrees_of_freedom_are_refused_with_the_reason(call, ddf):
    with pytest.raises(ms.OptionError, match=f"ddf='{ddf}' estimates degrees of freedom of a residual variance"):
        call(ddf)


def test_normal_tests_may_be_asked_for_by_name():
    assert FIT.coef_table(ddf="normal").equals(FIT.coef_table())
    assert FIT.emmeans("period", ddf="normal").table.equals(FIT.emmeans("period").table)


@pytest.mark.parametrize("call", [ms.glmer, ms.GeneralizedLinearMixedModel])
@pytest.mark.parametrize(
    ("argument", "reason"),
    [
        ("reml", "no error contrasts, and so no REML"),
        ("REML", "no error contrasts, and so no REML"),
        ("residual", "independent given the random effects"),
        ("dispformula", "independent given the random effects"),
    ],
)
def test_arguments_of_linear_models_are_refused_with_the_reason(call, argument, reason):
    with pytest.raises(ms.ArgumentError, match=f"has no argument '{argument}': .*{reason}"):
        call("r2 ~ Anger + (1 | id)", VERBAGG, **{argument: True})
    with pytest.raises(ms.ArgumentError, match=f"fit has no argument '{argument}': .*{reason}"):
        FIT.model.fit(**{argument: True})


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("deviance", "criterion for -2 log L"),
        ("residual_cov", "independent given the random effects"),
        ("residual_params", "independent given the random effects"),
        ("odds_ratios", r"coef_table\(exp=True\)"),
    ],
)
def test_names_that_a_generalized_fit_does_not_have(name, reason):
    with pytest.raises(ms.AbsentError, match=f"has no '{name}': .*{reason}"):
        getattr(FIT, name)


def test_every_name_of_a_linear_fit_is_there_or_has_a_reason():
    linear = {name for name in dir(ms.MixedResults) if not name.startswith("_")}
    for name in sorted(linear - set(dir(ms.GeneralizedResults))):
        with pytest.raises(ms.AbsentError, match=f"has no '{name}': "):
            getattr(FIT, name)


def test_scaled_residuals_are_pearsons():
    # R: quantile(residuals(glmer(...), "pearson")), lme4 1.1-31.
    assert FIT.resid_scaled.equals(FIT.residuals("pearson").rename("resid_scaled"))
    assert FIT.resid_quantiles().to_numpy() == pytest.approx([-2.3817, -0.7889, -0.2026, 0.5143, 2.8791], abs=2e-3)
