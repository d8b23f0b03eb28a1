"""Covariance structures of effects in formulas: lme4 2.0's fits, counts, reports, and what does not take them."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from mixedsparse.ground.errors import DataError, FormulaError

# lme4 2.0: formula, data, REML, criterion, sigma, parameters counted in AIC, some entries of the covariance.
LME4 = [
    ("score ~ Machine + diag(0 + Machine | Worker)", "Machines", True, 217.65107857621763, 0.9615766374, 7),
    ("score ~ Machine + cs(0 + Machine | Worker)", "Machines", True, 209.22044231433878, 0.9621486207, 8),
    ("score ~ Machine + cs(0 + Machine | Worker, hom=TRUE)", "Machines", True, 215.6875680082206, 0.9615766374, 6),
    ("Reaction ~ Days + ar1(0 + Days | Subject)", "sleepstudy", False, 1743.0618655744256, 15.2287662767, 5),
    ("Reaction ~ Days + diag(1 + Days | Subject, hom=TRUE)", "sleepstudy", False, 1767.212279359799, 27.43740802, 4),
    ("angle ~ recipe + temp + homcs(0 + recipe | replicate)", "cake", True, 1655.9446149654768, 4.5505403856, 7),
    ("Reaction ~ Days + hetar1(0 + factor(Days) | Subject)", "sleepstudy", True, 1702.1889517773666, 3.75581, 14),
]


@pytest.fixture(scope="module")
def machines():
    return ms.datasets.load("Machines")


@pytest.fixture(scope="module")
def fits(machines):
    names = ("us", "diag", "cs", "homcs", "ar1", "hetar1", "toep", "homtoep")
    return {name: ms.lmer(f"score ~ Machine + {name}(0 + Machine | Worker)", machines) for name in names}


@pytest.mark.parametrize(("formula", "data", "reml", "criterion", "sigma", "npar"), LME4)
def test_fits_are_those_of_lme4(formula, data, reml, criterion, sigma, npar):
    fit = ms.lmer(formula, ms.datasets.load(data), reml=reml)
    assert fit.criterion == pytest.approx(criterion, abs=1e-6)
    # The residual of the last is on a ridge: lme4 stops 1e-6 from the optimum, at another sigma.
    assert fit.sigma == pytest.approx(sigma, rel=1e-5 if npar < 14 else 2e-3)
    assert fit.df_model == npar
    assert fit.aic == pytest.approx(criterion + 2 * npar, abs=1e-5)
    assert len(fit.covariance_parameters()) == npar - len(fit.params)


def test_covariances_are_those_of_lme4(fits):
    cov = fits["cs"].cov_re["Worker"].to_numpy()
    np.testing.assert_allclose(
        cov[np.tril_indices(3)], [16.929, 25.487159, 70.892096, 13.506191, 27.6386, 19.907685], rtol=1e-4
    )
    np.testing.assert_allclose(
        fits["homcs"].cov_re["Worker"].to_numpy()[0], [36.767901, 22.858444, 22.858444], rtol=1e-6
    )


def test_text_that_reads_as_numbers_is_in_the_order_of_the_numbers():
    data = ms.datasets.load("sleepstudy")
    want = ms.lmer("Reaction ~ ar1(0 + Days | Subject)", data)
    # As text 10, 11, ... come before 5.
    text = data.assign(Days=(data["Days"] + 5).astype(int).astype(str))
    for same in (text, text.astype({"Days": "category"}), data.sample(frac=1.0, random_state=1)):
        fit = ms.lmer("Reaction ~ ar1(0 + Days | Subject)", same)
        assert fit.criterion == pytest.approx(want.criterion, abs=1e-7)
    # Categories in an order of one's own keep it.
    own = pd.Categorical(text["Days"], categories=[str(day) for day in (5, 14, 6, 13, 7, 12, 8, 11, 9, 10)])
    with pytest.warns(ms.SingularFitWarning):
        fit = ms.lmer("Reaction ~ ar1(0 + Days | Subject)", text.assign(Days=own))
    assert fit.criterion > want.criterion + 10


def test_gaps_between_whole_numbers_count():
    data = ms.datasets.load("sleepstudy")
    some = data[data["Days"].isin([0, 1, 4, 8])]
    # One row per subject and day, and nothing left for the residual: the limit is the residual covariance itself.
    with pytest.warns(ms.ConvergenceWarning, match=r"highest where .* residual='ar1\(visit \| Subject\)'"):
        fit = ms.lmer("Reaction ~ ar1(0 + Days | Subject)", some)
    limit = ms.lmer("Reaction ~ 1", some, residual="ar1(Days | Subject)")
    assert fit.criterion == pytest.approx(limit.criterion, abs=1e-6)
    rho = fit.covariance_parameters()["estimate"][1]
    R = fit.cov_re["Subject"].to_numpy() / fit.cov_re["Subject"].to_numpy()[0, 0]
    np.testing.assert_allclose(R[0], rho ** np.array([0, 1, 4, 8]), rtol=1e-10)
    with pytest.warns(ms.ConvergenceWarning), pytest.warns(ms.StructureWarning, match="unequal distances"):
        other = ms.lmer("Reaction ~ ar1(0 + Days | Subject)", some.astype({"Days": str}))
    assert other.criterion != pytest.approx(fit.criterion, abs=1e-3)


# glmmTMB 1.1.5, whose optimum lme4's criterion confirms: (formula, data, REML, criterion, sigma, parameters).
GLMMTMB = [
    ("score ~ Machine + toep(0 + Machine | Worker)", "Machines", True, 208.334856531653, 0.9615515609, 9),
    ("Reaction ~ Days + rr(0 + C(Days) | Subject, d=2)", "sleepstudy", False, 1727.84266089803, 22.8951418523, 22),
]


@pytest.mark.parametrize(("formula", "data", "reml", "criterion", "sigma", "npar"), GLMMTMB)
def test_fits_are_those_of_glmmtmb(formula, data, reml, criterion, sigma, npar):
    fit = ms.lmer(formula, ms.datasets.load(data), reml=reml)
    assert fit.criterion == pytest.approx(criterion, abs=1e-6)
    assert fit.sigma == pytest.approx(sigma, rel=1e-5)
    assert fit.df_model == npar
    assert fit.certificate.verdict == "converged"
    assert not fit.singular


def test_toeplitz_covariances_and_loadings_are_those_of_glmmtmb(fits):
    R = fits["toep"].cov_re["Worker"].to_numpy() / np.outer(*[np.sqrt(fits["toep"].vcomp)] * 2)
    np.testing.assert_allclose(R[0], [1, 0.786805156618308, 0.622279862559294], rtol=1e-4)
    fit = ms.lmer("Reaction ~ Days + rr(0 + C(Days) | Subject, d=2)", ms.datasets.load("sleepstudy"), reml=False)
    np.testing.assert_allclose(np.sqrt(fit.vcomp.to_numpy()[[0, 6, 9]]), [18.812733, 57.38867, 64.183333], rtol=1e-5)
    table = fit.covariance_parameters()
    assert table["parameter"].iloc[[0, 10]].tolist() == ["loading(C(Days)[0],1)", "loading(C(Days)[1],2)"]
    assert np.linalg.matrix_rank(fit.cov_re["Subject"], tol=1e-6) == 2


def test_toeplitz_of_two_effects_and_full_rank_are_unstructured(machines, fits):
    full = ms.lmer("score ~ Machine + rr(0 + Machine | Worker, d=3)", machines)
    assert full.criterion == pytest.approx(fits["us"].criterion, abs=1e-8)
    two = machines[machines["Machine"] != "C"].assign(Machine=lambda d: d["Machine"].cat.remove_unused_categories())
    toep, us = (ms.lmer(f"score ~ Machine + {name}(0 + Machine | Worker)", two) for name in ("toep", "us"))
    assert toep.criterion == pytest.approx(us.criterion, abs=1e-8)
    with pytest.raises(FormulaError, match="d=4 dimensions are more than the 3 effects"):
        ms.lmer("score ~ Machine + rr(0 + Machine | Worker, d=4)", machines)


def test_compound_symmetry_of_two_effects_is_unstructured(machines):
    two = machines[machines["Machine"] != "C"].assign(Machine=lambda d: d["Machine"].cat.remove_unused_categories())
    cs, us = (ms.lmer(f"score ~ Machine + {name}(0 + Machine | Worker)", two) for name in ("cs", "us"))
    assert cs.criterion == pytest.approx(us.criterion, abs=1e-8)
    np.testing.assert_allclose(cs.cov_re["Worker"], us.cov_re["Worker"], rtol=1e-5)
    for ddf in ("satterthwaite", "kenward-roger"):
        np.testing.assert_allclose(cs.coef_table(ddf=ddf), us.coef_table(ddf=ddf), rtol=1e-5)
    ours, theirs = (fit.covariance_parameters().drop(columns=["structure", "parameter", "term"]) for fit in (cs, us))
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)


@pytest.mark.parametrize("ddf", ["satterthwaite", "kenward-roger"])
def test_diagonal_effects_are_those_of_two_bars(machines, fits, ddf):
    apart = ms.lmer("score ~ Machine + (0 + Machine || Worker)", machines)
    np.testing.assert_allclose(fits["diag"].coef_table(ddf=ddf), apart.coef_table(ddf=ddf), rtol=1e-8)
    assert fits["diag"].caic()["caic"] == pytest.approx(apart.caic()["caic"], abs=1e-6)
    want = apart.conf_int(which="random")
    np.testing.assert_allclose(fits["diag"].conf_int(which="random"), want, rtol=1e-5)


def test_equal_correlations_of_equal_variances_are_two_nested_intercepts(machines):
    nested = ms.lmer("score ~ Machine + (1 | Worker/Machine)", machines)
    fit = ms.lmer("score ~ Machine + homcs(0 + Machine | Worker)", machines)
    assert fit.criterion == pytest.approx(nested.criterion, abs=1e-8)
    assert fit.df_model == nested.df_model
    for ddf in ("satterthwaite", "kenward-roger"):
        np.testing.assert_allclose(fit.coef_table(ddf=ddf), nested.coef_table(ddf=ddf), rtol=1e-6)


def test_unstructured_terms_have_the_errors_of_their_intervals(machines):
    fit = ms.lmer("score ~ Machine + (Machine | Worker)", machines)
    table = fit.covariance_parameters()
    np.testing.assert_allclose(table[["lower", "upper"]], fit.conf_int(which="random"), rtol=1e-5)
    np.testing.assert_allclose(table["estimate"], fit.varcorr()["sdcor"], rtol=1e-10)
    assert (table["structure"][:-1] == "us").all()


def test_errors_are_those_of_the_observed_information(fits):
    # Differences of the criterion in (sd, rho, log sigma), of the definition.
    fit = fits["ar1"]
    sd, rho, sigma = fit.covariance_parameters()["estimate"]
    model, n, p = fit.model, fit.nobs, len(fit.params)

    def deviance(at):
        s, r, e = at
        R = r ** np.abs(np.subtract.outer(range(3), range(3)))
        theta = (s / e * np.linalg.cholesky(R))[np.triu_indices(3)[::-1]]
        profiled = model.objective(theta)
        # The criterion at another sigma: the profiled one has its own best.
        df = n - p
        best = best_sigma2(theta)
        return profiled + df * (np.log(e**2 / best) + best / e**2 - 1.0)

    def best_sigma2(theta):
        lam = np.zeros((3, 3))
        lam[np.triu_indices(3)[::-1]] = theta
        z, codes = model.design.terms[0].z, model.design.terms[0].codes
        V = np.eye(n) + (z @ lam @ lam.T @ z.T) * (codes[:, None] == codes)
        X, y = model.design.X, model.design.y
        W = np.linalg.inv(V)
        r = y - X @ np.linalg.solve(X.T @ W @ X, X.T @ W @ y)
        return r @ W @ r / (n - p)

    at, steps = np.array([sd, rho, sigma]), np.diag(1e-3 * np.array([sd, rho, sigma]))
    hessian = np.array(
        [
            [
                (deviance(at + a + b) - deviance(at + a - b) - deviance(at - a + b) + deviance(at - a - b))
                / (4 * a.max() * b.max())
                for b in steps
            ]
            for a in steps
        ]
    )
    want = np.sqrt(np.diagonal(2.0 * np.linalg.inv(hessian)))
    np.testing.assert_allclose(fit.covariance_parameters()["se"], want, rtol=1e-4)


def test_parameters_have_their_names(fits):
    table = fits["hetar1"].covariance_parameters()
    assert table["parameter"].tolist() == ["sd(Machine[A])", "sd(Machine[B])", "sd(Machine[C])", "cor", "sigma"]
    assert table["structure"].tolist() == ["hetar1"] * 4 + ["iid"]
    names = ["sd(Machine[A]|Worker)", "sd(Machine[B]|Worker)", "sd(Machine[C]|Worker)", "cor(Worker)", "sigma"]
    assert fits["hetar1"].conf_int(which="random").index.tolist() == names
    np.testing.assert_allclose(fits["hetar1"].conf_int(which="random"), table[["lower", "upper"]])


def test_nested_structures_have_likelihood_ratios_and_others_none(fits, machines):
    table = ms.anova(fits["homcs"], fits["cs"], fits["us"], refit=False)
    assert table["Df"].tolist()[1:] == [2.0, 2.0]
    assert table["Chisq"].iloc[1] == pytest.approx(215.68756801 - 209.22044231, abs=1e-6)
    ms.anova(fits["ar1"], fits["homtoep"], fits["toep"], fits["us"], refit=False)
    ms.anova(fits["ar1"], fits["hetar1"], fits["toep"], refit=False)
    ranks = [ms.lmer(f"score ~ Machine + rr(0 + Machine | Worker, d={d})", machines) for d in (1, 2)]
    assert ms.anova(*ranks, fits["us"], refit=False)["Df"].tolist()[1:] == [2.0, 1.0]
    intercept = ms.lmer("score ~ Machine + (1 | Worker)", machines)
    assert ms.anova(intercept, fits["ar1"], refit=False)["Df"].iloc[1] == 1.0
    for pair in (("ar1", "homcs"), ("ar1", "cs"), ("diag", "cs")):
        one, other = (fits[name] for name in pair)
        if pair == ("diag", "cs"):
            assert ms.anova(one, other, refit=False)["Df"].iloc[1] == 1.0
        else:
            with pytest.raises(DataError, match=r"is not a case of.*ms\.compare"):
                ms.anova(one, other, refit=False)
    with pytest.raises(DataError, match="is not a case of"):
        ms.anova(intercept, fits["diag"], refit=False)


def test_ranova_takes_a_structured_term_away_as_a_whole(fits):
    table = fits["homcs"].ranova()
    assert table.index.tolist() == ["<none>", "homcs(0 + Machine | Worker)"]
    assert table["Df"].iloc[1] == 2.0
    assert table["npar"].tolist() == [6, 4]


def test_saved_and_pickled_fits_keep_their_structures(fits, tmp_path, machines):
    for name, fit in fits.items():
        fit.save(tmp_path / name)
        for again in (ms.load(tmp_path / name), pickle.loads(pickle.dumps(fit))):
            pd.testing.assert_frame_equal(again.covariance_parameters(), fit.covariance_parameters())
            pd.testing.assert_frame_equal(again.coef_table(ddf="kenward-roger"), fit.coef_table(ddf="kenward-roger"))
            pd.testing.assert_series_equal(again.predict(machines.head(3)), fit.predict(machines.head(3)))


def test_new_responses_are_fitted_with_the_structure(fits, machines):
    fit = fits["homcs"]
    y = fit.simulate(1, seed=3).iloc[:, 0]
    want = ms.lmer(fit.model.formula, machines.assign(score=y))
    again = fit.refit(y)
    assert again.criterion == pytest.approx(want.criterion, abs=1e-7)
    boot = fit.bootstrap(3, seed=5)
    assert boot.conf_int().index.tolist()[-3:] == ["sd(Worker)", "cor(Worker)", "sigma"]
    assert np.isfinite(boot.conf_int().to_numpy()).all()
    found = fit.influence("Worker").dfbetas
    assert np.isfinite(np.asarray(found)).all()


def test_rows_in_another_order_make_no_difference(fits, machines):
    mixed = machines.sample(frac=1.0, random_state=2)
    for name in ("cs", "ar1"):
        again = ms.lmer(fits[name].model.formula, mixed)
        assert again.criterion == pytest.approx(fits[name].criterion, abs=1e-8)
        pd.testing.assert_series_equal(again.fittedvalues.sort_index(), fits[name].fittedvalues.sort_index(), rtol=1e-5)


def test_what_takes_no_structure_says_so(fits, machines):
    with pytest.raises(FormulaError, match=r"write '\(x \| g\)'"):
        ms.parsimony(fits["cs"])
    with pytest.raises(FormulaError, match="generalized models do not take"):
        ms.glmer("y ~ cs(0 + Machine | Worker)", machines.assign(y=machines["score"].round()), "poisson")
    with pytest.raises(FormulaError, match="plans take unstructured"):
        ms.plan(machines, "score ~ cs(0 + Machine | Worker)", {}, {"Worker": 1.0}, 1.0)


def test_sources_refuse_structures(machines, tmp_path):
    pytest.importorskip("ibis")
    machines.to_parquet(tmp_path / "m.parquet")
    with pytest.raises(FormulaError, match="rows are in memory"):
        ms.lmer("score ~ Machine + cs(0 + Machine | Worker)", str(tmp_path / "m.parquet"))


@pytest.mark.parametrize(
    ("term", "message"),
    [
        ("ar1(Days | Subject)", "must be the levels of one factor.*write '0 \\+ Days'"),
        ("ar1(0 + Days + Reaction | Subject)", "must be the levels of one factor"),
        ("toep(0 + Square | Subject)", "not evenly spaced.*give a factor"),
        ("ar1(0 + Half | Subject)", "'Half'.*holds 0.5.*whole numbers"),
        ("ar1(0 + log(Reaction) | Subject)", "one factor.*'log\\(Reaction\\)' is none"),
    ],
)
def test_effects_that_are_not_in_order_have_no_autoregression(term, message):
    data = ms.datasets.load("sleepstudy")
    with pytest.raises((FormulaError, DataError), match=message):
        ms.lmer(f"Reaction ~ Days + {term}", data.assign(Half=data["Days"] / 2, Square=data["Days"] ** 2))


def test_equal_correlations_with_an_intercept_are_warned_of(machines):
    with pytest.warns(ms.StructureWarning, match=r"write '0 \+ Machine'"):
        ms.lmer("score ~ Machine + cs(Machine | Worker)", machines)


def test_terms_from_arrays_take_covariances(machines, fits):
    design = fits["cs"].model.design
    term = design.terms[0]
    for name, covariance in {
        "cs": ms.cov.CS(),
        "homcs": ms.cov.CS(hom=True),
        "hetar1": ms.cov.AR1(hom=False),
        "toep": ms.cov.Toep(times=(0, 1, 2)),
        "us": ms.cov.US(),
        "diag": ms.cov.Diag(),
    }.items():
        own = ms.RandomTerm("Worker", term.codes, term.z, covariance=covariance)
        fit = ms.LinearMixedModel.from_arrays(design.y, design.X, [own]).fit()
        assert fit.criterion == pytest.approx(fits[name].criterion, abs=1e-8)
        assert fit.df_model == fits[name].df_model
    with pytest.raises(DataError, match=r"covariance='cs' is no covariance: give one of ms\.cov"):
        ms.RandomTerm("Worker", term.codes, term.z, covariance="cs")
    with pytest.raises(ms.OptionError, match="3 different whole numbers"):
        ms.RandomTerm("Worker", term.codes, term.z, covariance=ms.cov.AR1(times=(0, 1, 1)))
    with pytest.raises(ms.OptionError, match="not evenly spaced"):
        ms.RandomTerm("Worker", term.codes, term.z, covariance=ms.cov.Toep(times=(0, 1, 3)))


@pytest.mark.parametrize(
    ("term", "mend"),
    [
        ("varIdent(form = ~ 1 | g)", "dispersion='~ g'"),
        ("corAR1(form = ~ t | g)", "residual='ar1"),
        ("ou(0 + t | g)", "residual='car1"),
        ("car1(0 + t | g)", "residual='car1"),
        ("propto(0 + g | one, A)", "relations="),
    ],
)
def test_spellings_of_other_programs_are_told_ours(term, mend):
    with pytest.raises(FormulaError, match=mend):
        ms.lmer(f"y ~ x + {term}", {"y": [1.0, 2.0], "x": [1, 2], "g": ["a", "b"], "t": [1, 2]})


def test_what_one_row_per_cell_does_not_identify_names_the_residual():
    data = ms.datasets.load("sleepstudy")
    for name in ("homcs", "diag", "homtoep", "homdiag"):
        with pytest.warns(ms.NotIdentifiedWarning, match=r"residual='us\(.*\| Subject\)'"):
            fit = ms.lmer(f"Reaction ~ Days + {name}(0 + C(Days) | Subject)", data)
        assert fit.covariance_parameters()["se"].isna().all()
        assert fit.certificate.verdict == "not identified"
        with pytest.warns(ms.UndefinedTestWarning):
            named = fit.conf_int(which="random")
        assert set(fit.certificate.unidentified) <= set(named.index)  # the structure's own
    with pytest.raises(DataError, match=r"residual='us\(.*\| Subject\)'"):
        ms.lmer("Reaction ~ Days + us(0 + C(Days) | Subject)", data)
    # A correlation that falls with the distance tells the effects from the residuals.
    assert ms.lmer("Reaction ~ Days + ar1(0 + Days | Subject)", data).certificate.verdict == "converged"


@pytest.mark.filterwarnings("ignore::mixedsparse.SingularFitWarning")
@pytest.mark.parametrize("options", [{"residual": "ar1(Days | Subject)"}, {"dispersion": "~ Days"}], ids=str)
def test_structures_stand_beside_residual_covariances(options):
    data = ms.datasets.load("sleepstudy")
    cs, us = (ms.lmer(f"Reaction ~ Days + {name}(Days | Subject)", data, **options) for name in ("cs", "us"))
    diag, apart = (
        ms.lmer(f"Reaction ~ Days + {t}", data, **options) for t in ("diag(Days | Subject)", "(Days || Subject)")
    )
    for one, other in ((cs, us), (diag, apart)):
        assert one.criterion == pytest.approx(other.criterion, abs=1e-7)
        assert one.df_model == other.df_model
        np.testing.assert_allclose(one.coef_table(), other.coef_table(), rtol=1e-5, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("term", ["diag", "cs", "homcs", "ar1", "hetar1", "toep", "homtoep", "rr"])
def test_random_starts_end_at_one_optimum(machines, term):
    model = ms.LinearMixedModel(f"score ~ Machine + {term}(0 + Machine | Worker)", machines)
    best, rng = model.fit().criterion, np.random.default_rng(0)
    for _ in range(20):
        deviations, rows = 10.0 ** rng.uniform(-1.5, 1.2, 3), np.tril(rng.normal(size=(3, 3)))
        lam = deviations[:, None] * rows / np.linalg.norm(rows, axis=1, keepdims=True)
        fit = model.fit(start=lam[np.triu_indices(3)[::-1]])
        assert fit.criterion == pytest.approx(best, abs=1e-6)


def test_a_start_near_correlations_that_oscillate_is_compared_with_others(machines):
    # A local optimum of the likelihood, 0.65 above the best.
    model = ms.LinearMixedModel("score ~ Machine + homtoep(0 + Machine | Worker)", machines)
    sigma = 6.317**2 * np.array([[1, 0.417, -0.428], [0.417, 1, 0.417], [-0.428, 0.417, 1]])
    start = np.linalg.cholesky(sigma)[np.triu_indices(3)[::-1]]
    alone = model.fit(start=start, options=ms.FitOptions(restart_budget=0))
    fit = model.fit(start=start)
    assert alone.criterion == pytest.approx(fit.criterion + 0.64793, abs=1e-4)
    assert fit.criterion == pytest.approx(215.161137867, abs=1e-6)
    assert 1 < fit.certificate.agreed < fit.certificate.starts


def test_a_structure_that_takes_all_variance_names_the_residual_covariance():
    # One row per subject and day: the residual variance goes to 0, and the likelihood to that of residual='toep(...)'.
    data = ms.datasets.load("sleepstudy")
    model = ms.LinearMixedModel("Reaction ~ Days + toep(0 + factor(Days) | Subject)", data)
    with pytest.warns(ms.ConvergenceWarning, match=r"residual='toep\(visit \| Subject\)', without the term"):
        fit = model.fit(options=ms.FitOptions(restart_budget=0))
    assert fit.certificate.unbounded
    assert fit.sigma < 1e-2
    limit = ms.lmer("Reaction ~ Days", data, residual="toep(Days | Subject)")
    assert limit.certificate.verdict == "converged"
    assert fit.criterion == pytest.approx(limit.criterion, abs=1e-6)
    # Autoregressions leave a residual: lme4 2.0 has the same.
    other = ms.lmer("Reaction ~ Days + hetar1(0 + factor(Days) | Subject)", data)
    assert not other.certificate.unbounded
