"""Names, order and values of fixed effects are those of patsy, as statsmodels uses it."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from mixedsparse.compat import mixedlm
from mixedsparse.ground.errors import FormulaError
from tests.compat.cases import best_fit, quietly

smf = pytest.importorskip("statsmodels.formula.api")


def squared(x):
    return x**2


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    n = 160
    frame = pd.DataFrame({name: rng.normal(size=n) for name in "xzt"})
    frame["my x"], frame["g"] = rng.normal(size=n), np.repeat(range(16), 10)
    frame["k"], frame["c"] = rng.integers(1, 5, n), rng.choice(list("abc"), n)
    frame["flag"] = frame["x"] > 0
    frame["y"] = frame["x"] + 2 * frame["z"] + rng.normal(size=16)[frame["g"]] + rng.normal(size=n)
    return frame


def both(formula, data):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return mixedlm(f"y ~ {formula}", data, groups="g"), smf.mixedlm(f"y ~ {formula}", data, groups="g")


@pytest.mark.parametrize(
    "formula",
    [
        # order of terms
        "(x + z)**2",
        "(x + z + t)**2",
        "(x + c + t)**2",
        "(x + c + t)**3 - x:c:t",
        "(c + C(k))**2 + x:(c + C(k))",
        "x*z*t",
        "x/z/t",
        "(x + z)/c",
        "c*C(k) - c",
        "c:t:x + t:c",
        "x:z + c",
        "flag*c + t",
        "t + 0 + c",
        "-1 + c + C(k)",
        "0 + c:C(k)",
        "x + + z",
        "x + x:c",
        "1",
        # names of factors
        'Q("my x")',
        "Q('my x')*c",
        "I(x*1e-3) + I(x**2)",
        "np.log(z**2)+squared( t )",
        'C(c, Treatment("b"))*x',
        "np.column_stack([x, z])",
        # bases
        "bs(t, df=4)",
        "bs(t,df=5,degree=2)*c",
        "0 + bs(t, df=5)",
        # codings
        "C(c, Treatment)",
        "C(c, Treatment(1))",
        "C(c, Treatment(-1))",
        "C(k, Treatment(reference=3))",
        "C(k, Sum)",
        "C(c, Sum(omit='a'))",
        "C(c, Sum(omit=0))",
        "C(c, Sum):t",
        "C(k, Poly)",
        "C(k, Poly(scores=[1, 2, 4, 9]))",
        "C(k, Poly):x",
        "C(k, Helmert)",
        "C(k, Helmert):x",
        "C(k, Diff)",
        "C(k, Diff):x",
        "C(c, contrast=Sum)",
        "C(c, levels=['c', 'b', 'a'])",
        "C(k, Sum) + C(k,Sum):C(c,Sum)",
        # transforms with a state
        "scale(x)",
        "scale(x):scale(z) + c",
        "standardize(x, rescale=False)",
        "center(x)",
    ],
)
def test_columns_are_those_of_patsy(data, formula):
    ours, theirs = both(formula, data)
    assert ours.exog_names == list(theirs.exog_names)
    np.testing.assert_allclose(ours.exog, theirs.exog, atol=1e-12)


def test_scale_divides_by_the_deviation_with_n(data):
    few = data.iloc[:40]
    fit = mixedlm("y ~ scale(x)", few, groups="g").fit()
    raw = mixedlm("y ~ x", few, groups="g").fit()
    assert fit.params["scale(x)"] == pytest.approx(raw.params["x"] * few["x"].std(ddof=0), rel=1e-8)
    # New data are scaled by the mean and deviation of the fit.
    np.testing.assert_allclose(fit.predict(few.iloc[:5]), raw.predict(few.iloc[:5]), rtol=1e-8)


def test_a_function_of_the_caller_goes_before_one_of_patsy(data):
    def scale(x):
        return x / 10

    model = mixedlm("y ~ scale(x)", data, groups="g")
    np.testing.assert_allclose(model.exog[:, 1], data["x"] / 10)


@pytest.mark.parametrize("formula", ["C(k, Diff)*x", "C(k, Poly)", "bs(t, df=4)", "(x + z)**2", 'Q("my x") + x'])
def test_results_by_name_and_by_place(data, formula):
    fit = mixedlm(f"y ~ {formula}", data, groups="g").fit()
    for i, name in enumerate(fit.model.exog_names):
        assert fit.params.iloc[i] == fit.params[name]
        row = np.eye(fit.k_fe)[[i]]
        assert fit.t_test(row).effect[0] == pytest.approx(fit.params[name], rel=1e-10)
    np.testing.assert_allclose(fit.predict(data), fit.predict(), rtol=1e-8, atol=1e-10)


def test_a_level_that_is_not_there(data):
    with pytest.raises(FormulaError, match=r"'q' is not among the levels \['a', 'b', 'c'\]"):
        mixedlm("y ~ C(c, Treatment('q'))", data, groups="g")


def test_a_comparison_needs_no_function(data):
    model = mixedlm("y ~ (x > 0)*z", data, groups="g")
    assert model.exog_names[0] == "Intercept"
    assert model.exog_names[1].startswith("x > 0")
    assert "z" in model.exog_names


def test_terms_of_wald_tests_are_in_patsys_order(data):
    ours, theirs = both("x + c*t", data)
    best = best_fit(theirs)
    table = quietly(lambda: best.wald_test_terms(scalar=True)).table
    mine = ours.fit().wald_test_terms().table
    assert list(mine.index) == list(table.index)
    np.testing.assert_allclose(mine["statistic"], table["statistic"].astype(float), rtol=2e-2)
    assert mine["df_constraint"].tolist() == table["df_constraint"].tolist()
