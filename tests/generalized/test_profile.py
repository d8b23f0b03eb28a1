"""Profiles and bootstraps of generalized fits, with the limits of R's lme4 and glmmTMB."""

from __future__ import annotations

import warnings
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms

CBPP = ms.datasets.load("cbpp")
BOUND = "cbind(incidence, size - incidence) ~ period + (1 | herd)"


@pytest.fixture(scope="module")
def cbpp():
    return ms.glmer(BOUND, CBPP)


def test_profile_limits_of_cbpp_are_those_of_lme4(cbpp):
    limits = cbpp.conf_int(method="profile", which="all")
    # confint(glmer(...), method = "profile"), whose interpolation is good to some 1e-4.
    expected = {
        "Intercept": [-1.90115606, -0.94779455],
        "period[T.2]": [-1.61667866, -0.40784052],
        "period[T.3]": [-1.80091763, -0.51161031],
        "period[T.4]": [-2.50060071, -0.80083104],
        "sd(Intercept|herd)": [0.34609446, 1.09988190],
    }
    for name, pair in expected.items():
        np.testing.assert_allclose(limits.loc[name], pair, atol=3e-4)


def test_a_limit_is_where_the_deviance_has_risen_by_the_quantile():
    # The coefficient moved into the offset: an independent fit with it held there.
    data = ms.datasets.load("grouseticks")
    fit = ms.glmer("TICKS ~ YEAR + cHEIGHT + (1 | BROOD)", data, "negative_binomial")
    limits = fit.profile("cHEIGHT", level=0.95).conf_int(0.95).loc["cHEIGHT"]
    np.testing.assert_allclose(limits, [-0.0300854059, -0.0181143411], atol=2e-6)  # glmmTMB
    for limit in limits:
        held = ms.glmer("TICKS ~ YEAR + (1 | BROOD)", data, "negative_binomial", offset=limit * data["cHEIGHT"])
        assert held.criterion - fit.criterion == pytest.approx(3.841459, abs=2e-4)


def test_standard_deviations_correlations_and_dispersions_are_held_at_their_limits():
    rng = np.random.default_rng(5)
    g = np.repeat(np.arange(60), 12)
    b = rng.multivariate_normal([0, 0], [[0.5, -0.2], [-0.2, 0.3]], size=60)
    data = pd.DataFrame({"g": g, "x": rng.normal(size=720)})
    data["y"] = rng.poisson(np.exp(0.5 + 0.3 * data["x"] + b[g, 0] + b[g, 1] * data["x"]))
    fit = ms.glmer("y ~ x + (x | g)", data, "poisson")
    profile = fit.profile("random", level=0.95)
    limits = profile.conf_int(0.95)
    assert list(limits.index) == ["sd(Intercept|g)", "sd(x|g)", "cor(Intercept,x|g)"]
    # At each point the table has all parameters: the criterion there, evaluated anew, has risen by zeta squared.
    for _, row in profile.table.iterrows():
        s, t, r = row["sd(Intercept|g)"], row["sd(x|g)"], row["cor(Intercept,x|g)"]
        theta = [s, r * t, t * np.sqrt(1 - r**2)]
        risen = _criterion(fit, theta, [row["Intercept"], row["x"]]) - fit.criterion
        assert risen == pytest.approx(row["zeta"] ** 2, abs=1e-5)
    # And nothing near it is lower, with the same value held.
    last = profile.table[profile.table["parameter"] == "cor(Intercept,x|g)"].iloc[0]
    s, t, r = last["sd(Intercept|g)"], last["sd(x|g)"], last["value"]
    at = _criterion(fit, [s, r * t, t * np.sqrt(1 - r**2)], [last["Intercept"], last["x"]])
    for ds, dt, da, db in 0.02 * rng.normal(size=(12, 4)):
        s2, t2 = s + ds, t + dt
        near = _criterion(fit, [s2, r * t2, t2 * np.sqrt(1 - r**2)], [last["Intercept"] + da, last["x"] + db])
        assert near >= at - 1e-8


def _criterion(fit, theta, beta):
    from mixedsparse.core.likelihood.laplace.criterion import LaplaceCriterion

    data = fit.fit.data
    vector = np.concatenate([data.problem.layout.to_block @ np.array(theta), data.root @ np.array(beta)])
    criterion = LaplaceCriterion(data)
    return criterion.evaluate(vector, criterion.at_rest()).criterion


def test_the_profile_of_the_dispersion_is_followed_on_the_log_scale():
    fit = ms.glmer("TICKS ~ YEAR + cHEIGHT + (1 | BROOD)", ms.datasets.load("grouseticks"), "negative_binomial")
    lower, upper = fit.conf_int(method="profile", which="dispersion").iloc[0]
    assert lower < fit.dispersion < upper
    np.testing.assert_allclose([lower, upper], fit.conf_int(which="dispersion").iloc[0], rtol=0.05)


def test_a_variance_of_zero_is_inside_its_profile_interval():
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"g": np.repeat(np.arange(30), 10), "x": rng.normal(size=300)})
    data["y"] = np.arange(300) % 2
    with pytest.warns(ms.SingularFitWarning):
        fit = ms.glmer("y ~ x + (1 | g)", data)
    lower, upper = fit.conf_int(method="profile", which="sd(Intercept|g)").iloc[0]
    assert lower == 0.0
    assert 0.05 < upper < 1.0


def test_profiles_by_quadrature_differ_from_laplaces(cbpp):
    fit = ms.glmer(BOUND, CBPP, nAGQ=9)
    by_nodes = fit.profile("sd(Intercept|herd)", level=0.95)
    assert "9 nodes" in by_nodes.note
    own, laplace = by_nodes.conf_int(), cbpp.conf_int(method="profile", which="sd(Intercept|herd)")
    assert 1e-3 < abs(own - laplace).to_numpy().max() < 0.1


@pytest.mark.slow
def test_profiles_and_replicates_do_not_depend_on_the_workers(cbpp):
    pytest.importorskip("joblib")
    names = ["period[T.2]", "sd(Intercept|herd)"]
    one, two = (cbpp.profile(names, level=0.9, n_jobs=jobs).table for jobs in (1, 2))
    pd.testing.assert_frame_equal(one, two, rtol=1e-6)
    one, two = (cbpp.bootstrap(8, seed=4, n_jobs=jobs).table for jobs in (1, 2))
    pd.testing.assert_frame_equal(one, two, rtol=1e-6)


def test_replicates_are_fits_to_simulated_responses(cbpp):
    boot = cbpp.bootstrap(5, seed=11, statistic=lambda fit: {"llf": fit.llf, "se": fit.bse["Intercept"]})
    for i, y in cbpp.simulate(5, seed=11).items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ms.SingularFitWarning)
            again = ms.glmer(BOUND, CBPP.assign(incidence=y.astype(int)))
        np.testing.assert_allclose(boot.table.loc[i, list(again.params.index)], again.params, atol=1e-5)
        assert boot.table.loc[i, "llf"] == pytest.approx(again.llf, abs=1e-6)
        assert boot.table.loc[i, "se"] == pytest.approx(again.bse["Intercept"], rel=1e-4)
    assert boot.estimates["sd(Intercept|herd)"] == pytest.approx(cbpp.theta[0])


@pytest.mark.slow
def test_bootstrap_limits_are_near_those_of_the_profile(cbpp):
    boot = cbpp.bootstrap(150, seed=1)
    assert boot.failures.empty
    spread = boot.table.std()
    np.testing.assert_allclose(spread[cbpp.bse.index], cbpp.bse, rtol=0.25)
    limits = boot.conf_int(0.95, "basic")
    assert (limits["lower"] < boot.estimates).all()
    assert (limits["upper"] > boot.estimates).all()


def test_bca_limits_have_the_acceleration_of_the_fits_without_each_level(cbpp):
    boot = cbpp.bootstrap(60, seed=1)
    without = cbpp.influence("herd").parameters
    found = boot.conf_int(0.9, "bca")
    normal = NormalDist()
    for name in boot.table:
        values, gap = np.sort(boot.table[name]), without[name].mean() - without[name]
        a = (gap**3).sum() / (6 * (gap**2).sum() ** 1.5)
        z0 = normal.inv_cdf((values < boot.estimates[name]).mean() + 0.5 * (values == boot.estimates[name]).mean())
        for side, q in (("lower", 0.05), ("upper", 0.95)):
            z = z0 + normal.inv_cdf(q)
            level = normal.cdf(z0 + z / (1 - a * z))
            # Between the order statistics around the level, whatever the rule between them.
            at = level * (len(values) + 1) - 1
            low, high = values[max(int(at) - 1, 0)], values[min(int(at) + 2, len(values) - 1)]
            assert low <= found.loc[name, side] <= high


def test_an_interrupted_bootstrap_keeps_what_is_done(cbpp):
    whole = cbpp.bootstrap(40, seed=1)

    def stop(done, total):
        if done >= 5:
            raise KeyboardInterrupt

    with pytest.warns(ms.ConvergenceWarning, match="was interrupted: the table has"):
        part = cbpp.bootstrap(40, seed=1, progress=stop)
    assert 5 <= part.nsim < 40
    assert part.table.equals(whole.table.iloc[: part.nsim])


def test_profiles_of_penalised_least_squares_are_refused():
    with pytest.raises(ms.OptionError, match="nAGQ=1"):
        ms.glmer(BOUND, CBPP, nAGQ=0).profile()
