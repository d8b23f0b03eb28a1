"""Residual covariances that data cannot support: one clear message, which names the column and the mend."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms


def visits(groups, k=6, missing=0.2, seed=1):
    rng = np.random.default_rng(seed)
    g, v = np.repeat(np.arange(groups), k), np.tile(np.arange(k), groups)
    y = rng.normal(size=groups)[g] + rng.normal(size=groups * k)
    d = pd.DataFrame({"g": g, "t": v, "v": pd.Categorical([f"v{i}" for i in v]), "y": y, "x": rng.normal(size=len(g))})
    return d[rng.random(len(g)) >= missing].reset_index(drop=True)


@pytest.mark.parametrize("reml", [True, False])
def test_free_covariances_of_visits_that_few_groups_have_together_are_unbounded(reml):
    with pytest.raises(ms.DataError, match=r"unbounded: . groups? ha.* all of the visits v0, .*'toep'"):
        ms.lmer("y ~ v", visits(14), residual="us(v | g)", reml=reml)
    fit = ms.lmer("y ~ v", visits(60), residual="us(v | g)", reml=reml)
    assert fit.converged
    assert np.isfinite(fit.criterion)


def test_structures_with_few_parameters_serve_where_a_free_covariance_does_not():
    assert ms.lmer("y ~ v", visits(14), residual="ar1(v | g)").converged


def test_a_stratum_that_the_model_fits_exactly_is_named():
    d = visits(20).assign(s=lambda d: np.where(d["g"] < 10, "a", "b"))
    d.loc[d["s"] == "b", "y"] = 3.0
    with pytest.raises(ms.DataError, match=r"unbounded: the rows with s\[T.b\] = 1"):
        ms.lmer("y ~ s", d, dispersion="~ s")


@pytest.mark.parametrize(
    ("residual", "message"),
    [
        ("ar1(half | g)", r"whole numbers, and 'half' has 0.5: write 'car1\(half"),
        ("car1(v | g)", "is a factor, and car1 needs times"),
        ("ar1(twice | g)", "rows at twice 0, and ar1 needs one: average"),
        ("us(1 | g)", r"write 'us\(visit \| g\)'"),
        ("us(t, g)", "needs one bar"),
        ("ar1(t | nope)", r"no column 'nope', used in residual='ar1\(t \| nope\)'"),
        ("cs(1 | row)", "no row has two rows"),
        ("unknown(t | g)", "'unknown' is not one of us, cs"),
        ("corAR1(form = ~ t | g)", r"corAR1 of other packages is written residual='ar1\(t \| g\)'"),
        ("varIdent(form = ~ 1 | g)", "dispersion='~ stratum'"),
        ("unstr(t, gr = g)", r"residual='us\(visit"),
        ("us(t | g, hom=True)", "us takes no hom=True"),
        ("ar1(t | g/x)", "write 'a:b'"),
    ],
)
def test_residuals_that_cannot_be_read_have_one_clear_message(residual, message):
    d = visits(20).assign(half=lambda d: d["t"] + 0.5, twice=0, row=lambda d: np.arange(len(d)))
    with pytest.raises(ms.MixedSparseError, match=message):
        ms.lmer("y ~ x", d, residual=residual)


@pytest.mark.parametrize(
    ("dispersion", "message"),
    [
        ("x", "one-sided formula"),
        ("~ 0 + v", "leave out the 0"),
        ("~ 1", "a constant only"),
        ("~ (1 | g)", "no random effects"),
        ("~ x + I(2 * x)", "combination of the columns before it"),
        ("~ nope", "no column 'nope', used in dispersion='~ nope'"),
        ("varPower(form = ~ x)", r"dispersion='~ log\(x\)'"),
    ],
)
def test_dispersions_that_cannot_be_read_have_one_clear_message(dispersion, message):
    with pytest.raises(ms.MixedSparseError, match=message):
        ms.lmer("y ~ x", visits(20), dispersion=dispersion)


@pytest.mark.parametrize(
    ("formula", "residual"),
    [
        ("y ~ x + (1 | g)", "us(v | g)"),
        ("y ~ x + (t | g)", "us(t | g)"),
        ("y ~ x + (1 | g)", "cs(1 | g)"),
        ("y ~ x + (1 | g)", "homtoep(v | g)"),
    ],
)
def test_terms_that_the_residual_covariance_contains_are_refused(formula, residual):
    with pytest.raises(ms.FormulaError, match="contains the term"):
        ms.lmer(formula, visits(20), residual=residual)


@pytest.mark.filterwarnings("ignore::mixedsparse.SingularFitWarning")
@pytest.mark.parametrize("given", [{"dispersion": "~ x"}, {"residual": "ar1(t | g)"}, {"residual": "toep(v | g)"}])
def test_crossed_terms_go_with_dispersions_and_correlations(given):
    assert ms.lmer("y ~ x + (0 + x | g) + (1 | v)", visits(40), **given).converged


def test_sources_and_the_iterative_method_say_what_to_do(tmp_path):
    d = visits(20)
    d.to_parquet(tmp_path / "d.parquet")
    with pytest.raises(ms.DataError, match="read the columns of the model into a data frame"):
        ms.lmer("y ~ x + (1 | g)", str(tmp_path / "d.parquet"), dispersion="~ x")
    with pytest.raises(ms.BackendError, match="method='direct'"):
        ms.lmer("y ~ x + (1 | g)", d, dispersion="~ x", method="iterative")
    with pytest.raises(ms.ArgumentError, match="residual='ar1"):
        ms.lmer("y ~ x + (1 | g)", d, correlation="ar1")


def test_numbers_that_are_text_come_in_the_order_of_numbers():
    d = visits(30, k=12, missing=0.1)
    text = d.assign(t=pd.Categorical(d["t"].astype(str)))
    one, other = (ms.lmer("y ~ x", data, residual="ar1(t | g)") for data in (d, text))
    assert one.criterion == pytest.approx(other.criterion, abs=1e-9)
    numbered = ms.lmer("y ~ x", text[text["t"].astype(int) < 4], residual="hetar1(t | g)")
    assert numbered.residual_cov().index.tolist() == ["0", "1", "2", "3"]


def test_rows_without_a_visit_are_left_out():
    d = visits(30)
    d.loc[0, "t"] = np.nan
    with pytest.warns(ms.DroppedRowsWarning):
        fit = ms.lmer("y ~ x", d, residual="ar1(t | g)")
    assert fit.nobs == len(d) - 1


def test_what_the_residual_covariance_can_stand_for_is_not_identified():
    d = visits(60, k=4, missing=0.0)
    with pytest.warns(ms.NotIdentifiedWarning, match="in more than one way"):
        fit = ms.lmer("y ~ x + (0 + v | g)", d, residual="ar1(t | g)")
    assert fit.certificate.verdict == "not identified"
    assert fit.certificate.unidentified == ("residual covariance",)
    assert ms.lmer("y ~ x + (1 | g)", d, residual="hetar1(t | g)").certificate.verdict == "converged"


def test_a_variance_of_each_row_is_told_from_strata_by_no_data():
    d = visits(20).assign(row=lambda d: [f"r{i}" for i in range(len(d))], s=lambda d: np.where(d["x"] > 0, "a", "b"))
    with pytest.raises(ms.DataError, match="cannot be told from the residual's"):
        ms.lmer("y ~ x + (1 | row)", d, dispersion="~ s")


@pytest.mark.parametrize("residual", ["cs(v | g)", "toep(v | g)"])
def test_random_effects_that_take_the_place_of_the_residuals_leave_no_optimum(residual):
    # The criterion falls ever more slowly as the correlations go to the end of their range.
    with pytest.raises(ms.DataError, match=r"no maximum: the residual at visit v5 .* random effects .*'ar1'"):
        ms.lmer("y ~ x + (1 | g)", visits(30, missing=0.1, seed=3), residual=residual)


def test_an_optimum_is_no_saddle_because_secants_of_short_steps_say_so():
    d = visits(30, missing=0.1, seed=7)
    fit = ms.lmer("y ~ x + (1 | g)", d, residual="cs(v | g)")
    assert fit.certificate.verdict == "converged"
    # lme(y ~ x, random = ~ 1 | g, correlation = corCompSymm(form = ~ 1 | g), weights = varIdent(form = ~ 1 | v))
    assert fit.criterion == pytest.approx(478.863293742, abs=1e-7)
    assert fit.varcorr()["sdcor"].to_numpy() == pytest.approx(
        [0.74045, 0.95514, 1.08011, 0.95680, 0.90946, 0.87340, 0.58544], abs=2e-5
    )


def test_a_stratum_that_random_and_fixed_effects_fit_exactly_is_named():
    d = visits(20).assign(s=lambda d: np.where(d["t"] > 2, "a", "b"))
    d.loc[d["s"] == "b", "y"] = 2.0 * d["x"]
    with pytest.raises(ms.DataError, match=r"no maximum: the rows with s\[T.b\] = 1 have no residual variance"):
        ms.lmer("y ~ x * s + (1 | g)", d, dispersion="~ s")


@pytest.mark.parametrize(
    ("formula", "options", "words"),
    [
        ("y ~ x + one + (1 | g)", {"dispersion": "~ s"}, "fixed effects fit all rows of a stratum"),
        ("y ~ x", {"residual": "us(v | g)", "dispersion": "~ v"}, "both have the variances of the visits"),
    ],
)
def test_parameters_of_the_residuals_of_which_the_data_say_nothing_are_not_identified(formula, options, words):
    d = visits(40, k=4).assign(one=lambda d: (d.index == 3) * 1.0, s=lambda d: np.where(d.index == 3, "a", "b"))
    with pytest.warns(ms.NotIdentifiedWarning, match=words):
        assert ms.lmer(formula, d, **options).certificate.verdict == "not identified"


def test_offsets_of_dispersions_are_refused():
    with pytest.raises(ms.FormulaError, match=r"takes no offset: .* weights=1 / v"):
        ms.lmer("y ~ x + (1 | g)", visits(20), dispersion="~ t + offset(x)")
