"""t_test and wald_test: what may be written for L, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from mixedsparse.inference.linear import read_linear

NAMES = ["Intercept", "x", "x2", "A[T.b]", "A[T.b]:x", "poly(x, 2)[1]", "a name"]


@pytest.fixture(scope="module")
def fit():
    data = ms.datasets.load("sleepstudy")
    return ms.lmer("Reaction ~ Days + (Days | Subject)", data[np.arange(1, 181) % 7 != 3])


@pytest.mark.parametrize(
    ("text", "row", "rhs"),
    [
        ("x", {"x": 1}, 0),
        ("x2 = 3", {"x2": 1}, 3),
        ("2*x - x2/4 = 1", {"x": 2, "x2": -0.25}, 1),
        ("-(x - 2*(x2 + 1)) = x", {"x": -2, "x2": 2}, -2),
        ("A[T.b]:x - A[T.b] = 0", {"A[T.b]:x": 1, "A[T.b]": -1}, 0),
        ("poly(x, 2)[1] = 1e-3", {"poly(x, 2)[1]": 1}, 1e-3),
        ("`a name` + a name = 2", {"a name": 2}, 2),
        ("x*3", {"x": 3}, 0),
        ("  3 * x = 2 * 1.5 ", {"x": 3}, 3),
    ],
)
def test_text(text, row, rhs):
    linear = read_linear(text, NAMES)
    assert linear.L.tolist() == [[row.get(name, 0) for name in NAMES]]
    assert linear.rhs.tolist() == [rhs]
    assert linear.labels == (text.strip(),)


def test_several():
    linear = read_linear(["x = 1, x2", {"A[T.b]": 0.5, "x": -1}], NAMES)
    assert linear.rhs.tolist() == [1, 0, 0]
    assert linear.labels == ("x = 1", "x2", "-x + 0.5*A[T.b]")


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("y = 0", ms.DataError, "no coefficient 'y'.*'Intercept', 'x'"),
        ("A[T.c] = 0", ms.DataError, r"no coefficient 'A\[T.c\]'.*Did you mean 'A\[T.b\]'"),
        ("lost", ms.DataError, "'lost' was left out of the model"),
        ("x * x2", ms.FormulaError, "not linear"),
        ("x / 0", ms.FormulaError, "not linear"),
        ("2 / x", ms.FormulaError, "not linear"),
        ("1 = 2", ms.FormulaError, "names no coefficient"),
        ("x = ", ms.FormulaError, "cannot be read from 'the end'"),
        ("x) = 1", ms.FormulaError, "cannot be read from"),
        ("(x = 1", ms.FormulaError, "cannot be read from"),
    ],
)
def test_text_that_is_refused(text, error, words):
    with pytest.raises(error, match=words):
        read_linear(text, NAMES, dropped=["lost"])


@pytest.mark.parametrize(
    ("L", "words"),
    [
        ([1, 0, 0], r"shape \(3,\), but the model has 2 coefficients.*'Intercept', 'Days'"),
        (np.ones((2, 2, 2)), "shape"),
        ([np.nan, 1], "not finite"),
        (object(), "cannot be read"),
        ({"Day": 1}, "Did you mean 'Days'"),
    ],
)
def test_L_that_is_refused(fit, L, words):
    for test in (fit.t_test, fit.wald_test):
        with pytest.raises(ms.DataError, match=words):
            test(L)


def test_t_test_of_nested_lists(fit):
    pd.testing.assert_frame_equal(fit.t_test([[0, 1]]), fit.t_test(np.array([[0, 1]])))


def test_t_test(fit):
    table = fit.t_test("Days = 10, Intercept + 9*Days")
    assert list(table.columns) == ["Estimate", "SE", "df", "t", "p"]
    assert list(table.index) == ["Days = 10", "Intercept + 9*Days"]
    assert table["t"].iloc[0] == pytest.approx((fit.params["Days"] - 10) / fit.bse["Days"])
    whole = fit.t_test(pd.DataFrame(np.eye(2), index=["a", "b"]))
    np.testing.assert_allclose(whole, fit.coef_table())
    assert list(whole.index) == ["a", "b"]
    assert fit.t_test({"Days": 1}).loc["Days", "p"] == pytest.approx(fit.pvalues["Days"])


@pytest.mark.parametrize("ddf", ["satterthwaite", "kenward-roger", "normal"])
def test_one_row_is_the_square_of_t(fit, ddf):
    t, F = fit.t_test("Days = 8", ddf).iloc[0], fit.wald_test("Days = 8", ddf).iloc[0]
    assert (F["F"], F["DenDF"], F["p"]) == pytest.approx((t["t"] ** 2, t["df"], t["p"]))


def test_dependent_rows_count_once(fit):
    one, two = fit.wald_test("Days = 10"), fit.wald_test("Days = 10, 2*Days = 20")
    np.testing.assert_allclose(one, two)
    with pytest.raises(ms.DataError, match="contradict"):
        fit.wald_test("Days = 10, 2*Days = 21")


def test_units_do_not_decide_the_rank(fit):
    assert fit.wald_test(np.diag([1.0, 1e9]))["NumDF"].item() == 2
    assert fit.wald_test(np.zeros((1, 2)))["NumDF"].item() == 0


def test_chi_square_for_infinite_degrees_of_freedom(fit):
    # pchisq(2 * F, 2, lower.tail = FALSE)
    table = fit.wald_test("Intercept = 250, Days = 10", "normal")
    assert table["p"].item() == pytest.approx(np.exp(-table["F"].item()))


def test_unknown_ddf(fit):
    for call in (fit.coef_table, fit.anova, fit.summary):
        with pytest.raises(ms.OptionError, match="ddf='z' is not known; use one of 'satterthwaite', 'kenward-roger'"):
            call(ddf="z")
