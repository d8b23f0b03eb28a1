"""Likelihood-ratio tables of several fits."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import mixedsparse as ms
from mixedsparse.api.anova import anova


@pytest.fixture(scope="module")
def data():
    return ms.datasets.load("sleepstudy")


def fit(formula, data, reml=True, **options):
    return ms.lmer(f"Reaction ~ {formula}", data, reml=reml, **options)


def test_reml_is_refitted_and_says_so(data):
    # anova(lmer(Reaction ~ Days + (1 | Subject)), lmer(Reaction ~ Days + (Days | Subject)))                 lme4 1.1-31
    small, large = fit("Days + (1 | Subject)", data), fit("Days + (Days | Subject)", data)
    with pytest.warns(ms.MixedSparseWarning, match="Refitted by ML instead of REML.*: m0, m1") as caught:
        table = anova(large, small)
    assert caught[0].filename == __file__
    assert list(table.columns) == ["npar", "AIC", "BIC", "logLik", "deviance", "Chisq", "Df", "p"]
    assert list(table.index) == ["m1", "m0"]
    want = [[4, 1802.0786, 1814.8505, -897.0393, 1794.0786], [6, 1763.9393, 1783.0971, -875.9697, 1751.9393]]
    np.testing.assert_allclose(table.iloc[:, :5], want, atol=1e-4)
    assert np.isnan(table.iloc[0, 5:].to_numpy(float)).all()
    assert table.iloc[1, 5:].tolist() == pytest.approx([42.13929, 2, 7.072413e-10], rel=1e-5)
    assert table.attrs["formulas"]["m0"] == large.formula


def test_ml_needs_no_refit(data):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = anova(
            fit("1 + (1 | Subject)", data, False), fit("Days + (1 | Subject)", data, False), names=["without", "with"]
        )
    assert list(table.index) == ["without", "with"]


def test_reml_is_kept_for_equal_fixed_parts(data):
    small, large = fit("Days + (1 | Subject)", data), fit("Days + (Days | Subject)", data)
    table = anova(small, large, refit=False)
    # REMLcrit: 1786.465 and 1743.628
    np.testing.assert_allclose(table["deviance"], [1786.4650855, 1743.6282720], rtol=1e-8)
    with pytest.raises(ms.DataError, match=r"fixed parts of .* differ.*use refit=True"):
        anova(fit("1 + (1 | Subject)", data), large, refit=False)
    with pytest.raises(ms.OptionError, match="some by ML"):
        anova(small, fit("Days + (Days | Subject)", data, False), refit=False)


def test_equal_models_have_no_test(data):
    one = fit("Days + (1 | Subject)", data, False)
    assert np.isnan(anova(one, one)["p"]).all()


def test_other_data_are_refused(data):
    one = fit("Days + (1 | Subject)", data, False)
    with pytest.raises(ms.DataError, match="m0 has 180 rows and m1 has 179"):
        anova(one, fit("Days + (1 | Subject)", data.iloc[1:], False))
    with pytest.raises(ms.DataError, match="different responses or rows"):
        anova(one, ms.lmer("np.log(Reaction) ~ Days + (1 | Subject)", data, reml=False))
    with pytest.raises(ms.DataError, match="different weights"):
        anova(one, fit("Days + (1 | Subject)", data, False, weights=np.arange(1.0, 181)))


def test_arguments(data):
    one = fit("Days + (1 | Subject)", data, False)
    with pytest.raises(ms.OptionError, match="at least two fits"):
        anova(one)
    with pytest.raises(ms.OptionError, match="not str"):
        anova(one, "two")
    with pytest.raises(ms.OptionError, match="names has 1 entries for 2 models"):
        anova(one, one, names=["a"])
