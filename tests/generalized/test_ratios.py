"""Likelihood ratios of generalized fits, with the values of R's lme4 and glmmTMB."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms

CBPP = ms.datasets.load("cbpp")
TICKS = ms.datasets.load("grouseticks")
BOUND = "cbind(incidence, size - incidence) ~ period + (1 | herd)"


@pytest.fixture(scope="module")
def cbpp():
    return ms.glmer(BOUND, CBPP)


def test_drop1_gives_the_ratios_of_lme4(cbpp):
    table = cbpp.drop1()
    assert table["LRT"].iloc[1] == pytest.approx(25.6100634447, abs=1e-6)
    assert table["AIC"].tolist() == pytest.approx([194.052563743, 213.662627188], abs=1e-6)
    assert table["Df"].iloc[1] == 3
    assert table["p"].iloc[1] == pytest.approx(1.1509366943e-05, rel=1e-5)


def test_drop1_of_contraception_gives_the_ratios_of_lme4():
    fit = ms.glmer("use ~ age + I(age**2) + urban + livch + (1 | district)", ms.datasets.load("Contraception"))
    table = fit.drop1()
    expected = [0.14469243876, 40.88710733422, 33.02034002751, 35.21493311475]
    assert table["LRT"].tolist()[1:] == pytest.approx(expected, abs=1e-5)
    assert fit.drop1("Wald")["Chisq"].tolist() == pytest.approx(fit.anova()["Chisq"].tolist())


def test_drop1_keeps_the_dispersion_free_as_glmmtmb_does():
    fit = ms.glmer("TICKS ~ YEAR + cHEIGHT + (1 | BROOD)", TICKS, "negative_binomial")
    table = fit.drop1()
    assert table["LRT"].tolist()[1:] == pytest.approx([59.81221, 52.59441], abs=1e-4)
    without = fit.ranova()
    assert without["logLik"].tolist() == pytest.approx([-890.203497, -965.857972], abs=1e-5)


def test_ranova_leaves_out_each_of_three_factors_as_glmmtmb_does():
    fit = ms.glmer("TICKS ~ YEAR + cHEIGHT + (1 | BROOD) + (1 | INDEX) + (1 | LOCATION)", TICKS, "poisson")
    table = fit.ranova()
    expected = [-890.27133008822, -911.028096613046, -987.938153845314, -891.019978257606]
    assert table["logLik"].tolist() == pytest.approx(expected, abs=1e-6)
    p = table["p_boundary"].to_numpy()[1:]
    np.testing.assert_allclose(p, 0.5 * table["p"].to_numpy()[1:])
    assert "boundary" in table.attrs["note"]


def test_ranova_without_the_only_term_is_the_generalized_linear_model(cbpp):
    # R's glm: log-likelihood -99.0291995.
    assert cbpp.ranova()["logLik"].iloc[1] == pytest.approx(-99.0291995, abs=1e-6)


def test_ranova_simplifies_slopes_first():
    fit = ms.glmer("use ~ age + urban + (urban | district)", ms.datasets.load("Contraception"))
    simple = ms.glmer("use ~ age + urban + (1 | district)", ms.datasets.load("Contraception"))
    table = fit.ranova()
    assert table.index.tolist() == ["<none>", "urban in (urban | district)"]
    assert table["logLik"].iloc[1] == pytest.approx(simple.llf, abs=1e-6)
    assert fit.ranova(reduce_terms=False)["Df"].iloc[1] == 3


def test_anova_of_fits_is_the_table_of_lme4(cbpp):
    smaller = ms.glmer("cbind(incidence, size - incidence) ~ 1 + (1 | herd)", CBPP)
    table = ms.anova(cbpp, smaller, names=["large", "small"])
    assert table.index.tolist() == ["small", "large"]
    assert table["BIC"].tolist() == pytest.approx([217.713330569, 204.179322197], abs=1e-5)
    assert table["Chisq"].iloc[1] == pytest.approx(25.6100634447, abs=1e-6)


def test_anova_by_quadrature_has_the_ratio_of_lme4():
    smaller = ms.glmer("cbind(incidence, size - incidence) ~ 1 + (1 | herd)", CBPP, nAGQ=9)
    larger = ms.glmer(BOUND, CBPP, nAGQ=9)
    assert ms.anova(smaller, larger)["Chisq"].iloc[1] == pytest.approx(25.55102, abs=1e-4)
    assert larger.drop1()["LRT"].iloc[1] == pytest.approx(25.55102, abs=1e-4)


@pytest.mark.parametrize(
    ("formula", "data", "arguments", "message"),
    [
        (BOUND, CBPP, {"nAGQ": 9}, "nAGQ=1 and m1 with nAGQ=9"),
        (BOUND, CBPP, {"link": "probit"}, "the logit link and m1 the probit link"),
        ("incidence ~ period + (1 | herd)", CBPP, {"family": "poisson"}, "one family"),
        (BOUND, CBPP.iloc[:50], {}, "has 50"),
        ("cbind(incidence, 30 - incidence) ~ period + (1 | herd)", CBPP, {}, "different weights or trials"),
    ],
)
def test_fits_whose_likelihoods_do_not_compare_are_refused(cbpp, formula, data, arguments, message):
    with pytest.raises(ms.DataError, match=message):
        ms.anova(cbpp, ms.glmer(formula, data, **arguments))


def test_the_bootstrap_of_a_ratio_is_the_fits_to_its_draws(cbpp):
    small = ms.glmer("cbind(incidence, size - incidence) ~ I(period == '1') + (1 | herd)", CBPP)
    table = ms.anova(cbpp, small, test="bootstrap", nsim=12, seed=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ms.SingularFitWarning)
        draws = small.simulate(12, seed=3)
        ratios = [small.refit(draws[i]).criterion - cbpp.refit(draws[i]).criterion for i in draws]
    observed = small.criterion - cbpp.criterion
    row = table.iloc[1]
    assert row["p"] == pytest.approx((1 + np.sum(np.array(ratios) >= observed)) / 13)
    assert 2 / 13 < row["p"] < 1  # some are larger, some smaller
    assert row["p_chisq"] == pytest.approx(ms.anova(small, cbpp)["p"].iloc[1])
    assert (row["replicates"], table.attrs["seed"]) == (12, 3)


def test_linear_and_generalized_fits_are_not_compared(cbpp):
    linear = ms.lmer("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff"), reml=False)
    with pytest.raises(ms.OptionError, match="one kind"):
        ms.anova(linear, cbpp)


def test_ratios_of_penalised_least_squares_are_refused():
    fast = ms.glmer(BOUND, CBPP, nAGQ=0)
    for compare in (fast.drop1, fast.ranova, lambda: ms.anova(fast, fast)):
        with pytest.raises(ms.OptionError, match="nAGQ=1"):
            compare()


def test_ratios_of_separated_fits_are_refused():
    data = pd.DataFrame({"x": np.repeat([0, 1], 100), "g": np.tile(np.arange(20), 10)})
    data["y"] = np.where(data["x"] == 1, 1, np.random.default_rng(2).integers(0, 2, 200))
    with pytest.warns(ms.ConvergenceWarning):
        fit = ms.glmer("y ~ x + (1 | g)", data)
    for ask in (fit.drop1, fit.ranova, fit.simulate):
        with pytest.raises(ms.DataError, match="needs estimates, and this fit has none"):
            ask()
