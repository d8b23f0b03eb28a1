"""Likelihood-ratio tests of random effects, against lmerTest::ranova."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

import mixedsparse as ms

pytestmark = pytest.mark.filterwarnings("ignore::mixedsparse.ground.errors.SingularFitWarning")


@pytest.fixture(scope="module")
def crossed():
    rng = np.random.default_rng(4)
    n = 240
    data = pd.DataFrame({"x": rng.normal(1, 1, n), "g": rng.integers(12, size=n), "h": rng.integers(9, size=n)})
    data["C"] = rng.choice(list("kl"), n)
    b = rng.normal(size=(12, 3)) * [1.0, 0.6, 0.8]
    data["y"] = b[data["g"], 0] + b[data["g"], 1] * data["x"] + b[data["g"], 2] * (data["C"] == "k")
    data["y"] += rng.normal(size=9)[data["h"]] + rng.normal(size=n)
    return data


def test_lmertest():
    # ranova(lmer(score ~ Machine + (1 | Worker) + (1 | Worker:Machine), Machines[seq_len(54) %% 5 != 2, ]))
    data = ms.datasets.load("Machines")
    fit = ms.lmer("score ~ Machine + (1 | Worker) + (1 | Worker:Machine)", data[np.arange(1, 55) % 5 != 2])
    table = fit.ranova()
    assert list(table.columns) == ["npar", "logLik", "AIC", "LRT", "Df", "p", "p_boundary"]
    assert list(table.index) == ["<none>", "(1 | Worker)", "(1 | Worker:Machine)"]
    assert table["npar"].tolist() == [6, 5, 5]
    np.testing.assert_allclose(table["logLik"], [-86.75915364, -89.22823089, -116.74743508], rtol=1e-8)
    np.testing.assert_allclose(table["LRT"].iloc[1:], [4.93815450, 59.97656287], rtol=1e-6)
    np.testing.assert_allclose(table["p"].iloc[1:], [0.02627, 9.5994e-15], rtol=1e-3)
    np.testing.assert_allclose(table["p_boundary"], table["p"] / 2)


@pytest.mark.parametrize(
    ("random", "simpler"),
    [
        ("(x | g)", {"x in (x | g)": "(1 | g)"}),
        ("(C*x | g)", {"C:x in (C*x | g)": "(C + x | g)"}),
        ("(1 + x + C | g)", {"x in (1 + x + C | g)": "(C | g)", "C in (1 + x + C | g)": "(x | g)"}),
        ("(0 + C | g)", {"C in (0 + C | g)": "(1 | g)"}),
        ("(x || g)", {"(1 | g)": "(0 + x | g)", "(0 + x | g)": "(1 | g)"}),
        ("(0 + x | g)", {"(0 + x | g)": None}),
    ],
)
@pytest.mark.parametrize("reml", [True, False])
def test_each_row_is_the_fit_of_the_simpler_model(crossed, random, simpler, reml):
    full = ms.lmer(f"y ~ x + {random} + (1 | h)", crossed, reml=reml)
    table = full.ranova()
    assert list(table.index) == ["<none>", *simpler, "(1 | h)"]
    assert table.loc["<none>", "logLik"] == full.llf
    for label, term in {**simpler, "(1 | h)": ""}.items():
        text = random if term == "" else f"{term} + (1 | h)" if term else "(1 | h)"
        want = ms.lmer(f"y ~ x + {text}", crossed, reml=reml)
        assert table.loc[label, "logLik"] == pytest.approx(want.llf, abs=1e-6)
        assert table.loc[label, "npar"] == want.df_model
        assert table.loc[label, "Df"] == full.df_model - want.df_model


def test_boundary_mixture(crossed):
    row = ms.lmer("y ~ x + (x | g) + (1 | h)", crossed).ranova().loc["x in (x | g)"]
    assert row["p"] == pytest.approx(chi2.sf(row["LRT"], 2))
    # Stram & Lee (1994): one slope more is a 50:50 mixture of chi-square with 1 and 2
    assert row["p_boundary"] == pytest.approx(0.5 * chi2.sf(row["LRT"], 1) + 0.5 * chi2.sf(row["LRT"], 2))


def test_whole_terms(crossed):
    table = ms.lmer("y ~ x + (x | g) + (1 | h)", crossed).ranova(reduce_terms=False)
    assert list(table.index) == ["<none>", "(x | g)", "(1 | h)"]
    assert table["Df"].iloc[1:].tolist() == [3, 1]


def test_no_variance_at_all():
    # ranova(lmer(Yield ~ 1 + (1 | Batch), Dyestuff2)): LRT 0, p 1; without random effects: logLik(lm, REML = TRUE)
    table = ms.lmer("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff2")).ranova()
    np.testing.assert_allclose(table["logLik"], [-80.91413891, -80.91413891], rtol=1e-9)
    assert table.iloc[1, 3:].tolist() == pytest.approx([0, 1, 1, 1], abs=1e-6)


def test_weights_offset_and_dropped_columns_are_kept(crossed):
    data = crossed.assign(w=np.linspace(0.5, 2, len(crossed)), twice=2 * crossed["x"], o=crossed["x"] ** 2)
    extra = {"weights": "w", "offset": "o"}
    with pytest.warns(ms.DroppedColumnsWarning):
        table = ms.lmer("y ~ x + twice + (x | g) + (1 | h)", data, **extra).ranova()
    want = ms.lmer("y ~ x + (1 | g) + (1 | h)", data, **extra)
    assert table["logLik"].iloc[1] == pytest.approx(want.llf, abs=1e-6)
    assert table["npar"].iloc[1] == want.df_model


def test_from_arrays():
    rng = np.random.default_rng(3)
    g, x = np.repeat(np.arange(15), 8), rng.normal(size=120)
    z = np.column_stack([np.ones(120), x])
    y = (z * rng.normal(size=(15, 2))[g]).sum(axis=1) + rng.normal(size=120)
    term = ms.RandomTerm("g", g, z, columns=("Intercept", "x"))
    fit = ms.LinearMixedModel.from_arrays(y, z, [term]).fit()
    assert list(fit.ranova().index) == ["<none>", "x in (1 + x | g)"]
