"""Random generalized models: they hold, what should be seen is seen, and those of glmmTMB are those that are drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import mixedsparse as ms
from benchmarks.fuzz import generalized_models, glmmtmb_fits
from benchmarks.fuzz.__main__ import MODELS, SEED
from benchmarks.fuzz.generalized_designs import random_generalized
from benchmarks.fuzz.generalized_models import check_generalized

# 204 has two optima: of random effects, and of a dispersion in their place, 0.05 higher. 183 has fewer outcomes than
# random effects, and an optimum 27 lower than where glmmTMB ends.
FEW = (*range(6), 12, 183, 204)


def faults(findings):
    return [f"{f.check}: {f.case}: {f.fault}" for f in findings if f.fault]


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(generalized_models, "RESTARTS", 1)
    monkeypatch.setattr(generalized_models, "_reports", lambda fit: {"summary": lambda: str(fit.summary())})


def test_models_of_glmmtmb_are_those_that_are_drawn():
    theirs = glmmtmb_fits.stored()
    assert len(theirs) == MODELS
    assert all(theirs[k].checksum == random_generalized(SEED, k).checksum for k in range(MODELS))


@pytest.mark.slow
def test_random_models_hold():
    assert not faults(check_generalized([random_generalized(SEED, k) for k in FEW], glmmtmb_fits.stored()))


def test_few_random_models_hold_without_reports(quick):
    found = list(check_generalized([random_generalized(SEED, k) for k in FEW], glmmtmb_fits.stored()))
    assert not faults(found)
    assert {"ends", "glmmTMB", "some", "none", "rows"} <= {f.check for f in found}


def test_a_fit_above_glmmtmb_is_found(quick, monkeypatch):
    model, theirs = random_generalized(SEED, 1), glmmtmb_fits.stored()[1]
    monkeypatch.setattr(ms.GeneralizedLinearMixedModel, "objective", lambda self, *at: theirs.lowest - 1.0)
    low = replace(theirs, lowest=theirs.lowest - 1.0)
    assert "glmmTMB" in [f.check for f in check_generalized([model], {1: low}) if f.fault]


def test_a_number_that_is_no_laplace_value_is_not_a_lower_optimum(quick):
    model, theirs = random_generalized(SEED, 1), glmmtmb_fits.stored()[1]
    low = replace(theirs, lowest=theirs.lowest - 1.0)
    assert not faults(check_generalized([model], {1: low}))


def test_numbers_of_separated_responses_are_a_fault():
    fit = ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", ms.datasets.load("cbpp"))
    assert "largest coefficient 1.58" in generalized_models._numbers(fit)
    rows = np.arange(40)
    with pytest.warns(ms.ConvergenceWarning, match="Separated"):
        apart = ms.glmer("y ~ x + (1 | g)", {"y": (rows > 19).astype(int), "x": rows > 19, "g": rows % 5})
    assert not generalized_models._numbers(apart)
