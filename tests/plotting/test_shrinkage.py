"""Least squares within groups, and what the arrows start from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from mixedsparse.plotting.shrinkage import within_estimates

pytest.importorskip("matplotlib")


def test_one_factor_gives_separate_regressions(sleep):
    data = ms.datasets.load("sleepstudy")
    within = within_estimates(sleep._fitted, "Subject") + sleep.params
    for subject, part in data.groupby("Subject", observed=True):
        slope, intercept = np.polyfit(part["Days"], part["Reaction"], 1)
        np.testing.assert_allclose(within.loc[subject], [intercept, slope], rtol=1e-8)


def test_weights_and_several_factors():
    """A level's estimate minimises its weighted sum of squares, the other parts of the model held."""
    rng = np.random.default_rng(8)
    n = 300
    data = pd.DataFrame({"x": rng.normal(size=n), "g": rng.integers(12, size=n), "h": rng.integers(9, size=n)})
    data["w"] = rng.uniform(0.5, 2.0, size=n)
    effects = rng.normal(size=(12, 2))[data["g"]]
    data["y"] = data["x"] + effects[:, 0] + effects[:, 1] * data["x"] + rng.normal(size=9)[data["h"]]
    data["y"] += rng.normal(size=n)
    fit = ms.lmer("y ~ x + (x || g) + (1 | h)", data, weights="w")
    within = within_estimates(fit._fitted, "g")
    other = (
        fit.params["Intercept"]
        + fit.params["x"] * data["x"]
        + fit.random_effects["h"]["Intercept"].loc[data["h"]].to_numpy()
    )
    for level in (0, 7):
        rows = data["g"] == level
        root = np.sqrt(data.loc[rows, "w"].to_numpy())
        z = np.column_stack([np.ones(rows.sum()), data.loc[rows, "x"]])
        want = np.linalg.lstsq(z * root[:, None], (data["y"] - other)[rows] * root, rcond=None)[0]
        np.testing.assert_allclose(within.loc[level], want, rtol=1e-9)


def test_levels_that_do_not_determine_their_effects_have_none(many):
    counts = np.bincount(many.model.problem.terms[0].codes)
    lost = within_estimates(many._fitted, "g").isna().all(axis=1).to_numpy()
    np.testing.assert_array_equal(lost, counts < 2)


def test_modes_lie_between_the_group_and_the_population(oats):
    panel = oats.plot.shrinkage("Block")
    _, before, after = (line.get_xdata() for line in panel.lines)
    centre = oats.params["Intercept"]
    assert (np.abs(after - centre) <= np.abs(before - centre)).all()
    assert ((after - centre) * (before - centre) >= 0).all()
