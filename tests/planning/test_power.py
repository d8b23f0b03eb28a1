from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

import mixedsparse as ms
from mixedsparse.ground.errors import DataError, OptionError
from mixedsparse.planning import design, plan, power

FORMULA = "rt ~ A + (A | subject) + (1 | item)"
TRUTH = {
    "effects": {"Intercept": 500, "A[T.a2]": 30},
    "random": {"subject": {"Intercept": 80, "A[T.a2]": 30}, "item": 40},
    "sigma": 120,
}


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return design(subjects=16, items=10, within={"A": ["a1", "a2"]})


def test_p_values_are_those_of_separate_fits(rows):
    found = power(rows, FORMULA, **TRUTH, nsim=12, seed=3, test=["A[T.a2]", "A", "Intercept = 480"])
    study = plan(rows, FORMULA, **TRUTH)
    for response in (0, 11):
        y = study.simulate(12, seed=3)[response]
        fit = ms.lmer(FORMULA, rows.assign(rt=y))
        expected = [fit.pvalues["A[T.a2]"], fit.anova()["p"]["A"], fit.t_test("Intercept = 480")["p"].iloc[0]]
        np.testing.assert_allclose(found.pvalues.loc[response], expected, rtol=1e-4)


def test_table(rows):
    found = power(rows, FORMULA, **TRUTH, nsim=30, seed=1)
    row = found.table.iloc[0]
    assert row["test"] == "A"
    hits = int((found.pvalues["A"] < 0.05).sum())
    assert row["power"] == hits / 30
    exact = binomtest(hits, 30).proportion_ci()
    np.testing.assert_allclose([row["lower"], row["upper"]], exact, rtol=1e-9)
    assert row["se"] == pytest.approx(np.sqrt(hits / 30 * (1 - hits / 30) / 30))
    assert (row["nsim"], row["failures"], row["nobs"]) == (30, 0, 320)
    assert 0 <= row["singular"] <= 30
    assert found.failures.empty
    assert found.power["A"] == row["power"]
    assert "Power at alpha = 0.05, seed 1" in repr(found)
    assert power(rows, FORMULA, **TRUTH, nsim=30, seed=1, alpha=0.5).table["power"][0] >= row["power"]


def test_seed_and_workers(rows):
    alone = power(rows, FORMULA, **TRUTH, nsim=23, seed=2)
    pd.testing.assert_frame_equal(power(rows, FORMULA, **TRUTH, nsim=23, seed=2).pvalues, alone.pvalues)
    pytest.importorskip("joblib")
    shared = power(rows, FORMULA, **TRUTH, nsim=23, seed=2, n_jobs=2)
    pd.testing.assert_frame_equal(shared.pvalues, alone.pvalues, rtol=1e-9)
    pd.testing.assert_frame_equal(shared.table, alone.table)
    first = power(rows, FORMULA, **TRUTH, nsim=5, seed=2)
    pd.testing.assert_frame_equal(first.pvalues, alone.pvalues[:5], rtol=1e-9)


def test_sizes(rows):
    notes = []
    found = power(
        rows,
        FORMULA,
        **TRUTH,
        subjects=[8, 30],
        sizes={"item": [6, 12]},
        nsim=20,
        seed=1,
        progress=lambda done, total: notes.append((done, total)),
    )
    assert found.table[["subject", "item"]].to_numpy().tolist() == [[8, 6], [8, 12], [30, 6], [30, 12]]
    assert found.table["nobs"].tolist() == [96, 192, 360, 720]
    assert found.power[30, 12, "A"] > found.power[8, 6, "A"]
    assert found.pvalues.index.names == ["subject", "item", "response"]
    assert len(found.pvalues) == 80
    assert notes[-1] == (80, 80)
    alone = power(rows, FORMULA, **TRUTH, subjects=8, items=12, nsim=20, seed=1)
    np.testing.assert_allclose(alone.pvalues.to_numpy(), found.pvalues.loc[8, 12].to_numpy(), rtol=1e-9)


@pytest.mark.slow
def test_level_of_the_test_under_the_null_hypothesis(rows):
    null = TRUTH | {"effects": {"Intercept": 500}}
    found = power(rows, FORMULA, **null, nsim=300, seed=5)
    row = found.table.iloc[0]
    assert row["lower"] < 0.05 < row["upper"]
    normal = power(rows, FORMULA, **null, nsim=300, seed=5, ddf="normal")
    assert normal.table["power"][0] >= row["power"]


@pytest.mark.slow
def test_power_of_a_paired_comparison_is_that_of_the_t_test():
    """One difference per subject: the exact power of the t-test is known from the noncentral t distribution."""
    rows = design(subjects=20, within={"A": ["a1", "a2"]})
    found = power(rows, "y ~ A + (1 | subject)", {"A[T.a2]": 0.7}, {"subject": 3}, 1, nsim=400, seed=1)
    # R: power.t.test(n = 20, delta = 0.7, sd = sqrt(2), type = "paired")$power
    assert found.table["power"][0] == pytest.approx(0.556087, abs=4 * found.table["se"][0])


def test_a_plan_and_several_tests_at_once():
    rows = design(subjects=12, items=6, within={"A": ["a1", "a2", "a3"], "B": ["b1", "b2"]})
    study = plan(rows, "y ~ A * B + (1 | subject)", {"A[T.a3]": 1}, {"subject": 1}, 1)
    found = power(study, nsim=10, seed=1)
    assert found.table["test"].tolist() == ["A", "B", "A:B"]
    assert found.power["A"] > found.power["B"]
    joint = power(study, test=np.eye(6)[1:3], nsim=10, seed=1)
    y = study.simulate(10, seed=1)[4]
    assert joint.pvalues.iloc[4, 0] == pytest.approx(study.fit(y).wald_test(np.eye(6)[1:3])["p"].iloc[0], rel=1e-4)
    one = power(study, test={"A[T.a3]": 1, "A[T.a2]": -1}, nsim=5, seed=1)
    assert one.table["test"].tolist() == ["-A[T.a2] + A[T.a3]"] or "A[T.a3]" in one.table["test"][0]
    with pytest.raises(OptionError, match="has its formula"):
        power(study, "y ~ A + (1 | subject)")


def test_no_variance_hypothesised(rows):
    flat = TRUTH | {"random": {"subject": {"Intercept": 80}, "item": 0}}
    found = power(rows, FORMULA, **flat, nsim=20, seed=1)
    assert found.table["failures"][0] == 0
    y = plan(rows, FORMULA, **flat).simulate(20, seed=1)[7]
    with pytest.warns(ms.SingularFitWarning):
        fit = ms.lmer(FORMULA, rows.assign(rt=y))
    assert found.pvalues["A"][7] == pytest.approx(fit.anova()["p"]["A"], rel=1e-3)


def test_failures_are_counted(rows, monkeypatch):
    from mixedsparse.planning import replicates

    fit_response, calls = replicates.fit_response, []

    def sometimes(*args, **options):
        calls.append(1)
        if len(calls) % 5 == 0:
            raise ms.NotPositiveDefiniteError("no luck")
        return fit_response(*args, **options)

    monkeypatch.setattr(replicates, "fit_response", sometimes)
    found = power(rows, FORMULA, **TRUTH, nsim=25, seed=1)
    assert (found.table["nsim"][0], found.table["failures"][0]) == (20, 5)
    assert found.failures.tolist() == ["no luck"] * 5
    assert found.pvalues["A"].isna().sum() == 5


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"test": "B"}, DataError, r"no coefficient 'B'. Coefficients: 'Intercept', 'A\[T.a2\]'"),
        ({"nsim": 0}, OptionError, "nsim=0"),
        ({"alpha": 5}, OptionError, "alpha=5 must lie between 0 and 1"),
        ({"ddf": "t"}, OptionError, "ddf='t' is not known"),
        ({"sigma": None}, OptionError, "needs formula, effects, random and sigma"),
        ({"subjects": [10, 1]}, OptionError, r"sizes\['subject'\]=1 must be a whole number of at least 2"),
        ({"subjects": 10, "sizes": {"subject": 5}}, OptionError, "subjects= is short for 'subject'"),
        ({"formula": "rt ~ 1 + (1 | subject) + (1 | item)", "effects": {}}, OptionError, "no term to test"),
    ],
)
def test_arguments_are_checked(rows, changes, error, message):
    given = {"formula": FORMULA, **TRUTH, "nsim": 5} | changes
    if "effects" in changes:
        given["random"] = {"subject": 1, "item": 1}
    with pytest.raises(error, match=message):
        power(rows, **given)
