"""Data on which fits of generalized models are known to fail: each ends at an optimum in at most 25 evaluations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr

from benchmarks.fuzz.generalized_designs import random_generalized
from mixedsparse import GeneralizedLinearMixedModel, RandomTerm
from mixedsparse.core.fitting.laplace import GeneralizedFit
from mixedsparse.core.likelihood.laplace.criterion import LaplaceCriterion
from mixedsparse.core.likelihood.laplace.mode import find_mode
from tests.core.laplace.oracle import Dense
from tests.core.laplace.test_fit import fit

MOST = 25


def design(seed: int, groups: int, rows: int) -> tuple[np.random.Generator, np.ndarray, np.ndarray, RandomTerm]:
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(groups), rows)
    x = rng.normal(size=len(codes))
    return rng, x, codes, RandomTerm("g", codes, np.ones((len(codes), 1)))


def agrees(found: GeneralizedFit, tolerance: float = 1e-7) -> bool:
    """Whether the criterion is that of the dense referee at the estimates."""
    data = found.data
    dense = Dense(found.family, data.y, data.Q @ data.root, data.problem.terms, data.m, data.offset)
    psi = found.psi if found.has_dispersion else 0.0
    return bool(abs(dense.laplace(found.theta, found.beta, psi) - found.criterion) < tolerance)


def test_rare_events() -> None:
    rng, x, codes, group = design(1, 40, 100)
    eta = -6.5 + 0.5 * x + rng.normal(size=40)[codes]
    y = (rng.random(len(x)) < 1 / (1 + np.exp(-eta))).astype(float)
    found = fit("binomial", "logit", y, np.column_stack([np.ones(len(x)), x]), [group])
    assert y.mean() < 0.005
    assert found.certificate.converged
    assert found.evaluations <= MOST
    assert agrees(found)


def test_a_million_trials() -> None:
    rng, x, codes, group = design(2, 20, 6)
    trials = rng.integers(10, 1_000_000, size=len(x)).astype(float)
    eta = 0.3 * x + 0.4 * rng.normal(size=20)[codes]
    y = rng.binomial(trials.astype(int), 1 / (1 + np.exp(-eta))) / trials
    found = fit("binomial", "logit", y, np.column_stack([np.ones(len(x)), x]), [group], trials)
    assert found.certificate.converged
    assert found.evaluations <= MOST
    assert found.factorisations <= 8 * found.evaluations


@pytest.mark.parametrize("link", ["cloglog", "probit"])
def test_modes_of_many_trials_whose_last_steps_rounding_hides(link: str) -> None:
    rng, x, codes, group = design(21, 25, 6)
    trials = rng.integers(10, 10_000_000, size=len(x)).astype(float)
    eta = 1.8 + 0.4 * x + rng.normal(size=25)[codes]
    mu = -np.expm1(-np.exp(eta)) if link == "cloglog" else ndtr(eta)
    y = rng.binomial(trials.astype(int), mu) / trials
    found = fit("binomial", link, y, np.column_stack([np.ones(len(x)), x]), [group], trials)
    assert found.certificate.converged
    assert found.evaluations <= MOST
    # From rest as from nearby, by compiled loops as by the engine.
    criterion = LaplaceCriterion(found.data)
    vector = found.point.vector
    alone = criterion.evaluate(vector, criterion.at_rest())
    assert alone.criterion == pytest.approx(found.criterion, rel=1e-12)
    data, parameters = found.data, found.point.parameters
    lams = found.data.problem.layout.lams(parameters.theta)
    mode = find_mode(data, lams, data.fixed(parameters.gamma), 0.0, [criterion.at_rest()])
    assert mode.h + mode.logdet == pytest.approx(alone.mode.h + alone.mode.logdet, abs=1e-7)


@pytest.mark.parametrize("family", ["poisson", "negative_binomial"])
def test_counts_of_a_million(family: str) -> None:
    rng, x, codes, group = design(3, 20, 6)
    mu = np.exp(13.8 + 0.3 * x + 0.4 * rng.normal(size=20)[codes])
    y = rng.poisson(mu if family == "poisson" else rng.gamma(5.0, mu / 5.0)).astype(float)
    found = fit(family, "log", y, np.column_stack([np.ones(len(x)), x]), [group])
    assert found.certificate.converged
    assert found.evaluations <= MOST
    assert found.factorisations <= 10 * found.evaluations
    assert found.theta[0] == pytest.approx(0.4, abs=0.2)


def test_a_covariate_far_from_zero() -> None:
    rng, x, codes, group = design(4, 30, 10)
    eta = 0.5 * x + rng.normal(size=30)[codes]
    y = (rng.random(len(x)) < 1 / (1 + np.exp(-eta))).astype(float)
    near = fit("binomial", "logit", y, np.column_stack([np.ones(len(x)), x]), [group])
    far = fit("binomial", "logit", y, np.column_stack([np.ones(len(x)), 1e8 + 1e6 * x]), [group])
    assert far.criterion == pytest.approx(near.criterion, abs=1e-6)
    assert far.beta[1] * 1e6 == pytest.approx(near.beta[1], rel=1e-4)
    assert far.evaluations <= MOST


def test_a_steep_probit() -> None:
    rng, x, codes, group = design(5, 30, 20)
    eta = 4.0 * x + rng.normal(size=30)[codes]
    y = (eta + rng.normal(size=len(x)) > 0).astype(float)
    found = fit("binomial", "probit", y, np.column_stack([np.ones(len(x)), x]), [group])
    assert np.abs(found.eta).max() > 10
    assert found.certificate.converged
    assert found.evaluations <= MOST
    assert agrees(found)


@pytest.mark.parametrize(
    ("family", "link"), [("gamma", "inverse"), ("gamma", "identity"), ("poisson", "sqrt"), ("inverse_gaussian", "log")]
)
def test_other_links(family: str, link: str) -> None:
    rng, x, codes, group = design(6, 20, 10)
    eta = 3.0 + 0.2 * np.clip(x, -2, 2) + 0.2 * rng.normal(size=20)[codes]
    mu = {"inverse": 1 / eta, "identity": eta, "sqrt": eta**2, "log": np.exp(eta)}[link]
    y = {"gamma": rng.gamma(8.0, mu / 8.0), "poisson": rng.poisson(mu), "inverse_gaussian": rng.wald(mu, 50.0)}[family]
    found = fit(family, link, y, np.column_stack([np.ones(len(x)), x]), [group])
    assert found.certificate.converged
    assert found.evaluations <= MOST
    assert agrees(found)


def test_many_correlated_parameters_on_the_boundary() -> None:
    """Two by two within subjects and within items, of which only the intercepts vary: most pivots are zero."""
    rng = np.random.default_rng(7)
    subjects, items = np.repeat(np.arange(20), 80), np.tile(np.repeat(np.arange(20), 4), 20)
    a, b = np.tile([-0.5, -0.5, 0.5, 0.5], 400), np.tile([-0.5, 0.5, -0.5, 0.5], 400)
    X = np.column_stack([np.ones(1600), a, b, a * b])
    eta = 0.5 * a + 0.8 * rng.normal(size=20)[subjects] + 0.4 * rng.normal(size=20)[items]
    y = (rng.random(1600) < 1 / (1 + np.exp(-eta))).astype(float)
    found = fit("binomial", "logit", y, X, [RandomTerm("s", subjects, X), RandomTerm("i", items, X)])
    assert found.certificate.verdict == "converged on the boundary"
    assert found.evaluations <= MOST
    assert found.covariance is not None
    assert agrees(found)


def test_the_inverse_square_link_starts_or_says_what_to_do() -> None:
    rng, x, codes, group = design(8, 20, 10)
    mu = 1 / np.sqrt(4.0 + 0.2 * np.clip(x, -2, 2) + 0.2 * rng.normal(size=20)[codes])
    y = rng.wald(mu, 20.0)
    found = fit("inverse_gaussian", "1/mu^2", y, np.column_stack([np.ones(len(x)), x]), [group])
    assert found.certificate.converged
    assert agrees(found)


def test_rounding_that_hides_the_optimum_is_told() -> None:
    """Counts that vary more than the model allows make a criterion whose last digit exceeds what is to be seen."""
    rng, x, codes, group = design(5, 20, 8)
    eta = 0.5 * x + 0.6 * rng.normal(size=20)[codes] + 0.3 * rng.normal(size=len(x))
    sizes = 10.0 ** np.arange(6, 15)
    found = [
        fit("poisson", "log", np.round(size * np.exp(eta)), np.column_stack([np.ones(len(x)), x]), [group])
        for size in sizes
    ]
    for one in found:
        certificate = one.certificate
        # Halves of its square are the fall that is left: estimates are about as many standard errors away.
        assert certificate.verdict == ("converged" if certificate.scaled_gradient < 0.01 else "rounding")
        assert certificate.converged == ("standard errors or more" not in certificate.message)
    verdicts = [one.certificate.verdict for one in found]
    assert verdicts[0] == "converged"
    assert "rounding" in verdicts


def test_coefficients_about_which_nothing_is_left_are_no_error_of_numpy() -> None:
    rng, x, codes, group = design(3, 30, 20)
    item = RandomTerm("h", rng.integers(0, 15, len(x)), np.ones((len(x), 1)))
    eta = 0.5 * x + 0.7 * rng.normal(size=30)[codes] + 0.4 * rng.normal(size=15)[item.codes]
    y = np.round(1e14 * np.exp(eta))
    found = fit("poisson", "log", y, np.column_stack([np.ones(len(x)), x]), [group, item])
    assert not found.certificate.converged


@pytest.mark.parametrize(
    ("family", "link"),
    [
        ("binomial", "logit"),
        ("binomial", "cloglog"),
        ("poisson", "log"),
        ("negative_binomial", "log"),
        ("gamma", "log"),
    ],
)
@pytest.mark.parametrize("crossed", [False, True])
def test_models_without_fixed_effects(family: str, link: str, crossed: bool) -> None:
    rng, x, codes, group = design(6, 25, 8)
    terms = [group]
    eta = 0.8 * rng.normal(size=25)[codes]
    if crossed:
        terms.append(RandomTerm("h", rng.integers(0, 6, len(x)), np.ones((len(x), 1))))
        eta = eta + 0.6 * rng.normal(size=6)[terms[1].codes]
    y = {
        "binomial": (rng.random(len(x)) < 1 / (1 + np.exp(-eta))).astype(float),
        "gamma": rng.gamma(2.0, np.exp(eta) / 2.0),
    }.get(family, rng.poisson(np.exp(eta) * rng.gamma(2.0, 0.5, len(x))).astype(float))
    found = fit(family, link, y, np.empty((len(x), 0)), terms)
    assert found.certificate.converged
    assert found.evaluations <= MOST
    assert agrees(found)
    assert found.beta.shape == (0,)
    steps = [
        found.theta + shift * np.eye(len(found.theta))[i] for i in range(len(found.theta)) for shift in (-0.02, 0.02)
    ]
    data = found.data
    dense = Dense(found.family, data.y, data.Q @ data.root, data.problem.terms, data.m, data.offset)
    psi = found.psi if found.has_dispersion else 0.0
    assert min(dense.laplace(theta, found.beta, psi) for theta in steps) > found.criterion


def test_a_lower_end_with_large_variances_is_not_the_last() -> None:
    model = random_generalized(99, 125)
    made = GeneralizedLinearMixedModel(model.formula, model.data, **model.arguments)
    found = made.fit()
    assert found.converged
    # Three ends: 140.02, 96.47 and this one.
    assert found.criterion == pytest.approx(96.1001929, abs=1e-5)
