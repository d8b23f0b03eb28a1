"""Variance components whose columns meet in a row: one variance for several effects of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mixedsparse import datasets
from mixedsparse.compat import MixedLM, VCSpec, mixedlm
from mixedsparse.ground.errors import ConvergenceWarning, FormulaError, OptionError, SingularFitWarning
from mixedsparse.ground.options import FitOptions
from tests.compat.cases import LLF, PARAMETERS, best_fit, close, quietly

GROUPS = 30


def overlapping():
    rng = np.random.default_rng(8)
    g = np.repeat(np.arange(GROUPS), 8)
    data = pd.DataFrame(
        {name: rng.normal(size=len(g)) for name in "xvw"} | {"g": g, "c": np.tile(list("pq"), 4 * GROUPS)}
    )
    effects = rng.normal(size=(GROUPS, 3))
    data["y"] = data["x"] + effects[g, 0] + 1.5 * (effects[g, 1] * data["v"] + effects[g, 2] * data["w"])
    data["y"] += rng.normal(size=len(g))
    return data


FORMULAS = [
    {"re_formula": "1", "vc_formula": {"a": "0 + v + w"}},
    {"vc_formula": {"b": "1", "a": "0 + v + w"}},
    {"re_formula": "~x", "vc_formula": {"a": "0 + v + w", "c": "0 + C(c)"}},
    {"vc_formula": {"a": "v + w"}},
    {"re_formula": "1", "vc_formula": {"a": "0 + v*w"}},
]


@pytest.mark.parametrize("reml", [True, False], ids=["reml", "ml"])
@pytest.mark.parametrize("arguments", FORMULAS, ids=str)
@pytest.mark.slow
def test_formulas_beside_statsmodels(arguments, reml):
    import statsmodels.formula.api as smf

    data = overlapping()
    ours = mixedlm("y ~ x", data, groups="g", **arguments).fit(reml=reml)
    theirs = best_fit(quietly(lambda: smf.mixedlm("y ~ x", data, groups="g", **arguments)), reml=reml)
    assert ours.llf == pytest.approx(theirs.llf, abs=LLF)
    assert ours.llf > theirs.llf - 1e-8
    assert list(ours.params.index) == list(theirs.params.index)
    for name in ("params", "cov_re", "vcomp", "resid", "fittedvalues"):
        close(getattr(ours, name), getattr(theirs, name), PARAMETERS)
    close(ours.bse, theirs.bse, 1e-2)
    for group in (0, GROUPS - 1):
        assert sorted(ours.random_effects[group].index) == sorted(theirs.random_effects[group].index)
        close(ours.random_effects[group][theirs.random_effects[group].index], theirs.random_effects[group], PARAMETERS)
        cov = theirs.random_effects_cov[group]
        close(ours.random_effects_cov[group].loc[cov.index, cov.columns], cov, PARAMETERS)
    assert ours.converged
    np.testing.assert_allclose(ours.predict(data), ours.predict())
    assert str(ours.summary()).count("a Var") == 1


def test_columns_that_never_meet_are_levels_of_a_factor():
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"g": np.repeat(range(40), 9), "k": np.tile(np.repeat(range(3), 3), 40)})
    for j in range(3):
        data[f"k{j}"] = (data["k"] == j) * 1.0
    data["y"] = rng.normal(size=40)[data["g"]] + rng.normal(size=(40, 3))[data["g"], data["k"]]
    data["y"] += rng.normal(size=len(data))
    arguments = {"groups": "g", "re_formula": "1"}
    columns = mixedlm("y ~ 1", data, vc_formula={"k": "0 + k0 + k1 + k2"}, **arguments).fit()
    factor = mixedlm("y ~ 1", data, vc_formula={"k": "0 + C(k)"}, **arguments).fit()
    # statsmodels' llf and component for these columns, at the end of its optimiser.
    assert columns.llf == pytest.approx(-595.287397, abs=1e-5)
    assert columns.llf == pytest.approx(factor.llf, abs=1e-8)
    np.testing.assert_allclose(columns.params, factor.params, rtol=1e-5)
    np.testing.assert_allclose(columns.bse, factor.bse, rtol=1e-4)


def test_two_covariates_of_the_pigs():
    pigs = datasets.load("dietox")
    fit = mixedlm("Weight ~ Time", pigs, groups="Pig", vc_formula={"a": "0 + Time + Start"}).fit()
    assert fit.vcomp == pytest.approx([0.192098], rel=1e-4)  # statsmodels 0.15
    assert list(fit.random_effects["4601"].index) == ["a[Time]", "a[Start]"]


def test_arrays_are_the_same_model_as_formulas():
    data = overlapping()
    mats = [[part[["v", "w"]].to_numpy() for _, part in data.groupby("g")]]
    spec = VCSpec(["a"], [[["v", "w"]] * GROUPS], mats)
    X = np.column_stack([np.ones(len(data)), data["x"]])
    arrays = MixedLM(data["y"], X, data["g"], exog_re=np.ones(len(data)), exog_vc=spec).fit()
    formula = mixedlm("y ~ x", data, groups="g", re_formula="1", vc_formula={"a": "0 + v + w"}).fit()
    np.testing.assert_allclose(arrays.params, formula.params, rtol=1e-6)
    np.testing.assert_allclose(arrays.bse, formula.bse, rtol=1e-5)
    assert list(arrays.random_effects[3].index) == ["x_re1", "a[v]", "a[w]"]


def test_groups_may_have_different_numbers_of_columns():
    data = overlapping()
    blocks = [part[["v", "w"]].to_numpy() for _, part in data.groupby("g")]
    narrow = [block[:, :1] if g % 2 else block for g, block in enumerate(blocks)]
    wide = [block * [1.0, 0.0] if g % 2 else block for g, block in enumerate(blocks)]
    one = np.ones(len(data))
    names = [[str(j) for j in range(block.shape[1])] for block in narrow]
    few = MixedLM(data["y"], one, data["g"], exog_re=one, exog_vc=VCSpec(["a"], [names], [narrow])).fit()
    all_ = MixedLM(data["y"], one, data["g"], exog_re=one, exog_vc=VCSpec(["a"], [[["0", "1"]] * GROUPS], [wide])).fit()
    np.testing.assert_allclose(few.params, all_.params, rtol=1e-8)
    assert len(few.random_effects[1]) == 2
    assert len(all_.random_effects[1]) == 3


def test_a_common_variance_of_nothing():
    data = overlapping()
    flat = (
        data["y"] - mixedlm("y ~ x", data, groups="g", re_formula="1", vc_formula={"a": "0 + v + w"}).fit().fittedvalues
    )
    with pytest.warns(SingularFitWarning):
        fit = mixedlm("flat ~ x", data.assign(flat=flat), groups="g", vc_formula={"a": "0 + v + w"}).fit()
    assert fit.vcomp == [0.0]
    assert np.isnan(fit.bse["a Var"])


def test_what_a_common_variance_does_not_have():
    data = overlapping()
    fit = mixedlm("y ~ x", data, groups="g", vc_formula={"a": "0 + v + w"}).fit()
    with pytest.raises(OptionError, match="with a common variance"):
        fit.mixed  # noqa: B018 - a property that raises
    with pytest.raises(OptionError, match="A profile is for components with one column"):
        fit.profile_re("a", "vc")
    with pytest.raises(OptionError, match="leave ddf out"):
        fit.t_test([[0, 1]], ddf="satterthwaite")
    test = fit.t_test([[0, 1]])
    assert test["df"].item() == np.inf
    assert test["p"].item() == pytest.approx(float(test.pvalue), rel=1e-12)
    assert fit.wald_test("x = 1")["DenDF"].item() == np.inf
    with pytest.raises(FormulaError, match="write each term as a component"):
        mixedlm("y ~ x", data, groups=np.ones(len(data)), vc_formula={"a": "0 + v + w"})


def test_a_common_variance_is_searched_by_the_options_that_are_given():
    noted = []
    model = mixedlm("y ~ x", overlapping(), groups="g", vc_formula={"a": "0 + v + w"})
    fit = model.fit(progress=noted.append)
    assert noted[-1].criterion == pytest.approx(-2.0 * fit.llf, rel=1e-9)
    with pytest.warns(ConvergenceWarning):
        assert not model.fit(options=FitOptions(max_evals=1)).converged
