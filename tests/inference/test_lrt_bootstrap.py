"""Likelihood-ratio tests by simulation: the bootstrap of two models, and the exact test of one variance."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import f as f_distribution
from scipy.stats import kstest

import mixedsparse as ms
from mixedsparse.core.batch.draws import parametric_sampler
from mixedsparse.inference.rlrt import null_ratios, null_spectrum

# Five groups of four, drawn with variances of 1: what R was given.
GROUPS = Path(__file__).parent / "golden" / "small_groups.csv"


@pytest.fixture(scope="module")
def small():
    """Five groups of four: where chi-square is far off."""
    rng = np.random.default_rng(11)
    g = np.repeat(np.arange(5), 4)
    data = pd.DataFrame({"x": rng.normal(size=20), "f": np.tile(["a", "b", "c", "a"], 5), "g": g})
    data["y"] = 1.0 + 0.3 * data["x"] + rng.normal(size=5)[g] + rng.normal(size=20)
    return data


def pair(data, **options):
    return [ms.lmer(f"y ~ {fixed} + (1 | g)", data, **options) for fixed in ("x", "x + f")]


def test_p_is_the_share_of_ratios_of_models_refitted_one_by_one(small):
    m0, m1 = pair(small, reml=False)
    table = ms.anova(m0, m1, test="bootstrap", nsim=60, seed=3)
    moved = parametric_sampler(m0.model.problem, m0.fit)(np.random.SeedSequence(3).spawn(60))
    mean = m0.predict(random="population").to_numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ms.SingularFitWarning)
        ratios = np.array([m0.refit(y).criterion - m1.refit(y).criterion for y in mean + moved])
    assert table["p"].iloc[1] == (1 + (ratios >= table["Chisq"].iloc[1]).sum()) / 61
    assert table["replicates"].iloc[1] == 60
    assert table.attrs["seed"] == 3
    plain = ms.anova(m0, m1)
    pd.testing.assert_series_equal(table["p_chisq"], plain["p"], check_names=False)
    columns = [c for c in plain if c != "p"]
    pd.testing.assert_frame_equal(table[columns], plain[columns])


def test_p_is_that_of_pbkrtest():
    """pbkrtest 0.5.2, PBmodcomp(large, small, nsim = 2000, seed = 1): 1600 of 2000 at least as large, p = 0.8001."""
    data = pd.read_csv(GROUPS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ms.SingularFitWarning)
        m0, m1 = (ms.lmer(f"y ~ {fixed} + (1 | g)", data, reml=False) for fixed in ("x + w", "x + w + f"))
    table = ms.anova(m0, m1, test="bootstrap", nsim=2000, seed=1)
    assert table["Chisq"].iloc[1] == pytest.approx(0.6342, abs=1e-4)
    assert table["p"].iloc[1] == pytest.approx(0.8001, abs=4 * np.sqrt(2 * 0.8 * 0.2 / 2000))


def test_reml_fits_are_refitted_by_ml_and_offsets_and_weights_count(small):
    data = small.assign(w=np.tile([0.5, 2.0], 10), o=np.linspace(0.0, 30.0, 20))
    options = {"weights": "w", "offset": "o"}
    data["y"] += data["o"]
    with pytest.warns(ms.RefitWarning):
        reml = ms.anova(*pair(data, **options), test="bootstrap", nsim=40, seed=1)
    ml = ms.anova(*pair(data, reml=False, **options), test="bootstrap", nsim=40, seed=1)
    assert reml["p"].iloc[1] == ml["p"].iloc[1]
    # The same model written with the offset taken off the response.
    off = data.assign(y=data["y"] - data["o"])
    same = ms.anova(*pair(off, reml=False, weights="w"), test="bootstrap", nsim=40, seed=1)
    assert same["p"].iloc[1] == ml["p"].iloc[1]


def test_variances_are_compared_by_reml():
    data = ms.datasets.load("sleepstudy")
    m0, m1 = (ms.lmer(f"Reaction ~ Days + ({bar} Subject)", data) for bar in ("1 |", "Days |"))
    table = ms.anova(m0, m1, refit=False, test="bootstrap", nsim=99, seed=1)
    assert table["p"].iloc[1] == 0.01
    assert table["Chisq"].iloc[1] == pytest.approx(42.8372, abs=1e-3)
    assert "note" not in table.attrs


def test_three_models_and_workers(small):
    pytest.importorskip("joblib")
    models = [ms.lmer(f"y ~ {fixed} + (1 | g)", small, reml=False) for fixed in ("1", "x", "x + f")]
    seen = []
    here = ms.anova(*models, test="bootstrap", nsim=30, seed=2, progress=lambda done, total: seen.append((done, total)))
    assert here["p"].notna().tolist() == [False, True, True]
    assert [line for line in seen if line == (30, 30)] == [(30, 30), (30, 30)]
    pd.testing.assert_frame_equal(here, ms.anova(*models, test="bootstrap", nsim=30, seed=2, n_jobs=2))


@pytest.mark.slow
def test_the_bootstrap_holds_its_level_where_chi_square_does_not():
    """Size at 5 % for 3 coefficients in 6 groups of 4, 300 samples: Monte-Carlo error 1.3 %."""
    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(6), 4)
    data = pd.DataFrame(
        {"x": rng.normal(size=24), "f": np.tile(["a", "b", "c", "d"], 6), "g": g, "y": rng.normal(size=24)}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ms.SingularFitWarning)
        m0, m1 = pair(data, reml=False)
        p = []
        for i in range(300):
            y = rng.normal(size=6)[g] + rng.normal(size=24)
            table = ms.anova(m0.refit(y), m1.refit(y), test="bootstrap", nsim=59, seed=i)
            p.append(table[["p", "p_chisq"]].iloc[1])
    bootstrap, chisq = (np.array(p) <= 0.05).mean(axis=0)
    assert 0.02 < bootstrap < 0.085
    assert chisq > bootstrap


def test_small_samples_are_spoken_of(small):
    m0, m1 = pair(small, reml=False)
    assert "test='bootstrap'" in ms.anova(m0, m1).attrs["note"]
    assert "drop1(test='F')" in m1.drop1().attrs["note"]


def test_the_exact_test_is_that_of_f_in_a_balanced_one_way_design():
    """There RLRT grows with F = between over within, and is 0 for F below 1."""
    data = ms.datasets.load("Dyestuff")
    fit = ms.lmer("Yield ~ 1 + (1 | Batch)", data)
    groups = data.groupby("Batch", observed=True)["Yield"]
    F = 5 * groups.mean().var() / groups.var().mean()
    table = fit.ranova(test="exact", nsim=40_000, seed=1)
    want = f_distribution.sf(F, 5, 24)
    assert table["p_exact"].iloc[1] == pytest.approx(want, abs=4 * np.sqrt(want / 40_000))
    assert table["p_exact"].isna().iloc[0]
    assert {"p", "p_boundary", "LRT"} < set(table)
    assert fit.ranova(test="exact", nsim=50, seed=1).equals(fit.ranova(test="exact", nsim=50, seed=1))


def test_exact_ratios_have_the_distribution_of_f():
    problem = ms.lmer("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff")).model.problem
    drawn = null_ratios(null_spectrum(problem), problem.degrees(True), 4000, np.random.default_rng(2))
    assert (drawn == 0).mean() == pytest.approx(f_distribution.cdf(1.0, 5, 24), abs=0.03)
    F = np.random.default_rng(3).f(5, 24, size=4000)
    F = np.maximum(F, 1.0)
    # -2 log likelihood ratio of restricted likelihoods with 5 and 24 degrees, at the root of its derivative.
    ratio = 29 * np.log((5 * F + 24) / 29) - 5 * np.log(F)
    positive = drawn[drawn > 0], ratio[ratio > 0]
    assert kstest(*positive).pvalue > 1e-3


def test_the_exact_p_is_that_of_rlrsim():
    """RLRsim 3.1-8, exactRLRT(m, nsim = 1e5): RLRT = 1.0492, p = 0.1222."""
    data = pd.read_csv(GROUPS)
    table = ms.lmer("y ~ x + w + f + (1 | g)", data).ranova(test="exact", nsim=40_000, seed=1)
    assert table["LRT"].iloc[1] == pytest.approx(1.0492, abs=1e-4)
    assert table["p_exact"].iloc[1] == pytest.approx(0.1222, abs=0.008)


@pytest.mark.parametrize("weighted", [False, True])
def test_exact_ratios_are_those_of_refits_under_the_null(small, weighted):
    """Weights, an unbalanced slope: ratios of simulated responses have the exact distribution."""
    data = small.assign(w=np.tile([0.25, 1.0, 4.0, 1.0], 5))
    weights = "w" if weighted else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ms.SingularFitWarning)
        fit = ms.lmer("y ~ x + f + (0 + x | g)", data, weights=weights)
    problem = fit.model.problem
    rng = np.random.default_rng(5)
    spread = 1.0 if problem.root_weights is None else 1.0 / problem.root_weights
    ratios = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ms.SingularFitWarning)
        for _ in range(300):
            again = fit.refit(rng.normal(size=20) * spread)
            ratios.append(again.model.objective(np.zeros(1)) - again.criterion)
    drawn = null_ratios(null_spectrum(problem), problem.degrees(True), 3000, rng)
    for x in (0.01, 0.5, 1.0, 2.0):
        assert np.mean(np.array(ratios) > x) == pytest.approx((drawn > x).mean(), abs=0.09)


def test_a_variance_of_zero_has_p_one():
    with pytest.warns(ms.SingularFitWarning):
        fit = ms.lmer("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff2"))
    assert fit.ranova(test="exact", nsim=100, seed=1)["p_exact"].iloc[1] == 1.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m0, m1: ms.anova(m0, m1, test="boot"), "test='boot' is not known; use one of 'Chisq', 'bootstrap'"),
        (lambda m0, m1: ms.anova(m0, m1, test="bootstrap", nsim=0), "nsim=0 must be a whole number of at least 1"),
        (lambda m0, m1: m1.ranova(test="F"), "test='F' is not known; use one of 'Chisq', 'exact'"),
        (lambda m0, m1: m1.ranova(test="exact"), "for a REML fit with one variance"),
    ],
)
def test_what_is_refused(small, call, message):
    with pytest.raises(ms.OptionError, match=message):
        call(*pair(small, reml=False))
    two = ms.lmer("y ~ x + (x || g)", small.assign(y=small["y"] + 3 * small["x"] * (small["g"] - 2)))
    with pytest.raises(ms.OptionError, match="test='bootstrap'"):
        two.ranova(test="exact")
