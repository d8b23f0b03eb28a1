"""Leverages, residuals of all kinds and Cook's distances, against dense algebra and lme4."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from mixedsparse.core.choose.make import make_engine
from mixedsparse.core.deletion.leverage import hat, residuals_of
from mixedsparse.core.engines.cholmod.cholmod import available
from mixedsparse.core.likelihood.pls import solve_pls
from mixedsparse.diagnostics.residuals import KINDS
from tests.diagnostics.dense import dense_hat
from tests.models import DESIGNS, make, random_theta

BACKENDS = ["split", pytest.param("cholmod", marks=pytest.mark.skipif(not available(), reason="needs scikit-sparse"))]
WANTED = json.loads((Path(__file__).parent / "golden" / "influence.json").read_text())
# lme4 stops its search at about the square root of the precision of the criterion.
LME4 = 1e-6


def fitted(name: str) -> ms.MixedResults:
    """Fit the models of golden/influence.R."""
    if name in ("slopes", "weighted"):
        data = ms.datasets.load("sleepstudy")
        data["w"] = 0.5 + np.arange(1, 181) % 7 / 4
        return ms.lmer("Reaction ~ Days + (Days | Subject)", data, weights="w" if name == "weighted" else None)
    if name == "crossed":
        return ms.lmer("diameter ~ 1 + (1 | plate) + (1 | sample)", ms.datasets.load("Penicillin"))
    return ms.lmer("score ~ Machine + (1 | Worker) + (1 | Worker:Machine)", ms.datasets.load("Machines"))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("name", DESIGNS)
def test_hat_matches_dense_algebra(name, zeros, backend):
    small = make(name, 3)
    theta = random_theta(small, 3, zeros=zeros)
    engine = make_engine(small.problem(), backend)
    layout = engine.problem.layout
    pls = solve_pls(engine.problem, engine.factorize(layout.lams(layout.to_block @ theta)), reml=True)
    # The engine has moved on since: the factor must notice.
    engine.factorize(layout.lams(np.ones(len(theta))))
    got, want = hat(engine, pls), dense_hat(small, theta)
    np.testing.assert_allclose(got.diagonal, 1.0 - np.diag(want.P), atol=1e-12)
    np.testing.assert_allclose(got.residual, want.P @ want.y, atol=1e-11)
    others = np.random.default_rng(1).normal(size=(3, len(want.y)))
    again = residuals_of(engine, pls, got.rows, others, conditional=True)
    np.testing.assert_allclose(again, others @ want.P, atol=1e-11)
    marginal = residuals_of(engine, pls, got.rows, others, conditional=False)
    np.testing.assert_allclose(marginal, np.linalg.solve(want.V_inverse, want.P @ others.T).T, atol=1e-10)


@pytest.mark.parametrize("name", ["slopes", "weighted", "crossed", "nested"])
def test_rows_match_lme4(name):
    fit, want = fitted(name), WANTED[name]
    np.testing.assert_allclose(fit.leverage(), want["hatvalues"], rtol=LME4)
    np.testing.assert_allclose(fit.cooks_distance(), want["cooks_distance"], rtol=LME4, atol=LME4)
    np.testing.assert_allclose(fit.residuals("standardized"), want["standardized"], rtol=LME4, atol=LME4)


def test_leverages_add_up_to_the_effective_number_of_parameters():
    fit = fitted("nested")
    assert fit.leverage().sum() == pytest.approx(fit.caic("vaida-blanchard")["df"] - 1.0, rel=1e-9)


def test_leverage_is_the_derivative_of_the_fitted_value_at_known_theta():
    small = make("weighted", 0)
    fit = small.model().fit()
    moved = small.y.copy()
    moved[7] += 1.0
    P = dense_hat(small, fit.theta).P
    root = np.sqrt(small.weights)
    change = (np.eye(len(P)) - P / root[:, None] * root) @ (moved - small.y)
    assert fit.leverage().iloc[7] == pytest.approx(change[7], rel=1e-9)


def test_residuals_of_every_kind():
    data = ms.datasets.load("sleepstudy")
    data["w"] = np.linspace(0.5, 2.0, 180)
    data["known"] = np.linspace(-5.0, 5.0, 180)
    fit = ms.lmer("Reaction ~ Days + (Days | Subject)", data, weights="w", offset="known")
    kinds = {kind: fit.residuals(kind) for kind in KINDS}
    pd.testing.assert_series_equal(kinds["response"], fit.resid, check_names=False)
    pd.testing.assert_series_equal(kinds["conditional"], kinds["response"], check_names=False)
    np.testing.assert_allclose(kinds["pearson"], fit.resid * np.sqrt(data["w"]))
    np.testing.assert_allclose(kinds["scaled"], kinds["pearson"] / fit.sigma)
    np.testing.assert_allclose(kinds["standardized"], kinds["scaled"] / np.sqrt(1.0 - fit.leverage()))
    mean = fit.params["Intercept"] + fit.params["Days"] * data["Days"] + data["known"]
    np.testing.assert_allclose(kinds["marginal"], data["Reaction"] - mean)
    without = fit.influence(theta="fixed")
    np.testing.assert_allclose(
        kinds["studentized"], kinds["standardized"] * fit.sigma / without.table["sigma"], rtol=1e-10
    )


def test_series_are_on_the_index_of_the_data_without_dropped_rows():
    data = ms.datasets.load("sleepstudy").set_index(np.arange(180) + 1000)
    data.loc[1003, "Reaction"] = np.nan
    with pytest.warns(ms.DroppedRowsWarning):
        fit = ms.lmer("Reaction ~ Days + (Days | Subject)", data)
    for series in (fit.leverage(), fit.cooks_distance(), fit.residuals("studentized"), fit.influence().cooks_distance):
        assert series.index.equals(fit.resid.index)
        assert 1003 not in series.index


def test_a_huge_mean_costs_no_digits():
    data = ms.datasets.load("sleepstudy")
    fit = ms.lmer("Reaction ~ Days + (Days | Subject)", data)
    shifted = ms.lmer("Reaction ~ Days + (Days | Subject)", data.assign(Reaction=data["Reaction"] + 1e8))
    np.testing.assert_allclose(shifted.cooks_distance(), fit.cooks_distance(), rtol=1e-5, atol=1e-8)


def test_singular_fits_have_leverages_of_least_squares():
    data = ms.datasets.load("Dyestuff2")
    with pytest.warns(ms.SingularFitWarning):
        fit = ms.lmer("Yield ~ 1 + (1 | Batch)", data)
    np.testing.assert_allclose(fit.leverage(), 1.0 / 30.0, rtol=1e-12)


def test_row_of_leverage_one_has_no_standardized_residual():
    data = ms.datasets.load("sleepstudy")
    data["only"] = (np.arange(180) == 20).astype(float)
    fit = ms.lmer("Reaction ~ Days + only + (1 | Subject)", data)
    assert fit.leverage().iloc[20] == pytest.approx(1.0)
    assert np.flatnonzero(fit.residuals("studentized").isna()).tolist() == [20]
    assert np.flatnonzero(fit.cooks_distance().isna()).tolist() == [20]


def test_models_from_arrays_without_fixed_effects():
    fit = make("no_fixed", 0).model().fit()
    assert fit.leverage().between(0.0, 1.0).all()
    assert fit.cooks_distance().isna().all()


def test_unknown_kind_lists_the_known_ones():
    with pytest.raises(ms.OptionError, match=r"'deviance' is not known; use one of 'response', 'conditional'"):
        fitted("slopes").residuals("deviance")


def test_hat_survives_other_backends_and_pickles():
    import pickle

    data = ms.datasets.load("Penicillin")
    fit = ms.lmer("diameter ~ 1 + (1 | plate) + (1 | sample)", data, options=ms.FitOptions(backend="split"))
    want = fit.leverage()
    pd.testing.assert_series_equal(pickle.loads(pickle.dumps(fit)).leverage(), want)
    if available():
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            other = ms.lmer("diameter ~ 1 + (1 | plate) + (1 | sample)", data, options=ms.FitOptions(backend="cholmod"))
            np.testing.assert_allclose(other.leverage(), want, rtol=1e-5)
