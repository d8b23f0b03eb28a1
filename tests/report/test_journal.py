"""One table with everything: fixed effects beside the standard deviations of each grouping factor."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import mixedsparse as ms


@pytest.fixture(scope="module")
def crossed():
    data = ms.datasets.load("kb07")
    return ms.lmer("RTtrunc ~ S * P + (1 | subj) + (1 + P | item)", data)


def test_one_column_per_grouping_factor(crossed):
    table = crossed.journal().table
    assert list(table) == ["Estimate", "SE", "df", "t", "p", "SD subj", "SD item", "SD Residual"]
    assert list(table.index) == list(crossed.params.index)
    np.testing.assert_array_equal(table[["Estimate", "SE", "df", "t", "p"]], crossed.coef_table())
    sd = crossed.varcorr().set_index(["grp", "var1"]).sort_index()["sdcor"]
    assert table.loc["Intercept", "SD subj"] == pytest.approx(sd["subj", "Intercept"])
    assert table.loc["Intercept", "SD item"] == pytest.approx(sd["item", "Intercept"].iloc[0])
    assert table.loc["Intercept", "SD Residual"] == crossed.sigma
    assert table["SD subj"].count() == table["SD Residual"].count() == 1
    assert table["SD item"].count() == 2


def test_effects_that_are_only_random_have_rows_of_their_own():
    fit = ms.lmer("score ~ Machine + (0 + Machine | Worker)", ms.datasets.load("Machines"))
    table = fit.journal().table
    assert list(table.index) == ["Intercept", "Machine[T.B]", "Machine[T.C]", "Machine[A]", "Machine[B]", "Machine[C]"]
    assert table.loc["Machine[A]":, "Estimate"].isna().all()
    assert table.loc[:"Machine[T.C]", "SD Worker"].isna().all()


def test_the_residual_has_a_row_where_there_is_no_intercept():
    fit = ms.lmer("score ~ 0 + Machine + (0 + Machine | Worker)", ms.datasets.load("Machines"))
    table = fit.journal().table
    assert list(table.index) == ["Machine[A]", "Machine[B]", "Machine[C]", "Residual"]
    assert table.loc["Residual", "SD Residual"] == fit.sigma


def test_terms_on_one_factor_share_a_column_unless_they_clash():
    data = ms.datasets.load("sleepstudy")
    apart = ms.lmer("Reaction ~ Days + (Days || Subject)", data).journal().table
    assert [c for c in apart if c.startswith("SD")] == ["SD Subject", "SD Residual"]
    rng = np.random.default_rng(2)
    codes = np.repeat(np.arange(20), 12)
    z = rng.normal(size=(240, 2))
    y = (rng.normal(size=(20, 2))[codes] * z).sum(axis=1) + rng.normal(size=240)
    terms = [ms.RandomTerm("g", codes, z[:, [i]], columns=("slope",)) for i in range(2)]
    clash = ms.LinearMixedModel.from_arrays(y, np.ones((240, 1)), terms).fit().journal().table
    assert [c for c in clash if c.startswith("SD")] == ["SD g", "SD g.1", "SD Residual"]


def test_text(crossed):
    lines = str(crossed.journal()).splitlines()
    header = ["Estimate", "Std. Error", "df", "t", "p", "SD subj", "SD item", "SD Residual"]
    assert re.split(r"  +", lines[0].strip()) == header
    assert repr(crossed.journal()) == str(crossed.journal())
    assert any("SD: standard deviation of the random effects; fitted by REML." in line for line in lines)
    assert not any("Converged" in line for line in lines)


def test_doubts_are_kept():
    with pytest.warns(ms.SingularFitWarning):
        fit = ms.lmer("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff2"))
    assert "boundary" in fit.journal().notes[-1]


def test_html_is_sound(crossed):
    journal = crossed.journal()
    tree = ElementTree.fromstring(journal.to_html())
    assert journal._repr_html_() == journal.to_html()
    header = [cell.text for cell in tree.iter("th") if cell.get("scope") == "col"]
    assert header[-3:] == ["SD subj", "SD item", "SD Residual"]
    assert len(list(tree.iter("tr"))) == 1 + len(journal.table)


def test_degrees_of_freedom_are_passed_on(crossed):
    journal = crossed.journal(ddf="normal")
    assert np.isinf(journal.table["df"]).all()
    assert any("normal reference" in note for note in journal.notes)
