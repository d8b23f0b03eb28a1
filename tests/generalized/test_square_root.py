"""Links of positive means: the modes of counts by square roots are one optimum, and means do not fold at 0."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from mixedsparse.core.likelihood.family.links import LINKS


def counts(family: str, seed: int) -> pd.DataFrame:
    """Counts of groups that lie on both sides of 0, where a mean is that of the opposite."""
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(24), 6)
    x = rng.normal(size=len(g))
    h = np.arange(len(g)) % 8
    eta = 1.4 + (0.2 + 0.5 * rng.normal(size=24)[g]) * x + rng.normal(size=24)[g] + 0.6 * rng.normal(size=8)[h]
    mu = eta**2 * (rng.gamma(2.0, 0.5, len(g)) if family == "negative_binomial" else 1.0)
    return pd.DataFrame({"y": rng.poisson(mu), "x": x, "g": g.astype(str), "h": h.astype(str)})


@pytest.mark.parametrize("family", ["poisson", "negative_binomial"])
@pytest.mark.parametrize("formula", ["y ~ x + (1 | g)", "y ~ x + (x | g)", "y ~ 1 + (1 | g) + (1 | h)"])
def test_the_end_is_the_criterion_and_not_above_that_of_other_starts(family: str, formula: str) -> None:
    data = counts(family, 3)
    model = ms.GeneralizedLinearMixedModel(formula, data, family=family, link="sqrt")
    fit = model.fit()
    assert fit.converged
    dispersion = fit.dispersion if fit.family.has_dispersion else None
    assert model.objective(fit.theta, fit.params, dispersion) == pytest.approx(fit.criterion, abs=1e-7)
    # As a row with a count of at least 1 has no likelihood at 0, none crosses it.
    assert (fit.linear_predictor.to_numpy()[data["y"] > 0] > 0).all()
    rng = np.random.default_rng(1)
    psi = [] if dispersion is None else [np.log(dispersion)]
    for _ in range(3):
        theta = fit.theta * rng.uniform(0.3, 3.0, len(fit.theta))
        other = model.fit(start=np.concatenate([theta, fit.params * rng.uniform(0.8, 1.2), psi]))
        assert fit.criterion <= other.criterion + 1e-6


def test_means_between_limits_that_cross_zero() -> None:
    low, high = np.array([-1.0, 0.5, -3.0]), np.array([2.0, 2.0, -1.0])
    wanted = {
        "sqrt": ([0.0, 0.25, 1.0], [4.0, 4.0, 9.0]),
        "identity": ([0.0, 0.5, np.nan], [2.0, 2.0, np.nan]),
        "inverse": ([0.5, 0.5, np.nan], [np.inf, 2.0, np.nan]),
        "1/mu^2": ([2**-0.5, 2**-0.5, np.nan], [np.inf, 2**0.5, np.nan]),
        "log": (np.exp(low), np.exp(high)),
    }
    for name, (least, most) in wanted.items():
        found = LINKS[name]().extremes(low, high)
        np.testing.assert_allclose(found[0], least, err_msg=name)
        np.testing.assert_allclose(found[1], most, err_msg=name)


def test_a_mean_that_a_link_does_not_have_is_missing_with_a_word() -> None:
    rng = np.random.default_rng(2)
    g = np.repeat(np.arange(20), 8)
    x = rng.uniform(0.0, 1.0, len(g))
    mu = 1.0 / (0.5 + x + 0.1 * rng.normal(size=20)[g])
    data = pd.DataFrame({"y": mu * rng.gamma(20.0, 0.05, len(g)), "x": x, "g": g.astype(str)})
    fit = ms.glmer("y ~ x + (1 | g)", data, family="gamma", link="inverse")
    new = pd.DataFrame({"x": [0.5, -2.0], "g": ["0", "0"]})
    assert fit.predict(new, type="link").lt(0.0).tolist() == [False, True]
    with pytest.warns(ms.OutOfRangeWarning, match="1 of 2 linear predictors lie where the inverse link has no mean"):
        found = fit.predict(new, interval="confidence")
    assert found.isna().all(axis=1).tolist() == [False, True]
    with pytest.warns(ms.OutOfRangeWarning, match="1 of 1"):
        table = fit.emmeans("1", at={"x": -2.0}, type="response").table
    assert np.isnan(table["response"].iloc[0])


def test_counts_of_zero_at_the_edge_of_the_identity_link_are_named() -> None:
    rng = np.random.default_rng(4)
    g = np.repeat(np.arange(20), 6)
    mu = np.maximum(0.8 + rng.normal(size=20)[g], 0.0)
    data = pd.DataFrame({"y": rng.poisson(mu), "g": g.astype(str)})
    with pytest.warns(ms.ConvergenceWarning, match=r"At the edge of the identity link: .* Use link='log'"):
        fit = ms.glmer("y ~ 1 + (1 | g)", data, family="poisson", link="identity")
    assert fit.certificate.verdict == "at the edge of the link"
    listed = list(fit.certificate.rows)
    # All of them belong to groups without a count.
    assert (data["y"].groupby(data["g"]).transform("sum").iloc[listed] == 0).all()
    assert fit.linear_predictor.iloc[listed].to_numpy() == pytest.approx(0.0, abs=1e-3)
