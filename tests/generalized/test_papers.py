"""Tables of generalized fits for papers: the numbers are those of the results."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from mixedsparse.adapters.maketables import ModelMixedsparse

CBPP = ms.datasets.load("cbpp")
FORMULA = "cbind(incidence, size - incidence) ~ period + (1 | herd)"


@pytest.fixture(scope="module")
def cbpp():
    return ms.glmer(FORMULA, CBPP)


@pytest.fixture(scope="module")
def gamma():
    return ms.glmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"), "gamma", link="log")


def test_the_journal_has_normal_tests_and_no_residual(cbpp):
    table = cbpp.journal().table
    assert list(table) == ["Estimate", "SE", "z", "p", "SD herd"]
    pd.testing.assert_frame_equal(table.iloc[:, :4], cbpp.coef_table())
    assert table.loc["Intercept", "SD herd"] == pytest.approx(0.642261, abs=1e-5)  # glmmTMB
    assert table["SD herd"].isna().sum() == 3


def test_the_journal_shows_ratios_with_limits(cbpp):
    shown = cbpp.journal(exp=True)
    pd.testing.assert_frame_equal(shown.table.iloc[:, :7], cbpp.coef_table(exp=True))
    # glmmTMB: -0.992333 (0.306642), so that the ratio is 0.3707 from 0.2032 to 0.6762.
    row = next(line for line in str(shown).splitlines() if line.startswith("period[T.2]"))
    assert row.split() == ["period[T.2]", "-0.9923", "0.3066", "-3.24", "0.0012", "0.3707", "0.2032", "0.6762"]
    assert any("95 % limits of the ratio" in note for note in shown.notes)
    assert "<h4>Generalized linear mixed model</h4>" in shown.to_html()
    assert r"\toprule" in shown.to_latex(caption="100 %")
    with pytest.raises(ms.OptionError, match="probit"):
        ms.glmer(FORMULA, CBPP, link="probit").journal(exp=True)


def test_the_journal_of_random_slopes_names_the_dispersion(gamma):
    shown = gamma.journal(exp=True)
    assert shown.table.loc["Days", "SD Subject"] == pytest.approx(gamma.varcorr()["sdcor"].iloc[1])
    assert "rate ratio" in shown.table
    assert f"Dispersion: shape {gamma.dispersion:.4g}." in shown.notes


def test_random_effects_that_are_not_fixed_have_empty_cells():
    fit = ms.glmer("r2 ~ 0 + Anger + (1 | id) + (1 | item)", ms.datasets.load("VerbAgg"))
    table = fit.journal().table
    assert table.index.tolist() == ["Anger", "Intercept"]
    assert np.isnan(table.loc["Intercept", "Estimate"])
    assert "nan" not in str(fit.journal())


def test_latex_has_both_tables_and_says_what_was_fitted(cbpp, gamma):
    text = cbpp.to_latex(exp=True, caption="50 % of herds", label="tab:cbpp")
    assert r"\caption{50 \% of herds}" in text
    assert r"Intercept & $-1.3985$ & 0.2325 & $-6.016$ & $<10^{-4}$ & 0.2470 & 0.1566 & 0.3895 \\" in text
    assert r"herd & Intercept & 0.41250 & 0.64226 \\" in text
    assert "56, 842 trials" in text
    assert "odds" not in cbpp.to_latex()
    assert "shape" in gamma.to_latex()
    assert "Residual" not in gamma.to_latex()


def test_augment_gives_rows_with_means_and_residuals(cbpp):
    table = cbpp.augment()
    assert {"incidence", "size", "period", "herd"} <= set(table)
    np.testing.assert_array_equal(table[".fitted"], cbpp.fittedvalues)
    np.testing.assert_array_equal(table[".eta"], cbpp.linear_predictor)
    np.testing.assert_array_equal(table[".fixed"], cbpp.predict(random="population"))
    np.testing.assert_array_equal(table[".resid"], cbpp.residuals())
    np.testing.assert_array_equal(table[".pearson"], cbpp.residuals("pearson"))
    np.testing.assert_array_equal(table[".trials"], CBPP["size"])


def test_augment_of_new_rows_keeps_their_columns(cbpp):
    new = pd.DataFrame({"period": ["1", "4"], "herd": ["1", "new"], "note": ["a", "b"]}, index=[7, 9])
    table = cbpp.augment(new, new_levels="zero")
    assert list(table) == ["period", "herd", "note", ".fitted", ".fixed", ".eta"]
    np.testing.assert_array_equal(table[".fitted"], cbpp.predict(new, new_levels="zero"))
    assert table[".fitted"][9] == table[".fixed"][9]
    with pytest.raises(ms.DataError, match="new"):
        cbpp.augment(new)


def test_maketables_gets_tests_ratios_and_sizes(cbpp):
    table = ModelMixedsparse(cbpp).__maketables_coef_table__
    pd.testing.assert_frame_equal(table, cbpp.__maketables_coef_table__)
    want = cbpp.coef_table(exp=True)
    np.testing.assert_array_equal(table[["b", "se", "t", "p"]], want[["Estimate", "SE", "z", "p"]])
    np.testing.assert_array_equal(table[["ratio", "ratio95l", "ratio95u"]], want.iloc[:, 4:])
    np.testing.assert_allclose(np.exp(table[["ci95l", "ci95u"]]), want[["lower", "upper"]])
    stat = cbpp.__maketables_stat__
    assert (stat("N"), stat("n_herd"), stat("family"), stat("sigma")) == (56, 15, "binomial (logit)", None)
    assert stat("icc") == cbpp.icc()["adjusted"]
    for key in cbpp.__maketables_stat_labels__:
        assert stat(key) is not None
    assert set(cbpp.__maketables_default_stat_keys__) <= set(cbpp.__maketables_stat_labels__)
    with pytest.raises(ms.OptionError, match="normal"):
        ModelMixedsparse(cbpp, ddf="satterthwaite")


def test_maketables_has_no_ratios_of_probits():
    table = ms.glmer(FORMULA, CBPP, link="probit").__maketables_coef_table__
    assert list(table) == ["b", "se", "t", "p", "ci95l", "ci95u", "df", "sd_herd"]


def test_maketables_makes_a_table(cbpp):
    maketables = pytest.importorskip("maketables")
    frame = maketables.ETable([ModelMixedsparse(cbpp)], coef_fmt="b:.3f (se:.3f)").df
    cells = frame.astype(str).to_numpy().ravel().tolist()
    assert {"-0.992 (0.307)", "56", "15", "binomial (logit)"} <= set(cells)
