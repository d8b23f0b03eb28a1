"""Intervals of one fit agree: the degrees of freedom of coefficients, marginal means and predictions."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtri, stdtrit

import mixedsparse as ms

DDF = ("satterthwaite", "kenward-roger", "normal")
LIMITS = ["lower", "upper"]
NEW = {"Machine": ["A", "B", "C"]}


@pytest.fixture(scope="module")
def machines():
    return ms.lmer("score ~ Machine + (Machine | Worker)", ms.datasets.load("Machines"))


def by_default(fit):
    """Limits of the means of the three machines, and of the coefficients, by all ways to ask for them."""
    means = fit.emmeans("Machine").table[LIMITS].to_numpy()
    predicted = fit.predict(NEW, random="population", interval="confidence")[LIMITS].to_numpy()
    tidy = fit.tidy(conf_int=True)[["conf.low", "conf.high"]].to_numpy()
    return means, predicted, tidy, fit.conf_int().to_numpy()


def test_intervals_agree_by_default(machines):
    means, predicted, tidy, limits = by_default(machines)
    np.testing.assert_allclose(predicted, means, rtol=1e-9)
    np.testing.assert_allclose(limits, tidy, rtol=1e-12)
    np.testing.assert_allclose(limits[0], means[0], rtol=1e-9)
    # summary(emmeans(m, "Machine")); confint of lmerTest's coefficients with qt(.975, df)
    np.testing.assert_allclose(means, [[48.04, 56.68], [51.25, 69.39], [61.63, 70.92]], atol=6e-3)
    np.testing.assert_allclose(limits, [[48.04, 56.68], [1.74, 14.19], [9.96, 17.88]], atol=6e-3)


@pytest.mark.parametrize("reml", [True, False], ids=["REML", "ML"])
@pytest.mark.parametrize("ddf", DDF)
def test_intervals_agree_by_every_method(ddf, reml):
    fit = ms.lmer("score ~ Machine + (Machine | Worker)", ms.datasets.load("Machines"), reml=reml)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ms.RefitWarning)
        means = fit.emmeans("Machine", ddf=ddf).table
        predicted = fit.predict(NEW, random="population", interval="confidence", ddf=ddf)
        limits = fit.conf_int(ddf=ddf)
        tidy = fit.tidy(conf_int=True, ddf=ddf)
    np.testing.assert_allclose(predicted[LIMITS], means[LIMITS], rtol=1e-9)
    np.testing.assert_allclose(predicted["predicted"], means["emmean"], rtol=1e-12)
    np.testing.assert_allclose(limits, tidy[["conf.low", "conf.high"]], rtol=1e-12)
    np.testing.assert_allclose(limits.iloc[0], means[LIMITS].iloc[0], rtol=1e-9)


def test_p_values_and_intervals_say_the_same(machines):
    for alpha in machines.pvalues:
        limits = machines.conf_int(alpha=float(alpha))
        assert np.abs(limits).min(axis=None) == pytest.approx(0.0, abs=1e-8)


@pytest.mark.parametrize("ddf", DDF[:2])
@pytest.mark.parametrize("interval", ["confidence", "prediction"])
def test_a_new_level_has_the_degrees_of_freedom_of_mean_squares(ddf, interval):
    """Balanced, one way: the variance is a sum of two independent mean squares (Satterthwaite 1946)."""
    data = ms.datasets.load("Dyestuff")
    fit = ms.lmer("Yield ~ 1 + (1 | Batch)", data)
    by_batch = data.groupby("Batch", observed=True)["Yield"]
    levels, each = by_batch.ngroups, len(data) // by_batch.ngroups
    between, within = each * by_batch.mean().var(), by_batch.var().mean()
    parts = np.array([between * (1 / (levels * each) + 1 / each), -within / each])
    parts[1] += within if interval == "prediction" else 0.0
    df = parts.sum() ** 2 / (parts**2 / [levels - 1, levels * (each - 1)]).sum()
    half = stdtrit(df, 0.975) * np.sqrt(parts.sum())
    got = fit.predict({"Batch": ["new"]}, new_levels="zero", interval=interval, ddf=ddf)
    np.testing.assert_allclose(got, [[1527.5, 1527.5 - half, 1527.5 + half]], rtol=1e-6)
    if interval == "prediction":  # the batch is as unknown where it is left out
        again = fit.predict({"Batch": ["A"]}, random="population", interval=interval, ddf=ddf)
        np.testing.assert_allclose(again, got, rtol=1e-12)


def numeric_df(fit, new, step=1e-4):
    """Degrees of freedom from differences of the prediction's variance, by the covariance of theta and log sigma."""
    model, theta = fit.model, fit.theta

    def variance(theta, sigma):
        V = sigma**2 * np.eye(fit.nobs)
        prior = sigma**2
        for term, lam in zip(model.design.terms, _templates(fit, theta), strict=True):
            b = np.einsum("ni,ij->nj", term.z, lam) * sigma
            V += (b @ b.T) * (term.codes[:, None] == term.codes)
            z = np.array([1.0, new][: term.k])
            prior += sigma**2 * np.square(z @ lam).sum()
        x, X = np.array([1.0, new]), fit.get("X")
        return x @ np.linalg.solve(X.T @ np.linalg.solve(V, X), x) + prior, V

    def deviance(parameters):
        _, V = variance(parameters[:-1], np.exp(parameters[-1]))
        X, y = fit.get("X"), fit.get("y")
        information = X.T @ np.linalg.solve(V, X)
        rest = y - X @ np.linalg.solve(information, X.T @ np.linalg.solve(V, y))
        return np.linalg.slogdet(V)[1] + np.linalg.slogdet(information)[1] + rest @ np.linalg.solve(V, rest)

    at = np.append(theta, np.log(fit.sigma))
    e = step * np.eye(len(at))
    hessian = np.array(
        [
            [(deviance(at + a + b) - deviance(at + a - b) - deviance(at - a + b) + deviance(at - a - b)) for b in e]
            for a in e
        ]
    ) / (4 * step**2)
    slope = np.array([variance((at + a)[:-1], np.exp((at + a)[-1]))[0] for a in e])
    slope -= np.array([variance((at - a)[:-1], np.exp((at - a)[-1]))[0] for a in e])
    slope /= 2 * step
    v = variance(theta, fit.sigma)[0]
    return 2 * v**2 / (slope @ np.linalg.solve(hessian / 2, slope)), v


def _templates(fit, theta):
    """Lambda of each term in the order of the design; terms of these fits have one or two effects."""
    start = 0
    for term in fit.model.design.terms:
        size = term.k * (term.k + 1) // 2
        lam = np.zeros((term.k, term.k))
        lam[np.triu_indices(term.k)[::-1]] = theta[start : start + size]
        start += size
        yield lam


@pytest.mark.parametrize("new", [0.0, 4.0, 12.0])
def test_the_whole_variance_counts(new):
    """Slopes, a new subject and a new observation: against differences of dense determinants."""
    data = ms.datasets.load("sleepstudy").iloc[np.arange(180) % 7 != 3]
    fit = ms.lmer("Reaction ~ Days + (Days | Subject)", data)
    got = fit.predict({"Days": [new], "Subject": ["new"]}, new_levels="zero", interval="prediction")
    df, variance = numeric_df(fit, new)
    assert (got["upper"] - got["predicted"])[0] == pytest.approx(stdtrit(df, 0.975) * np.sqrt(variance), rel=1e-4)


def test_known_levels_have_normal_quantiles():
    data = ms.datasets.load("sleepstudy")
    fit = ms.lmer("Reaction ~ Days + (Days | Subject)", data)
    rows = pd.DataFrame({"Days": [3.0, 3.0], "Subject": ["308", "new"]})
    tables = [fit.predict(rows, new_levels="zero", interval="prediction", ddf=ddf) for ddf in DDF]
    widths = [(table["upper"] - table["lower"]).to_numpy() for table in tables]
    assert widths[0][0] == pytest.approx(widths[2][0], rel=1e-12)
    assert widths[0][1] > 1.02 * widths[2][1]
    assert widths[2][1] == pytest.approx(2 * ndtri(0.975) * np.sqrt(_variance_of_new(fit)), rel=1e-6)


def _variance_of_new(fit):
    x = np.array([1.0, 3.0])
    return x @ fit.cov_params().to_numpy() @ x + x @ fit.cov_re["Subject"].to_numpy() @ x + fit.scale


def test_missing_values_and_unknown_methods(machines):
    with pytest.raises(ms.OptionError, match="ddf='kr' is not known; use one of 'satterthwaite'"):
        machines.predict(NEW, random="population", interval="confidence", ddf="kr")
    new = {"Machine": ["A", None, "C"]}
    table = machines.predict(new, random="population", interval="confidence")
    assert table["lower"].isna().tolist() == [False, True, False]


def test_iterative_fits_have_intervals_that_agree():
    data = ms.datasets.load("Penicillin")
    fit = ms.lmer("diameter ~ 1 + (1 | plate) + (1 | sample)", data, method="iterative")
    mean = fit.emmeans("1").table
    np.testing.assert_allclose(fit.conf_int().iloc[0], mean[LIMITS].iloc[0], rtol=1e-9)
    new = {"plate": ["new"], "sample": ["new"]}
    assert fit.predict(new, new_levels="zero", interval="prediction").notna().all(axis=None)


@pytest.mark.slow
def test_prediction_intervals_of_new_levels_hold_in_small_designs():
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"g": np.repeat(np.arange(6), 4), "x": np.tile(np.arange(4.0), 6)})
    inside = {"satterthwaite": 0, "normal": 0}
    for _ in range(400):
        b = rng.normal(size=7)
        y = 1 + data["x"] + b[data["g"]] + rng.normal(size=24)
        target = 1 + 2.0 + b[6] + rng.normal()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ms.MixedSparseWarning)
            fit = ms.lmer("y ~ x + (1 | g)", data.assign(y=y))
        for ddf in inside:
            row = fit.predict({"x": [2.0], "g": [99]}, new_levels="zero", interval="prediction", ddf=ddf).iloc[0]
            inside[ddf] += row["lower"] < target < row["upper"]
    # Two Monte-Carlo errors of 0.95 over 400 data sets are 0.022.
    assert inside["satterthwaite"] / 400 > 0.95 - 0.022
    assert inside["normal"] < inside["satterthwaite"]
