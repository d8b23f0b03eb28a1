"""Variances of which rounding leaves nothing are NaN with one warning of ours, in every report."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import mixedsparse as ms
from benchmarks.fuzz.designs import random_model
from mixedsparse.fitted.digits import known_covariances, known_variances


@pytest.fixture(scope="module")
def fit():
    """Nearly perfect, with weights over twelve decades: entries of the inverse have errors of hundreds."""
    model = random_model(2026, 211)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ms.MixedSparseWarning)
        return ms.lmer(model.formula, model.data, **model.arguments)


def ours_only(call):
    """Value, and the package's own warnings; any other is an error."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        value = call()
    assert all(issubclass(w.category, ms.MixedSparseWarning) for w in caught), [str(w.message) for w in caught]
    return value, [str(w.message) for w in caught]


@pytest.mark.parametrize("which", ["random_effects_cov", "random_effects_error_cov"])
def test_covariances_of_modes(fit, which):
    found, said = ours_only(lambda: getattr(fit, which))
    assert [text for text in said if "variances of random effects of 'j'" in text]
    for cov in found.values():
        variances = np.diagonal(cov, axis1=1, axis2=2)
        assert (np.isnan(variances) | (variances >= 0.0)).all()
    assert np.isnan(found["j"]).any()
    assert not np.isnan(found["h"]).any()


@pytest.mark.parametrize("interval", ["confidence", "prediction"])
def test_intervals_of_predictions(fit, interval):
    found, said = ours_only(lambda: fit.predict(interval=interval))
    assert len([text for text in said if "variances of predicted means" in text]) == 1
    assert found["predicted"].notna().all()
    assert found["lower"].isna().any()


@pytest.mark.parametrize("errors", ["prediction", "conditional"])
def test_tables_of_modes(fit, errors):
    table, _ = ours_only(lambda: fit.tidy("ran_vals", conf_int=True, errors=errors))
    assert table["estimate"].notna().all()
    assert table["std.error"].isna().any()


def test_what_is_near_to_the_errors_is_given_up_and_what_is_zero_stays():
    variances = np.array([1000.0, 50.0, 0.0, -1.0])
    with pytest.warns(ms.UndefinedTestWarning, match="no digit of 2 of 4 things"):
        found = known_variances(variances, "things")
    np.testing.assert_array_equal(found, [1000.0, np.nan, 0.0, np.nan])
    np.testing.assert_array_equal(known_variances(np.array([1.0, -1e-17]), "things"), [1.0, 0.0])
    whole = np.array([1.0, 2.0])
    assert known_variances(whole, "things") is whole


def test_of_a_covariance_the_rows_and_columns_go():
    cov = np.array([[[2000.0, 3.0], [3.0, 5.0]], [[-1.0, 0.5], [0.5, 4.0]]])
    with pytest.warns(ms.UndefinedTestWarning, match="no digit of 1 of 2 things"):
        found = known_covariances(cov, "things")
    np.testing.assert_array_equal(found, [cov[0], [[np.nan, np.nan], [np.nan, 4.0]]])
    assert cov[1, 0, 0] == -1.0
