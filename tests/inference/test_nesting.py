"""Nested fixed factors against R: emmeans 1.8.4-1 on lmerTest 3.1-3, and the sizes of families."""

from __future__ import annotations

import numpy as np
import pytest

import mixedsparse as ms
from mixedsparse.inference.nesting import find_nesting
from tests.inference.nested import strains

pytestmark = pytest.mark.filterwarnings("ignore:Left out of X")

# R integrates the studentized range to about 1e-10.
P_ABS = 3e-10
GENO = [0.710404892, 1.659211813, 3.186888439]
STRAINS = [0.297173201, 1.123636583, 2.308249197, 0.812353123, 1.857033120, 3.186888439]
# pairs(emmeans(m, ~ strain | geno)), adjust: p and lower limits of a - b in G1, then of the three pairs in G2
PAIRS = {
    "none": (
        [2.51827603e-03, 1.68687321e-07, 8.62580545e-02, 1.34985827e-04],
        [-1.3530951962, 0.9792680076, -0.0658724107, -1.5617684851],
    ),
    "tukey": (
        [2.51827594e-03, 5.03212042e-07, 1.97819485e-01, 3.93220963e-04],
        [-1.353095196, 0.875791032, -0.169441469, -1.665337543],
    ),
    "holm": (
        [2.51827603e-03, 5.06061963e-07, 8.62580545e-02, 2.69971654e-04],
        [-1.353095196, 0.860816535, -0.184429206, -1.680325281],
    ),
    "bonferroni": (
        [2.51827603e-03, 5.06061963e-07, 2.58774163e-01, 4.04957480e-04],
        [-1.353095196, 0.860816535, -0.184429206, -1.680325281],
    ),
    "sidak": (
        [2.51827603e-03, 5.06061877e-07, 2.37094606e-01, 4.04902819e-04],
        [-1.353095196, 0.862536519, -0.182707694, -1.678603768],
    ),
}


def fit_of(formula: str, **options) -> ms.MixedResults:
    return ms.lmer(formula + " + (1 | blk)", strains(), **options)


@pytest.fixture(scope="module", params=["strain", "number"], ids=["own names", "names used again"])
def inner(request):
    return request.param


@pytest.fixture(scope="module")
def fit(inner):
    return fit_of(f"y ~ geno/{inner} + trt")


def test_means_of_nested_factors_stand_within_their_groups(fit, inner):
    table = fit.emmeans(inner).table
    assert list(table.columns) == [inner, "geno", "emmean", "SE", "df", "lower", "upper"]
    assert table["geno"].tolist() == ["G1", "G1", "G2", "G2", "G2", "G3"]
    assert table["emmean"].tolist() == pytest.approx(STRAINS, rel=1e-7)
    assert f"'{inner}' is nested in 'geno'." in repr(fit.emmeans(inner))
    within = fit.emmeans(inner, by="geno")
    assert within.table["emmean"].tolist() == pytest.approx(STRAINS, rel=1e-7)
    assert within.by == ("geno",)


def test_means_of_groups_are_averages_of_what_occurs(fit):
    table = fit.emmeans("geno").table
    assert table["emmean"].tolist() == pytest.approx(GENO, rel=1e-7)
    assert table["SE"].tolist() == pytest.approx([0.273455702, 0.261814050, 0.301648515], rel=1e-6)
    # Groups count equally in what is averaged over them, whatever their numbers of strains.
    assert fit.emmeans("1").table["emmean"].tolist() == pytest.approx([np.mean(GENO)], rel=1e-7)


@pytest.mark.parametrize("adjust", PAIRS)
def test_families_are_the_means_of_a_group(fit, inner, adjust):
    table = fit.emmeans(inner, by="geno").contrast("pairwise", adjust=adjust).table
    assert table["geno"].tolist() == ["G1", "G2", "G2", "G2"]
    p, lower = PAIRS[adjust]
    assert table["p"].tolist() == pytest.approx(p, rel=1e-5, abs=P_ABS)
    assert table["lower"].tolist() == pytest.approx(lower, rel=1e-5)


def test_against_a_control(fit, inner):
    table = fit.emmeans(inner, by="geno").contrast("trt.vs.ctrl").table
    assert table["p"].tolist() == pytest.approx([2.51827603e-03, 3.36806324e-07, 1.56399602e-01], rel=1e-5, abs=P_ABS)


def test_joint_tests_compare_nested_levels_within_groups(fit, inner):
    table = fit.joint_tests()
    assert table["term"].tolist() == ["geno", "trt", f"geno:{inner}"]
    assert table["NumDF"].tolist() == [2, 1, 3]
    assert table["F"].tolist() == pytest.approx([60.241, 8.383, 14.931], abs=5.1e-4)
    assert table["note"].str[:2].tolist() == ["", "", "e:"]
    simple = fit.joint_tests(by="geno").query(f"term == '{inner}'")
    assert simple["geno"].tolist() == ["G1", "G2"]
    assert simple["NumDF"].tolist() == [1, 2]


def test_two_main_effects_are_nested_by_the_data():
    fit = fit_of("y ~ geno + strain")
    assert fit.emmeans("geno").table["emmean"].tolist() == pytest.approx(
        [0.718344087, 1.653454426, 3.203113475], rel=1e-7
    )
    table = fit.joint_tests()
    assert table["term"].tolist() == ["geno", "geno:strain"]
    assert table["F"].tolist() == pytest.approx([54.959, 13.547], abs=5.1e-4)


def test_a_crossed_factor_without_a_main_effect_is_nested_by_the_formula():
    fit = fit_of("y ~ geno/trt")
    table = fit.emmeans("trt").table
    assert table[["trt", "geno"]].to_numpy().tolist() == [[t, g] for g in ("G1", "G2", "G3") for t in "MN"]
    assert table["emmean"].tolist() == pytest.approx(
        [0.493930238, 0.899982835, 1.439361264, 1.877464690, 2.959522858, 3.417162500], rel=1e-7
    )
    assert fit.joint_tests()["F"].tolist() == pytest.approx([38.578, 1.731], abs=5.1e-4)
    assert "note" not in fit.joint_tests()


def test_crossed_factors_are_not_nested():
    for formula in ("y ~ geno*trt", "y ~ geno + trt", "y ~ geno:trt", "y ~ 0 + geno:trt"):
        means = fit_of(formula).emmeans("trt")
        assert list(means.table.columns)[:2] == ["trt", "emmean"]
        assert means.remarks == ()


def test_a_slope_that_a_level_does_not_have_is_not_nesting():
    data = strains()
    data["x"] = np.where(data["trt"] == "M", np.arange(len(data)) % 5, 2.0)
    with pytest.warns(ms.DroppedColumnsWarning):
        fit = ms.lmer("y ~ trt*x + geno + (1 | blk)", data)
    with pytest.warns(ms.DroppedColumnsWarning, match="rows are NaN"):
        table = fit.emmeans("geno").table
    assert list(table.columns)[:2] == ["geno", "emmean"]
    assert fit.emmeans("geno", at={"x": 2}).table["emmean"].notna().all()


def test_some_levels_of_the_outer_factor():
    fit = fit_of("y ~ geno/strain + trt")
    table = fit.emmeans("strain", at={"geno": ["G2"]}).table
    assert table["strain"].tolist() == ["c", "d", "e"]
    assert table["emmean"].tolist() == pytest.approx(STRAINS[2:5], rel=1e-7)


def test_weights_by_frequency_stay_within_groups():
    data = strains()
    for weights in ("proportional", "outer", "cells"):
        table = fit_of("y ~ geno/strain").emmeans("geno", weights=weights).table
        share = data.groupby("geno")["strain"].value_counts(normalize=True)
        means = fit_of("y ~ geno/strain").emmeans("strain").table.set_index(["geno", "strain"])["emmean"]
        want = (means * share).groupby("geno").sum()
        assert table["emmean"].tolist() == pytest.approx(want.tolist(), rel=1e-9)


def test_rows_in_files(tmp_path):
    strains().to_parquet(tmp_path / "strains.parquet")
    fit = ms.lmer("y ~ geno/strain + trt + (1 | blk)", str(tmp_path / "strains.parquet"))
    assert fit.emmeans("geno").table["emmean"].tolist() == pytest.approx(GENO, rel=1e-6)
    assert fit.joint_tests()["F"].tolist() == pytest.approx([60.241, 8.383, 14.931], abs=5.1e-4)


def test_means_without_an_estimate_are_in_no_family():
    data = strains()
    fit = ms.lmer("y ~ geno*trt + (1 | blk)", data[(data["geno"] != "G2") | (data["trt"] != "N")])
    with pytest.warns(ms.DroppedColumnsWarning):
        means = fit.emmeans("geno", by="trt")
    for adjust in ("tukey", "sidak", "bonferroni", "holm", "fdr", "mvt", "dunnettx"):
        with pytest.warns(ms.DroppedColumnsWarning):
            table = means.contrast("pairwise", adjust=adjust).table.query("trt == 'N'")
        with pytest.warns(ms.DroppedColumnsWarning):
            plain = means.contrast("pairwise", adjust="none").table.query("trt == 'N'")
        assert plain["p"].notna().tolist() == [False, True, False]
        np.testing.assert_allclose(table[["lower", "upper", "p"]], plain[["lower", "upper", "p"]], rtol=1e-6)


A_B, A, B, BC = frozenset("ab"), frozenset("a"), frozenset("b"), frozenset("bc")


@pytest.mark.parametrize(
    ("names", "cells", "terms", "want"),
    [
        # Each level of b with one level of a.
        ("ab", [[1, 1, 0], [0, 0, 1]], [A, B], {"b": ("a",)}),
        ("ab", [[1, 1, 0], [0, 1, 1]], [A, B, A_B], {}),
        # The same factor twice: one of them.
        ("ab", [[1, 0], [0, 1]], [A, B], {"a": ("b",)}),
        # One level of a is determined: nothing is known of nesting.
        ("ab", [[1, 1], [0, 0]], [A, B], {}),
        # By the terms alone.
        ("ab", [[1, 1], [1, 1]], [A, A_B], {"b": ("a",)}),
        ("ab", [[1, 1], [1, 1]], [A_B], {}),
        ("abc", np.ones((2, 2, 2)), [A, A_B, frozenset("abc")], {"b": ("a",), "c": ("a", "b")}),
        ("abc", np.ones((2, 2, 2)), [A, B, A_B, frozenset("ac"), BC], {"c": ("a", "b")}),
    ],
)
def test_nesting(names, cells, terms, want):
    found = find_nesting(list(names), np.array(cells, dtype=bool), [frozenset(), *terms])
    assert {name: tuple(sorted(groups)) for name, groups in found.items()} == want


def test_a_covariate_without_a_main_effect_is_nested_at_several_values():
    fit = ms.lmer("distance ~ Sex/age + (1 | Subject)", ms.datasets.load("Orthodont"))
    tests = fit.joint_tests(ddf="kenward-roger")
    assert tests["term"].tolist() == ["Sex", "Sex:age"]
    assert tests["NumDF"].tolist() == [1, 2]
    np.testing.assert_allclose(tests["F"], [9.292, 64.376], atol=5e-4)
    np.testing.assert_allclose(tests["DenDF"], [25.0, 79.0], atol=5e-3)
    three = fit.joint_tests(at={"age": [8, 10, 14]}, ddf="kenward-roger")
    np.testing.assert_allclose(three["F"], [8.472, 64.376], atol=5e-4)
    assert [note[:2] for note in three["note"]] == ["", "d:"]
    means = fit.emmeans("age", at={"age": [8, 14]})
    assert means.table["Sex"].tolist() == ["Male", "Male", "Female", "Female"]
    np.testing.assert_allclose(means.table["emmean"], [22.615625, 27.321875, 21.20909091, 24.08636364], rtol=1e-8)
    np.testing.assert_allclose(means.table["SE"], np.repeat([0.5387527528, 0.6497602675], 2), rtol=1e-5)
    assert means.notes[0] == "'age' is nested in 'Sex'."
    assert fit.emmeans("Sex").remarks == ()
