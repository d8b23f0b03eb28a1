"""Fits with `residual=` and no random effects: updates, families of tests, deletions, and what messages say."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest

import mixedsparse as ms

FORMULA = "FEV1 ~ FEV1_BL + ARMCD*AVISIT"
WITHIN = "us(AVISIT | USUBJID)"


@pytest.fixture(scope="module")
def fev():
    return ms.datasets.load("fev")


@pytest.fixture(scope="module")
def mmrm(fev):
    return ms.lmer(FORMULA, fev, residual=WITHIN, contrasts={"ARMCD": ("treatment", "PBO")})


@pytest.mark.parametrize(
    ("formula", "changes", "fresh"),
    [
        (None, {"reml": False}, FORMULA),
        ("~ . - FEV1_BL", {}, "FEV1 ~ ARMCD*AVISIT"),
        ("~ . - FEV1_BL", {"residual": WITHIN}, "FEV1 ~ ARMCD*AVISIT"),
        ("~ . - ARMCD - ARMCD:AVISIT", {}, "FEV1 ~ FEV1_BL + AVISIT"),
    ],
)
def test_updates_keep_contrasts_without_a_bar(mmrm, fev, formula, changes, fresh):
    found = mmrm.update(formula, **changes)
    direct = ms.lmer(fresh, fev, residual=WITHIN, reml=changes.get("reml", True))
    assert found.criterion == pytest.approx(direct.criterion, abs=1e-8)


def test_update_takes_other_data_without_a_bar(mmrm, fev):
    rows = fev.iloc[:400]
    direct = ms.lmer(FORMULA, rows, residual=WITHIN)
    assert mmrm.update(data=rows).criterion == pytest.approx(direct.criterion, abs=1e-8)


def test_an_update_without_residual_or_bar_is_still_refused(fev):
    fit = ms.lmer("FEV1 ~ ARMCD + (1 | USUBJID)", fev, contrasts={"ARMCD": "sum"})
    with pytest.raises(ms.FormulaError, match="has no random-effects term"):
        fit.update("~ . - (1 | USUBJID)")


def test_responses_of_unseen_groups_are_not_left_out_silently(mmrm, fev):
    history = fev[fev["USUBJID"] == "PT2"].assign(USUBJID="new")
    history.loc[history.index[-1], "FEV1"] = np.nan
    with pytest.warns(
        ms.UnusedOptionWarning, match=r"2 rows of newdata are of groups 'USUBJID'.*responses FEV1.*update"
    ):
        found = mmrm.predict(history, residual=True)
    assert found.tolist() == mmrm.predict(history).tolist()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mmrm.predict(history.drop(columns="FEV1"), residual=True)
        mmrm.predict(fev[fev["USUBJID"] == "PT2"], residual=True)


def test_an_adjustment_of_single_tests_says_that_it_adjusts_nothing(mmrm):
    means = mmrm.emmeans("ARMCD", by="AVISIT")
    with pytest.warns(ms.UnusedOptionWarning, match="adjusts nothing.*4 tests") as caught:
        single = means.contrast("pairwise", adjust="holm").table["p"].to_numpy()
    # What the message says to write is one family: Holm's steps of the same p-values.
    (example,) = re.findall(r"contrast\(\{'VIS4': (\{[^}]*\})", str(caught[0].message))
    assert example == "{'PBO VIS4': 1, 'TRT VIS4': -1}"
    joint = {v: {f"PBO {v}": 1, f"TRT {v}": -1} for v in ("VIS1", "VIS2", "VIS3", "VIS4")}
    found = means.contrast(joint, by=[], adjust="holm").table["p"].to_numpy()
    order = np.argsort(single)
    holm = np.empty(4)
    holm[order] = np.maximum.accumulate(np.minimum(single[order] * (4, 3, 2, 1), 1.0))
    np.testing.assert_allclose(found, holm, rtol=1e-8)


def test_adjustments_that_are_not_asked_for_or_adjust_do_not_warn(mmrm):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mmrm.emmeans("ARMCD", by="AVISIT").contrast("pairwise")
        mmrm.emmeans("ARMCD", by="AVISIT").contrast("pairwise", adjust="none")
        mmrm.emmeans("ARMCD").contrast("pairwise", adjust="holm")
        mmrm.emmeans("AVISIT", by="ARMCD").contrast("pairwise", adjust="holm")


def test_the_group_of_the_residuals_is_deleted_and_counted_by_name(mmrm, fev):
    named, labelled = (mmrm.influence(group, theta="fixed") for group in ("USUBJID", fev["USUBJID"].astype(str)))
    np.testing.assert_allclose(named.cooks_distance, labelled.cooks_distance.loc[named.cooks_distance.index])
    assert len(named.table) == fev["USUBJID"].nunique() == 197
    assert mmrm.residual_acf(group="USUBJID").equals(mmrm.residual_acf())
    with pytest.raises(ms.OptionError, match="'SEX' is not a grouping factor; use one of 'USUBJID'"):
        mmrm.influence("SEX")
    assert "Groups:        USUBJID 197" in str(mmrm.summary())
    assert "537 observations from 197 levels of USUBJID" in mmrm.report()


@pytest.mark.parametrize(
    ("residual", "words"),
    [
        ("un(AVISIT | USUBJID)", "'us(AVISIT | USUBJID)'"),
        ("UN(AVISIT | USUBJID)", "'us(AVISIT | USUBJID)'"),
        ("csh(AVISIT | USUBJID)", "'cs(AVISIT | USUBJID)', heterogeneous"),
        ("ar1h(AVISIT | SEX:USUBJID)", "'ar1(AVISIT | SEX:USUBJID, hom=False)'"),
        ("corAR1(form = ~ AVISIT | USUBJID)", "'ar1(AVISIT | USUBJID)'"),
        ("corCompSymm(form = ~ 1 | USUBJID)", "'cs(1 | USUBJID)'"),
        ("diag(AVISIT | USUBJID)", "dispersion='~ AVISIT'"),
        ("AR(1)", "'ar1(time | group)'"),
        ("CS(AVISIT | USUBJID)", "'cs'"),
        ("us(AVISIT | SEX/USUBJID)", "'us(AVISIT | SEX:USUBJID)'"),
    ],
)
def test_structures_of_other_packages_are_answered_in_the_names_that_were_given(fev, residual, words):
    with pytest.raises(ms.FormulaError, match=re.escape(words)):
        ms.lmer("FEV1 ~ 1", fev, residual=residual)


@pytest.mark.parametrize("call", [ms.mixedlm, ms.MixedLM.from_formula])
def test_the_look_alike_sends_residual_covariances_to_lmer(fev, call):
    with pytest.raises(ms.ArgumentError, match=r"no MMRM in the look-alike.*mixedsparse\.lmer"):
        call("FEV1 ~ ARMCD", fev, groups="USUBJID", residual=WITHIN)
