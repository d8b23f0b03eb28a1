"""Covariates far from 0: the same fit as centred, or a word.

Right values: the criterion of the centred model, which is a reparametrisation of the other where slopes and
intercepts are correlated.
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(5)
    g = np.repeat(np.arange(30), 10)
    x = rng.normal(size=300)
    y = 1 + 0.5 * x + rng.normal(size=30)[g] + rng.normal(size=30)[g] * x + 0.7 * rng.normal(size=300)
    return pd.DataFrame({"y": y, "x": x, "g": g, "w": rng.uniform(0.5, 2.0, size=300), "f": rng.normal(size=300)})


@pytest.mark.parametrize(
    "formula", ["y ~ x + (z | g)", "y ~ z + (z | g)", "y ~ z * f + (z | g)", "y ~ 1 + (z + f | g)"]
)
@pytest.mark.parametrize(
    ("far", "options"), [(1e3, {}), (1e6, {"weights": "w"}), (1e7, {}), (1e7, {"weights": "w"})], ids=str
)
def test_as_centred_without_a_warning(data, formula, far, options, tmp_path):
    if "*" in formula and far > 1e6:
        pytest.skip("z:f and f are dependent to seven digits then: see below")
    d = data.assign(z=data["x"] + far, c=(data["x"] + far) - far)
    d.to_parquet(tmp_path / "d.parquet")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ms.SingularFitWarning)
        right = ms.lmer(formula.replace("z", "c"), d, **options)
    for source in (d, str(tmp_path / "d.parquet")):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", ms.SingularFitWarning)
            fit = ms.lmer(formula, source, **options)
        assert fit.criterion == pytest.approx(right.criterion, abs=1e-5)
        assert fit.model.objective(fit.theta) == pytest.approx(fit.criterion, abs=1e-8)
        slope = [float(np.sqrt(f.sigma**2 * (f.fit.templates[0] @ f.fit.templates[0].T)[1, 1])) for f in (fit, right)]
        assert slope[0] == pytest.approx(slope[1], rel=1e-5)
        if formula == "y ~ z + (z | g)":
            assert fit.params["z"] == pytest.approx(right.params["c"], rel=1e-6)
            assert fit.bse["z"] == pytest.approx(right.bse["c"], rel=1e-6)


@pytest.mark.parametrize("formula", ["y ~ x + (z | g)", "y ~ z + (1 | g)", "y ~ x + (0 + z | g)", "y ~ x + (z || g)"])
def test_beyond_is_a_word(data, formula):
    d = data.assign(z=data["x"] + 1e9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ms.NotIdentifiedWarning)
        with pytest.warns(ms.FarFromZeroWarning, match="z: as far from 0 as 1e.09 standard deviations.* centre z"):
            ms.lmer(formula, d)


def test_a_product_that_is_left_out_says_why(data):
    d = data.assign(z=data["x"] + 1e8)
    with (
        pytest.warns(ms.DroppedColumnsWarning, match="z:f"),
        pytest.warns(ms.FarFromZeroWarning, match="centre z"),
    ):
        ms.lmer("y ~ z * f + (1 | g)", d)


def test_constants_are_not_far(data):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ms.lmer("y ~ x + (0 + c | g)", data.assign(c=0.1 + 0.2))
