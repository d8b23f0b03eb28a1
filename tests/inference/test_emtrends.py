"""Slopes of covariates against R's emmeans."""

from __future__ import annotations

import numpy as np
import pytest

import mixedsparse as ms
from tests.inference.golden_means import WANTED, cases_with, columns, fit_of, numbers


@pytest.mark.parametrize("name", cases_with("emtrends"))
def test_trends_are_those_of_emmeans(name):
    fit = fit_of(name)
    for block in WANTED[name]["emtrends"]:
        trends = fit.emtrends(block["specs"], block["var"], ddf=block["df"])
        want = columns(block["emtrends"])
        for column, theirs in (("trend", f"{block['var']}.trend"), ("SE", "SE"), ("df", "df"), ("upper", "upper")):
            np.testing.assert_allclose(trends.table[column], numbers(want[theirs]), rtol=1e-6)
        pairs, want = trends.contrast().table, columns(block["pairs"])
        for column in ("estimate", "SE", "df", "lower", "p"):  # equal slopes: estimate 0, SE 0, no test
            np.testing.assert_allclose(pairs[column], numbers(want[column]), rtol=1e-5, atol=1e-9)


@pytest.fixture(scope="module")
def diet():
    """m2 <- lmer(Weight ~ Cu*poly(Time,2) + log(Start) + (1|Pig), dietox); emmeans 1.8.4, lmerTest 3.1-3."""
    return ms.lmer("Weight ~ Cu*poly(Time, 2) + log(Start) + (1 | Pig)", ms.datasets.load("dietox"))


@pytest.mark.parametrize(
    ("specs", "var", "at", "trend", "se"),
    [
        # emtrends(m2, ~Cu, var="Time")
        ("Cu", "Time", None, [6.9840410721, 6.8658845930, 6.9851117908], [0.055927449, 0.053103103, 0.054456981]),
        # emtrends(m2, ~Cu, var="Time", at=list(Time=3))
        ("Cu", "Time", {"Time": 3}, [6.1881238761, 6.0211093824, 6.5020069091], [0.13873829, 0.13257724, 0.13554809]),
        # emtrends(m2, ~1, var="Start")
        ("1", "Start", None, [1.3930440505], [0.11232743231]),
    ],
)
def test_trends_of_transformed_covariates(diet, specs, var, at, trend, se):
    table = diet.emtrends(specs, var, at=at).table
    assert table["trend"].tolist() == pytest.approx(trend, rel=1e-7)
    assert table["SE"].tolist() == pytest.approx(se, rel=1e-6)


@pytest.mark.parametrize(
    ("var", "words"),
    [("Cu", "var='Cu' is a factor.*Covariates: 'Time', 'Start'"), ("Tim", "var: 'Tim' is not a predictor.*'Time'")],
)
def test_bad_variables(diet, var, words):
    with pytest.raises(ms.OptionError, match=words):
        diet.emtrends("Cu", var)
