"""Deletion, leverages and residuals by simulation where the residual covariance has parameters, by dense algebra."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from mixedsparse.core.deletion.correlated import correlated_residuals

# Formula, residual=, dispersion=, columns of X beside the constant.
MODELS = {
    "ar1 and intercept": ("y ~ x + (1 | g)", "ar1(t | g)", None, ["x"]),
    "car1 with strata": ("y ~ x + (1 | g)", "car1(t | g)", "~ s", ["x"]),
    "ar1 and crossed": ("y ~ x + (1 | g) + (1 | item)", "ar1(t | g)", None, ["x"]),
    "cs and memberships": ("y ~ x + (1 | mm(item, other))", "homcs(t | g)", None, ["x"]),
    "us alone": ("y ~ x", "us(t | g)", None, ["x"]),
    "slopes and strata": ("y ~ x + t + (1 + x | item)", None, "~ s", ["x", "t"]),
    "strata alone": ("y ~ x", None, "~ s", ["x"]),
}
every_model = pytest.mark.parametrize("name", MODELS)


def rows() -> pd.DataFrame:
    """Return 18 series of 5 times in random order, some rows missing, with a crossed factor."""
    rng = np.random.default_rng(0)
    G, T = 18, 5
    g, t = np.repeat(np.arange(G), T), np.tile(np.arange(T), G)
    item = rng.integers(0, 8, G * T)
    e = rng.normal(size=(G, T))
    for i in range(1, T):
        e[:, i] += 0.6 * e[:, i - 1]
    d = pd.DataFrame({"g": g, "t": t, "item": item, "other": (item + rng.integers(1, 8, G * T)) % 8})
    d["x"], d["w"] = rng.normal(size=G * T), rng.uniform(0.5, 2.0, G * T)
    d["s"] = np.where(rng.random(G * T) > 0.5, "a", "b")
    d["y"] = 1.0 + 0.5 * d["x"] + rng.normal(size=G)[g] + 0.8 * rng.normal(size=8)[item] + e.ravel()
    d["y"] += rng.normal(size=8)[item] * d["x"]
    return d[rng.random(G * T) > 0.15].sample(frac=1.0, random_state=1).reset_index(drop=True)


DATA = rows()


@cache
def fit(name: str, reml: bool = True) -> ms.MixedResults:
    """Fit one of the models with prior weights."""
    formula, residual, dispersion, _ = MODELS[name]
    return ms.lmer(formula, DATA, residual=residual, dispersion=dispersion, weights="w", reml=reml)


class Dense:
    """V, R and the rest over sigma^2, written out."""

    def __init__(self, name: str, reml: bool = True) -> None:
        found = fit(name, reml)
        n, self.reml = len(DATA), reml
        self.V = np.asarray(found.marginal_cov(np.arange(n))) / found.scale
        own, phi = found._fitted.model.residual, found._fitted.fit.residual
        root = 1.0 / np.sqrt(DATA["w"].to_numpy())
        self.R = root[:, None] * own.at(phi).between(np.arange(n)) * root
        self.X = np.column_stack([np.ones(n), *(DATA[column] for column in MODELS[name][3])])
        self.y = DATA["y"].to_numpy()

    def without(self, gone: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
        """Return beta, sigma^2 and the covariance of beta by generalised least squares of the other rows."""
        left = np.setdiff1d(np.arange(len(self.y)), gone)
        X, inverse = self.X[left], np.linalg.inv(self.V[np.ix_(left, left)])
        K = np.linalg.inv(X.T @ inverse @ X)
        beta = K @ X.T @ inverse @ self.y[left]
        e = self.y[left] - X @ beta
        sigma2 = float(e @ inverse @ e) / (len(left) - self.X.shape[1] * self.reml)
        return beta, sigma2, sigma2 * K

    @property
    def P(self) -> np.ndarray:
        """Return P_0."""
        inverse = np.linalg.inv(self.V)
        return inverse - inverse @ self.X @ np.linalg.solve(self.X.T @ inverse @ self.X, self.X.T @ inverse)


@every_model
@pytest.mark.parametrize("reml", [True, False])
def test_deletion_of_a_row_is_a_fit_without_it(name, reml):
    found, dense = fit(name, reml).influence(), Dense(name, reml)
    for i in range(0, len(DATA), 11):
        beta, sigma2, cov = dense.without(np.array([i]))
        assert np.allclose(found.params.iloc[i], beta, rtol=1e-9, atol=1e-10)
        assert found.table["sigma"].iloc[i] ** 2 == pytest.approx(sigma2, rel=1e-9)
        wanted = (fit(name, reml).params - beta) / np.sqrt(np.diag(cov))
        assert np.allclose(found.dfbetas.iloc[i], wanted, rtol=1e-7, atol=1e-8)


@every_model
def test_deletion_of_a_group_at_fixed_theta_is_a_fit_without_it(name):
    found, dense = fit(name).influence(DATA["g"], theta="fixed"), Dense(name)
    for level in found.params.index[::5]:
        beta, sigma2, _ = dense.without(np.flatnonzero(DATA["g"] == level))
        assert np.allclose(found.params.loc[level], beta, rtol=1e-9, atol=1e-10)
        assert found.table["sigma"][level] ** 2 == pytest.approx(sigma2, rel=1e-9)


@pytest.mark.parametrize("name", ["car1 with strata", "ar1 and crossed", "cs and memberships", "slopes and strata"])
def test_deletion_with_parameters_estimated_anew_is_a_fit_without_the_rows(name):
    formula, residual, dispersion, _ = MODELS[name]
    codes = np.where(DATA["g"] < 6, "gone", np.where(DATA["g"] < 12, "left", "right"))
    found = fit(name).influence(codes, theta="refit")
    again = ms.lmer(formula, DATA[codes != "gone"], residual=residual, dispersion=dispersion, weights="w")
    assert np.allclose(found.params.loc["gone"], again.params, rtol=1e-5, atol=1e-6)
    assert found.table["sigma"]["gone"] ** 2 == pytest.approx(again.scale, rel=1e-4)


@every_model
def test_leverages_and_standardized_residuals_are_those_of_dense_matrices(name):
    found, dense = fit(name), Dense(name)
    P, sigma = dense.P, np.sqrt(found.scale)
    hat = np.eye(len(P)) - dense.R @ P
    assert np.allclose(found.leverage(), np.diag(hat), atol=1e-10)
    assert np.allclose(dense.y - found.fittedvalues, dense.R @ P @ dense.y, atol=1e-8)
    standardized = found.resid / sigma / np.sqrt(np.diag(dense.R @ P @ dense.R))
    assert np.allclose(found.residuals("standardized"), standardized, rtol=1e-8)
    without = np.array([dense.without(np.array([i]))[1] for i in range(5)])
    studentized = standardized.iloc[:5] * sigma / np.sqrt(without)
    assert np.allclose(found.residuals("studentized").iloc[:5], studentized, rtol=1e-8)


@every_model
def test_residuals_of_other_responses_are_those_of_dense_matrices(name):
    fitted, dense = fit(name)._fitted, Dense(name)
    others, root = np.random.default_rng(1).normal(size=(3, len(DATA))), np.sqrt(DATA["w"].to_numpy())
    engine, pls = fitted.model.engine(), fitted.fit.search.pls
    for conditional, spread in ((True, dense.R), (False, dense.V)):
        got = correlated_residuals(engine, pls, others * root, conditional)
        assert np.allclose(got / root, others @ dense.P @ spread, atol=1e-9)


@pytest.mark.parametrize("random", ["redraw", "conditional"])
def test_scaled_residuals_are_uniform_where_the_residual_covariance_is_right(random):
    found = fit("ar1 and crossed").scaled_residuals(nsim=99, seed=4, random=random)
    assert found.tests.loc["uniformity", "p"] > 0.02
    assert found.tests.loc["outliers", "p"] > 0.02
    assert abs(found.table["normal"].mean()) < 0.3


def test_scaled_residuals_can_be_of_refits():
    found = fit("us alone").scaled_residuals(nsim=6, seed=4, refit=True)
    assert found.nsim == 6
    assert found.table["residual"].between(0, 1).all()


def test_distances_from_leverages_are_refused_where_residuals_are_correlated():
    with pytest.raises(ms.BackendError, match=r"influence\(\).cooks_distance"):
        fit("us alone").cooks_distance()
    moved = fit("us alone").influence().cooks_distance
    assert (moved >= 0).all()
