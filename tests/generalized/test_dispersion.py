"""Dispersions that are known, and proportions of 0 and 1."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms

TICKS = ms.datasets.load("grouseticks")
FORMULA = "TICKS ~ YEAR + cHEIGHT + (1 | BROOD)"


@pytest.fixture(scope="module")
def known():
    return ms.glmer(FORMULA, TICKS, "negative_binomial", dispersion=2)


@pytest.fixture(scope="module")
def estimated():
    return ms.glmer(FORMULA, TICKS, "negative_binomial")


def test_a_known_size_has_the_numbers_of_glmmtmb(known):
    # glmmTMB(..., family = nbinom2, map = list(betad = factor(NA)), start = list(betad = log(2)))
    assert known.llf == pytest.approx(-894.691019324, abs=1e-6)
    assert known.params.tolist() == pytest.approx([0.6029555, 1.1312140, -1.0012268, -0.0240477], abs=2e-6)
    assert known.bse.tolist() == pytest.approx([0.1897945, 0.2462113, 0.2731104, 0.0030305], rel=1e-5)
    assert known.theta.tolist() == pytest.approx([0.86749339], abs=1e-6)
    assert (known.df_model, known.dispersion) == (5, 2.0)


def test_a_known_shape_has_the_numbers_of_glmmtmb():
    data = ms.datasets.load("sleepstudy")
    fit = ms.glmer("Reaction ~ Days + (1 | Subject)", data, "gamma", link="log", dispersion=60)
    assert fit.llf == pytest.approx(-894.926119736, abs=1e-6)
    assert fit.bse.tolist() == pytest.approx([0.0337687, 0.00334818], rel=1e-5)
    assert fit.theta.tolist() == pytest.approx([0.1215470], abs=1e-6)


def test_what_is_known_is_no_parameter(known, estimated):
    assert known.conf_int(which="all").index.tolist() == [*known.params.index, "sd(Intercept|BROOD)"]
    assert "size 2 (given)" in str(known.summary())
    assert known.glance()["dispersion"].tolist() == [2.0]
    table = ms.anova(known, estimated)
    assert table["Df"].iloc[1] == 1
    assert table["Chisq"].iloc[1] == pytest.approx(known.criterion - estimated.criterion)


def test_the_estimated_dispersion_given_as_known_changes_nothing(estimated):
    fit = ms.glmer(FORMULA, TICKS, "negative_binomial", dispersion=estimated.dispersion)
    assert fit.criterion == pytest.approx(estimated.criterion, abs=1e-8)
    assert fit.overdispersion()["chisq"] == pytest.approx(np.square(estimated.residuals("pearson")).sum(), rel=1e-6)
    for kind in ("deviance", "pearson"):
        assert fit.residuals(kind).tolist() == pytest.approx(estimated.residuals(kind).tolist(), abs=1e-5)


def test_draws_refits_and_files_keep_the_known_dispersion(known, tmp_path):
    assert known.simulate(1, seed=1)[0].mean() == pytest.approx(TICKS["TICKS"].mean(), rel=0.5)
    assert known.bootstrap(2, seed=1).table.shape == (2, 5)
    assert known.refit(TICKS["TICKS"]).criterion == pytest.approx(known.criterion, abs=1e-8)
    known.save(tmp_path / "known.fit")
    again = ms.load(tmp_path / "known.fit")
    assert (again.dispersion, repr(again.family)) == (2.0, "NegativeBinomial('log', dispersion=2)")


def test_families_carry_a_known_dispersion(known):
    fit = ms.glmer(FORMULA, TICKS, ms.families.NegativeBinomial(dispersion=2))
    assert fit.criterion == pytest.approx(known.criterion, abs=1e-10)


@pytest.mark.parametrize(
    ("family", "dispersion", "message"),
    [
        ("poisson", 2, "poisson has none"),
        ("gamma", -1, "must be a positive number"),
        ("gamma", "~ YEAR", "must be a positive number"),
        (ms.families.Gamma(dispersion=2), 3, "has its own"),
    ],
)
def test_a_dispersion_that_cannot_be_is_refused(family, dispersion, message):
    with pytest.raises(ms.OptionError, match=message):
        ms.glmer(FORMULA, TICKS, family, dispersion=dispersion)


def test_two_known_dispersions_have_no_likelihood_ratio(known):
    other = ms.glmer("TICKS ~ YEAR + (1 | BROOD)", TICKS, "negative_binomial", dispersion=3)
    with pytest.raises(ms.DataError, match="known dispersion 2 and m1 3"):
        ms.anova(known, other)


@pytest.mark.filterwarnings("ignore::mixedsparse.SingularFitWarning")
def test_refits_read_zeros_and_ones_as_the_fit_did():
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"g": np.repeat(np.arange(12), 6), "x": rng.normal(size=72), "m": rng.integers(1, 4, 72)})
    eta = data["x"] + rng.normal(size=12)[data["g"]]
    data["y"] = (rng.random(72) < 1 / (1 + np.exp(-eta))).astype(float)
    with pytest.warns(ms.AmbiguousResponseWarning):
        fit = ms.glmer("y ~ x + (1 | g)", data, trials="m")
    both = ms.glmer("cbind(y * m, m - y * m) ~ x + (1 | g)", data)
    assert fit.criterion == pytest.approx(both.criterion, abs=1e-9)
    assert fit.refit(data["y"]).criterion == pytest.approx(fit.criterion, abs=1e-8)
    # Other zeros and ones count successes, as simulate returns them.
    counts = np.minimum(data["y"], np.arange(72) % 4).to_numpy()
    want = ms.glmer("cbind(y, m - y) ~ x + (1 | g)", data.assign(y=counts))
    assert fit.refit(counts).criterion == pytest.approx(want.criterion, abs=1e-6)
