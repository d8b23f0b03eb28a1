"""The criterion is that of the reported theta, to the noise that the certificate states, however few digits are left.

Right values come from rational arithmetic (`referee`), where nothing is rounded.
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from benchmarks.fuzz.designs import random_model
from mixedsparse.core.batch.batch import Responses
from mixedsparse.core.engines.criteria import make_criterion
from mixedsparse.core.engines.dense.orthogonal import OrthogonalCriterion
from mixedsparse.core.engines.level_blocks import eliminate
from mixedsparse.core.fitting.replicate import Refitter
from mixedsparse.core.likelihood.criterion import EngineCriterion
from tests.referee import exact_criterion


def data(n=24, groups=5, seed=0):
    rng = np.random.default_rng(seed)
    g, h = np.arange(n) % groups, rng.integers(0, 4, n)
    x = rng.normal(size=n)
    effects = rng.normal(size=groups)[g] + 0.5 * rng.normal(size=4)[h] + rng.normal(size=groups)[g] * x
    return pd.DataFrame(
        {"g": g, "h": h, "x": x, "u": effects, "e": rng.normal(size=n), "w": 10.0 ** rng.uniform(-6, 6, n)}
    )


# Formula, response from the columns of `data`, and options of the model.
CASES = {
    "far response, no intercept": ("y ~ 0 + x + (x | g)", lambda d: 1e5 + d["u"] + d["e"], {}),
    "far response, nothing fixed near it": ("y ~ 0 + x + (1 | g) + (1 | h)", lambda d: 3e6 + d["u"] + d["e"], {}),
    "nearly perfect": ("y ~ x + (x | g)", lambda d: d["u"] + 1e-6 * d["e"], {}),
    "nearly perfect, crossed": ("y ~ x + (x | g) + (1 | h)", lambda d: 10 * d["u"] + 1e-7 * d["e"], {}),
    "wild weights": ("y ~ x + (x | g)", lambda d: d["u"] + d["e"] / np.sqrt(d["w"]), {"weights": "w"}),
    "wild weights, crossed": ("y ~ x + (x | g) + (1 | h)", lambda d: d["u"] + d["e"], {"weights": "w"}),
    "tiny and huge": ("y ~ x + (x | g)", lambda d: 1e-9 * (d["u"] + 1e-5 * d["e"]), {}),
    "as usual": ("y ~ x + (x | g) + (1 | h)", lambda d: d["u"] + d["e"], {}),
}


@pytest.mark.filterwarnings("ignore::mixedsparse.SingularFitWarning")
@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("case", CASES)
def test_criterion_is_that_of_theta(case, reml):
    formula, response, options = CASES[case]
    d = data()
    model = ms.LinearMixedModel(formula, d.assign(y=response(d)), **options)
    found = []
    for backend in ("split", "cholmod"):
        fit = model.fit(reml, options=ms.FitOptions(backend=backend))
        noise = fit.certificate.noise
        assert noise < 1e-5
        assert fit.converged
        assert fit.criterion == pytest.approx(exact_criterion(model, fit.theta, reml), abs=max(noise, 1e-9))
        assert model.objective(fit.theta, reml) == pytest.approx(fit.criterion, abs=10 * max(noise, 1e-9))
        assert "Random effects" in str(fit.summary())
        found.append(fit.criterion)
    assert found[0] == pytest.approx(found[1], abs=1e-6)


def test_more_effects_than_rows():
    d = data(n=12, groups=4, seed=3)
    d["y"] = 50 * d["u"] + d["e"]
    model = ms.LinearMixedModel("y ~ x + (x | g) + (x | h) + (1 | g:h)", d)
    assert model.problem.layout.q > model.problem.n
    for theta in ([1e4, 0.1, 3e3, 0.5, 2e5, 1e-3, 7.0], [0.3, -40.0, 0.0, 2.0, 1e6, 1e-6, 0.0]):
        assert model.objective(theta) == pytest.approx(exact_criterion(model, theta), abs=1e-6)


@pytest.mark.parametrize("backend", ["split", "cholmod"])
def test_rows_give_what_sums_have_lost(backend):
    d = data()
    model = ms.LinearMixedModel("y ~ 0 + x + (1 | g)", d.assign(y=1e6 + d["e"]))
    theta = np.array([4e5])
    criterion = EngineCriterion(model.engine(backend), True)
    point = criterion.evaluate(theta)
    assert point.lossy
    assert point.criterion == pytest.approx(exact_criterion(model, theta), abs=1e-7)


def test_levels_of_several_effects_keep_small_variances():
    # Two effects of weights 1e12 apart, correlated: the logarithm of the determinant by hand.
    gram, lam = np.array([[[1e12, 0.0], [0.0, 1.0]]]), np.array([[1.0, 0.0], [1.0, 1.0]])
    found = eliminate(gram, lam)
    assert found.logdet == pytest.approx(np.log((1e12 + 2.0) * 2.0 - 1.0), rel=1e-15)
    # C = (A + Sigma^-1)^-1 with Sigma^-1 = [[2, -1], [-1, 1]].
    determinant = (1e12 + 2.0) * 2.0 - 1.0
    right = np.array([[2.0, 1.0], [1.0, 1e12 + 2.0]]) / determinant
    np.testing.assert_allclose(found.cov[0], right, rtol=1e-13)
    np.testing.assert_allclose(found.half[0].T @ found.half[0], right, rtol=1e-13)
    # R = Sigma^-1 C.
    np.testing.assert_allclose(
        found.shrink[0],
        [[3.0 / determinant, -1e12 / determinant], [-1.0 / determinant, (1e12 + 1.0) / determinant]],
        rtol=1e-9,
    )


@pytest.mark.parametrize("reml", [True, False])
def test_careful_derivatives(reml):
    """Where nothing is lost they are those of the dense form; where Lambda is huge they match differences."""
    d = data()
    model = ms.LinearMixedModel("y ~ x + (x | g) + (1 | h)", d.assign(y=d["u"] + d["e"]))
    theta = np.array([0.9, 0.3, 0.7, 0.4])
    plain, careful = make_criterion(model.engine(), reml), OrthogonalCriterion(model.engine(), reml)
    one, other = plain.evaluate(theta), careful.evaluate(theta)
    assert other.criterion == pytest.approx(one.criterion, rel=1e-13)
    right, got = plain.differentiate(one, exact=True), careful.differentiate(other, exact=True)
    np.testing.assert_allclose(got.gradient, right.gradient, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(got.hessian, right.hessian, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(careful.pls(other).zeta[0], plain.pls(one).zeta[0], atol=1e-11)
    far = theta * 1e5
    hessian = careful.differentiate(careful.evaluate(far), exact=True).hessian
    for i, step in enumerate(np.diag(far * 1e-4)):
        high, low = (careful.gradient(careful.evaluate(far + s)) for s in (step, -step))
        difference = (high - low) / (2.0 * step[i])
        np.testing.assert_allclose(hessian[i] * far * far[i], difference * far * far[i], atol=1e-3)


def test_without_rows_lost_digits_are_a_word(tmp_path):
    d = data(n=400, groups=20)
    d = d.assign(y=1e5 + d["u"] + d["e"])
    d.to_parquet(tmp_path / "d.parquet")
    model = ms.LinearMixedModel("y ~ 0 + x + (1 | g)", str(tmp_path / "d.parquet"))
    with pytest.warns(ms.ConvergenceWarning, match="rounding leaves an error of about .* subtract a constant"):
        fit = model.fit()
    assert fit.certificate.verdict == "stopped early"
    assert fit.certificate.noise > 1e-4
    rows = ms.LinearMixedModel("y ~ 0 + x + (1 | g)", d).fit()
    assert rows.certificate.noise < 1e-7
    assert rows.certificate.verdict == "converged"


def drawn(number):
    """Random model of the seed of `make fuzz`, with its fit: no further starts, whose ends rounding chooses between."""
    random = random_model(2026, number)
    model = ms.LinearMixedModel(random.formula, random.data, **random.arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ms.MixedSparseWarning)
        return random, model.fit(options=ms.FitOptions(restart_budget=0))


def test_deletions_keep_the_digits_of_the_fit():
    # Residuals are a millionth of the effects: sums of the rows that are left had failed at every level.
    random, fit = drawn(105)
    for theta in ("refit", "fixed"):
        assert fit.influence("g", theta=theta).failures.empty
    found = fit.influence("g").params
    for level in found.index[:3]:
        rest = random.data[random.data["g"] != level]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ms.MixedSparseWarning)
            alone = ms.lmer(random.formula, rest, **random.arguments)
        np.testing.assert_allclose(found.loc[level], alone.params, rtol=1e-6)


@pytest.mark.parametrize("number", [182, 105])
def test_replicates_are_searched_alone_where_those_in_step_lose_digits(number):
    _, fit = drawn(number)
    refitter = Refitter(fit.model.engine(), fit.fit)
    assert refitter.error > 1e-4
    assert not refitter.together
    again = refitter(Responses.of(fit.model.problem, 1))
    assert not again.failures
    assert again.criterion[0] == pytest.approx(fit.criterion, abs=1e-6)


def test_profile_and_wald_limits_say_what_sums_have_lost():
    _, fit = drawn(182)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit.profile("sigma")
        fit.conf_int(which="all")
    said = [str(w.message) for w in caught if w.category is ms.RoundingWarning]
    assert any("profile goes by sums over levels" in text for text in said)
    assert any("interval of a variance goes by sums over levels" in text for text in said)


def test_kenward_roger_says_what_sums_have_lost():
    with pytest.warns(ms.RoundingWarning, match="Kenward-Roger's method goes by sums .* an error of about"):
        drawn(105)[1].coef_table(ddf="kenward-roger")


def test_digits_of_usual_fits_are_not_in_doubt():
    fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
    refitter = Refitter(fit.model.engine(), fit.fit)
    assert refitter.error < 1e-9
    assert refitter.together
