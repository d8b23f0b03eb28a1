"""One hypothesis, one test: the same however it is asked for, and said where means are tested against zero."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from mixedsparse.inference.hypotheses import deciding_rows, fixed_terms, type2, type3
from tests.inference.test_anova import random_data

# Slopes of two machines by worker with variances of their own: degrees of freedom differ between contrasts.
EFFECTS = " + (1 | Worker) + (0 + b | Worker) + (0 + c | Worker)"


def machines(every: bool) -> pd.DataFrame:
    data = ms.datasets.load("Machines")
    data = data.assign(b=1.0 * (data["Machine"] == "B"), c=1.0 * (data["Machine"] == "C"))
    data = data if every else data[np.arange(54) % 5 != 2]
    return data.assign(B=np.where(np.arange(len(data)) % 3 == 0, "u", "v"))


def doors(fit: ms.MixedResults, term: str) -> dict[str, pd.Series]:
    """The test of a term by all ways to ask for it."""
    joint = fit.joint_tests().set_index("term")
    own = [name for name in fit.params.index if name.split("[")[0] == term]
    differences = fit.wald_test([own[0], *(f"{a} - {b}" for a, b in zip(own[1:], own[:-1], strict=True))])
    tables = {f"type {t}": fit.anova(t) for t in (1, 2, 3)} | {"drop1": fit.drop1("F"), "joint": joint}
    found = {name: table.loc[term] for name, table in tables.items()}
    return found | {"coefficients": fit.wald_test(own).iloc[0], "differences": differences.iloc[0]}


@pytest.mark.parametrize(
    ("every", "contrasts", "DenDF", "F"),
    # anova(lmer(score ~ Machine + (1|Worker) + (0+b|Worker) + (0+c|Worker)), type = 1), 2, 3, drop1   lmerTest 3.1-3
    [
        (True, "treatment", 7.06591208, 46.7291532),
        (False, "treatment", 7.66884686, 50.783123),
        (False, "sum", 6.7623941, 50.7831254),
    ],
)
def test_a_single_term_has_one_test(every, contrasts, DenDF, F):
    fit = ms.lmer("score ~ Machine" + EFFECTS, machines(every), contrasts={"Machine": contrasts})
    for name, row in doors(fit, "Machine").items():
        assert row["NumDF"] == 2, name
        assert row[["DenDF", "F"]].tolist() == pytest.approx([DenDF, F], rel=1e-5), name


def test_a_single_term_under_two_bars():
    fit = ms.lmer("score ~ Machine + (Machine || Worker)", ms.datasets.load("Machines"))
    for name, row in doors(fit, "Machine").items():
        assert row[["DenDF", "p"]].tolist() == pytest.approx([7.066, 8.4e-5], rel=5e-3), name


def test_several_terms_are_those_of_lmertest():
    fit = ms.lmer("score ~ Machine + B" + EFFECTS, machines(False))
    # anova(lmer(score ~ Machine + B + ...), type = 1), 2 and 3 (drop1 as 3)
    assert fit.anova(1)["DenDF"].tolist() == pytest.approx([7.67064613, 24.22071626], rel=1e-5)
    found = doors(fit, "Machine")
    del found["type 1"]  # before B: another hypothesis
    for name, row in found.items():
        assert row[["DenDF", "F"]].tolist() == pytest.approx([5.03520835, 50.4216577], rel=1e-5), name


def test_contrasts_do_not_change_what_deletion_tests():
    fits = [
        ms.lmer("score ~ Machine + B" + EFFECTS, machines(False), contrasts={"Machine": kind})
        for kind in ("treatment", "sum", "helmert")
    ]
    for fit in fits[1:]:
        for type in (2, 3):
            np.testing.assert_allclose(fit.anova(type), fits[0].anova(type), rtol=1e-5)


def test_power_takes_the_degrees_of_freedom_of_the_table():
    from mixedsparse.planning.replicates import _p_value, read_tests

    fit = ms.lmer("score ~ Machine" + EFFECTS, machines(False))
    text = ["Machine[T.B] = 1, Machine[T.C] - Machine[T.B] = 2", "Machine"]
    for test, want in zip(read_tests(fit._fitted, text).values(), (fit.wald_test(text[0]), fit.anova()), strict=True):
        assert _p_value(fit._fitted, test, "satterthwaite") == pytest.approx(want["p"].iloc[0], rel=1e-8)


@pytest.mark.filterwarnings("ignore::mixedsparse.ground.errors.DroppedColumnsWarning")
def test_terms_that_cannot_be_told_apart_leave_the_wald_test():
    data = random_data(False)
    fit = ms.lmer("y ~ bs(x, df=3):poly(x, 2) + (1 | g)", data)
    with pytest.raises(ms.FormulaError):
        fit.anova()
    assert fit.wald_test(np.eye(len(fit.params))[1:3])["NumDF"].tolist() == [2]


WITHOUT = [
    # Means are compared where B has an effect of its own, and tested against 0 where nothing else makes up a level.
    ("y ~ 0 + A + B", {"A": 2, "B": 1}, []),
    ("y ~ 0 + A", {"A": 3}, ["A"]),
    ("y ~ 0 + A + x", {"A": 3, "x": 1}, ["A"]),
    ("y ~ 0 + A * x", {"A": 3, "A:x": 2}, ["A"]),
    ("y ~ 0 + A * B", {"A": 2, "B": 1, "A:B": 2}, []),
    ("y ~ 0 + A:B", {"A:B": 6}, ["A:B"]),
    ("y ~ 0 + A + A:B", {"A": 3, "A:B": 3}, ["A"]),
    ("y ~ 0 + x + B", {"B": 2, "x": 1}, ["B"]),
    ("y ~ A + B + x", {"A": 2, "B": 1, "x": 1}, []),
    ("y ~ A:B", {"A:B": 5}, []),
    ("y ~ 0 + poly(x, 2)", {"poly(x, 2)": 2}, []),
]


@pytest.mark.filterwarnings("ignore::mixedsparse.ground.errors.SingularFitWarning")
@pytest.mark.parametrize("contrasts", ["treatment", "sum"])
@pytest.mark.parametrize(("formula", "NumDF", "noted"), WITHOUT)
def test_no_parameters_of_terms_that_do_not_contain_it(formula, NumDF, noted, contrasts):
    known = {c: contrasts for c in "AB" if c in formula}
    fit = ms.lmer(formula + " + (1 | g)", random_data(False), contrasts=known or None)
    for type in (2, 3):
        table = fit.anova(type)
        assert {term: table.loc[term, "NumDF"] for term in NumDF} == NumDF
        said = table["note"] if "note" in table else pd.Series("", table.index)
        assert said[said == "tests that means are zero"].index.tolist() == noted
        assert set(said) <= {"", "tests that means are zero"}
    deleted = fit.drop1("F")
    assert ("note" in deleted) == bool(set(noted) & set(deleted.index))


def test_without_an_intercept_types_2_and_3_are_those_with_one():
    data = random_data(False)
    bare, full = (ms.lmer(f"y ~ {start} + A + B + (1 | g)", data) for start in (0, 1))
    for type in (2, 3):
        np.testing.assert_allclose(bare.anova(type), full.anova(type), rtol=1e-6)
    np.testing.assert_allclose(bare.joint_tests().iloc[:, 1:], full.joint_tests().iloc[:, 1:], rtol=1e-6)
    # The first term of a sequence comes before anything else.
    assert bare.anova(1)["NumDF"].tolist() == [3, 1]
    assert bare.anova(1)["note"].tolist() == ["tests that means are zero", ""]


def test_machines_without_an_intercept():
    fit = ms.lmer("score ~ 0 + Machine" + EFFECTS, machines(False))
    for table in (fit.anova(1), fit.anova(2), fit.anova(3), fit.drop1("F")):
        # anova(lmer(score ~ 0 + Machine + ...))
        assert table.loc["Machine", ["NumDF", "DenDF", "F"]].tolist() == pytest.approx(
            [3, 9.60849665, 329.839978], rel=1e-5
        )
        assert table["note"].tolist() == ["tests that means are zero"]
    assert fit.joint_tests()["NumDF"].tolist() == [2]  # contrasts among means, always


@pytest.mark.parametrize("formula", ["y ~ A*B + x", "y ~ A*B*x", "y ~ 0 + A*B", "y ~ A + A:B + x"])
def test_type_2_is_least_squares_without_the_containing_terms(formula):
    """The Wald statistic by least squares is the fall of the residual sum of squares without what contains the term."""
    fit = ms.lmer(formula + " + (1 | g)", random_data(False))
    terms, X, y = fixed_terms(fit._fitted), fit.get("X"), fit.get("y")
    full = X @ terms.map
    for term in terms.tested:
        above = terms.structure.containing(term)
        L = type2(terms)[terms.structure.labels[term]]
        beta, cov = np.linalg.lstsq(X, y, rcond=None)[0], np.linalg.inv(X.T @ X)
        found = (L @ beta) @ np.linalg.solve(L @ cov @ L.T, L @ beta)
        left = [
            y - columns @ np.linalg.lstsq(columns, y, rcond=None)[0]
            for without in ([term, *above], above)
            for columns in (full[:, ~np.isin(terms.structure.owner, without)],)
        ]
        assert found == pytest.approx(left[0] @ left[0] - left[1] @ left[1], rel=1e-8)


@pytest.mark.parametrize("sequential", [False, True])
@pytest.mark.parametrize("unit", [1.0, 1e6])
def test_deciding_rows_do_not_depend_on_the_spelling(sequential, unit):
    fit = ms.lmer("y ~ A*B + x + (1 | g)", random_data(False).assign(x=lambda d: unit * d["x"]))
    terms = fixed_terms(fit._fitted)
    rng = np.random.default_rng(3)
    for L in (type3(terms)["A"], type3(terms)["A:B"], np.eye(len(fit.params))[[1, 4]]):
        rows = deciding_rows(terms, L, sequential=sequential)
        again = deciding_rows(terms, rng.normal(size=(len(L), len(L))) @ L, sequential=sequential)
        np.testing.assert_allclose(again, rows, rtol=1e-6, atol=1e-8 * np.abs(rows).max())
        assert np.linalg.matrix_rank(np.vstack([L, rows])) == len(L)
