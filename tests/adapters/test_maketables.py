"""The plug-in protocol of maketables: the numbers, and a table that the package itself makes of them."""

from __future__ import annotations

import numpy as np
import pytest

import mixedsparse as ms
from mixedsparse.adapters.maketables import ModelMixedsparse


@pytest.fixture(scope="module")
def fits():
    data = ms.datasets.load("sleepstudy")
    return [ms.lmer(f"Reaction ~ Days + {part}", data) for part in ("(1 | Subject)", "(Days | Subject)")]


def test_coefficients(fits):
    table = fits[1].__maketables_coef_table__
    assert list(table) == ["b", "se", "t", "p", "ci95l", "ci95u", "df", "sd_Subject"]
    assert table.index.name == "Coefficient"
    want = fits[1].coef_table()
    np.testing.assert_array_equal(table[["b", "se", "df", "t", "p"]], want)
    np.testing.assert_array_equal(table[["ci95l", "ci95u"]], fits[1].conf_int(ddf="satterthwaite"))
    np.testing.assert_allclose(table["sd_Subject"], np.sqrt(np.diagonal(fits[1].cov_re["Subject"])))


def test_statistics(fits):
    stat = fits[1].__maketables_stat__
    assert stat("N") == 180
    assert stat("n_Subject") == 18
    assert stat("ll") == fits[1].llf
    assert stat("aic") == fits[1].aic
    assert stat("r2m") == fits[1].r2()["marginal"]
    assert stat("icc") == fits[1].icc()["adjusted"]
    assert stat("n_Item") is None
    assert stat("fvalue") is None
    assert set(fits[1].__maketables_default_stat_keys__) <= set(fits[1].__maketables_stat_labels__)


def test_every_statistic_with_a_label_has_a_value(fits):
    for key in fits[0].__maketables_stat_labels__:
        assert fits[0].__maketables_stat__(key) is not None


def test_degrees_of_freedom_are_passed_on(fits):
    table = ModelMixedsparse(fits[1], ddf="normal").__maketables_coef_table__
    np.testing.assert_array_equal(table[["ci95l", "ci95u"]], fits[1].conf_int(ddf="normal"))


def test_maketables_finds_the_protocol(fits):
    extractors = pytest.importorskip("maketables.extractors")
    model = ModelMixedsparse(fits[1])
    extractor = extractors.get_extractor(model)
    assert isinstance(extractor, extractors.PluginExtractor)
    assert extractor.depvar(model) == "Reaction"
    assert extractor.fixef_string(model) is None
    assert extractor.var_labels(model) is None
    assert extractor.vcov_info(model)["vcov_type"] == "model-based (REML)"
    assert extractor.stat(model, "se_type") == "model-based (REML)"


def cells_of(frame):
    return frame.astype(str).to_numpy().ravel().tolist()


def test_a_table_of_two_models(fits):
    maketables = pytest.importorskip("maketables")
    models = [ModelMixedsparse(fit) for fit in fits]
    frame = maketables.ETable(models, coef_fmt="b:.3f (se:.3f)").df
    assert {"10.467 (0.804)", "10.467 (1.546)", "180", "18"} <= set(cells_of(frame))
    assert {column[0] for column in frame.columns} == {"Reaction"}
    labels = {label[-1] for label in frame.index}
    assert {"Observations", "Levels of Subject", "Residual SD", "Conditional R²"} <= labels
    assert "Levels of Subject" in maketables.ETable(models).make(type="tex")


def test_standard_deviations_beside_the_coefficients(fits):
    maketables = pytest.importorskip("maketables")
    frame = maketables.ETable([ModelMixedsparse(fits[1])], coef_fmt="b:.2f [sd_Subject:.2f]").df
    assert "251.41 [24.74]" in cells_of(frame)


def test_a_fit_by_itself_is_tabulated_too(fits):
    maketables = pytest.importorskip("maketables")
    frame = maketables.ETable(fits, coef_fmt="b:.3f (se:.3f)").df
    assert {"10.467 (0.804)", "10.467 (1.546)", "180"} <= set(cells_of(frame))
    assert {column[0] for column in frame.columns} == {"Reaction"}
