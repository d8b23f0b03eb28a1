"""marginaleffects on our fits: what it computes must be what our marginal means say."""

from __future__ import annotations

import numpy as np
import pytest

import mixedsparse as ms

pl = pytest.importorskip("polars")
pytest.importorskip("marginaleffects")

from marginaleffects import avg_predictions, avg_slopes, comparisons, datagrid, predictions  # noqa: E402

from mixedsparse.adapters.marginaleffects import ModelMixedsparse  # noqa: E402

# Slopes are difference quotients, and so are derivatives in the coefficients where there is an offset.
QUOTIENT = 1e-4
POLARS = int(pl.__version__.split(".")[0])


def casts_text(test):
    """Mark a test that casts text to a factor: marginaleffects 0.6.0 calls `cat.get_categories`, gone in polars 2."""
    test = pytest.mark.filterwarnings("ignore:.*get_categories:DeprecationWarning")(test)
    removed = getattr(pl.exceptions, "AttributeRemovedError", AttributeError)
    return pytest.mark.xfail(POLARS >= 2, raises=removed, reason="marginaleffects 0.6.0 and polars 2")(test)


@pytest.fixture(scope="module")
def oats():
    return ms.lmer("yield ~ poly(nitro, 2) * Variety + (1 | Block/Variety)", ms.datasets.load("Oats"))


@pytest.fixture(scope="module")
def sleep():
    return ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))


def test_predictions_are_population_means(oats):
    new = pl.DataFrame({"nitro": [0.0, 0.3, 0.6], "Variety": ["Victory", "Marvellous", "Victory"]})
    new = new.cast({"Variety": ModelMixedsparse(oats).get_modeldata().schema["Variety"]})
    found = predictions(ModelMixedsparse(oats), newdata=new)
    want = oats.predict(new, random="population", interval="confidence")
    np.testing.assert_allclose(found["estimate"], want["predicted"])
    np.testing.assert_allclose(found["conf_low"], want["lower"], rtol=QUOTIENT)
    np.testing.assert_allclose(found["conf_high"], want["upper"], rtol=QUOTIENT)


def test_predictions_for_the_rows_of_the_fit(oats):
    found = predictions(ModelMixedsparse(oats))
    np.testing.assert_allclose(found["estimate"], oats.predict(random="population"))


def test_averages_by_a_factor(oats):
    grid = datagrid(ModelMixedsparse(oats), grid_type="balanced", nitro=[0.0, 0.2, 0.4, 0.6])
    found = avg_predictions(ModelMixedsparse(oats), newdata=grid, by="Variety")
    means = [oats.emmeans("Variety", at={"nitro": [at]}).table["emmean"] for at in (0.0, 0.2, 0.4, 0.6)]
    np.testing.assert_allclose(found["estimate"], np.mean(means, axis=0))
    assert found["Variety"].to_list() == ["Golden Rain", "Marvellous", "Victory"]


def test_slopes_of_a_straight_line(sleep):
    found = avg_slopes(ModelMixedsparse(sleep))
    assert found["estimate"][0] == pytest.approx(sleep.params["Days"], rel=QUOTIENT)
    assert found["std_error"][0] == pytest.approx(sleep.bse["Days"], rel=QUOTIENT)
    np.testing.assert_allclose(
        found.select("conf_low", "conf_high").row(0), sleep.conf_int().loc["Days"], rtol=QUOTIENT
    )


def test_the_reference_distribution_is_normal_unless_told(sleep):
    normal = avg_slopes(ModelMixedsparse(sleep))
    t = avg_slopes(ModelMixedsparse(sleep, df=17.0))
    assert normal["p_value"][0] == pytest.approx(sleep.coef_table("normal").loc["Days", "p"], rel=1e-3)
    assert t["p_value"][0] == pytest.approx(sleep.pvalues["Days"], rel=1e-3)


def test_covariances(sleep):
    model = ModelMixedsparse(sleep)
    np.testing.assert_array_equal(model.get_vcov(True), sleep.cov_params())
    assert model.get_vcov(False) is None
    adjusted = np.sqrt(np.diagonal(model.get_vcov("kenward-roger")))
    np.testing.assert_allclose(adjusted, sleep.coef_table("kenward-roger")["SE"])
    with pytest.raises(ms.OptionError, match="vcov='HC3' is not known"):
        model.get_vcov("HC3")


def test_changed_coefficients_change_predictions(oats):
    model = ModelMixedsparse(oats)
    X = model.get_exog(model.get_modeldata())
    changed = model.get_coef() + 1.0
    found = model.get_predict(changed, X)
    np.testing.assert_allclose(found["estimate"], X @ changed)
    assert found.schema["rowid"] == pl.Int32
    np.testing.assert_allclose(model.get_predict(changed, model.get_modeldata())["estimate"], X @ changed)


def test_offsets_are_added():
    data = ms.datasets.load("sleepstudy").assign(known=lambda d: 2.0 * d["Days"])
    fit = ms.lmer("Reaction ~ Days + offset(known) + (1 | Subject)", data)
    found = predictions(ModelMixedsparse(fit))
    np.testing.assert_allclose(found["estimate"], fit.predict(random="population"))


def test_dropped_columns_have_no_coefficient():
    data = ms.datasets.load("sleepstudy").assign(twice=lambda d: 2.0 * d["Days"])
    with pytest.warns(ms.DroppedColumnsWarning):
        fit = ms.lmer("Reaction ~ Days + twice + (1 | Subject)", data)
    model = ModelMixedsparse(fit)
    assert model.get_exog(model.get_modeldata()).shape == (180, 2)
    assert model.get_coefnames().tolist() == ["Intercept", "Days"]


@casts_text
def test_contrasts_of_a_factor(oats):
    found = comparisons(
        ModelMixedsparse(oats),
        variables={"Variety": "reference"},
        newdata=datagrid(nitro=[0.3], Variety=["Victory"]),
    )
    want = oats.emmeans("Variety", at={"nitro": [0.3]}, ddf="normal").contrast("trt.vs.ctrl", adjust="none").table
    np.testing.assert_allclose(found["estimate"], want["estimate"], rtol=QUOTIENT)
    np.testing.assert_allclose(found["std_error"], want["SE"], rtol=QUOTIENT)


@casts_text
def test_text_becomes_a_level(oats):
    new = pl.DataFrame({"nitro": [0.0, 0.6], "Variety": ["Victory", "Marvellous"]})
    np.testing.assert_allclose(
        predictions(ModelMixedsparse(oats), newdata=new)["estimate"], oats.predict(new, random="population")
    )


def test_names_in_backticks_polars_text_and_missing_rows():
    data = ms.datasets.load("sleepstudy").rename(columns={"Days": "days awake"})
    columns = {name: data[name].tolist() for name in data}
    columns["half"] = [None, *("early" if days < 5 else "late" for days in columns["days awake"][1:])]
    with pytest.warns(ms.DroppedRowsWarning):
        fit = ms.lmer("log(Reaction) ~ `days awake` + half + (1 | Subject)", pl.DataFrame(columns))
    model = ModelMixedsparse(fit)
    assert model.get_modeldata().height == 179
    assert model.find_response() == "log(Reaction)"
    assert model.find_predictors() == ["days awake", "half"]
    assert model.get_variable_type("half") == "character"
    np.testing.assert_allclose(predictions(model)["estimate"], fit.predict(random="population"))


def test_models_from_arrays_have_no_variables():
    y = ms.datasets.load("Dyestuff")["Yield"].to_numpy()
    term = ms.RandomTerm("g", np.repeat(np.arange(6), 5), np.ones(30))
    with pytest.raises(ms.DataError, match="made from arrays"):
        ModelMixedsparse(ms.LinearMixedModel.from_arrays(y, np.ones((30, 1)), [term]).fit())
