from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

import mixedsparse as ms
from mixedsparse.ground.errors import ColumnError, DataError, FormulaError, OptionError
from mixedsparse.planning import Plan, design, plan

FORMULA = "rt ~ A * B + (A | subject) + (1 | item)"
EFFECTS = {"Intercept": 500, "A[T.a2]": 30, "A[T.a2]:B[T.b2]": -20}
RANDOM = {"subject": {"Intercept": 80, "A[T.a2]": 30}, "item": 40}


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return design(subjects=12, items=8, within={"A": ["a1", "a2"], "B": ["b1", "b2"]})


def make(rows, **changes) -> Plan:
    given = {"formula": FORMULA, "effects": EFFECTS, "random": RANDOM, "sigma": 100.0} | changes
    return plan(rows, **given)


def test_parameters_are_those_that_were_said(rows):
    study = make(rows, correlations={"subject": -0.4})
    assert study.truth.params.to_dict() == {"Intercept": 500, "A[T.a2]": 30, "B[T.b2]": 0, "A[T.a2]:B[T.b2]": -20}
    table = study.truth.varcorr()
    np.testing.assert_allclose(table["sdcor"], [80, 30, -0.4, 40, 100], rtol=1e-12)
    assert repr(study) == f"<Plan: {FORMULA}, 384 rows, 12 subject, 8 item>"


def test_responses_have_the_covariance_that_was_said(rows):
    study = make(rows, correlations={"subject": {("A[T.a2]", "Intercept"): 0.5}})
    drawn = study.simulate(4000, seed=1)
    places = [0, 1, 2, 40, 50]
    expected = study.truth.marginal_cov(places).to_numpy()
    assert expected[0, 2] == pytest.approx(80**2 + 0.5 * 80 * 30 + 40**2)
    sd = np.sqrt(np.diagonal(expected))
    assert (np.abs(np.cov(drawn.iloc[places]) - expected) / np.outer(sd, sd)).max() < 4 * np.sqrt(2 / 4000)
    cells = drawn.mean(axis=1).groupby([rows["A"], rows["B"]], observed=True).mean()
    # The mean of 4,000 experiments with 12 subjects and 8 items.
    np.testing.assert_allclose(cells, [500, 500, 530, 510], atol=4 * np.sqrt(80**2 / 12 + 40**2 / 8) / np.sqrt(4000))


def test_fit_of_a_simulated_response_is_an_ordinary_fit(rows):
    study = make(rows, random={"subject": {"Intercept": 80, "A[T.a2]": 80}, "item": 60})
    y = study.simulate(1, seed=3)[0]
    again, plain = study.fit(y), ms.lmer(FORMULA, rows.assign(rt=y))
    assert again.criterion == pytest.approx(plain.criterion, abs=1e-6)
    np.testing.assert_allclose(again.params, plain.params, rtol=1e-6)


def test_a_pilot_study_gives_the_parameters():
    data = ms.datasets.load("sleepstudy")
    pilot = ms.lmer("Reaction ~ Days + (Days | Subject)", data)
    study = plan(pl.DataFrame(data), pilot.formula, pilot.params, pilot.cov_re, pilot.sigma)
    np.testing.assert_allclose(study.truth.theta, pilot.theta, rtol=1e-9)
    np.testing.assert_allclose(study.simulate(2, seed=4), pilot.simulate(2, seed=4), rtol=1e-9)


def test_terms_by_double_bar_and_contrasts(rows):
    study = make(
        rows,
        formula="rt ~ A + (A || subject) + (1 | item)",
        contrasts={"A": "sum"},
        effects={"A[S.a1]": 5},
        random={"subject": {"Intercept": 10, "A[S.a1]": 3}, "item": {"Intercept": 0}},
    )
    np.testing.assert_allclose(np.sort(study.truth.vcomp), [0, 9, 100], atol=1e-9)


def test_resized_keeps_parameters_whatever_the_order_of_theta(rows):
    study = make(rows, correlations={"subject": 0.3})
    other = study.resized({"subject": 5, "item": 30})
    assert other.truth.ngroups == {"item": 30, "subject": 5}
    pd.testing.assert_series_equal(other.truth.params, study.truth.params)
    for group, cov in study.truth.cov_re.items():
        pd.testing.assert_frame_equal(other.truth.cov_re[group], cov)
    assert other.truth.nobs == 5 * 30 * 4
    with pytest.raises(ColumnError, match="no column 'school'"):
        study.resized({"school": 3})
    between = design(subjects=6, between_subjects={"age": ["young", "middle", "old"]}, within={"A": ["x", "y"]})
    small = plan(between, "y ~ age + (1 | subject)", {}, {"subject": 1}, 1)
    with pytest.raises(OptionError, match=r"'subject': 2.* other coefficients: Intercept, age\[T.old\]|age"):
        small.resized({"subject": 2})
    weighted = plan(rows, "y ~ A + (1 | item)", {}, {"item": 1}, 1, weights=np.ones(len(rows)))
    with pytest.raises(OptionError, match="make them a column"):
        weighted.resized({"item": 3})


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"effects": {"A": 3}}, OptionError, r"effects names 'A', .* Names: Intercept, A\[T.a2\]"),
        ({"effects": {"Intercept": "big"}}, OptionError, "says 'big' of 'Intercept'"),
        ({"effects": 3}, OptionError, "effects must be a dict"),
        ({"random": {"subject": {"Intercept": 1}}}, OptionError, "says nothing of 'item' .Intercept."),
        ({"random": RANDOM | {"school": 3}}, OptionError, "'school', which is no grouping factor .* 'subject', 'item'"),
        ({"random": RANDOM | {"item": {"A": 3}}}, OptionError, r"random\['item'\] names 'A'"),
        ({"random": RANDOM | {"item": -3}}, OptionError, "negative standard deviation"),
        ({"random": RANDOM | {"subject": 3}}, OptionError, r"random\['subject'\] must be a dict"),
        ({"correlations": {"subject": 1.5}}, OptionError, "between -1 and 1"),
        ({"correlations": {"subject": {"A[T.a2]": 0.5}}}, OptionError, "give pairs of two effects"),
        ({"correlations": {"group": 0.5}}, OptionError, "no grouping factor"),
        ({"random": RANDOM | {"item": pd.DataFrame([[1.0]])}}, OptionError, "rows and columns Intercept"),
        ({"sigma": 0}, OptionError, "sigma=0 must be a positive number"),
        ({"formula": "log(rt) ~ A + (1 | item)"}, FormulaError, "must be a name"),
        ({"formula": 3}, FormulaError, "must be a name"),
        ({"formula": "rt ~ A + (1 | school)"}, ColumnError, "'school'"),
    ],
)
def test_what_was_said_must_suit_the_model(rows, changes, error, message):
    with pytest.raises(error, match=message):
        make(rows, **changes)


def test_impossible_correlations(rows):
    three = {"Intercept": 1, "A[T.a2]": 1, "B[T.b2]": 1}
    random = {"subject": three, "item": 1}
    formula = "rt ~ A + (A + B | subject) + (1 | item)"
    with pytest.raises(OptionError, match="make no covariance matrix"):
        make(rows, formula=formula, effects={}, random=random, correlations={"subject": -0.9})
    edge = make(rows, formula=formula, effects={}, random=random, correlations={"subject": -0.5})
    np.testing.assert_allclose(np.linalg.eigvalsh(edge.truth.cov_re["subject"])[0], 0.0, atol=1e-8)


def test_a_coefficient_that_the_design_cannot_show():
    rows = design(subjects=8, between_subjects={"age": ["young", "old"]}, within={"A": ["x", "y"]})
    rows = rows.assign(twin=rows["age"].astype(str))
    with pytest.raises(OptionError, match=r"twin\[T.young\] is not 0"):
        plan(rows, "y ~ age + twin + (1 | subject)", {"twin[T.young]": 1}, {"subject": 1}, 1)
    with pytest.raises(DataError):
        plan(rows.iloc[:2], "y ~ A + (1 | subject)", {}, {"subject": 1}, 1)


def test_levels_may_be_related():
    animals = [f"a{i}" for i in range(12)]
    pedigree = ms.Pedigree({"animal": animals, "sire": [None] * 4 + ["a0"] * 8, "dam": [None] * 4 + ["a1", "a2"] * 4})
    rows = pd.DataFrame({"animal": np.repeat(animals[2:], 6), "pen": list("abc") * 20, "A": [0.0, 1.0] * 30})
    formula, random = "y ~ A + (1 | rel(animal)) + (1 | pen)", {"rel(animal)": 2.0, "pen": 1.0}
    study = plan(rows, formula, {"A": 1}, random, 1.5, relations={"animal": pedigree})
    # Full sibs a4 and a6, half sibs a4 and a5, in pens a and b; a4 itself in the other pen.
    cov = study.truth.marginal_cov([12, 24, 18, 13]).to_numpy()
    np.testing.assert_allclose(cov[0], [4.0 + 1.0 + 2.25, 0.5 * 4.0 + 1.0, 0.25 * 4.0 + 1.0, 4.0], rtol=1e-12)
    np.testing.assert_allclose(np.cov(study.simulate(4000, seed=1).to_numpy()[[12, 24, 18, 13]])[0], cov[0], atol=0.4)
    y = study.simulate(1, seed=2).iloc[:, 0]
    again = ms.lmer(formula, rows.assign(y=y), relations={"animal": pedigree})
    assert study.fit(y).criterion == pytest.approx(again.criterion, abs=1e-9)
    found = ms.power(study, nsim=10, seed=1, sizes={"pen": 6})
    assert found.table["nobs"].tolist() == [120]
    assert not len(found.failures)
    with pytest.raises(DataError, match=r"has no level 'a10\.1'"):
        study.resized({"animal": 20})
    with pytest.raises(OptionError, match="relations= is for linear models"):
        plan(rows, formula, {}, random, family="binomial", relations={"animal": pedigree})
    with pytest.raises(ms.ArgumentError, match="independent residuals"):
        plan(rows, formula, {}, random, 1.5, residual="ar1(A | pen)")
