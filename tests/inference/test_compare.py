"""Tables of information criteria."""

from __future__ import annotations

import numpy as np
import pytest

import mixedsparse as ms
from mixedsparse.api.compare import compare


@pytest.fixture(scope="module")
def sleep():
    return ms.datasets.load("sleepstudy")


@pytest.fixture(scope="module")
def fits(sleep):
    return [ms.lmer(f"Reaction ~ Days + ({bar} Subject)", sleep) for bar in ("1 |", "Days |")]


def test_criteria_and_differences(fits):
    table = compare({"intercepts": fits[0], "slopes": fits[1]})
    assert table.index.tolist() == ["intercepts", "slopes"]
    assert table["npar"].tolist() == [4, 6]
    assert table["AIC"].tolist() == [fits[0].aic, fits[1].aic]
    n, k = 180, np.array([4, 6])
    assert (table["AICc"] - table["AIC"]).tolist() == pytest.approx((2 * k * (k + 1) / (n - k - 1)).tolist())
    assert table["dBIC"].tolist() == [pytest.approx(fits[0].bic - fits[1].bic), 0.0]
    assert table["weight"].sum() == pytest.approx(1.0)


def test_sequence_gets_numbers(fits):
    assert compare(fits).index.tolist() == ["m0", "m1"]


def test_ml_compares_different_fixed_parts(sleep):
    fits = [ms.lmer(f"Reaction ~ {fixed} + (1 | Subject)", sleep, reml=False) for fixed in ("1", "Days")]
    assert compare(fits)["dAIC"].iloc[0] > 100


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (lambda d: ms.lmer("Reaction ~ 1 + (1 | Subject)", d), "different fixed parts or contrasts.*reml=False"),
        (
            lambda d: ms.lmer("Reaction ~ Days + (1 | Subject)", d, reml=False),
            "by REML, m1 by ML",
        ),
        (lambda d: ms.lmer("Reaction ~ Days + (1 | Subject)", d[:-1]), "has 180 rows and m1 has 179"),
        (lambda d: ms.lmer("log(Reaction) ~ Days + (1 | Subject)", d), "different responses"),
        (lambda d: ms.lmer("Reaction ~ Days + (1 | Subject)", d, weights="Reaction"), "different weights"),
    ],
)
def test_likelihoods_that_do_not_compare_are_refused(sleep, fits, other, words):
    with pytest.raises(ms.DataError, match=words):
        compare([fits[0], other(sleep)])


def test_one_model_is_too_few(fits):
    with pytest.raises(ms.OptionError, match="1 model to compare; give at least two"):
        compare(fits[:1])
