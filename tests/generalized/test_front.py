"""glmer from the call to the numbers that R gives."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms

CBPP = ms.datasets.load("cbpp")
BOUND = "cbind(incidence, size - incidence) ~ period + (1 | herd)"


@pytest.fixture(scope="module")
def cbpp():
    return ms.glmer(BOUND, CBPP)


@pytest.fixture(scope="module")
def ticks():
    data = ms.datasets.load("grouseticks")
    return ms.glmer("TICKS ~ YEAR + cHEIGHT + (1 | BROOD) + (1 | INDEX) + (1 | LOCATION)", data, "poisson")


@pytest.fixture(scope="module")
def slopes():
    return ms.glmer("use ~ age + I(age**2) + urban + livch + (urban | district)", ms.datasets.load("Contraception"))


def test_cbpp_has_the_numbers_of_glmmtmb(cbpp):
    assert cbpp.criterion == pytest.approx(184.0525637, abs=1e-6)
    assert cbpp.params.tolist() == pytest.approx([-1.398532, -0.992333, -1.128672, -1.580313], abs=1e-5)
    assert cbpp.bse.tolist() == pytest.approx([0.232472, 0.306642, 0.326638, 0.427436], abs=1e-5)
    assert cbpp.theta.tolist() == pytest.approx([0.642261], abs=1e-5)
    assert (cbpp.nobs, cbpp.df_model, cbpp.ngroups) == (56, 5, {"herd": 15})


def test_grouseticks_has_the_numbers_of_glmmtmb(ticks):
    assert ticks.criterion == pytest.approx(1780.5426602, abs=1e-6)
    assert ticks.params.tolist() == pytest.approx([0.372782, 1.180410, -0.978696, -0.0237606], abs=1e-4)
    assert ticks.bse.tolist() == pytest.approx([0.196374, 0.238128, 0.262789, 0.0034385], rel=1e-4)
    assert ticks.icc()["adjusted"] == pytest.approx(0.51512, abs=1e-4)  # R's performance
    assert ticks.response == "TICKS"


@pytest.mark.parametrize(
    ("formula", "arguments"),
    [
        ("incidence / size ~ period + (1 | herd)", {"trials": "size"}),
        ("incidence / size ~ period + (1 | herd)", {"weights": "size"}),  # R's word for it
        ("incidence ~ period + (1 | herd)", {"trials": CBPP["size"]}),
        (BOUND, {"family": "bernoulli"}),
        (BOUND, {"family": ms.families.Binomial("logit")}),
        (BOUND, {"family": ms.families.Binomial}),
    ],
)
def test_every_way_to_call_gives_the_same_fit(cbpp, formula, arguments):
    fit = ms.glmer(formula, CBPP, **arguments)
    assert fit.criterion == pytest.approx(cbpp.criterion, abs=1e-9)
    assert fit.params.tolist() == pytest.approx(cbpp.params.tolist(), abs=1e-7)


def test_rows_of_one_trial_differ_by_a_constant_only(cbpp):
    long = CBPP.loc[CBPP.index.repeat(CBPP["size"])].reset_index(drop=True)
    start = long.groupby(["herd", "period"], observed=True).cumcount()
    fit = ms.glmer("I(case) ~ period + (1 | herd)", long.assign(case=start < long["incidence"]))
    assert fit.params.tolist() == pytest.approx(cbpp.params.tolist(), abs=1e-6)
    assert fit.response == "P(I(case))"


@pytest.mark.parametrize(
    ("family", "link", "message"),
    [
        ("gaussian", None, "ms.lmer"),
        ("quasipoisson", None, "no likelihood"),
        ("binomal", None, "Did you mean"),
        ("binomial", "log", "link='log' is not known"),
        (ms.families.Binomial("probit"), "logit", "its own"),
        (3, None, "is no family"),
    ],
)
def test_families_that_are_not_known_are_refused(family, link, message):
    with pytest.raises(ms.OptionError, match=message):
        ms.glmer(BOUND, CBPP, family, link=link)


def test_families_of_statsmodels_are_read_by_name():
    families = pytest.importorskip("statsmodels.genmod.families")
    probit = ms.glmer(BOUND, CBPP, families.Binomial(families.links.Probit()))
    assert (probit.family.name, probit.family.link.name) == ("binomial", "probit")
    assert ms.glmer(BOUND, CBPP, link="probit").criterion == probit.criterion


def test_trials_and_weights_together_are_refused():
    with pytest.raises(ms.OptionError, match="trials"):
        ms.glmer("incidence ~ period + (1 | herd)", CBPP, trials="size", weights="size")


def test_separated_responses_end_in_a_verdict():
    n = 200
    rng = np.random.default_rng(2)
    data = pd.DataFrame({"x": np.repeat([0, 1], n // 2), "g": np.tile(np.arange(20), n // 20)})
    data["y"] = np.where(data["x"] == 1, 1, rng.integers(0, 2, n))
    for nodes in (0, 9, 1):
        with pytest.warns(ms.ConvergenceWarning, match=r"Separated.*Columns: x; a row concerned: .*x = 1"):
            fit = ms.glmer("y ~ x + (1 | g)", data, nAGQ=nodes)
    assert fit.certificate.verdict == "separated"
    assert fit.params.isna().all()
    assert "Separated" in str(fit.summary())
    assert fit.predict(data.head(3), interval="confidence").isna().all(axis=None)
    assert np.isnan(fit.random_effects_cov["g"]).all()
    assert fit.tidy("ran_vals", conf_int=True)["std.error"].isna().all()


def test_predictions_are_means_or_linear_predictors(cbpp):
    new = {"period": ["1", "4", "2"], "herd": ["1", "1", "never seen"]}
    with pytest.raises(ms.DataError, match="never seen"):
        cbpp.predict(new)
    link = cbpp.predict(new, new_levels="zero", type="link")
    response = cbpp.predict(new, new_levels="zero")
    np.testing.assert_allclose(response, 1.0 / (1.0 + np.exp(-link)))
    assert link[2] == pytest.approx(cbpp.params[["Intercept", "period[T.2]"]].sum())
    np.testing.assert_allclose(cbpp.predict(), cbpp.fittedvalues)
    np.testing.assert_allclose(cbpp.predict(type="link"), cbpp.linear_predictor)


def test_intervals_hold_the_prior_variance_of_new_levels(cbpp):
    new = {"period": ["1", "1"], "herd": ["1", "never seen"]}
    table = cbpp.predict(new, new_levels="zero", type="link", interval="confidence")
    population = cbpp.predict({"period": ["1"]}, random="population", type="link", interval="confidence")
    half = (table["upper"] - table["predicted"]) / 1.959963984540054
    fixed = (population["upper"] - population["predicted"]) / 1.959963984540054
    sigma2 = cbpp.vcomp.iloc[0]
    assert fixed[0] == pytest.approx(cbpp.bse["Intercept"])
    assert half[1] ** 2 == pytest.approx(cbpp.bse["Intercept"] ** 2 + sigma2)
    assert half[0] < half[1]


@pytest.mark.parametrize("which", ["cbpp", "ticks", "slopes"])
def test_errors_of_modes_are_those_of_the_joint_covariance(which, request):
    # The modes move with the parameters as differences of refitted modes say.
    from mixedsparse.core.fitting.laplace.modes import mode_motion
    from mixedsparse.core.likelihood.laplace.criterion import LaplaceCriterion

    fit = request.getfixturevalue(which).fit
    criterion, point = LaplaceCriterion(fit.data), fit.point
    motion = mode_motion(fit)
    layout, step = fit.data.problem.layout, 1e-5
    for i in range(len(fit.theta) + len(fit.beta)):
        moved = []
        for sign in (1.0, -1.0):
            theta, beta = fit.theta.copy(), fit.beta.copy()
            target, at = (theta, i) if i < len(theta) else (beta, i - len(theta))
            target[at] += sign * step
            vector = np.concatenate([layout.to_block @ theta, fit.data.root @ beta])
            moved.append(criterion.evaluate(vector, point.mode.zeta).mode.b)
        for plus, minus, own in zip(*moved, motion, strict=True):
            np.testing.assert_allclose((plus - minus) / (2 * step), own[:, :, i], atol=2e-6 * np.abs(own).max() + 1e-7)


def test_residuals_have_the_sizes_of_r(cbpp):
    # R: sum(residuals(glmer(...), type = .)^2), as in the reference fit.
    assert np.square(cbpp.residuals("response")).sum() == pytest.approx(
        np.square(CBPP["incidence"] / CBPP["size"] - cbpp.fittedvalues).sum()
    )
    deviance = cbpp.residuals()
    assert (np.sign(deviance) == np.sign(cbpp.residuals("response"))).all()
    quantile = cbpp.residuals("quantile", seed=1)
    assert quantile.equals(cbpp.residuals("quantile", seed=1))
    assert abs(quantile.mean()) < 0.3
    with pytest.raises(ms.OptionError, match="kind"):
        cbpp.residuals("studentized")


def test_overdispersion_is_refused_where_rows_say_nothing_of_it(cbpp, slopes):
    found = cbpp.overdispersion()
    assert found["ratio"] == pytest.approx(found["chisq"] / found["df"])
    with pytest.raises(ms.OptionError, match="one trial"):
        slopes.overdispersion()


def test_summaries_say_what_was_fitted(cbpp, ticks):
    text = str(cbpp.summary())
    assert "binomial with logit link, fitted by ML, Laplace's approximation" in text
    assert "56, 842 trials" in text
    assert "Residual" not in text.split("Fixed effects")[0].split("Random effects")[1]
    assert "-3.236" in text
    assert "<table" in ticks._repr_html_()


def test_ratios_have_limits(cbpp):
    table = cbpp.coef_table(exp=True, level=0.9)
    np.testing.assert_allclose(table["odds ratio"], np.exp(cbpp.params))
    np.testing.assert_allclose(table["upper"], np.exp(cbpp.params + 1.6448536269514722 * cbpp.bse))
    with pytest.raises(ms.OptionError, match="probit"):
        ms.glmer(BOUND, CBPP, link="probit").coef_table(exp=True)


def test_conditional_errors_are_smaller_or_close(cbpp):
    joint, conditional = cbpp.cov_params(), cbpp.cov_params("conditional")
    assert joint.index.tolist() == cbpp.params.index.tolist()
    assert (np.diagonal(conditional) < 1.06 * np.diagonal(joint)).all()
    assert not np.allclose(joint, conditional)


def test_quadrature_gives_the_numbers_of_lme4():
    fit = ms.glmer(BOUND, CBPP, nAGQ=9)
    assert fit.nAGQ == 9
    assert fit.theta.tolist() == pytest.approx([0.6475177], abs=1e-5)
    assert "quadrature with 9 nodes" in str(fit.summary())


@pytest.mark.parametrize("which", ["cbpp", "ticks", "slopes"])
def test_the_criterion_is_a_function_of_the_parameters(which, request):
    fit = request.getfixturevalue(which)
    model = fit.model
    assert model.objective(fit.theta, fit.params) == pytest.approx(fit.criterion, abs=1e-8)
    theta, beta = fit.theta * 1.1 + 0.05, fit.params.to_numpy() * 0.9
    at, step = np.concatenate([theta, beta]), 1e-5
    m = len(theta)
    found = model.gradient(theta, beta)
    for i in range(len(at)):
        ends = [at + sign * step * np.eye(len(at))[i] * max(1.0, abs(at[i])) for sign in (1, -1)]
        values = [model.objective(end[:m], end[m:]) for end in ends]
        difference = (values[0] - values[1]) / (ends[0][i] - ends[1][i])
        assert found[i] == pytest.approx(difference, rel=1e-5, abs=1e-6 * np.abs(found).max())
    np.testing.assert_allclose(
        2.0 * np.linalg.inv(model.hessian(fit.theta, fit.params))[m:, m:], fit.cov_params(), rtol=1e-4, atol=1e-10
    )


def test_the_dispersion_belongs_to_the_families_that_have_one(cbpp):
    gamma = ms.glmer("Reaction ~ Days + (1 | Subject)", ms.datasets.load("sleepstudy"), "gamma")
    model = gamma.model
    assert model.objective(gamma.theta, gamma.params, gamma.dispersion) == pytest.approx(gamma.criterion, abs=1e-7)
    assert np.abs(model.gradient(gamma.theta, gamma.params, gamma.dispersion)[-1]) < 1e-3
    with pytest.raises(ms.OptionError, match="give dispersion="):
        model.objective(gamma.theta, gamma.params)
    with pytest.raises(ms.OptionError, match="leave dispersion= out"):
        cbpp.model.objective(cbpp.theta, cbpp.params, 1.0)


def test_an_offset_of_the_formula_counts_in_new_rows_and_an_argument_as_in_lme4_if_it_is_given_again():
    data = ms.datasets.load("grouseticks").assign(time=lambda d: np.log(1.0 + np.arange(len(d)) % 3))
    by_name = ms.glmer("TICKS ~ YEAR + (1 | BROOD)", data, "poisson", offset="time")
    np.testing.assert_allclose(by_name.predict(data, type="link"), by_name.linear_predictor - data["time"])
    np.testing.assert_allclose(by_name.predict(data, type="link", offset="time"), by_name.linear_predictor)
    inside = ms.glmer("TICKS ~ YEAR + offset(time) + (1 | BROOD)", data, "poisson")
    np.testing.assert_allclose(inside.predict(data, type="link"), inside.linear_predictor)
