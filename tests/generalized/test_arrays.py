"""Generalized models from arrays: the same fits as from formulas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms

RNG = np.random.default_rng(8)
N = 240
G, H, X = np.repeat(np.arange(24), 10), RNG.integers(0, 9, N), RNG.normal(size=N)
ETA = 0.3 + 0.5 * X + RNG.normal(size=24)[G] + 0.5 * RNG.normal(size=9)[H]
TRIALS = RNG.integers(1, 8, N)
S = RNG.binomial(TRIALS, 1 / (1 + np.exp(-ETA)))
DATA = pd.DataFrame(
    {
        **{"g": G, "h": H, "x": X, "n": TRIALS, "s": S, "p": S / TRIALS, "o": RNG.normal(size=N) * 0.3},
        "c": RNG.poisson(np.exp(ETA)),
        "z": RNG.gamma(2.0, np.exp(ETA) / 2.0),
        "t": np.where(RNG.random(N) < 1 / (1 + np.exp(-ETA)), "yes", "no"),
    }
)
DESIGN = np.column_stack([np.ones(N), X])
TERMS = [ms.RandomTerm("g", G, np.ones(N)), ms.RandomTerm("h", H, np.ones(N))]
BOTH = np.column_stack([S, TRIALS - S])
CASES = {
    "text": ("t", DATA["t"], "binomial", {}),
    "truth values": ("I(t == 'yes')", DATA["t"] == "yes", "binomial", {}),
    "proportions": ("p", DATA["p"], "binomial", {"trials": "n"}),
    "counts of successes": ("s", DATA["s"], "binomial", {"weights": "n"}),
    "successes and failures": ("cbind(s, n - s)", BOTH, "binomial", {}),
    "counts": ("c", DATA["c"], "poisson", {"offset": "o"}),
    "positive numbers": ("z", DATA["z"], "gamma", {"weights": "n"}),
}


@pytest.mark.parametrize("case", CASES)
def test_arrays_and_formula_give_the_same_fit(case):
    left, y, family, given = CASES[case]
    want = ms.glmer(f"{left} ~ x + (1 | g) + (1 | h)", DATA, family, **given)
    arrays = {name: DATA[column].to_numpy() for name, column in given.items()}
    got = ms.GeneralizedLinearMixedModel.from_arrays(y, DESIGN, TERMS, family, **arrays).fit()
    assert got.criterion == pytest.approx(want.criterion, abs=1e-8)
    assert got.params.to_numpy() == pytest.approx(want.params.to_numpy(), abs=1e-7)
    assert got.bse.to_numpy() == pytest.approx(want.bse.to_numpy(), rel=1e-5)
    assert got.refit(y).criterion == pytest.approx(want.criterion, abs=1e-6)


@pytest.mark.parametrize(
    ("y", "family", "given", "message"),
    [
        (DATA["c"], "binomial", {}, "write cbind.successes, failures., or give trials="),
        (DATA["c"] - 1, "poisson", {}, "must be whole numbers from 0 on"),
        (DATA["c"], "poisson", {"trials": TRIALS}, "The trials belong to binomial responses"),
        (BOTH, "poisson", {}, "give one number per row"),
        (DATA["s"], "binomial", {"trials": [1, 2]}, "'trials' has shape .2,.: give 240 numbers"),
        (np.ones(N), "binomial", {}, "has successes only"),
    ],
)
def test_arrays_that_the_family_cannot_have_are_refused(y, family, given, message):
    with pytest.raises(ms.DataError, match=message):
        ms.GeneralizedLinearMixedModel.from_arrays(y, DESIGN, TERMS, family, **given)


def test_both_kinds_of_trials_are_refused():
    with pytest.raises(ms.OptionError, match=r"weights= and trials= both say"):
        ms.GeneralizedLinearMixedModel.from_arrays(S, DESIGN, TERMS, trials=TRIALS, weights=TRIALS)


def test_the_formula_of_arrays_names_the_columns():
    model = ms.GeneralizedLinearMixedModel.from_arrays(DATA["t"], DESIGN, TERMS[:1], x_names=["one", "x"])
    assert model.formula == "t ~ one + x + (Intercept | g)"
    linear = ms.LinearMixedModel.from_arrays(DATA["z"], DESIGN, TERMS[:1], x_names=["one", "x"])
    assert linear.formula == "z ~ one + x + (Intercept | g)"
