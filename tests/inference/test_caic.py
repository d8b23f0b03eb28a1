"""Conditional AIC: exact degrees of freedom by moving one response at a time, and the numbers of cAIC4."""

from __future__ import annotations

import numpy as np
import pytest

import mixedsparse as ms
from mixedsparse.inference.caic import effective_df
from tests.inference.golden_means import WANTED, cases_with, fit_of
from tests.models import DESIGNS, make


def moved_df(model: ms.LinearMixedModel, reml: bool, step: float) -> float:
    """Sum of d fitted_i / d y_i by refitting with one response moved."""
    design = model.design
    total = 0.0
    for i in range(len(design.y)):
        ends = []
        for sign in (1, -1):
            y = design.y.copy()
            y[i] += sign * step
            moved = ms.LinearMixedModel.from_arrays(y, design.X, design.terms, weights=design.weights)
            ends.append(moved.fit(reml).fittedvalues.to_numpy()[i])
        total += (ends[0] - ends[1]) / (2 * step)
    return total


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
def test_degrees_of_freedom_are_derivatives_of_the_fit(reml, weighted):
    data = ms.datasets.load("Dyestuff")
    weights = 1.0 + np.arange(30) % 3 if weighted else None
    model = ms.LinearMixedModel("Yield ~ 1 + (1 | Batch)", data, weights=weights)
    fit = model.fit(reml)
    assert fit.caic()["df"] - 1 == pytest.approx(moved_df(model, reml, 1e-3 * fit.sigma), rel=1e-6)


def test_degrees_of_freedom_with_slopes():
    data = ms.datasets.load("sleepstudy").query("Days > 4")
    model = ms.LinearMixedModel("Reaction ~ Days + (Days | Subject)", data)
    fit = model.fit()
    assert fit.caic()["df"] - 1 == pytest.approx(moved_df(model, True, 1e-3 * fit.sigma), rel=1e-5)


@pytest.mark.parametrize("name", cases_with("cAIC4"))
def test_numbers_of_caic4(name):
    want = WANTED[name]["cAIC4"]
    # The reference of this case is of the ML fit.
    fit = fit_of(name).model.fit(reml=False) if name.startswith("v01") else fit_of(name)
    got = fit.caic(method="cAIC4")
    assert got["caic"] == pytest.approx(want["caic"], abs=1e-5)
    assert got["df"] == pytest.approx(want["df"], abs=1e-6)
    assert got["loglik"] == pytest.approx(want["loglikelihood"], abs=1e-5)


@pytest.mark.filterwarnings("ignore::mixedsparse.MixedSparseWarning")
@pytest.mark.parametrize("name", sorted(DESIGNS))
def test_trace_of_the_hat_matrix(name):
    fit = make(name, 0).model().fit()
    Z, Lam, X = (np.asarray(m.todense() if hasattr(m, "todense") else m) for m in map(fit.get, ("Z", "Lam", "X")))
    w = np.ones(fit.nobs) if fit._fitted.weights is None else fit._fitted.weights
    V = np.diag(1 / w) + Z @ Lam @ Lam.T @ Z.T
    inverse = np.linalg.inv(V)
    P = inverse - inverse @ X @ np.linalg.solve(X.T @ inverse @ X, X.T @ inverse)
    assert effective_df(fit._fitted) == pytest.approx(fit.nobs - np.trace(P @ np.diag(1 / w)), rel=1e-6)


def test_variance_at_zero_costs_nothing():
    with pytest.warns(ms.SingularFitWarning):
        fit = ms.lmer("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff2"))
    got = fit.caic()
    assert got["df"] == pytest.approx(2.0)
    assert got["loglik"] == pytest.approx(-0.5 * (30 * np.log(2 * np.pi * fit.scale) + 29))


def test_known_theta_and_unknown_method():
    fit = fit_of("v09_Dyestuff")
    assert fit.caic("vaida-blanchard")["df"] == pytest.approx(effective_df(fit._fitted) + 1)
    with pytest.raises(ms.OptionError, match="method='conditional' is not known; use one of 'greven-kneib', 'cAIC4'"):
        fit.caic("conditional")
