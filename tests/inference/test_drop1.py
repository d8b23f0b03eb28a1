"""Single-term deletions of the fixed part."""

from __future__ import annotations

import numpy as np
import pytest

import mixedsparse as ms
from benchmarks.fuzz.designs import random_model
from tests.inference.test_anova import fit_pigs, random_data

# drop1(m); drop1(as(m, "lmerMod"), test = "Chisq")     for the model of test_anova.py; lmerTest 3.1-3, lme4 1.1-31


def test_chisq():
    table = fit_pigs().drop1()
    assert list(table.columns) == ["npar", "logLik", "AIC", "LRT", "Df", "p"]
    assert list(table.index) == ["<none>", "Cu:Evit", "Time:Cu"]
    np.testing.assert_allclose(table["AIC"], [1667.177273, 1660.166367, 1663.782783], rtol=1e-8)
    np.testing.assert_allclose(table["LRT"].iloc[1:], [0.9890938529, 0.6055098134], rtol=1e-5)
    assert table["Df"].iloc[1:].tolist() == [4, 2]
    np.testing.assert_allclose(table["p"].iloc[1:], [0.91145, 0.73878], rtol=1e-4)


def test_F():
    table = fit_pigs().drop1(test="F")
    assert list(table.index) == ["Cu:Evit", "Time:Cu"]
    np.testing.assert_allclose(table["F"], [0.21770, 0.29181], rtol=1e-4)
    np.testing.assert_allclose(table["DenDF"], [57.51306068, 69.23123098], rtol=1e-5)


@pytest.mark.parametrize(
    ("formula", "reduced"),
    [
        ("A*B + x", {"x": "A*B", "A:B": "A + B + x"}),
        ("0 + A + B", {"A": "0 + B", "B": "0 + A"}),  # the other factor takes up the columns of the intercept
        ("A*x", {"A:x": "A + x"}),
        ("log(x) + A", {"log(x)": "A", "A": "log(x)"}),
    ],
)
@pytest.mark.parametrize("kind", ["treatment", "sum"])
def test_rows_are_the_fits_without_the_term(formula, reduced, kind):
    data = random_data(False)

    def fit(fixed):
        codes = {c: kind for c in "AB" if c in fixed} or None
        return ms.lmer(f"y ~ {fixed} + (1 | g)", data, reml=False, contrasts=codes)

    table = fit(formula).drop1()
    assert list(table.index) == ["<none>", *reduced]
    for label, fixed in reduced.items():
        want = fit(fixed)
        assert table.loc[label, "logLik"] == pytest.approx(want.llf, abs=1e-7)
        assert table.loc[label, "npar"] == want.df_model


def test_reml_fits_are_compared_by_ml():
    data = random_data(False)
    ml, reml = (ms.lmer("y ~ A + x + (1 | g)", data, reml=reml).drop1() for reml in (False, True))
    np.testing.assert_allclose(reml, ml, rtol=1e-6)


def test_dependent_term_has_nothing_to_test():
    data = random_data(False).assign(twice=lambda d: 2 * d["x"])
    with pytest.warns(ms.DroppedColumnsWarning):
        table = ms.lmer("y ~ x + twice + (1 | g)", data).drop1()
    assert table["Df"].iloc[1:].tolist() == [0, 0]
    assert np.isnan(table["p"]).all()


def test_nothing_to_drop():
    assert list(ms.lmer("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff")).drop1().index) == ["<none>"]


def test_unknown_test():
    fit = ms.lmer("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff"))
    with pytest.raises(ms.OptionError, match="test='Wald' is not known; use one of 'Chisq', 'F'"):
        fit.drop1(test="Wald")


@pytest.mark.filterwarnings("ignore::mixedsparse.MixedSparseWarning")
@pytest.mark.slow
def test_the_smaller_model_may_have_no_coefficients():
    """More effects than rows: the criterion is computed by the careful form, which had no room for zero columns."""
    model = random_model(77, 111)
    fit = ms.lmer(model.formula, model.data, reml=False)
    assert list(fit.params.index) == ["x1"]
    table = fit.drop1()
    assert np.isfinite(table["logLik"]).all()
    assert table["npar"].diff().iloc[1] == -1
