"""Deviances, distribution functions and draws of the families."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mixedsparse.core.likelihood.family import FAMILIES

PSI = 0.4
EVERY = pytest.mark.parametrize("name", list(FAMILIES))


def rows(name):
    rng = np.random.default_rng(3)
    m = rng.integers(1, 9, 40).astype(float) if name == "binomial" else np.ones(40)
    mu = rng.uniform(0.1, 0.9, 40) if name == "binomial" else rng.uniform(0.5, 6.0, 40)
    family = FAMILIES[name]()
    return family, family.draw(rng, m, mu, PSI), m, mu


def reference(name, m, mu):
    """Frozen distribution of scipy for the response, of a binomial one for its number of successes."""
    size = np.exp(PSI)
    return {
        "binomial": lambda: stats.binom(m.astype(int), mu),
        "poisson": lambda: stats.poisson(mu),
        "gamma": lambda: stats.gamma(size, scale=mu / size),
        "inverse_gaussian": lambda: stats.invgauss(mu / size, scale=size),
        "negative_binomial": lambda: stats.nbinom(size, size / (size + mu)),
        "nb1": lambda: stats.nbinom(mu / size, 1.0 / (1.0 + size)),
    }[name]()


@EVERY
def test_distribution_functions_are_those_of_scipy(name):
    family, y, m, mu = rows(name)
    below, upto = family.cumulative(y, m, mu, PSI)
    known = reference(name, m, mu)
    counts = np.round(m * y)
    np.testing.assert_allclose(upto, known.cdf(counts if name == "binomial" else y), rtol=1e-10)
    discrete = name in ("binomial", "poisson", "negative_binomial", "nb1")
    np.testing.assert_allclose(below, known.cdf(counts - 1) if discrete else upto, rtol=1e-10, atol=1e-15)


@EVERY
def test_draws_have_the_mean_and_the_variance_of_the_family(name):
    family = FAMILIES[name]()
    rng, n = np.random.default_rng(8), 200_000
    m, mu = np.full(n, 5.0 if name == "binomial" else 1.0), np.full(n, 0.3 if name == "binomial" else 2.0)
    y = family.draw(rng, m, mu, PSI)
    variance = family.variance(mu[:1], m[:1], PSI)[0]
    assert y.mean() == pytest.approx(mu[0], abs=5 * np.sqrt(variance / n))
    assert y.var() == pytest.approx(variance, rel=0.05)


@pytest.mark.parametrize("name", [name for name in FAMILIES if name != "nb1"])
def test_deviances_are_twice_what_the_saturated_mean_adds(name):
    family, y, m, mu = rows(name)
    deviances = family.deviances(y, m, mu, PSI)
    assert (deviances >= -1e-12).all()
    eta = family.link.of(mu)
    inside = (y > 0) & (y < 1) if name == "binomial" else y > 0
    eta_y = family.link.of(np.where(inside, y, mu))
    gain = 2.0 * (family.rows(y, m, eta_y, PSI).value - family.rows(y, m, eta, PSI).value)
    scale = np.exp(PSI) if name in ("gamma", "inverse_gaussian") else 1.0  # R's deviance is over the dispersion
    np.testing.assert_allclose(deviances[inside] * scale, gain[inside], rtol=1e-9, atol=1e-10)


def test_deviances_of_nb1_are_those_of_nb2_at_its_size():
    family, y, m, mu = rows("nb1")
    other = FAMILIES["negative_binomial"]()
    own = [other.deviances(y[i], m[i], mu[i], np.log(mu[i]) - PSI) for i in range(len(y))]
    np.testing.assert_allclose(family.deviances(y, m, mu, PSI), own)
