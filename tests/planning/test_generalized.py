"""Plans and power of generalized models."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms

FORMULA = "acc ~ A + (1 | subject) + (1 | item)"
TRUTH = {
    "effects": {"Intercept": 0.5, "A[T.a2]": 0.6},
    "random": {"subject": 0.8, "item": 0.5},
    "family": "binomial",
}


@pytest.fixture(scope="module")
def rows():
    return ms.design(subjects=16, items=12, within={"A": ["a1", "a2"]})


@pytest.fixture(scope="module")
def study(rows):
    return ms.plan(rows, FORMULA, **TRUTH)


def test_plans_hold_the_hypothesised_parameters(study):
    assert study.truth.params.to_dict() == {"Intercept": 0.5, "A[T.a2]": 0.6}
    assert study.truth.varcorr()["sdcor"].tolist() == pytest.approx([0.8, 0.5])
    assert (study.truth.family.name, study.truth.family.link.name) == ("binomial", "logit")
    assert np.isnan(study.truth.dispersion)
    drawn = study.simulate(3, seed=1)
    assert drawn.shape == (384, 3)
    assert set(np.unique(drawn)) == {0.0, 1.0}


def test_draws_have_the_moments_of_the_plan(rows):
    # Means of a log-normal mixture of Poisson counts: exp(x beta + variance / 2), variance mean + mean^2 (e^v - 1).
    plan = ms.plan(
        rows, "n ~ A + (1 | subject)", {"Intercept": 0.3, "A[T.a2]": 0.4}, {"subject": 0.5}, family="poisson"
    )
    drawn = plan.simulate(2000, seed=5)
    second = (rows["A"] == "a2").to_numpy()
    mean = np.exp(0.3 + 0.4 * second + 0.125)
    assert drawn.to_numpy()[second].mean() == pytest.approx(mean[second][0], rel=0.02)
    assert drawn.to_numpy()[~second].mean() == pytest.approx(mean[~second][0], rel=0.02)
    variance = mean[second][0] + mean[second][0] ** 2 * np.expm1(0.25)
    assert drawn.to_numpy()[second].var() == pytest.approx(variance, rel=0.05)


def test_p_values_are_those_of_separate_fits(rows, study):
    found = ms.power(study, nsim=4, seed=3, test=["A[T.a2]", "A", "Intercept = 0.5"])
    ratios = ms.power(study, nsim=4, seed=3, ddf="lrt")
    drawn = study.simulate(4, seed=3)
    for response in (0, 3):
        fit = ms.glmer(FORMULA, rows.assign(acc=drawn[response]))
        expected = [fit.pvalues["A[T.a2]"], fit.anova()["p"]["A"], fit.t_test("Intercept = 0.5")["p"].iloc[0]]
        np.testing.assert_allclose(found.pvalues.loc[response], expected, rtol=1e-4)
        null = ms.glmer("acc ~ 1 + (1 | subject) + (1 | item)", rows.assign(acc=drawn[response]))
        table = ms.anova(null, fit)
        assert ratios.pvalues.loc[response, "A"] == pytest.approx(float(table["p"].iloc[-1]), rel=1e-4)
    assert study.fit(drawn[0]).params.tolist() == pytest.approx(
        ms.glmer(FORMULA, rows.assign(acc=drawn[0])).params.tolist(), abs=1e-5
    )


@pytest.mark.slow
def test_sizes_and_workers(study):
    alone = ms.power(study, subjects=[10, 24], nsim=12, seed=2)
    assert alone.table["nobs"].tolist() == [240, 576]
    pytest.importorskip("joblib")
    shared = ms.power(study, subjects=[10, 24], nsim=12, seed=2, n_jobs=2)
    pd.testing.assert_frame_equal(shared.pvalues, alone.pvalues, rtol=1e-7)


@pytest.mark.slow
def test_the_size_of_wald_and_ratio_tests_is_about_right(rows):
    study = ms.plan(rows, FORMULA, **TRUTH | {"effects": {"Intercept": 0.5}})
    for ddf in ("normal", "lrt"):
        row = ms.power(study, nsim=300, seed=9, ddf=ddf).table.iloc[0]
        assert row["lower"] <= 0.05 <= row["upper"]


def test_rows_of_several_trials_draw_successes(rows):
    trials = rows.assign(m=np.where(rows["A"] == "a1", 3, 7))
    for given in ("m", 5):
        study = ms.plan(
            trials, "s ~ A + (1 | subject)", {"A[T.a2]": 0.3}, {"subject": 0.5}, family="binomial", trials=given
        )
        drawn = study.simulate(1, seed=1)[0]
        assert drawn.max() > 1
        assert (drawn <= (trials["m"] if given == "m" else 5)).all()
        fit = study.fit(drawn)
        assert fit.model.design.trials.max() == (7 if given == "m" else 5)
        assert study.resized({"subject": 8}).simulate(1, seed=1).shape == (192, 1)
    array = ms.plan(trials, "s ~ A + (1 | subject)", {}, {"subject": 0.5}, family="binomial", trials=np.full(384, 2))
    with pytest.raises(ms.OptionError, match="make them a column"):
        array.resized({"subject": 8})


def test_families_with_a_dispersion_need_one(rows):
    model = rows, "n ~ A + (1 | subject)", {"A[T.a2]": 0.3}, {"subject": 0.5}
    study = ms.plan(*model, family="negative_binomial", dispersion=2.0)
    assert study.truth.dispersion == pytest.approx(2.0)
    assert study.fit(study.simulate(1, seed=2)[0]).converged
    assert len(ms.power(study, nsim=3, seed=1).pvalues) == 3
    with pytest.raises(ms.OptionError, match="needs dispersion="):
        ms.plan(*model, family="negative_binomial")
    with pytest.raises(ms.OptionError, match="poisson has none"):
        ms.plan(*model, family="poisson", dispersion=2.0)


def test_what_has_no_meaning_is_refused_with_the_reason(rows, study):
    model = rows, FORMULA, TRUTH["effects"], TRUTH["random"]
    with pytest.raises(ms.OptionError, match="belongs to linear models"):
        ms.plan(*model, 1.0, family="binomial")
    with pytest.raises(ms.OptionError, match=r"ms\.lmer"):
        ms.plan(*model, family="gaussian")
    with pytest.raises(ms.OptionError, match="give family= too"):
        ms.plan(*model, 1.0, trials=3)
    with pytest.raises(ms.OptionError, match="sigma=None must be"):
        ms.plan(*model)
    with pytest.raises(ms.OptionError, match="needs a residual variance"):
        ms.power(study, nsim=2, ddf="satterthwaite")
    with pytest.raises(ms.OptionError, match="leave out other values"):
        ms.power(study, nsim=2, ddf="lrt", test="Intercept = 1")
    with pytest.raises(ms.OptionError, match="for generalized models"):
        ms.power(*model, 1.0, nsim=2, ddf="lrt")
    with pytest.raises(ms.DataError, match="range of the identity link"):
        ms.plan(rows, "n ~ A + (1 | subject)", {}, {"subject": 1.0}, family="poisson", link="identity").simulate(1)


def test_responses_without_an_estimate_are_failures(rows):
    few = ms.design(subjects=4, items=2, within={"A": ["a1", "a2"]})
    found = ms.power(
        few, "acc ~ A + (1 | subject)", {"Intercept": 4.0}, {"subject": 0.1}, family="binomial", nsim=8, seed=1
    )
    row = found.table.iloc[0]
    assert row["failures"] + row["nsim"] == 8
    assert len(found.failures) == row["failures"] > 0
