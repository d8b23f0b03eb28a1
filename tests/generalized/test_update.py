"""Generalized fits with some of the call changed are those of a call anew."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms

RNG = np.random.default_rng(12)
N = 200
G = np.repeat(np.arange(20), 10)
X = RNG.normal(size=N)
ETA = 0.4 * X + RNG.normal(size=20)[G]
TRIALS = RNG.integers(1, 7, N)
S = RNG.binomial(TRIALS, 1 / (1 + np.exp(-ETA)))
DATA = pd.DataFrame(
    {
        **{"g": G, "x": X, "n": TRIALS, "s": S, "p": S / TRIALS, "o": RNG.normal(size=N) * 0.2},
        "f": RNG.choice(list("abc"), N),
        "y": (S > 0).astype(int),
        "c": RNG.poisson(np.exp(ETA)),
        "z": RNG.gamma(2.0, np.exp(ETA) / 2.0),
    }
)
CASES = {
    "a term less": (("p ~ x + f + (1 | g)", {"trials": "n"}), ("~ . - f", {}), ("p ~ x + (1 | g)", {"trials": "n"})),
    "trials of an array": (
        ("p ~ x + f + (1 | g)", {"trials": TRIALS}),
        ("~ . - f", {}),
        ("p ~ x + (1 | g)", {"trials": "n"}),
    ),
    "trials as weights": (
        ("p ~ x + (1 | g)", {"weights": "n"}),
        (None, {"weights": TRIALS + 0}),
        ("p ~ x + (1 | g)", {"trials": "n"}),
    ),
    "two columns": (
        ("cbind(s, n - s) ~ x + (1 | g)", {"link": "cloglog"}),
        ("~ . + f", {}),
        ("cbind(s, n - s) ~ x + f + (1 | g)", {"link": "cloglog"}),
    ),
    "outcomes, by quadrature": (
        ("y ~ x + (x | g)", {}),
        ("~ . - (x | g) + (1 | g)", {"nAGQ": 5}),
        ("y ~ x + (1 | g)", {"nAGQ": 5}),
    ),
    "quadrature is kept": (("y ~ x + f + (1 | g)", {"nAGQ": 5}), ("~ . - f", {}), ("y ~ x + (1 | g)", {"nAGQ": 5})),
    "weights and contrasts": (
        ("z ~ x + f + (1 | g)", {"family": "gamma", "weights": "n", "contrasts": {"f": "sum"}}),
        ("~ . - x", {}),
        ("z ~ f + (1 | g)", {"family": "gamma", "weights": "n", "contrasts": {"f": "sum"}}),
    ),
    "a known dispersion": (
        ("z ~ x + (1 | g)", {"family": "gamma", "dispersion": 2.0}),
        ("~ . + f", {}),
        ("z ~ x + f + (1 | g)", {"family": "gamma", "dispersion": 2.0}),
    ),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.filterwarnings("ignore::mixedsparse.SingularFitWarning")
def test_an_updated_fit_is_that_of_the_call_anew(case):
    (formula, given), (change, changes), (wanted, arguments) = CASES[case]
    found = ms.glmer(formula, DATA, **given).update(change, **changes)
    want = ms.glmer(wanted, DATA, **arguments)
    assert isinstance(found, ms.GeneralizedResults)
    assert found.family.link.name == want.family.link.name
    assert found.nAGQ == want.nAGQ
    assert found.params.index.equals(want.params.index)
    assert found.criterion == pytest.approx(want.criterion, abs=1e-8)
    assert found.bse.to_numpy() == pytest.approx(want.bse.to_numpy(), rel=1e-6)


def test_other_data_and_sources(tmp_path):
    half = DATA[DATA["g"] < 12]
    fit = ms.glmer("p ~ x + (1 | g)", DATA, trials="n")
    assert fit.update(data=half).criterion == ms.glmer("p ~ x + (1 | g)", half, trials="n").criterion
    DATA.to_parquet(tmp_path / "rows.parquet")
    there = ms.glmer("cbind(s, n - s) ~ f + (1 | g)", tmp_path / "rows.parquet")
    want = ms.glmer("cbind(s, n - s) ~ 1 + (1 | g)", DATA)
    assert there.update("~ . - f").criterion == pytest.approx(want.criterion, abs=1e-8)


def test_trials_and_weights_are_not_both_taken():
    data = ms.datasets.load("cbpp")
    fit = ms.glmer("I(incidence / size) ~ period + (1 | herd)", data, trials="size")
    with pytest.raises(ms.OptionError, match="give one of them"):
        fit.update("~ . - period", trials="size", weights="size")


def test_an_outcome_compared_in_the_formula_leaves_missing_answers_out():
    answers = pd.DataFrame({"answer": np.where(DATA["y"] == 1, "correct", "wrong"), "x": X, "g": G}).astype(
        {"answer": object}
    )
    answers.loc[[5, 60, 61], "answer"] = None
    with pytest.warns(ms.DroppedRowsWarning, match="3 rows"):
        fit = ms.glmer("I(answer == 'correct') ~ x + (1 | g)", answers)
    want = ms.glmer("y ~ x + (1 | g)", DATA.drop(index=[5, 60, 61]))
    assert (fit.nobs, fit.nmissing) == (197, 3)
    np.testing.assert_allclose(fit.params, want.params, rtol=1e-8)
