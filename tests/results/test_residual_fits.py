"""Fits with residual covariances: values of nlme, published listings of PROC MIXED, equalities between models."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import stdtrit

import mixedsparse as ms

VISITS = "(AVISIT | USUBJID)"


@pytest.fixture(scope="module")
def fev():
    return ms.datasets.load("fev")


@pytest.fixture(scope="module")
def mmrm(fev):
    return ms.lmer("FEV1 ~ ARMCD*AVISIT + SEX + RACE", fev, residual="us" + VISITS)


def test_strata_are_those_of_nlme():
    # lme(distance ~ age * Sex, random = ~ 1 | Subject, weights = varIdent(form = ~ 1 | Sex)), nlme 3.1-162
    fit = ms.lmer("distance ~ age*Sex + (1 | Subject)", ms.datasets.load("Orthodont"), dispersion="~ Sex")
    assert fit.criterion == pytest.approx(415.220479572628, abs=1e-7)
    assert fit.df_model == 7
    assert fit.residual_params["parameter"].tolist() == ["sd(Male)", "sd(Female)"]
    assert fit.sigma == pytest.approx(1.6698229898, rel=1e-6)
    assert fit.varcorr()["var1"].tolist() == ["Intercept", "Male", "Female"]
    assert fit.residual_cov().to_numpy()[1, 1] == pytest.approx(fit.residual_params["estimate"][1] ** 2)


def test_autoregression_with_a_random_intercept_is_that_of_nlme():
    # lme(Reaction ~ Days, random = ~ 1 | Subject, correlation = corAR1(form = ~ Days | Subject), method = "ML")
    sleep = ms.datasets.load("sleepstudy")
    fit = ms.lmer("Reaction ~ Days + (1 | Subject)", sleep, reml=False, residual="ar1(Days | Subject)")
    assert fit.criterion == pytest.approx(1744.83008968594, abs=1e-7)
    shuffled = ms.lmer("Reaction ~ Days + (1 | Subject)", sleep.sample(frac=1, random_state=1), reml=False,
                       residual="ar1(Days | Subject)")  # fmt: skip
    assert shuffled.criterion == pytest.approx(fit.criterion, abs=1e-8)
    assert np.allclose(shuffled.fittedvalues.loc[sleep.index], fit.fittedvalues, rtol=1e-6)


def test_compound_symmetry_is_the_random_intercept_where_the_correlation_is_positive():
    teeth = ms.datasets.load("Orthodont")
    one = ms.lmer("distance ~ age*Sex", teeth, residual="cs(1 | Subject)", reml=False)
    other = ms.lmer("distance ~ age*Sex + (1 | Subject)", teeth, reml=False)
    assert one.criterion == pytest.approx(428.639058019578, abs=1e-8)  # gls of nlme
    assert one.criterion == pytest.approx(other.criterion, abs=1e-8)
    assert np.allclose(one.bse, other.bse, rtol=1e-6)
    assert np.allclose(one.coef_table()["df"], other.coef_table()["df"], rtol=1e-4)
    one = ms.lmer("distance ~ age*Sex", teeth, residual="cs(1 | Subject)")
    table = one.coef_table("kenward-roger", information="expected")
    wanted = ms.lmer("distance ~ age*Sex + (1 | Subject)", teeth).coef_table("kenward-roger")
    assert np.allclose(table[["SE", "df"]], wanted[["SE", "df"]], rtol=1e-5)


def test_compound_symmetry_may_be_negative_which_random_intercepts_cannot():
    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(40), 3)
    e = rng.normal(size=(40, 3))
    d = pd.DataFrame({"y": (e - 0.8 * e.mean(axis=1, keepdims=True)).ravel(), "g": g})
    fit = ms.lmer("y ~ 1", d, residual="cs(1 | g)")
    assert fit.residual_params["estimate"][1] < -0.2
    with pytest.warns(ms.SingularFitWarning):
        assert fit.criterion < ms.lmer("y ~ 1 + (1 | g)", d).criterion - 5.0


def test_degrees_of_freedom_are_the_published_ones_of_proc_mixed(fev, mmrm):
    # ddfm=satterthwaite of the same model, printed to integers; Female instead of Male was the reference there.
    sexes = fev.assign(SEX=pd.Categorical(fev["SEX"], ["Male", "Female"]))
    turned = ms.lmer("FEV1 ~ ARMCD*AVISIT + SEX + RACE", sexes, residual="us" + VISITS)
    assert turned.coef_table()["df"].round().tolist() == [219, 146, 144, 156, 138, 166, 169, 157, 139, 158, 130]
    assert mmrm.criterion == pytest.approx(3386.449871162, abs=1e-6)
    assert mmrm.df_model == 11 + 10


def test_the_optimum_is_that_of_arithmetic_with_40_digits(mmrm):
    # Newton's method on the likelihood in 40 digits; gls of nlme stops 3e-5 standard errors from it.
    coefficients = {
        "Intercept": (31.103433879104, 0.85565621689448),
        "ARMCD[T.TRT]": (3.7744140514217, 1.0741607559358),
        "AVISIT[T.VIS2]": (4.8396038911573, 0.8017265921963),
        "AVISIT[T.VIS3]": (10.342167107404, 0.82268786277559),
        "AVISIT[T.VIS4]": (15.053786306676, 1.3128840093543),
        "SEX[T.Male]": (-0.32602732439112, 0.53193579374648),
        "RACE[T.White]": (5.6435678857316, 0.66558968095008),
        "ARMCD[T.TRT]:AVISIT[T.VIS4]": (0.62412272671241, 1.8509602307871),
    }
    assert mmrm.criterion == pytest.approx(3386.44987116234903, abs=1e-9)
    for name, (estimate, error) in coefficients.items():
        assert abs(mmrm.params[name] - estimate) < 1e-8 * error
        assert mmrm.bse[name] == pytest.approx(error, rel=1e-8)
    lower = [6.3682366776565, 4.6326198408756, 3.7734835613657, 9.525953680905]  # diagonal of the triangle of R
    assert np.diagonal(np.linalg.cholesky(mmrm.residual_cov())) == pytest.approx(lower, rel=1e-7)


# PROC MIXED, ddfm=kr(linear), as published with the R package mmrm (Apache 2.0): structure, SE, df.
PUBLISHED = [
    ("us", 0.66124382270307, 160.733266403768),
    ("ar1", 0.96058142305176, 188.46934887972),
    ("hetar1", 0.75924807546934, 188.225339095373),
    ("homcs", 0.7964696053595, 177.038485931223),
    ("cs", 0.67403858183242, 190.737701349941),
    ("homtoep", 0.87839805519623, 160.027408337368),
    ("toep", 0.72537324518435, 180.062730071701),
]


@pytest.mark.parametrize(("structure", "error", "df"), PUBLISHED)
def test_kenward_roger_is_the_published_one(fev, structure, error, df):
    row = ms.lmer("FEV1 ~ ARMCD", fev, residual=structure + VISITS).coef_table("kenward-roger").iloc[1]
    assert row["SE"] == pytest.approx(error, abs=2e-4)
    assert row["df"] == pytest.approx(df, rel=3e-3)


def test_kenward_roger_by_expected_information_takes_dense_matrices(fev):
    one = ms.lmer("FEV1 ~ ARMCD", fev, residual="ar1" + VISITS)
    table = one.coef_table("kenward-roger", information="expected")
    assert table["df"].iloc[1] == pytest.approx(220.5, abs=0.1)  # pbkrtest's rule on dense matrices


@pytest.mark.parametrize("information", ["expected", "observed"])
def test_kenward_roger_of_an_intercept_and_of_equal_correlations_is_one(fev, information):
    # One covariance of the rows, by a random effect and by the residuals.
    one = ms.lmer("FEV1 ~ ARMCD + AVISIT + (1 | USUBJID)", fev).coef_table("kenward-roger", information=information)
    two = ms.lmer("FEV1 ~ ARMCD + AVISIT", fev, residual="cs(1 | USUBJID)")
    two = two.coef_table("kenward-roger", information=information)
    assert np.allclose(one[["SE", "df"]], two[["SE", "df"]], rtol=1e-5)


def test_observed_information_of_kenward_roger_is_one_for_all_descriptions_of_a_covariance():
    sleep = ms.datasets.load("sleepstudy")
    how = {"ddf": "kenward-roger", "information": "observed"}
    one = ms.lmer("Reaction ~ Days + diag(1 + Days | Subject)", sleep).coef_table(**how)
    two = ms.lmer("Reaction ~ Days + (1 | Subject) + (0 + Days | Subject)", sleep).coef_table(**how)
    assert np.allclose(one[["SE", "df"]], two[["SE", "df"]], rtol=1e-6)
    # In a balanced design the fixed effects do not hang on the weights: t tests of as many degrees of freedom.
    balanced = ms.lmer("Reaction ~ Days + (Days | Subject)", sleep).coef_table(**how)
    assert np.allclose(balanced["df"], 17.0, rtol=1e-6)


@pytest.mark.parametrize("information", ["expected", "observed"])
def test_means_limits_and_tests_take_the_information_of_kenward_roger(mmrm, information):
    how = {"ddf": "kenward-roger", "information": information}
    table = mmrm.coef_table(**how)
    limits = mmrm.conf_int(**how)
    half = stdtrit(table["df"], 0.975) * table["SE"]
    assert limits["upper"].to_numpy() == pytest.approx(table["Estimate"] + half)
    # Females have the mean of males less the coefficient, whose test is that of the term in every table.
    sexes = mmrm.emmeans("SEX", **how).contrast("pairwise").table
    assert sexes["SE"][0] == pytest.approx(table["SE"]["SEX[T.Male]"])
    assert sexes["df"][0] == pytest.approx(table["df"]["SEX[T.Male]"])
    assert f"Degrees of freedom: Kenward-Roger ({information} information)." in repr(mmrm.emmeans("SEX", **how))
    joint = mmrm.joint_tests(**how).set_index("term")
    assert joint.loc["SEX", "DenDF"] == pytest.approx(table["df"]["SEX[T.Male]"])
    assert mmrm.drop1("F", **how).loc["SEX", "DenDF"] == pytest.approx(table["df"]["SEX[T.Male]"])
    with pytest.raises(ms.OptionError, match="belongs to ddf='kenward-roger'"):
        mmrm.emmeans("SEX", information=information)


def test_marginal_means_and_contrasts_by_visit(mmrm):
    means = mmrm.emmeans("ARMCD", by="AVISIT")
    assert len(means.table) == 8
    contrasts = means.contrast("pairwise")
    assert len(contrasts.table) == 4
    # The largest visit has the largest standard error, as its variance says.
    assert contrasts.table["SE"].to_numpy().argmax() == 3


def test_equal_strata_are_independent_residuals():
    rng = np.random.default_rng(2)
    d = pd.DataFrame({"g": np.repeat(np.arange(30), 4), "s": np.tile(["a", "a", "b", "b"], 30)})
    e = rng.normal(size=(30, 2, 2))
    e -= e.mean(axis=(0, 2), keepdims=True)
    d["y"] = (e / np.sqrt(np.square(e).mean(axis=(0, 2), keepdims=True))).ravel()
    fit = ms.lmer("y ~ 0 + s", d, dispersion="~ s", reml=False)
    assert fit.fit.residual[0] == pytest.approx(0.0, abs=1e-7)
    assert fit.residual_params["estimate"].tolist() == pytest.approx([1.0, 1.0])


def test_numeric_dispersion_keeps_sigma_where_the_covariate_is_0():
    rng = np.random.default_rng(4)
    x = rng.uniform(50.0, 60.0, 400)
    y = rng.normal(size=400) * np.exp(0.5 * (0.3 * x - 10.0))
    d = pd.DataFrame({"x": x, "y": y, "near": x - 55.0})
    far, near = (ms.lmer("y ~ 1", d, dispersion=f"~ {name}") for name in ("x", "near"))
    assert far.criterion == pytest.approx(near.criterion, abs=1e-8)
    assert np.allclose(far.fit.residual, near.fit.residual, rtol=1e-6)
    assert far.sigma == pytest.approx(near.sigma * np.exp(-0.5 * 55.0 * near.fit.residual[0]), rel=1e-6)
    power = ms.lmer("y ~ 1", d, dispersion="~ log(x)")
    assert power.residual_params["parameter"].tolist() == ["sigma", "log variance(log(x))"]


def test_residuals_are_normalized_by_the_covariance_of_each_group(mmrm, fev):
    e = mmrm.residuals("normalized")
    first = fev.index[fev["USUBJID"] == "PT1"]
    order = fev.loc[first].sort_values("AVISIT").index
    cov = mmrm.marginal_cov(order).to_numpy()
    wanted = np.linalg.solve(np.linalg.cholesky(cov), mmrm.resid[order])
    assert np.allclose(e[order], wanted)
    acf = mmrm.residual_acf()
    assert acf["acf"].iloc[0] == pytest.approx(1.0)
    assert abs(acf["acf"].iloc[1]) < 0.1


def test_simulations_have_the_covariance_of_the_fit(mmrm):
    draws = mmrm.simulate(4000, seed=1)
    e = draws.sub(mmrm.fittedvalues, axis=0)
    rows = e.index[:4]
    assert np.allclose(np.cov(e.loc[rows].to_numpy()), mmrm.marginal_cov(rows), atol=6.0)
    again = mmrm.refit(draws[0])
    assert len(again.residual_params) == 10
    with pytest.raises(ms.MixedSparseError, match="without newdata"):
        mmrm.simulate(1, newdata=pd.DataFrame({"a": [1]}))


def test_bootstrap_refits_the_residual_covariance():
    fit = ms.lmer("distance ~ age*Sex", ms.datasets.load("Orthodont"), residual="cs(1 | Subject)")
    replicates = fit.bootstrap(4, seed=1, statistic=lambda f: {"cor": f.residual_params["estimate"][1]})
    assert replicates.table["cor"].nunique() == 4
    with pytest.raises(ms.BackendError, match="parametric"):
        fit.bootstrap(4, seed=1, kind="residual")


def test_prediction_intervals_know_the_variance_of_the_visit(mmrm, fev):
    new = fev.head(4)
    width = (lambda t: t["upper"] - t["lower"])(mmrm.predict(new, interval="prediction"))
    own = (lambda t: t["upper"] - t["lower"])(mmrm.predict(interval="prediction")).head(4)
    assert np.allclose(width, own)
    sizes = np.array([np.sqrt(mmrm.residual_cov().loc[v, v]) for v in new["AVISIT"]])
    assert np.corrcoef(width, sizes)[0, 1] > 0.99
    with pytest.raises(ms.DataError, match="VIS9"):
        mmrm.predict(new.assign(AVISIT="VIS9"), interval="prediction")


def test_files_and_pickles_keep_the_residual_covariance(mmrm, tmp_path):
    mmrm.save(tmp_path / "fit.mix")
    again = ms.load(tmp_path / "fit.mix")
    assert np.allclose(again.coef_table(), mmrm.coef_table(), rtol=1e-6)
    assert np.allclose(again.residuals("normalized"), mmrm.residuals("normalized"))
    strata = ms.lmer("distance ~ age + (1 | Subject)", ms.datasets.load("Orthodont"), dispersion="~ Sex + age")
    strata.save(tmp_path / "strata.mix")
    again = ms.load(tmp_path / "strata.mix")
    assert np.allclose(again.residual_params["se"], strata.residual_params["se"], rtol=1e-4)
    with pytest.raises(ms.BackendError, match="data=True"):
        mmrm.save(tmp_path / "slim.mix", data=False)


def test_summary_names_the_residual_covariance(mmrm):
    text = str(mmrm.summary())
    assert "residual='us(AVISIT | USUBJID)'" in " ".join(text.split())
    assert "VIS4" in text
    assert "cor(VIS1,VIS2) 0.439" in " ".join(text.split())
    assert len(mmrm.tidy("ran_pars", conf_int=True)) == 4
    assert mmrm._repr_html_().count("VIS4") >= 1


def test_likelihood_of_parameters_is_that_of_the_fit(mmrm):
    x = np.concatenate([mmrm.theta, mmrm.fit.residual])
    assert mmrm.model.objective(x) == pytest.approx(mmrm.criterion, abs=1e-9)
    assert np.abs(mmrm.model.gradient(x)).max() < 1e-4
    with pytest.raises(ms.OptionError, match="9 of the residual"):
        mmrm.model.objective(mmrm.theta)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda fit: fit.r2(), "parameters of residual="),
        (lambda fit: fit.cooks_distance(), r"influence\(\)"),
    ],
)
def test_what_does_not_know_residual_parameters_says_so(mmrm, call, message):
    with pytest.raises(ms.BackendError, match=message):
        call(mmrm)


def test_likelihood_ratios_go_along_nested_structures(fev):
    structures = ["homcs", "homtoep", "toep", "us"]
    fits = [ms.lmer("FEV1 ~ ARMCD*AVISIT", fev, residual=name + VISITS, reml=False) for name in structures]
    table = ms.anova(*fits)
    assert table["Df"].tolist()[1:] == [2.0, 3.0, 3.0]
    # gls of nlme and mmrm have the same -2 log L for compound symmetry and the unstructured covariance.
    assert (table["Chisq"].iloc[1:] >= 0).all()
    autoregressive = ms.lmer("FEV1 ~ ARMCD*AVISIT", fev, residual="ar1" + VISITS, reml=False)
    assert ms.anova(autoregressive, fits[1])["Df"].iloc[1] == 2.0
    with pytest.raises(ms.OptionError, match=r"no special case of .* compare AIC"):
        ms.anova(fits[0], ms.lmer("FEV1 ~ ARMCD*AVISIT", fev, residual="hetar1" + VISITS, reml=False))
    slopes = ms.lmer("FEV1 ~ ARMCD*AVISIT + (1 | USUBJID)", fev, reml=False)
    assert ms.anova(slopes, fits[-1])["Df"].iloc[1] == 8.0


def test_likelihood_ratios_of_strata():
    teeth = ms.datasets.load("Orthodont")
    plain, strata, both, other = (
        ms.lmer("distance ~ age*Sex + (1 | Subject)", teeth, reml=False, **given)
        for given in ({}, {"dispersion": "~ Sex"}, {"dispersion": "~ Sex + age"}, {"dispersion": "~ log(age)"})
    )
    # anova of lme fits with and without weights = varIdent(form = ~ 1 | Sex), nlme 3.1-162: L.Ratio 19.286707
    assert ms.anova(plain, strata)["Chisq"].iloc[1] == pytest.approx(19.286707, abs=1e-5)
    assert ms.anova(strata, both)["Df"].iloc[1] == 1.0
    with pytest.raises(ms.OptionError, match="no special case"):
        ms.anova(other, both)


def test_the_model_of_a_fit_can_be_fitted_again(mmrm, fev):
    again = mmrm.model.fit()
    assert again.criterion == pytest.approx(mmrm.criterion, abs=1e-9)
    likelihood = ms.lmer("FEV1 ~ ARMCD*AVISIT + SEX + RACE", fev, residual="us" + VISITS, reml=False)
    assert mmrm.model.fit(reml=False).criterion == pytest.approx(likelihood.criterion, abs=1e-8)
    started = mmrm.model.fit(start=np.concatenate([mmrm.theta, mmrm.fit.residual]))
    assert started.optim.nfev <= 3


def test_weights_shuffled_rows_and_units_leave_the_fit_as_it_is(fev):
    weights = pd.Series(np.random.default_rng(1).uniform(0.5, 2.0, len(fev)), index=fev.index)
    fit = ms.lmer("FEV1 ~ ARMCD*AVISIT", fev, residual="cs" + VISITS, weights=weights)
    mixed = fev.sample(frac=1, random_state=2)
    other = ms.lmer("FEV1 ~ ARMCD*AVISIT", mixed, residual="cs" + VISITS, weights=weights)
    assert other.criterion == pytest.approx(fit.criterion, abs=1e-8)
    assert np.allclose(other.residuals("normalized")[fev.index], fit.residuals("normalized"), atol=1e-6)
    scaled = ms.lmer("I(1000 * FEV1) ~ ARMCD*AVISIT", fev, residual="cs" + VISITS, weights=weights)
    shift = 2.0 * (len(fev) - 8) * np.log(1000.0)
    assert scaled.criterion == pytest.approx(fit.criterion + shift, abs=1e-6)
    assert np.allclose(scaled.bse, 1000.0 * fit.bse, rtol=1e-6)
    assert np.allclose(scaled.coef_table()["df"], fit.coef_table()["df"], rtol=1e-4)
    own = fit.marginal_cov(fev.index[:2]).to_numpy()
    R = fit.residual_cov(group="PT1").to_numpy() / np.sqrt(np.outer(weights[:2], weights[:2]))
    assert own[0, 1] == pytest.approx(R[0, 1])


def test_journals_name_the_deviation_of_each_visit(mmrm):
    notes = " ".join(mmrm.journal().notes)
    assert "Residual SD: VIS1 6.368" in notes
    assert "SD Residual" not in mmrm.journal().table


@pytest.mark.parametrize("term", ["cs(0 + Machine | Worker)", "(1 | Worker) + (1 | Worker:Machine)"])
def test_strata_go_with_structures_and_nested_terms(term):
    machines = ms.datasets.load("Machines")
    fit = ms.lmer(f"score ~ Machine + {term}", machines, dispersion="~ Machine")
    table = fit.covariance_parameters()
    assert table["term"].iloc[-3:].tolist() == ["Residual"] * 3
    assert table["se"].notna().all()
    assert np.allclose(fit.residual_params["estimate"], table["estimate"].iloc[-3:])


@pytest.mark.parametrize("term", ["cs(0 + Machine | Worker)", "toep(0 + Machine | Worker)", "(0 + Machine | Worker)"])
def test_limits_of_structures_and_strata_are_those_of_the_covariance_parameters(term):
    fit = ms.lmer(f"score ~ Machine + {term}", ms.datasets.load("Machines"), dispersion="~ Machine")
    table = fit.covariance_parameters()
    limits = fit.conf_int(which="all").iloc[3:-1]
    assert np.allclose(limits, table[["lower", "upper"]].iloc[: len(limits)], rtol=1e-3)
    tidy = fit.tidy("ran_pars", conf_int=True)
    assert np.allclose(tidy["conf.low"].iloc[-3:], table["lower"].iloc[-3:])
    assert np.allclose(tidy["conf.low"].iloc[:3], table["lower"].iloc[:3], rtol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("reml", [True, False])
def test_twenty_starts_of_a_toeplitz_covariance_end_at_one_optimum_soon(reml):
    # Average information leads some of them astray: then gradients are differenced instead.
    model = ms.LinearMixedModel("Reaction ~ Days", ms.datasets.load("sleepstudy"), residual="toep(Days | Subject)")
    best = model.fit(reml=reml)
    rng, size = np.random.default_rng(2), len(best.fit.residual)
    for _ in range(20):
        fit = model.fit(reml=reml, start=rng.normal(scale=0.6, size=size))
        assert fit.certificate.verdict == "converged"
        assert fit.criterion == pytest.approx(best.criterion, abs=1e-8)
        assert fit.optim.nfev <= 200
