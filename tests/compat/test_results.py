"""Standard errors of variances, arguments of fit, and the results as objects."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

from mixedsparse import datasets
from mixedsparse.compat import MixedLMParams, mixedlm
from mixedsparse.ground.errors import DataError, OptionError, SingularFitWarning
from tests.compat.cases import fit_both, nested, slopes

# Second differences of a criterion near 1e3 with steps of 1e-3: six digits are sure.
DIFFERENCES = 1e-4


def dense_criterion(fit, parameters):
    """-2 log (restricted) likelihood of (cov_re lower triangle, vcomp, scale), by a dense V."""
    design, structure = fit.model.linear.design, fit.model.structure
    *covariances, scale = parameters
    cov = np.zeros((structure.k_re, structure.k_re))
    low = np.tril_indices(structure.k_re)
    cov[low] = covariances[: len(low[0])]
    cov = cov + np.tril(cov, -1).T
    variances = [cov] * (structure.k_re > 0)
    variances += [np.array([[v]]) for v in covariances[len(low[0]) :]]
    V = scale * np.eye(len(design.y))
    for term, block in zip(design.terms, variances, strict=True):
        V += (term.codes[:, None] == term.codes) * (term.z @ block @ term.z.T)
    VX = np.linalg.solve(V, design.X)
    information = design.X.T @ VX
    r = design.y - design.X @ np.linalg.solve(information, VX.T @ design.y)
    value = np.linalg.slogdet(V)[1] + r @ np.linalg.solve(V, r)
    return value + np.linalg.slogdet(information)[1] * fit.reml


def dense_errors(fit):
    """Standard errors of the parameters from second differences of `dense_criterion`."""
    estimates = np.append(fit.scale * fit.relative_covariances, fit.scale)
    steps = np.diag(1e-3 * np.abs(estimates))
    m = len(estimates)
    hessian = np.empty((m, m))
    for i in range(m):
        for j in range(m):
            corners = [
                s * t * dense_criterion(fit, estimates + s * steps[i] + t * steps[j]) for s in (1, -1) for t in (1, -1)
            ]
            hessian[i, j] = sum(corners) / (4 * steps[i, i] * steps[j, j])
    return np.sqrt(np.diagonal(2 * np.linalg.inv(hessian)))[:-1]


@pytest.mark.parametrize("reml", [True, False], ids=["reml", "ml"])
def test_errors_of_variances_against_dense_differences(reml):
    pigs = datasets.load("dietox").iloc[:250]
    fit = mixedlm("Weight ~ Time", pigs, groups="Pig", re_formula="~Time", vc_formula={"c": "0 + C(Time > 6)"}).fit(
        reml=reml
    )
    np.testing.assert_allclose(fit.bse_re, dense_errors(fit), rtol=DIFFERENCES)


def test_errors_where_the_order_of_theta_is_not_that_of_the_parameters():
    data = nested().query("group1 < 9")
    one = np.ones(len(data))
    components = {"a": "0 + C(group1)", "b": "0 + C(group1):C(group2)"}
    fit = mixedlm("y ~ 1", data, groups=one, vc_formula=components).fit()
    assert fit.model.linear.problem.order == (1, 0)
    np.testing.assert_allclose(fit.bse_re, dense_errors(fit), rtol=DIFFERENCES)


def test_no_errors_where_there_is_no_variance():
    with pytest.warns(SingularFitWarning):
        fit = mixedlm("Yield ~ 1", datasets.load("Dyestuff2"), groups="Batch").fit()
    assert np.isnan(fit.bse["Batch Var"])
    assert np.isnan(fit.bse_re["Batch Var"])
    assert fit.bse["Intercept"] == fit.mixed.bse["Intercept"]
    assert fit.summary().tables[1].loc["Batch Var"].tolist() == ["0.000", "", "", "", "", ""]


def test_one_component_without_variance_leaves_the_others_their_errors():
    data = slopes().assign(idle=np.tile([1, 2, 3, 4, 5], 100))
    data["y"] -= data.groupby("idle")["y"].transform("mean")
    components = {"c": "0 + C(g):C(c):x", "idle": "0 + C(idle)"}
    with pytest.warns(SingularFitWarning):
        fit = mixedlm("y ~ x", data, groups=np.ones(500), vc_formula=components).fit()
    del components["idle"]
    alone = mixedlm("y ~ x", data, groups=np.ones(500), vc_formula=components).fit()
    assert np.isnan(fit.bse["idle Var"])
    assert fit.bse["c Var"] == pytest.approx(alone.bse["c Var"], rel=1e-6)


def test_random_effects_without_correlations():
    from statsmodels.regression.mixed_linear_model import MixedLMParams as TheirParams

    model = mixedlm("Weight ~ Time", datasets.load("dietox"), groups="Pig", re_formula="~Time")
    ours, theirs = (
        model.fit(free=params.from_components(np.ones(2), np.eye(2))) for params in (MixedLMParams, TheirParams)
    )
    # statsmodels' notebook on dietox: -2217.3481 and these variances, at the end of its optimiser.
    assert ours.llf == theirs.llf == pytest.approx(-2217.3481, abs=1e-4)
    assert ours.cov_re.loc["Pig", "Time"] == 0
    assert ours.bse["Pig x Time Cov"] == 0
    assert ours.bse_re["Pig x Time Cov"] == 0
    assert list(ours.params.index) == list(model.fit().params.index)
    assert list(ours.random_effects["4601"].index) == ["Pig", "Time"]
    assert ours.random_effects_cov["4601"].shape == (2, 2)
    np.testing.assert_allclose(ours.predict(datasets.load("dietox")), ours.predict())
    assert ours.profile_re("Time", "re", 1, 0.01, 1, 0.01)[1, 1] == pytest.approx(ours.llf, abs=1e-8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"maxitr": 3}, "A fit has no argument 'maxitr'.*maxiter"),
        ({"start_params": False}, "write reml=True or False"),
        ({"cov_pen": object()}, "Penalised fits"),
        ({"free": MixedLMParams.from_components([1], [[0]])}, "cov_re must be ones, or the identity"),
        ({"free": MixedLMParams.from_components([0], [[1]])}, "cannot be held"),
        ({"free": MixedLMParams.from_components([1])}, r"cov_re of shape \(1, 1\)"),
        ({"free": 1}, "free=1 does not say which parameters.*MixedLMParams"),
    ],
)
def test_arguments_of_fit_that_ask_for_another_model(arguments, message):
    model = mixedlm("Yield ~ 1", datasets.load("Dyestuff"), groups="Batch")
    with pytest.raises(OptionError, match=message):
        model.fit(**arguments)


def test_arguments_of_optimisers_change_nothing():
    model = mixedlm("Yield ~ 1", datasets.load("Dyestuff"), groups="Batch")
    plain = model.fit()
    steered = model.fit([0, 1], True, 0, False, None, None, None, True, ["powell"], maxiter=1, gtol=1.0, disp=True)
    assert plain.params.equals(steered.params)


def test_weights_of_tests_go_by_order_or_name():
    fit = fit_both("factors", True).ours
    assert list(fit.fe_params.index) != list(fit.mixed.params.index)
    weights = np.arange(1.0, fit.k_fe + 1)
    by_name = fit.t_test(dict(zip(fit.fe_params.index, weights, strict=True)))
    by_order = fit.t_test(pd.DataFrame([weights], index=["mine"], columns=fit.fe_params.index))
    assert by_order.index.tolist() == ["mine"]
    np.testing.assert_allclose(by_order, by_name)
    assert by_order["Estimate"].item() == pytest.approx(weights @ fit.fe_params)
    assert fit.wald_test("Time = 7").equals(fit.mixed.wald_test("Time = 7"))
    with pytest.raises(DataError, match=rf"shape \(1, 2\) but should have {fit.k_fe} columns"):
        fit.wald_test([[1, 2]])


@pytest.mark.parametrize(
    ("which", "message"),
    [(("x", "re"), "not one of the 're' variances: 'Pig', 'Time'"), ((0, "fe"), "use 're' or 'vc'")],
)
def test_profile_of_nothing(which, message):
    with pytest.raises(OptionError, match=message):
        fit_both("slope", True).ours.profile_re(*which)


def test_profile_below_zero():
    with pytest.raises(OptionError, match="dist_low=100 reaches below zero"):
        fit_both("slope", True).ours.profile_re(0, "re", dist_low=100, method="powell")


def test_summary_as_text_and_html():
    summary = fit_both("slope", True).ours.summary(yname="kg", title="Pigs", alpha=0.1)
    text = str(summary)
    assert text.splitlines()[0].strip() == "Pigs"
    assert "Dependent Variable: kg" in text
    assert "[0.05  0.95]" in text
    assert text.splitlines()[-1].startswith("Converged")
    assert "Pig x Time Cov" in summary._repr_html_()
    with pytest.raises(OptionError, match="xname_fe has 1 names for 2 parameters"):
        fit_both("slope", True).ours.summary(xname_fe=["a"])


def test_results_pickle():
    fit = fit_both("nested", True).ours
    again = pickle.loads(pickle.dumps(fit))
    assert again.params.equals(fit.params)
    assert again.summary().as_text() == fit.summary().as_text()


SCRIPT = """
model = {call}("Weight ~ Time", data, groups=data["Pig"], re_formula="~Time")
fit = model.fit(method=["lbfgs"], reml=False)
answers = [fit.params["Time"], fit.cov_re.iloc[1, 1], fit.scale, fit.bse_fe["Intercept"], fit.llf, fit.aic,
           fit.random_effects["4601"]["Time"], fit.fittedvalues.iloc[0], fit.pvalues.iloc[0]]
answers += [fit.predict(data).iloc[0], fit.conf_int().loc["Time", 0]]
assert "Group x Time Cov" in str(fit.summary())
"""


def test_a_script_changes_only_its_import():
    import statsmodels.formula.api as smf

    from mixedsparse import compat

    answers = []
    for module in (smf, compat):
        names = {"data": datasets.load("dietox"), "module": module}
        exec(SCRIPT.format(call="module.mixedlm"), names)
        answers.append(names["answers"])
    np.testing.assert_allclose(*answers, rtol=2e-3)
