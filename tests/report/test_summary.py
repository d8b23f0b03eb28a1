"""The summary: what it says, how it fits a terminal, and that its HTML is sound."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms

SLEEPSTUDY = """\
Linear mixed model fitted by REML

Formula:       Reaction ~ Days + (Days | Subject)
Observations:  180
Groups:        Subject 18

REML criterion    log L      AIC      BIC
       1743.63  -871.81  1755.63  1774.79

Scaled residuals
    Min       1Q  Median      3Q     Max
-3.9536  -0.4634  0.0231  0.4634  5.1793

Random effects
Groups    Name       Variance  Std.Dev.  Corr
Subject   Intercept   612.09    24.740
          Days         35.072    5.9221  0.07
Residual              654.94    25.592

Fixed effects
Name       Estimate  Std. Error    df       t      p
Intercept   251.405       6.825  17.0  36.838  <1e-4
Days         10.467       1.546  17.0   6.771  <1e-4

p-values: two-sided, t with Satterthwaite's degrees of freedom.
Converged: the gradient vanishes and the curvature is positive in every direction."""


@pytest.fixture(scope="module")
def sleep():
    return ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))


@pytest.fixture(scope="module")
def wide():
    """Eight correlated effects with long names on one factor, and a name that HTML must not read as a tag."""
    rng = np.random.default_rng(11)
    n_levels, k = 60, 8
    codes = np.repeat(np.arange(n_levels), 20)
    z = rng.normal(size=(len(codes), k))
    root = np.eye(k) + 0.4 * np.tril(rng.normal(size=(k, k)), -1)
    y = (z * (rng.normal(size=(n_levels, k)) @ root.T)[codes]).sum(axis=1) + rng.normal(size=len(codes))
    names = [f"condition {i}[T.the same as before]:other<b>factor[T.level]" for i in range(k)]
    model = ms.LinearMixedModel.from_arrays(
        y, z, [ms.RandomTerm("participant & co", codes, z, columns=tuple(names))], x_names=names
    )
    return model.fit()


def test_text(sleep):
    assert str(sleep.summary()) == repr(sleep.summary()) == SLEEPSTUDY


@pytest.mark.parametrize(
    ("ddf", "words"),
    [
        ("kenward-roger", "t with Kenward-Roger's standard errors and degrees of freedom."),
        ("normal", "normal reference distribution."),
    ],
)
def test_note_on_p_values(sleep, ddf, words):
    assert f"p-values: two-sided, {words}" in str(sleep.summary(ddf=ddf))


def test_ml(sleep):
    text = str(sleep.model.fit(reml=False).summary())
    assert "fitted by ML" in text
    assert "-2 log L" in text


def test_tables_hold_the_numbers(sleep):
    tables = sleep.summary().tables
    pd.testing.assert_frame_equal(tables["fixed"], sleep.coef_table())
    pd.testing.assert_frame_equal(tables["random"], sleep.varcorr())
    pd.testing.assert_series_equal(tables["residuals"], sleep.resid_quantiles())
    assert tables["criteria"]["AIC"] == sleep.aic


def test_what_was_left_out_is_said():
    data = ms.datasets.load("sleepstudy")
    data.loc[[3, 9], "Reaction"] = np.nan
    data["Hours"] = 24 * data["Days"]
    with pytest.warns(ms.MixedSparseWarning):
        text = str(ms.lmer("Reaction ~ Days + Hours + (1 | Subject)", data).summary())
    assert "178 (2 rows with missing values left out)" in text
    assert "Dropped columns (linear combinations of earlier ones): Hours." in text


def test_boundary_is_said():
    with pytest.warns(ms.SingularFitWarning):
        results = ms.lmer("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff2"))
    assert str(results.summary()).endswith("Converged on the boundary: no variance for Intercept in Batch.")


def test_without_fixed_effects():
    summary = ms.lmer("Yield ~ 0 + (1 | Batch)", ms.datasets.load("Dyestuff")).summary()
    assert "Fixed effects" not in str(summary)
    assert "p-values" not in str(summary)
    assert "Fixed effects" not in summary._repr_html_()


def test_factor_called_residual():
    data = ms.datasets.load("Dyestuff").rename(columns={"Batch": "Residual"})
    lines = str(ms.lmer("Yield ~ 1 + (1 | Residual)", data).summary()).splitlines()
    rows = [line.split()[:2] for line in lines if line.startswith("Residual ")]
    assert rows[0] == ["Residual", "Intercept"]
    assert len(rows) == 2


@pytest.mark.parametrize("width", [80, 88, 100])
def test_long_names_wrap(wide, width):
    lines = wide.summary().as_text(width).splitlines()
    assert max(map(len, lines)) <= width
    # Nothing is lost: the pieces of every name are there.
    assert sum("level]" in line for line in lines) >= 16


def test_correlations_are_complete_however_they_are_cut(wide):
    # With the names cut to nothing, only the cells are left: every correlation stands in the text once.
    text = wide.summary().as_text(80)
    want = sorted(f"{r:.2f}".replace("-0.00", "0.00") for r in wide.varcorr().dropna(subset=["var2"])["sdcor"])
    blocks = text[text.index("Correlations of") : text.index("Fixed effects")]
    cells = [word for word in blocks.split() if word.lstrip("-").replace(".", "").isdigit() and "." in word]
    assert sorted(cells) == want
    assert "(continued)" in blocks


def test_correlations_stand_beside_the_variances_where_they_fit(wide):
    assert "Correlations of" not in wide.summary().as_text(200)


def test_html_is_well_formed_and_escaped(wide):
    html = wide.summary()._repr_html_()
    root = ElementTree.fromstring(html)  # a stray "<" or "&" would raise
    assert root.findall(".//b") == []
    cells = [element.text for element in root.iter() if element.tag in ("td", "th")]
    assert wide.params.index[0] in cells
    assert "participant & co" in cells
    assert "http" not in html


def test_html_tables_are_semantic(wide):
    root = ElementTree.fromstring(wide.summary()._repr_html_())
    captions = [caption.text for caption in root.iter("caption")]
    assert captions == ["Scaled residuals", "Random effects", "Fixed effects"]
    for table in root.iter("table"):
        head, body = table.find("thead"), table.find("tbody")
        if head is None:
            continue
        span = sum(int(th.get("colspan", 1)) for th in head.iter("th"))
        assert {len(row) for row in body} == {span}
        assert all(th.get("scope") for th in table.iter("th"))


def test_results_show_as_their_summary(sleep):
    assert sleep._repr_html_() == sleep.summary()._repr_html_()
