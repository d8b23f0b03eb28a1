"""Optima at the end of a range: dispersions without limit, variances so large that there are several."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms

# Rows of a design with 5 levels, all but a few of whose outcomes follow from level and covariate.
LARGE = {
    "x": [
        0.133859047057,
        -0.423365505643,
        -0.26777599691,
        -0.343395080472,
        1.69518083771,
        0.233698573194,
        0.0864013416294,
        0.673057600472,
        -0.594124670747,
        -0.0591409616627,
        -1.55578628719,
        -0.231018531556,
        0.260224433292,
        0.865961242651,
        0.262706163729,
        0.0271161630967,
        -1.00121346625,
        -0.0569872051474,
        0.367782256723,
        0.69143353449,
        -1.03847645927,
        0.536576772455,
    ],
    "g": [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1],
    "y": [0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 1, 0, 0],
}


def counts(seed):
    """Poisson counts, a positive response with a random effect for each row, and groups."""
    rng = np.random.default_rng(seed)
    data = pd.DataFrame({"g": np.repeat(np.arange(20), 10), "x": rng.normal(size=200), "obs": np.arange(200)})
    mu = np.exp(1 + 0.3 * data["x"] + 0.5 * rng.normal(size=20)[data["g"]])
    return data.assign(y=rng.poisson(mu), z=mu * np.exp(0.3 * rng.normal(size=200)))


@pytest.mark.parametrize(("family", "words"), [("negative_binomial", "size grows"), ("nb1", "falls to 1")])
def test_counts_that_vary_as_poisson_ones_say_so(family, words):
    data = counts(2)
    poisson = ms.glmer("y ~ x + (1 | g)", data, "poisson")
    with pytest.warns(ms.SingularFitWarning, match=f"Converged on the boundary: the .*{words}.*Poisson"):
        fit = ms.glmer("y ~ x + (1 | g)", data, family, link="log")
    assert (fit.certificate.verdict, fit.singular) == ("converged on the boundary", False)
    assert fit.criterion == pytest.approx(poisson.criterion, abs=1e-4)
    assert fit.params.tolist() == pytest.approx(poisson.params.tolist(), abs=1e-3)
    assert fit.bse.tolist() == pytest.approx(poisson.bse.tolist(), rel=1e-3)
    limits = fit.conf_int(which="all")
    assert limits.loc["dispersion"].isna().all()
    want = poisson.conf_int(which="all")
    assert limits.loc[want.index].to_numpy() == pytest.approx(want.to_numpy(), rel=5e-3)
    assert "size grows" in str(fit.summary()) or family == "nb1"


def test_a_dispersion_that_the_data_tell_is_inside():
    fit = ms.glmer("y ~ x + (1 | g)", counts(0), "negative_binomial")
    assert fit.certificate.verdict == "converged"
    assert np.isfinite(fit.conf_int(which="dispersion")).all(axis=None)


@pytest.mark.parametrize(("family", "seed"), [("gamma", 3), ("inverse_gaussian", 1), ("inverse_gaussian", 6)])
def test_a_random_effect_for_each_row_leaves_no_dispersion(family, seed):
    # From the usual start the second of these ends at an optimum inside, 0.63 higher.
    rng = np.random.default_rng(seed)
    data = pd.DataFrame({"g": np.repeat(np.arange(8), 4), "obs": np.arange(32)})
    data["z"] = np.exp(1 + 0.5 * rng.normal(size=8)[data["g"]] + 0.4 * rng.normal(size=32))
    with pytest.warns(ms.SingularFitWarning, match="grows without limit, as if random effects left no"):
        fit = ms.glmer("z ~ 1 + (1 | g) + (1 | obs)", data, family, link="log")
    # The limit is a normal distribution of the logarithm, whose -2 log L has a term more for each row.
    linear = ms.lmer("np.log(z) ~ 1 + (1 | g)", data, reml=False)
    assert fit.criterion == pytest.approx(linear.criterion + 2 * np.log(data["z"]).sum(), abs=1e-3)
    assert fit.bse["Intercept"] == pytest.approx(linear.bse["Intercept"], rel=5e-3)


def test_the_lower_of_several_optima_with_large_variances_is_found():
    # Fitted by glmmTMB from several starts: 15.6250218 at a standard deviation of 19.74, 18.0242683 at 6.81.
    data = pd.DataFrame(LARGE)
    fit = ms.glmer("y ~ x + I(x**2) + (1 | g)", data, link="probit")
    assert fit.criterion == pytest.approx(15.6250218, abs=1e-5)
    assert fit.theta[0] == pytest.approx(19.744, abs=1e-2)


def test_a_probability_that_rounds_to_1_has_a_deviance_of_0():
    family, one = ms.families.Binomial("cloglog"), np.ones(3)
    with np.errstate(all="raise"):
        found = family.deviances(np.array([1.0, 0.0, 0.5]), one, np.array([1.0, 0.0, 0.5]))
    assert found.tolist() == [0.0, 0.0, 0.0]


def test_components_of_a_fit_without_estimates_are_refused():
    data = pd.DataFrame({"x": np.repeat([0, 1], 30), "g": np.tile(np.arange(6), 10)})
    with pytest.warns(ms.ConvergenceWarning, match="Separated"):
        fit = ms.glmer("I(x == 1) ~ x + (1 | g)", data)
    with pytest.raises(ms.DataError, match="rePCA needs estimates"):
        fit.rePCA()
