"""The criterion at many points at once, and the valleys among them."""

from __future__ import annotations

import numpy as np
import pytest

import mixedsparse as ms
from mixedsparse.core.engines.dense.scan import downhill, scanned

POINTS = np.array([0.0, 0.03, 0.4, 1.0, 7.0, 90.0])


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize(
    ("formula", "name"),
    [("Yield ~ 1 + (1 | Batch)", "Dyestuff2"), ("Reaction ~ Days + (0 + Days | Subject)", "sleepstudy")],
)
def test_scanned_points_are_those_of_the_engine(formula, name, reml):
    model = ms.LinearMixedModel(formula, ms.datasets.load(name))
    # The scan is in whitened units; the criterion takes theta of the user's.
    alone = [model.objective(model.problem.from_block @ [theta], reml) for theta in POINTS]
    np.testing.assert_allclose(scanned(model.problem, reml, POINTS), alone, rtol=1e-12)


def test_only_one_effect_per_level_is_scanned():
    model = ms.LinearMixedModel("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
    assert scanned(model.problem, True, POINTS) is None


def test_every_point_falls_to_the_bottom_of_its_valley():
    assert downhill(np.array([3.0, 1.0, 2.0, 2.0, 5.0, 4.0, np.inf])).tolist() == [1, 1, 1, 3, 3, 5, 5]
    assert downhill(np.array([2.0])).tolist() == [0]
