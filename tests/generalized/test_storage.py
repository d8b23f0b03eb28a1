"""Generalized fits in files and in pickles: what comes back is equal to the last bit."""

from __future__ import annotations

import json
import pickle
import zipfile

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms

CBPP = ms.datasets.load("cbpp")
TICKS = ms.datasets.load("grouseticks")
VERBAGG = ms.datasets.load("VerbAgg")
SLEEP = ms.datasets.load("sleepstudy")
BOUND = "cbind(incidence, size - incidence) ~ period + (1 | herd)"


def shift(x):
    return x + 1.0


def crossed_by_cholmod():
    return ms.glmer("r2 ~ Anger + (1 | id) + (1 | item)", VERBAGG, options=ms.FitOptions(backend="cholmod"))


# Name -> fit, and the data to predict.
CASES = {
    "events": (lambda: ms.glmer(BOUND, CBPP), CBPP),
    "proportions": (
        lambda: ms.glmer("incidence / size ~ period + (1 | herd)", CBPP, link="cloglog", trials="size"),
        CBPP,
    ),
    "quadrature": (lambda: ms.glmer(BOUND, CBPP, link="probit", nAGQ=5), CBPP),
    "penalised least squares": (lambda: ms.glmer(BOUND, CBPP, nAGQ=0), CBPP),
    "crossed": (lambda: ms.glmer("r2 ~ Anger + (1 | id) + (1 | item)", VERBAGG), VERBAGG),
    "cholmod": (crossed_by_cholmod, VERBAGG),
    "rows joined": (lambda: ms.glmer("r2 ~ btype + situ + (1 | item)", VERBAGG), VERBAGG),
    "counts": (
        lambda: ms.glmer(
            "TICKS ~ YEAR + shift(cHEIGHT) + (1 | BROOD) + (1 | INDEX) + (1 | LOCATION)", TICKS, "poisson"
        ),
        TICKS,
    ),
    "offset and weights": (
        lambda: ms.glmer(
            "TICKS ~ cHEIGHT + offset(log(HEIGHT)) + (1 | BROOD)",
            TICKS,
            "nb1",
            offset=np.linspace(0.0, 1.0, len(TICKS)),
            weights=np.linspace(1.0, 2.0, len(TICKS)),
        ),
        TICKS.assign(offset=0.0),
    ),
    "slopes with a shape": (lambda: ms.glmer("Reaction ~ Days + (Days | Subject)", SLEEP, "gamma", link="log"), SLEEP),
    "precision": (lambda: ms.glmer("Reaction ~ Days + (1 | Subject)", SLEEP, "inverse_gaussian", link="log"), SLEEP),
}


def same(first, second):
    """Equal to the last bit."""
    assert np.asarray(first).tobytes() == np.asarray(second).tobytes()


@pytest.fixture(scope="module")
def fits():
    return {}


def fit_of(fits, name):
    if name not in fits:
        fits[name] = CASES[name][0]()
    return fits[name]


def through_a_file(fit, path, **how):
    fit.save(path / "fit", **how)
    return ms.load(path / "fit", env={"shift": shift})


def assert_same_fit(fit, again, rows):
    """Assert that what needs no observation is equal."""
    assert type(again) is ms.GeneralizedResults
    assert repr(again) == repr(fit)
    assert str(again.summary()) == str(fit.summary())
    for name in ("params", "bse", "pvalues", "theta", "criterion", "dispersion"):
        same(getattr(again, name), getattr(fit, name))
    same(again.cov_params("conditional"), fit.cov_params("conditional"))
    for group, modes in fit.random_effects.items():
        pd.testing.assert_frame_equal(again.random_effects[group], modes, check_exact=True)
        same(again.random_effects_cov[group], fit.random_effects_cov[group])
        same(again.random_effects_error_cov[group], fit.random_effects_error_cov[group])
    how = {"offset": 0.0} if "offset" in fit.formula else {}
    for random in ("conditional", "population"):
        for scale in ("link", "response"):
            found, expected = (f.predict(rows, random, interval="confidence", type=scale, **how) for f in (again, fit))
            pd.testing.assert_frame_equal(found, expected, check_exact=True)


@pytest.mark.filterwarnings("ignore:Prior weights of counts")
@pytest.mark.parametrize("name", CASES)
def test_everything_comes_back_to_the_last_bit(name, fits, tmp_path):
    fit = fit_of(fits, name)
    for again in (through_a_file(fit, tmp_path), pickle.loads(pickle.dumps(fit))):
        assert_same_fit(fit, again, CASES[name][1].iloc[::7])
        pd.testing.assert_series_equal(again.fittedvalues, fit.fittedvalues, check_exact=True)
        same(again.predict(interval="confidence"), fit.predict(interval="confidence"))
        same(again.residuals(), fit.residuals())
        same(again.residuals("quantile", seed=3), fit.residuals("quantile", seed=3))


@pytest.mark.parametrize("name", CASES)
def test_without_data_everything_but_the_observations_comes_back(name, fits, tmp_path):
    fit = fit_of(fits, name)
    again = through_a_file(fit, tmp_path, data=False)
    assert_same_fit(fit, again, CASES[name][1].iloc[::7])
    for use in (lambda: again.fittedvalues.sum(), again.residuals, lambda: again.model.fit()):
        with pytest.raises(ms.RowsElsewhereError, match="left out of the file"):
            use()
    twice = through_a_file(again, tmp_path)
    assert_same_fit(fit, twice, CASES[name][1].iloc[::7])
    pickle.loads(pickle.dumps(twice)).summary()


def interval_of(fit, rows, **how):
    """Interval of new responses, or the message of the error."""
    try:
        return fit.predict(rows, interval="prediction", **how).to_numpy().tobytes()
    except ms.MixedSparseError as error:
        return str(error)


@pytest.mark.filterwarnings("ignore:Prior weights of counts")
@pytest.mark.parametrize("name", ["events", "crossed", "offset and weights"])
def test_without_data_intervals_of_new_responses_ask_for_trials_and_weights_as_before(name, fits, tmp_path):
    fit, rows = fit_of(fits, name), CASES[name][1].iloc[::7]
    again = through_a_file(fit, tmp_path, data=False)
    offset = {"offset": 0.0} if "offset" in fit.formula else {}
    answers = [[interval_of(f, rows, **offset, **how) for how in ({}, {"weights": 2})] for f in (fit, again)]
    assert answers[0] == answers[1]
    assert isinstance(answers[0][1], bytes)
    assert ("are not known: give" in answers[0][0]) if name != "crossed" else isinstance(answers[0][0], bytes)


def test_reference_grids_come_back(fits, tmp_path):
    fit = fit_of(fits, "events")
    for data in (True, False):
        again = through_a_file(fit, tmp_path, data=data)
        for kind in ("link", "response"):
            found, expected = (f.emmeans("period", type=kind) for f in (again, fit))
            pd.testing.assert_frame_equal(found.table, expected.table, check_exact=True)
            pd.testing.assert_frame_equal(found.contrast().table, expected.contrast().table, check_exact=True)
        pd.testing.assert_series_equal(again.r2(), fit.r2())


def test_a_loaded_model_fits_again(fits, tmp_path):
    fit = fit_of(fits, "events")
    again = through_a_file(fit, tmp_path)
    assert again.model.fit().criterion == fit.criterion
    assert again.model.fit(nAGQ=3).criterion == fit.model.fit(nAGQ=3).criterion


def test_rows_that_were_joined_are_stored_as_they_were(fits, tmp_path):
    fit = fit_of(fits, "rows joined")
    again = through_a_file(fit, tmp_path)
    assert again.fit.data.n == fit.fit.data.n < again.nobs
    same(again.fit.point.mode.eta, fit.fit.point.mode.eta)


def test_what_has_no_optimum_keeps_its_verdict(tmp_path):
    data = pd.DataFrame({"x": np.repeat([0, 1], 100), "g": np.tile(np.arange(20), 10)})
    data["y"] = np.where(data["x"] == 1, 1, np.random.default_rng(2).integers(0, 2, 200))
    with pytest.warns(ms.ConvergenceWarning, match="Separated"):
        fit = ms.glmer("y ~ x + (1 | g)", data)
    again = through_a_file(fit, tmp_path)
    assert again.certificate.verdict == "separated"
    assert again.certificate.columns == fit.certificate.columns
    assert str(again.summary()) == str(fit.summary())


def test_the_function_of_bound_columns_is_not_of_the_session(fits, tmp_path):
    fit_of(fits, "events").save(tmp_path / "fit")
    with zipfile.ZipFile(tmp_path / "fit") as archive:
        header = json.loads(archive.read("header.json"))
    assert (header["names"], header["method"], header["nobs"]) == ([], "ML", 56)
    assert ms.load(tmp_path / "fit", env={}).formula == BOUND


def test_a_family_of_ones_own_is_refused(fits, tmp_path):
    class Own(ms.families.Binomial):
        """Code of the user."""

    fit = ms.glmer(BOUND, CBPP, Own("logit"))
    with pytest.raises(ms.StorageError, match=r"Own, which a file cannot"):
        fit.save(tmp_path / "fit")
    assert not list(tmp_path.iterdir())
