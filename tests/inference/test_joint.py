"""Joint tests of marginal means against R's emmeans."""

from __future__ import annotations

import numpy as np
import pytest

import mixedsparse as ms
from tests.inference.golden_means import WANTED, cases_with, fit_of, numbers

# emmeans rounds F to 3 digits, and takes the smallest df of single contrasts for those of the F test.
F_ABS, DF_REL = 5.1e-4, 2e-2


@pytest.mark.parametrize("name", cases_with("joint_tests"))
def test_joint_tests_are_those_of_emmeans(name):
    want = WANTED[name]["joint_tests"]
    got = fit_of(name).joint_tests()
    assert got["term"].tolist() == want["model term"]
    assert got["NumDF"].tolist() == want["df1"]
    np.testing.assert_allclose(got["DenDF"], numbers(want["df2"]), rtol=DF_REL)
    np.testing.assert_allclose(got["F"], numbers(want["F.ratio"]), atol=F_ABS)
    np.testing.assert_allclose(got["p"], numbers(want["p.value"]), rtol=1e-2, atol=1e-12)


@pytest.fixture(scope="module")
def diets():
    return ms.datasets.load("dietox")


def test_simple_effects_and_covariates(diets):
    fit = ms.lmer("Weight ~ Evit*Cu + poly(Time, 2) + log(Start) + (1 | Pig)", diets)
    # joint_tests(m1, by="Cu")
    got = fit.joint_tests(by="Cu")
    assert got["term"].tolist() == ["Evit"] * 3 + ["Time"] * 3 + ["Start"] * 3
    assert got["F"].tolist()[:3] == pytest.approx([0.259, 1.253, 0.671], abs=F_ABS)
    assert got["F"].tolist()[3::3] == pytest.approx([48487.568, 143.585], abs=F_ABS)


def test_terms_do_not_depend_on_coding(diets):
    tables = [
        ms.lmer("Weight ~ Evit * Cu + Time + (1 | Pig)", diets, contrasts={"Evit": coding}).joint_tests(ddf="normal")
        for coding in ("treatment", "helmert")
    ]
    assert tables[0]["F"].tolist() == pytest.approx(tables[1]["F"].tolist(), rel=1e-6)


def test_empty_cells_leave_the_estimable_contrasts(diets):
    empty = (diets["Evit"] == "Evit100") & (diets["Cu"] == "Cu175")
    with pytest.warns(ms.DroppedColumnsWarning):
        fit = ms.lmer("Weight ~ Evit*Cu + Time + (1 | Pig)", diets[~empty])
    got = fit.joint_tests()
    # joint_tests(m3), without its row "(confounded)"
    assert got["NumDF"].tolist() == [1, 1, 1, 3]
    assert got["F"].tolist() == pytest.approx([0.372, 0.183, 37864.645, 0.089], abs=F_ABS)


def test_nothing_to_test():
    fit = ms.lmer("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff"))
    with pytest.raises(ms.OptionError, match="nothing to test: the predictors are none"):
        fit.joint_tests()


def test_unknown_by(diets):
    fit = ms.lmer("Weight ~ Evit + Time + (1 | Pig)", diets)
    with pytest.raises(ms.OptionError, match="by: 'Cu' is not a predictor"):
        fit.joint_tests(by="Cu")


def test_an_empty_table_says_what_to_write():
    data = ms.datasets.load("Dyestuff").assign(a=lambda d: d["Batch"].isin(["A", "B"]).map({True: "p", False: "q"}))
    data["x"] = (data["a"] == "p") * 2.0 + 1.0
    with pytest.warns(ms.DroppedColumnsWarning):
        fit = ms.lmer("Yield ~ a + x + (1 | Batch)", data)
    with pytest.warns(ms.EmptyTableWarning, match="the table is empty.*Give at= those that do"):
        assert fit.joint_tests(at={"a": ["p"], "x": [2.0, 5.0]}).empty
