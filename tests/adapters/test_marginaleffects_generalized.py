"""marginaleffects on generalized fits: population means of the response, and their slopes."""

from __future__ import annotations

import numpy as np
import pytest

import mixedsparse as ms

pytest.importorskip("polars")
pytest.importorskip("marginaleffects")

from marginaleffects import predictions

from mixedsparse.adapters.marginaleffects import ModelMixedsparse


def test_predictions_are_means_of_the_response():
    fit = ms.glmer("TICKS ~ cHEIGHT + (1 | BROOD)", ms.datasets.load("grouseticks"), "poisson")
    found = predictions(ModelMixedsparse(fit))
    np.testing.assert_allclose(found["estimate"], fit.predict(random="population"))
    with pytest.raises(ms.OptionError, match="normal"):
        ModelMixedsparse(fit).get_vcov("kenward-roger")
