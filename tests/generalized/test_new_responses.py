"""Intervals of new responses of generalized fits, held against draws."""

from __future__ import annotations

import numpy as np
import pytest

import mixedsparse as ms
from mixedsparse.prediction.generalized import link_variance
from mixedsparse.prediction.generalized_limits import response_limits
from mixedsparse.prediction.rows import read_rows

CBPP = ms.datasets.load("cbpp")
TICKS = ms.datasets.load("grouseticks")
SLEEP = ms.datasets.load("sleepstudy")
DRAWS = 40_000
CASES = {
    "binomial": ("cbind(incidence, size - incidence) ~ period + (1 | herd)", CBPP, {"family": "binomial"}),
    "poisson": ("TICKS ~ YEAR + cHEIGHT + (1 | BROOD)", TICKS, {"family": "poisson"}),
    "negative binomial": ("TICKS ~ YEAR + (1 | BROOD)", TICKS, {"family": "negative_binomial"}),
    "gamma": ("Reaction ~ Days + (Days | Subject)", SLEEP, {"family": "gamma", "link": "log"}),
    "inverse Gaussian": ("Reaction ~ Days + (1 | Subject)", SLEEP, {"family": "inverse_gaussian", "link": "log"}),
}


@pytest.mark.parametrize("case", CASES)
def test_limits_leave_out_what_they_say(case):
    formula, data, arguments = CASES[case]
    fit = ms.glmer(formula, data, **arguments)
    table = fit.predict(interval="prediction", level=0.9).iloc[:5]
    groups = tuple(fit.ngroups)
    rows = read_rows(fit._fitted, None, groups, set(), None)
    eta, sd = rows.means(fit._fitted, groups)[:5], np.sqrt(link_variance(fit._fitted, rows, groups))[:5]
    m = np.ones(5) if fit.model.prior is None else fit.model.prior[:5]
    rng = np.random.default_rng(1)
    moved = eta[:, None] + sd[:, None] * rng.standard_normal((5, DRAWS))
    y = fit.family.draw(rng, m[:, None], fit.family.mean(moved), fit._fitted.psi)
    below, above = (y < table[["lower"]].to_numpy()).mean(1), (y > table[["upper"]].to_numpy()).mean(1)
    noise = 4 * np.sqrt(0.05 * 0.95 / DRAWS)
    assert (below <= 0.05 + noise).all()
    assert (above <= 0.05 + noise).all()
    if case in ("gamma", "inverse Gaussian"):
        assert np.abs(np.concatenate([below, above]) - 0.05).max() < noise
    else:  # one whole number further in is too far in
        less = (y < table[["lower"]].to_numpy() + 1.01 / m[:, None]).mean(1)
        more = (y > table[["upper"]].to_numpy() - 1.01 / m[:, None]).mean(1)
        assert (np.concatenate([less, more]) > 0.05 - noise).all()


def test_many_trials_leave_the_uncertainty_of_the_mean():
    fit = ms.glmer(*CASES["binomial"][:2])
    new = CBPP.head(4)
    got = fit.predict(new, interval="prediction", trials=10**7)
    mean = fit.predict(new, interval="confidence")
    assert got[["lower", "upper"]].to_numpy() == pytest.approx(mean[["lower", "upper"]].to_numpy(), rel=0.01)


def test_random_effects_that_are_left_out_are_drawn_anew():
    fit = ms.glmer(*CASES["poisson"][:2], "poisson")
    known = fit.predict(TICKS.head(3), interval="prediction")
    population = fit.predict(TICKS.head(3).drop(columns="BROOD"), random="population", interval="prediction")
    new = fit.predict(TICKS.head(3).assign(BROOD="new"), new_levels="zero", interval="prediction")
    assert population.equals(new)
    assert (population["upper"] > known["upper"]).all()


def test_a_mean_outside_the_range_of_the_link_has_no_limits():
    family = ms.families.Poisson("identity")
    got = response_limits(family, 0.0, np.array([2.0, 2.0, np.nan]), np.array([0.0, 4.0, 1.0]), np.ones(3), 0.9)
    assert got[:, 0].tolist() == [0.0, 5.0]  # qpois(c(.05, .95), 2)
    assert np.isnan(got[:, 1:]).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"interval": "prediction", "type": "link"}, "has no linear predictor"),
        ({"interval": "confidence", "trials": 3}, "only interval='prediction'"),
        ({"trials": 3}, "only interval='prediction'"),
        ({"interval": "predict"}, "interval='predict'"),
    ],
)
def test_arguments_that_say_nothing_are_refused(arguments, message):
    fit = ms.glmer(*CASES["binomial"][:2])
    with pytest.raises(ms.OptionError, match=message):
        fit.predict(**arguments)


def test_new_rows_need_their_trials_and_missing_ones_are_nan():
    fit = ms.glmer(*CASES["binomial"][:2])
    with pytest.raises(ms.DataError, match="give trials="):
        fit.predict(CBPP.head(2), interval="prediction")
    table = fit.predict(CBPP.head(2).assign(period=["1", None]), interval="prediction", trials="size")
    assert table.isna().all(axis=1).tolist() == [False, True]
