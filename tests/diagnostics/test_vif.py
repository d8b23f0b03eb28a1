"""Variance inflation, against R's car and by its definition."""

from __future__ import annotations

import numpy as np
import pytest

import mixedsparse as ms
from mixedsparse.ground.errors import DataError, OptionError
from tests.diagnostics.test_leverage import WANTED
from tests.models import make


def test_terms_match_car():
    data = ms.datasets.load("cake")
    got = ms.lmer("angle ~ recipe + temp + recipe:temp + (1 | recipe:replicate)", data).vif()
    assert got.index.tolist() == ["recipe", "temp", "recipe:temp"]
    # car prints GVIF, Df, GVIF^(1/(2*Df)).
    np.testing.assert_allclose(got.to_numpy(), WANTED["vif"], rtol=1e-6)


def test_coefficients_match_their_definition():
    fit = make("filled", 0).model().fit()
    small = ms.lmer("distance ~ age * Sex + (1 | Subject)", ms.datasets.load("Orthodont"))
    for results in (fit, small):
        cov = results.cov_params().to_numpy()[1:, 1:]
        sd = np.sqrt(np.diag(cov))
        want = np.diag(np.linalg.inv(cov / np.outer(sd, sd)))
        got = results.vif("coefficient")
        assert got.index.tolist() == results.params.index.tolist()[1:]
        np.testing.assert_allclose(got["GVIF"], want, rtol=1e-10)
        assert (got["df"] == 1).all()


def test_terms_do_not_depend_on_the_coding():
    data, formula = ms.datasets.load("cake"), "angle ~ recipe + temp + (1 | recipe:replicate)"
    treatment = ms.lmer(formula, data).vif()
    np.testing.assert_allclose(ms.lmer(formula, data, contrasts={"recipe": "helmert"}).vif(), treatment, rtol=1e-8)


def test_units_do_not_matter():
    data = ms.datasets.load("Orthodont")
    want = ms.lmer("distance ~ age * Sex + (1 | Subject)", data).vif()
    tiny = ms.lmer("distance ~ age * Sex + (1 | Subject)", data.assign(age=1e-9 * data["age"])).vif()
    np.testing.assert_allclose(tiny, want, rtol=1e-7)


@pytest.mark.filterwarnings("ignore:Left out of X:mixedsparse.ground.errors.DroppedColumnsWarning")
def test_dropped_columns_count_for_nothing():
    data = ms.datasets.load("sleepstudy")
    data["twice"], data["z"] = 2.0 * data["Days"], np.random.default_rng(1).normal(size=180)
    got = ms.lmer("Reaction ~ Days + twice + z + (1 | Subject)", data).vif()
    assert got.index.tolist() == ["Days", "z"]


def test_one_predictor_is_not_inflated_and_none_is_an_error():
    data = ms.datasets.load("sleepstudy")
    assert ms.lmer("Reaction ~ Days + (1 | Subject)", data).vif().loc["Days", "GVIF"] == pytest.approx(1.0)
    with pytest.raises(DataError, match="no fixed effects besides the intercept"):
        ms.lmer("Reaction ~ 1 + (1 | Subject)", data).vif()
    with pytest.raises(OptionError, match="by='row' is not known; use one of 'term', 'coefficient'"):
        ms.lmer("Reaction ~ Days + (1 | Subject)", data).vif(by="row")
