"""The bootstrap: what is drawn, that refits are right, that seeds decide alone, and that failures are counted."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import mixedsparse as ms
from mixedsparse.core.batch.draws import parametric_sampler, residual_sampler
from mixedsparse.core.fitting import replicate
from mixedsparse.ground.errors import NotPositiveDefiniteError
from mixedsparse.inference.bootstrap_limits import limits
from mixedsparse.inference.cases import NewRows
from tests.limits import limited
from tests.models import DESIGNS, make

SLEEP = "Reaction ~ Days + (Days | Subject)"


@pytest.fixture(scope="module")
def sleep():
    return ms.lmer(SLEEP, ms.datasets.load("sleepstudy"))


@pytest.fixture(scope="module")
def replicates(sleep):
    return sleep.bootstrap(1000, seed=1)


def quiet_fit(model, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ms.MixedSparseWarning)
        return model.fit(**options)


def criterion_and_sd(results):
    return {"criterion": results.criterion, "sd": results.varcorr()["sdcor"].iloc[0], "sigma again": results.sigma}


def seeds(count, seed=0):
    return np.random.SeedSequence(seed).spawn(count)


def test_table(sleep, replicates):
    assert list(replicates.table.columns) == list(sleep.conf_int(which="all").index)
    assert replicates.nsim == 1000
    assert replicates.failures.empty
    assert replicates.seed == 1
    assert replicates.table.notna().all(axis=None)
    np.testing.assert_allclose(replicates.estimates[["Intercept", "Days"]], sleep.params)
    np.testing.assert_allclose(replicates.estimates.iloc[2:], sleep.varcorr()["sdcor"])


def test_distribution_is_that_of_the_model(sleep, replicates):
    """Standard errors of the coefficients are exact in a balanced design; bounds are five Monte-Carlo errors."""
    summary = replicates.summary()
    np.testing.assert_allclose(summary["SE"].iloc[:2], sleep.bse, rtol=5 / np.sqrt(2000))
    assert (summary["bias"].iloc[:2].abs() < 5 * sleep.bse / np.sqrt(1000)).all()
    assert abs(summary.loc["sigma", "bias"]) < 5 * summary.loc["sigma", "SE"] / np.sqrt(1000) + 0.1


def test_intervals_match_lme4(replicates):
    """lme4 1.1-31: confint(m, method = "boot", nsim = 2000, boot.type = "perc", seed = 1); equal but for chance."""
    want = pd.DataFrame(
        {
            "Intercept": (237.697, 264.415),
            "Days": (7.304, 13.456),
            "sd(Intercept|Subject)": (11.766, 35.657),
            "sd(Days|Subject)": (3.195, 8.300),
            "sigma": (22.728, 28.527),
        },
        index=["lower", "upper"],
    ).T
    got = replicates.conf_int().loc[want.index]
    width = want["upper"] - want["lower"]
    assert (got.sub(want).abs().div(width, axis=0) < 0.1).all(axis=None)


def test_intervals_by_their_formulas(replicates):
    values, best = replicates.table["Days"], replicates.estimates["Days"]
    lower, upper = np.quantile(values, [0.05, 0.95], method="weibull")
    assert tuple(replicates.conf_int(0.9).loc["Days"]) == pytest.approx((lower, upper))
    assert tuple(replicates.conf_int(0.9, "basic").loc["Days"]) == pytest.approx((2 * best - upper, 2 * best - lower))
    half = 1.6448536269514722 * values.std()
    centre = 2 * best - values.mean()
    assert tuple(replicates.conf_int(0.9, "norm").loc["Days"]) == pytest.approx((centre - half, centre + half))


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("name", DESIGNS)
def test_refits_in_step_are_those_of_fresh_fits(name, reml):
    """`statistic` is evaluated at a fit by the ordinary search."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ms.NotIdentifiedWarning)
        warnings.simplefilter("ignore", ms.UndefinedTestWarning)
        fit = quiet_fit(make(name, 1).model(), reml=reml)
        table = fit.bootstrap(4, seed=3, statistic=criterion_and_sd).table
    np.testing.assert_allclose(table["sigma"], table["sigma again"], rtol=1e-5)
    first = next(c for c in table.columns if c.startswith("sd("))
    if name != "dependent_basis":  # single deviations are not identified there
        np.testing.assert_allclose(table[first], table["sd"], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", ["parametric", "residual", "cases"])
def test_seeds_decide_alone(sleep, kind):
    few, many = (sleep.bootstrap(n, seed=5, kind=kind).table for n in (6, 9))
    pd.testing.assert_frame_equal(few, many.iloc[:6])
    assert not np.allclose(few, sleep.bootstrap(6, seed=6, kind=kind).table)


def test_no_seed_can_be_repeated(sleep):
    first = sleep.bootstrap(3)
    pd.testing.assert_frame_equal(first.table, sleep.bootstrap(3, seed=first.seed).table)


@pytest.mark.parametrize("kind", ["parametric", "cases"])
def test_jobs_do_not_change_the_draws(sleep, kind):
    joblib = pytest.importorskip("joblib")
    here = sleep.bootstrap(30, seed=2, kind=kind)
    with joblib.parallel_config("threading"):
        there = sleep.bootstrap(30, seed=2, kind=kind, n_jobs=2)
    pd.testing.assert_frame_equal(here.table, there.table, rtol=1e-9)


def test_large_designs_are_fitted_one_by_one():
    model = make("crossed_slopes", 0).model()
    together, alone = (m.fit().bootstrap(5, seed=1) for m in (model, limited(model, batch_dense=0)))
    pd.testing.assert_frame_equal(alone.table, together.table, rtol=1e-5)


def test_a_problem_that_does_not_converge_in_step_is_fitted_alone(sleep, replicates, monkeypatch):
    def gives_up(*args, **options):
        solved = minimise(*args, **options)
        solved.converged[::2] = False
        return solved

    minimise = replicate.minimise
    monkeypatch.setattr(replicate, "minimise", gives_up)
    pd.testing.assert_frame_equal(sleep.bootstrap(9, seed=1).table, replicates.table.iloc[:9], rtol=1e-4)


def test_failures_are_counted_and_stay_in_the_table(sleep, monkeypatch):
    def never(*args, **options):
        solved = minimise(*args, **options)
        solved.converged[[1, 4]] = False
        return solved

    def refuse(*args, **options):
        raise NotPositiveDefiniteError("no factor")

    minimise = replicate.minimise
    monkeypatch.setattr(replicate, "minimise", never)
    monkeypatch.setattr(replicate, "fit_problem", refuse)
    with pytest.warns(ms.ConvergenceWarning, match="2 of 7 bootstrap replicates failed.*no factor"):
        got = sleep.bootstrap(7, seed=1)
    assert got.failures.to_dict() == {1: "no factor", 4: "no factor"}
    assert got.table.isna().all(axis=1).tolist() == [i in (1, 4) for i in range(7)]
    assert (got.summary()["replicates"] == 5).all()
    assert np.isfinite(got.conf_int()).all(axis=None)
    assert "2 failed" in repr(got)


def test_statistic(sleep):
    number = sleep.bootstrap(3, seed=1, statistic=lambda r: r.params["Days"])
    np.testing.assert_allclose(number.table["statistic"], number.table["Days"], rtol=1e-8)
    array = sleep.bootstrap(3, seed=1, statistic=lambda r: r.params.to_numpy())
    np.testing.assert_allclose(
        array.table[["statistic[0]", "statistic[1]"]], array.table[["Intercept", "Days"]], rtol=1e-8
    )
    series = sleep.bootstrap(3, seed=1, statistic=lambda r: r.params.add_prefix("b_"))
    assert list(series.table.columns[-2:]) == ["b_Intercept", "b_Days"]
    assert series.estimates["b_Days"] == sleep.params["Days"]


def test_a_statistic_that_raises_is_a_failure_of_that_replicate(sleep):
    calls = []

    def moody(results):
        calls.append(1)
        if len(calls) == 3:
            raise ZeroDivisionError("on purpose")
        return results.sigma

    with pytest.warns(ms.ConvergenceWarning, match="statistic raised ZeroDivisionError: on purpose"):
        got = sleep.bootstrap(4, seed=1, statistic=moody)
    assert list(got.failures.index) == [1]
    with pytest.raises(KeyError):  # at the fit itself: a mistake, shown at once
        sleep.bootstrap(4, statistic=lambda r: r.params["days"])
    with pytest.raises(ms.OptionError, match="a number, an array, a dict or a Series"):
        sleep.bootstrap(4, statistic=lambda r: "text")


@pytest.mark.slow
def test_weights_and_offset():
    small = make("weighted", 0)
    model = ms.LinearMixedModel.from_arrays(
        small.y, small.X, small.terms, weights=small.weights, offset=np.linspace(0, 50, len(small.y))
    )
    fit = quiet_fit(model)
    for kind in ("parametric", "residual", "cases"):
        got = fit.bootstrap(40, seed=1, kind=kind, statistic=criterion_and_sd)
        np.testing.assert_allclose(got.table["sigma"], got.table["sigma again"], rtol=1e-5)
        assert got.table["sigma"].mean() == pytest.approx(fit.sigma, rel=0.3)


def test_parametric_draws_have_the_covariance_of_the_model(sleep):
    rows = [0, 1, 9, 10]
    draws = parametric_sampler(sleep.model.problem, sleep.fit)(seeds(4000))[:, rows]
    want = sleep.marginal_cov(rows).to_numpy()
    np.testing.assert_allclose(np.cov(draws.T), want, atol=5 * want.max() / np.sqrt(4000))


def test_residual_draws_have_the_covariance_of_the_model(sleep):
    rows = [0, 1, 9, 10]
    draws = residual_sampler(sleep.model.problem, sleep.fit, sleep.resid.to_numpy())(seeds(4000))[:, rows]
    want = sleep.marginal_cov(rows).to_numpy()
    np.testing.assert_allclose(np.cov(draws.T), want, atol=0.1 * want.max())


def test_singular_fits_are_bootstrapped():
    fit = quiet_fit(ms.LinearMixedModel("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff2")))
    for kind in ("parametric", "residual", "cases"):
        got = fit.bootstrap(200, seed=1, kind=kind)
        deviations = got.table["sd(Intercept|Batch)"]
        assert (deviations == 0).any()
        assert (deviations > 0).any()
    assert got.failures.empty


def test_correlation_without_variance_is_missing_not_failed():
    rng = np.random.default_rng(3)
    g, x = np.repeat(np.arange(6), 5), np.tile(np.arange(5.0), 6)
    fit = quiet_fit(ms.LinearMixedModel("y ~ x + (x | g)", {"y": rng.normal(size=30), "x": x, "g": g}))
    got = fit.bootstrap(60, seed=1)
    assert got.failures.empty
    assert got.table["cor(Intercept,x|g)"].isna().any()
    assert got.summary().loc["cor(Intercept,x|g)", "replicates"] < 60
    assert got.summary().loc["sigma", "replicates"] == 60


def test_cases_draw_whole_levels():
    """With one level drawn only, its rows come again and again: X'X is a multiple of that level's."""
    data = ms.datasets.load("sleepstudy")
    fit = ms.lmer(SLEEP, data)
    again = NewRows(fit._fitted, None, None)._fit(np.arange(18), [])
    assert again.criterion == pytest.approx(fit.criterion, abs=1e-7)
    twice = NewRows(fit._fitted, "Subject", None)._fit(np.r_[0, 0, np.arange(2, 18)], [])
    assert twice.ngroups == {"Subject": 18}
    assert twice.nobs == 180


def test_cases_of_nested_and_crossed_factors():
    nested = make("nested", 1).model().fit()
    assert NewRows(nested._fitted, None, None).unit.group == "school"
    assert NewRows(nested._fitted, "class", None).unit.group == "class"
    drawn = NewRows(nested._fitted, None, None)._fit(np.array([0, 0, 1, 2, 3]), [])
    classes = {t.group: t for t in nested.model.problem.terms}["class"]
    school = {t.group: t for t in nested.model.problem.terms}["school"]
    per_school = [len(np.unique(classes.codes[school.codes == s])) for s in range(5)]
    assert drawn.ngroups == {"class": per_school[0] * 2 + sum(per_school[1:4]), "school": 5}
    crossed = make("crossed", 1).model().fit()
    assert NewRows(crossed._fitted, None, None).unit.group == "s"
    assert NewRows(crossed._fitted, "i", None)._fit(np.zeros(9, dtype=int), []).ngroups["i"] == 9


def test_cases_keep_terms_apart_when_their_order_changes():
    """Fewer levels of one factor in the rows drawn: theta has another order there."""
    rng = np.random.default_rng(4)
    n = 240
    a, b = rng.integers(12, size=n), rng.integers(11, size=n)
    y = 3 * rng.normal(size=12)[a] + 0.5 * rng.normal(size=11)[b] + rng.normal(size=n)
    fit = ms.lmer("y ~ 1 + (1 | a) + (1 | b)", {"y": y, "a": a, "b": b})
    got = fit.bootstrap(20, seed=1, kind="cases", group="b").table
    assert (got["sd(Intercept|a)"] > got["sd(Intercept|b)"]).all()


def test_cases_that_lose_a_coefficient_fail():
    rng = np.random.default_rng(0)
    g = np.repeat(np.arange(5), 6)
    rare = (g == 0).astype(float)  # only level 0 tells this coefficient
    fit = quiet_fit(ms.LinearMixedModel("y ~ rare + (1 | g)", {"y": rng.normal(size=30) + g, "rare": rare, "g": g}))
    with pytest.warns(ms.ConvergenceWarning, match="cannot tell rare apart"):
        got = fit.bootstrap(20, seed=1, kind="cases")
    assert 0 < len(got.failures) < 20


def test_progress_is_told(sleep, capsys):
    seen = []
    sleep.bootstrap(10, seed=1, kind="cases", progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (10, 10)
    pytest.importorskip("tqdm")
    sleep.bootstrap(3, seed=1, progress=True)
    assert "bootstrap" in capsys.readouterr().err


def test_figures(replicates):
    axes = replicates.plot()
    assert len(axes) == 6
    assert replicates.plot("sigma")[0].get_title() == "sigma"
    with pytest.raises(ms.OptionError, match="names among: Intercept"):
        replicates.plot("beta")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nsim": 0}, "nsim=0 must be a whole number"),
        ({"nsim": 10.5}, "nsim=10.5"),
        ({"seed": -1}, "seed=-1"),
        ({"seed": "abc"}, "seed='abc'"),
        ({"kind": "wild"}, "'parametric', 'residual', 'cases'"),
        ({"group": "Subject"}, "kind='cases'"),
        ({"kind": "cases", "group": "subject"}, "use one of 'Subject'"),
    ],
)
def test_bad_input(sleep, options, message):
    with pytest.raises(ms.OptionError, match=message):
        sleep.bootstrap(**{"nsim": 2, **options})


def test_bad_intervals(replicates):
    with pytest.raises(ms.OptionError, match="'perc', 'basic', 'norm'"):
        replicates.conf_int(kind="student")
    with pytest.raises(ms.OptionError, match="between 0 and 1"):
        replicates.conf_int(95)


@pytest.mark.slow
def test_coverage():
    """Percentile intervals of the slope cover the truth in about 95 % of simulated sets (bounds: three errors)."""
    small = make("slopes", 0)
    rng = np.random.default_rng(11)
    covered = 0
    for _ in range(100):
        term = small.terms[0]
        effects = rng.normal(size=(term.n_levels, 2))
        y = small.X @ [1.0, 2.0] + np.einsum("ij,ij->i", term.z, effects[term.codes]) + rng.normal(size=len(small.y))
        fit = quiet_fit(ms.LinearMixedModel.from_arrays(y, small.X, small.terms))
        lower, upper = fit.bootstrap(200, seed=int(rng.integers(1e6))).conf_int().loc["x1"]
        covered += lower <= 2.0 <= upper
    assert 86 <= covered <= 100


# ---- limits


@pytest.fixture(scope="module")
def few_subjects():
    """Twelve subjects whose slopes hardly vary: many replicates are singular."""
    rng = np.random.default_rng(3)
    s, t = np.repeat(np.arange(12), 5), np.tile(np.arange(-2.0, 3.0), 12)
    y = rng.normal(size=12)[s] + 0.2 * rng.normal(size=12)[s] * t + rng.normal(size=60)
    model = ms.LinearMixedModel("y ~ t + (t | s)", {"y": y, "t": t, "s": s})
    fit = quiet_fit(model)
    return fit, fit.bootstrap(300, seed=1)


@pytest.mark.parametrize("kind", ["perc", "bca", "basic", "norm"])
def test_limits_stay_in_the_range_of_the_parameter(few_subjects, kind):
    found = few_subjects[1].conf_int(kind=kind)
    deviations = found[found.index.str.startswith(("sd", "sigma"))]
    correlations = found[found.index.str.startswith("cor")]
    assert (deviations["lower"] >= 0).all()
    assert correlations.abs().le(1.0).all(axis=None)
    assert (found["lower"] <= found["upper"]).all()


def test_limits_of_deviations_and_correlations_by_their_formulas(replicates):
    for name, there, back in (("sd(Days|Subject)", np.log, np.exp), ("sigma", np.log, np.exp)):
        values, best = there(replicates.table[name]), there(replicates.estimates[name])
        lower, upper = np.quantile(values, [0.05, 0.95], method="weibull")
        assert tuple(replicates.conf_int(0.9, "basic").loc[name]) == pytest.approx(
            (back(2 * best - upper), back(2 * best - lower))
        )
        half, centre = 1.6448536269514722 * values.std(), 2 * best - values.mean()
        assert tuple(replicates.conf_int(0.9, "norm").loc[name]) == pytest.approx(
            (back(centre - half), back(centre + half))
        )


@pytest.mark.slow
def test_bca_limits_by_their_formula(sleep, replicates):
    """z0 from the share of replicates below the estimate, a from the estimates without each subject."""
    name = "sd(Intercept|Subject)"
    without = sleep.influence("Subject").parameters[name]
    d = without.mean() - without
    a = (d**3).sum() / (6 * (d**2).sum() ** 1.5)
    values, best = replicates.table[name], replicates.estimates[name]
    z0 = norm.ppf((values < best).mean())
    z = z0 + norm.ppf([0.025, 0.975])
    want = np.quantile(values, norm.cdf(z0 + z / (1 - a * z)), method="weibull")
    np.testing.assert_allclose(replicates.conf_int(kind="bca").loc[name], want, rtol=1e-12)
    own = sleep.bootstrap(200, seed=1, statistic=lambda fit: fit.varcorr()["vcov"].iloc[0])
    lower, upper = own.conf_int(kind="bca").loc["statistic"]
    assert 0 < lower < own.estimates["statistic"] < upper


def test_bca_of_what_lies_on_one_side_is_not_known():
    values = np.linspace(1.0, 2.0, 50)
    assert np.isnan(limits("bca", values, 0.5, 0.95, "fixed", 0.0)).all()
    assert np.isnan(limits("bca", np.full(5, np.nan), 0.5, 0.95, "fixed", 0.0)).all()
    # Half of the replicates equal to the estimate: no bias, so percentiles.
    zero = np.concatenate([np.zeros(50), values])
    assert limits("bca", zero, 0.0, 0.9, "sd", 0.0)[0] == 0.0


def test_that_a_deviation_is_never_zero_is_said(few_subjects, replicates):
    _, found = few_subjects
    assert (found.table["sd(t|s)"] > 0).all()
    assert "profile" in found.note
    assert found.conf_int().attrs["note"] == found.note
    simple = ms.lmer("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff")).bootstrap(50, seed=1)
    assert simple.note == ""
    assert "note" not in simple.conf_int().attrs


def test_conf_int_takes_bca(sleep):
    found = sleep.conf_int(method="boot", nsim=60, seed=1, kind="bca")
    pd.testing.assert_frame_equal(found, sleep.bootstrap(60, seed=1).conf_int(kind="bca").loc[found.index])
    with pytest.raises(ms.OptionError, match="kind='student' is not known; use one of 'perc', 'basic', 'norm', 'bca'"):
        sleep.bootstrap(3, seed=1).conf_int(kind="student")
