"""Not identified is a verdict: it names the parameters and why, and nothing that hangs on them has a number."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from mixedsparse import LinearMixedModel, RandomTerm


@pytest.fixture(scope="module")
def machines() -> pd.DataFrame:
    return ms.datasets.load("Machines")


@pytest.fixture(scope="module")
def sleep() -> pd.DataFrame:
    data = ms.datasets.load("sleepstudy")
    number = data["Subject"].astype(int)
    return data.assign(
        Code="c" + data["Subject"].astype(str), five=5.0, odd=np.where(number % 2, "yes", "no"), Day=data["Days"]
    )


def quiet_fit(formula: str, data: pd.DataFrame, **options) -> ms.MixedResults:
    with pytest.warns(ms.NotIdentifiedWarning, match="Not identified"):
        return ms.lmer(formula, data, **options)


CASES = {
    "score ~ Machine + (1 | Machine) + (1 | Worker)": (
        ("sd(Intercept|Machine)",),
        "the fixed effects fit every level of Machine already",
    ),
    "score ~ Machine + (1 | Machine / Worker)": (
        ("sd(Intercept|Machine)",),
        "the fixed effects fit every level of Machine already",
    ),
    "Reaction ~ Days + (1 | Subject) + (1 | Code)": (
        ("sd(Intercept|Subject)", "sd(Intercept|Code)"),
        "Subject and Code group the rows alike",
    ),
    "Reaction ~ Days + Subject + (1 | Subject)": (
        ("sd(Intercept|Subject)",),
        "the fixed effects fit every level of Subject already",
    ),
    "Reaction ~ Days + (five | Subject)": (
        ("sd(Intercept|Subject)", "sd(five|Subject)", "cor(Intercept,five|Subject)"),
        "Intercept and five are linear combinations of each other",
    ),
    "Reaction ~ Days + (1 | Subject) + (0 + five | Subject)": (
        ("sd(Intercept|Subject)", "sd(five|Subject)"),
        "Intercept and five are linear combinations of each other",
    ),
    "Reaction ~ Days + (0 + odd | Subject)": (
        ("cor(odd[no],odd[yes]|Subject)",),
        "no level of Subject tells them together",
    ),
    "Reaction ~ Days + (odd | Subject)": (
        ("sd(odd[T.yes]|Subject)", "cor(Intercept,odd[T.yes]|Subject)"),
        "too few different values in the levels of Subject",
    ),
    "Reaction ~ Days + (1 | Subject) + (1 | Code) + (1 | Subject:Code)": (
        ("sd(Intercept|Subject)", "sd(Intercept|Code)", "sd(Intercept|Subject:Code)"),
        "group the rows alike",
    ),
}


@pytest.mark.parametrize("reml", [True, False], ids=["REML", "ML"])
@pytest.mark.parametrize("formula", CASES)
def test_verdict_names_the_parameters_and_why(formula, reml, machines, sleep):
    names, why = CASES[formula]
    fit = quiet_fit(formula, machines if formula.startswith("score") else sleep, reml=reml)
    assert fit.certificate.verdict == "not identified"
    assert fit.certificate.unidentified == names
    assert why in fit.certificate.message
    assert fit.converged  # the criterion is at its optimum
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ms.UndefinedTestWarning)
        assert "Not identified: the data" in str(fit.summary()).replace("\n", " ")
        assert "Not identified: the data" in fit.summary()._repr_html_()
        assert all((fit.to_latex(), fit.journal(), str(fit.tidy("fixed"))))


@pytest.mark.parametrize("start", [None, [2.0, 2.0]])
@pytest.mark.parametrize("ddf", ["satterthwaite", "kenward-roger", "normal"])
def test_coefficients_that_hang_on_them_have_no_test(machines, start, ddf):
    # lme4 1.1-31: REML criterion 286.8782; standard errors 2.24 or 6.72, by the start.
    fit = quiet_fit("score ~ Machine + (1 | Machine) + (1 | Worker)", machines, start=start)
    assert fit.criterion == pytest.approx(286.878202, abs=1e-6)
    with pytest.warns(ms.UndefinedTestWarning, match=r"3 of 3 .* sd\(Intercept\|Machine\)"):
        table = fit.coef_table(ddf)
    assert table[["SE", "df", "t", "p"]].isna().all(axis=None)
    np.testing.assert_allclose(table["Estimate"], [52.355556, 7.966667, 13.916667], atol=1e-6)
    with pytest.warns(ms.UndefinedTestWarning):
        assert np.isnan(fit.anova(ddf=ddf).loc["Machine", "p"])
    assert fit.bse.isna().all()
    assert fit.cov_params().isna().all(axis=None)


@pytest.mark.parametrize("start", [None, [3.0]])
def test_coefficients_that_do_not_are_tested_as_ever(sleep, start):
    # Days does not hang on the variance of Subject: R's lm(Reaction ~ Days + Subject) has SE 0.8042 and t 13.015.
    fit = quiet_fit("Reaction ~ Days + Subject + (1 | Subject)", sleep, start=start)
    with pytest.warns(ms.UndefinedTestWarning, match="18 of 19"):
        table = fit.coef_table()
    assert table.loc["Days"].tolist()[:4] == pytest.approx([10.46729, 0.80422, 161.0, 13.01542], abs=1e-4)
    assert table.drop("Days")["p"].isna().all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fit.wald_test({"Days": 1.0})["DenDF"].item() == pytest.approx(161.0, abs=1e-6)


def test_alias_leaves_tests_and_other_limits_alone(sleep):
    one = ms.lmer("Reaction ~ Days + (1 | Subject)", sleep)
    two = quiet_fit("Reaction ~ Days + (1 | Subject) + (1 | Code)", sleep, start=[2.0, 0.3])
    assert two.criterion == pytest.approx(one.criterion, abs=1e-8)
    pd.testing.assert_frame_equal(two.coef_table(), one.coef_table(), rtol=1e-5)
    for method in ("wald", "profile"):
        with pytest.warns(ms.UndefinedTestWarning, match=r"sd\(Intercept\|Subject\), sd\(Intercept\|Code\)"):
            limits = two.conf_int(method=method, which="all")
        assert limits.loc[["sd(Intercept|Subject)", "sd(Intercept|Code)"]].isna().all(axis=None)
        same = ["Intercept", "Days", "sigma"]
        pd.testing.assert_frame_equal(limits.loc[same], one.conf_int(method=method, which="all").loc[same], rtol=1e-4)


def test_bootstrap_has_no_replicates_of_them(sleep):
    fit = quiet_fit("Reaction ~ Days + (1 | Subject) + (1 | Code)", sleep)
    with pytest.warns(ms.UndefinedTestWarning, match="do not identify"):
        replicates = fit.bootstrap(5, seed=1)
    gone = ["sd(Intercept|Subject)", "sd(Intercept|Code)"]
    assert replicates.table[gone].isna().all(axis=None)
    assert replicates.table.drop(columns=gone).notna().all(axis=None)


def test_intervals_of_predictions(machines):
    fits = [
        quiet_fit("score ~ Machine + (1 | Machine) + (1 | Worker)", machines, start=start) for start in ([1, 1], [3, 5])
    ]
    new = machines.head(2)
    # A known machine: what its random effect may add, its coefficient takes away.
    one, other = (fit.predict(new, interval="confidence") for fit in fits)
    pd.testing.assert_frame_equal(one, other, rtol=1e-5)
    for fit in fits:
        with pytest.warns(ms.UndefinedTestWarning, match="2 of 2 intervals"):
            assert (
                fit.predict(new, random="population", interval="confidence")[["lower", "upper"]].isna().all(axis=None)
            )


def test_random_interaction_that_coincides_with_its_factors():
    rng = np.random.default_rng(2)
    g = np.repeat(np.arange(8), 6)
    data = pd.DataFrame({"y": rng.normal(size=8)[g] + rng.normal(size=48), "g": g, "h": -g}).astype(
        {"g": str, "h": str}
    )
    fit = quiet_fit("y ~ 1 + (1 | g) + (1 | h) + (1 | g:h)", data)
    assert set(fit.certificate.unidentified) == {"sd(Intercept|g)", "sd(Intercept|h)", "sd(Intercept|g:h)"}


def test_arrays_and_the_residual():
    # Every row but one pair is a level of its own, and the fixed effects take up the difference within that pair: what
    # is left tells the sum of the two variances only.
    rng = np.random.default_rng(4)
    row, one, g = np.maximum(np.arange(40) - 1, 0), np.ones(40), np.arange(40) % 8
    X = np.column_stack([one, np.where(np.arange(40) == 0, 1.0, 0.0)])
    terms = [RandomTerm("row", row, one), RandomTerm("g", g, one)]
    with pytest.warns(ms.NotIdentifiedWarning, match="the residuals give the rows the same covariance"):
        fit = LinearMixedModel.from_arrays(rng.normal(size=40) + g, X, terms).fit()
    assert fit.certificate.unidentified == ("sd(Intercept|row)", "sigma")


@pytest.mark.parametrize("method", ["direct", "iterative"])
def test_source_and_iterative_method(tmp_path, sleep, method):
    pytest.importorskip("duckdb")
    path = tmp_path / "sleep.parquet"
    sleep.astype({"Subject": str, "Code": str}).to_parquet(path)
    fit = quiet_fit("Reaction ~ Days + (1 | Subject) + (1 | Code)", str(path), method=method)
    assert fit.certificate.unidentified == ("sd(Intercept|Subject)", "sd(Intercept|Code)")


def test_look_alike_says_so(machines):
    with pytest.warns(ms.NotIdentifiedWarning):
        fit = ms.mixedlm("score ~ C(Machine)", machines.assign(m=machines["Machine"]), groups="Machine").fit()
    assert np.isnan(fit.bse_fe).all()


@pytest.mark.parametrize(
    ("formula", "name"),
    [
        ("Reaction ~ Days + (Days | Subject)", "sleepstudy"),
        ("Reaction ~ Days + (Days || Subject)", "sleepstudy"),
        ("diameter ~ 1 + (1 | plate) + (1 | sample)", "Penicillin"),
        ("score ~ Machine + (Machine | Worker)", "Machines"),
        ("score ~ Machine + (1 | Worker / Machine)", "Machines"),
        ("Yield ~ 1 + (1 | Batch)", "Dyestuff2"),
    ],
)
@pytest.mark.parametrize("reml", [True, False], ids=["REML", "ML"])
def test_healthy_designs_are_left_in_peace(formula, name, reml):
    with warnings.catch_warnings():
        warnings.simplefilter("error", ms.NotIdentifiedWarning)
        warnings.simplefilter("ignore", ms.SingularFitWarning)
        fit = ms.lmer(formula, ms.datasets.load(name), reml=reml)
    assert fit.certificate.unidentified == ()
    assert fit.certificate.verdict != "not identified"


@pytest.mark.parametrize("seed", range(3))
def test_a_random_factor_that_a_fixed_one_spans_is_named_whatever_rounding_makes_of_its_curvature(seed):
    rng = np.random.default_rng(seed)
    store = rng.integers(0, 24, 700)
    x = rng.normal(size=700)
    y = rng.normal(size=24)[store] + x + rng.normal(size=700)
    data = pd.DataFrame({"y": y, "x": x, "store": [f"s{i:02d}" for i in store], "region": store % 20})
    with pytest.warns(ms.NotIdentifiedWarning, match=r"sd\(Intercept\|region\)"):
        fit = ms.lmer("y ~ x + store + (1 | region)", data)
    assert fit.certificate.verdict == "not identified"
    with pytest.warns(ms.UndefinedTestWarning):
        p = fit.pvalues
    # The slope of x does not hang on it; what stores have beside their regions does.
    assert np.isnan(p["Intercept"])
    assert p["x"] < 1e-6
