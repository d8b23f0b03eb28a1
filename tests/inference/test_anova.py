"""Hypotheses about terms: against lmerTest, and free of the contrasts that the factors happen to have."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from mixedsparse.data.formula.structure import read_structure

NUMBERS = ["SumSq", "MeanSq", "NumDF", "DenDF", "F", "p"]
CONTRASTS = ("treatment", "sum", "helmert", "poly")


def pigs() -> pd.DataFrame:
    """Every third row of dietox: unbalanced in all factors, measured at times that differ."""
    return ms.datasets.load("dietox").iloc[2::3].dropna(subset=["Weight"])


def fit_pigs(kind: str = "treatment", **options) -> ms.MixedResults:
    formula = "Weight ~ Cu*Evit + Time*Cu + (Time | Pig) + (1 | Litter)"
    return ms.lmer(formula, pigs(), contrasts={"Cu": kind, "Evit": kind}, **options)


# d <- dietox[seq_len(861) %% 3 == 0, ]                                          lmerTest 3.1-3, pbkrtest 0.5.2
# m <- lmer(Weight ~ Cu * Evit + Time * Cu + (Time | Pig) + (1 | Litter), d, control = ct)
# anova(m, type = 1); anova(m, type = 2); anova(m, type = 3); anova(m, type = 3, ddf = "Kenward-Roger")
TERMS = ["Cu", "Evit", "Time", "Cu:Evit", "Cu:Time"]
LMERTEST = {
    (1, "satterthwaite"): (
        [6.57249, 0.73570, 37714.76683, 5.05685, 3.33615],
        [56.02557474, 56.94891643, 69.36658620, 57.62070651, 69.23192642],
        [0.57490, 0.06435, 6597.84161, 0.22116, 0.29181],
    ),
    (2, "satterthwaite"): (
        [27.93438, 3.20396, 37771.98243, 4.97769, 3.33615],
        [59.66179861, 56.94401174, 69.19718801, 57.51306068, 69.23123098],
        [2.44343, 0.28025, 6607.85093, 0.21770, 0.29181],
    ),
    (3, "satterthwaite"): (
        [27.08589, 3.20782, 37728.20071, 4.97769, 3.33615],
        [58.93642258, 56.90097735, 69.24083546, 57.51306068, 69.23123098],
        [2.36921, 0.28059, 6600.19174, 0.21770, 0.29181],
    ),
    (3, "kenward-roger"): (
        [26.46190, 2.99104, 37724.00970, 4.60265, 3.33586],
        [57.12905192, 56.96256874, 68.97022730, 57.59910414, 68.96113939],
        [2.31393, 0.26163, 6599.45856, 0.20126, 0.29179],
    ),
}


@pytest.fixture(scope="module")
def fit():
    return fit_pigs()


@pytest.mark.parametrize(("kind", "ddf"), LMERTEST)
def test_lmertest(fit, kind, ddf):
    table = fit.anova(kind, ddf).loc[["Cu", "Evit", "Time", "Cu:Evit", "Time:Cu"]]
    assert list(table.columns) == ["SumSq", "MeanSq", "NumDF", "DenDF", "F", "p"]
    assert table["NumDF"].tolist() == [2, 2, 1, 4, 2]
    np.testing.assert_allclose(table["MeanSq"] * table["NumDF"], table["SumSq"])
    for column, want in zip(("SumSq", "DenDF", "F"), LMERTEST[kind, ddf], strict=True):
        np.testing.assert_allclose(table[column], want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", CONTRASTS[1:])
def test_contrasts_do_not_matter(fit, kind):
    other = fit_pigs(kind)
    np.testing.assert_allclose(other.anova(3), fit.anova(3), rtol=1e-4, atol=1e-9)
    for type in (1, 2):
        # The F statistics are the same; degrees of freedom follow lmerTest, whose basis of L depends on the contrasts.
        got, want = other.anova(type), fit.anova(type)
        np.testing.assert_allclose(got["F"], want["F"], rtol=1e-4)
        np.testing.assert_allclose(got["DenDF"], want["DenDF"], rtol=0.02)


FORMULAS = [
    "y ~ A*B*x + (1 | g)",
    "y ~ A/x + B + (1 | g)",
    "y ~ A:B + x + (1 | g)",
    "y ~ 0 + A:B + (1 | g)",
    "y ~ 0 + A + x + (1 | g)",
    "y ~ poly(x, 2)*A + (1 | g)",
    "y ~ A + A:B + log(x) + (1 | g)",
]


def random_data(missing: bool) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    n = 150
    data = pd.DataFrame({"A": rng.choice(list("abc"), n), "B": rng.choice(list("uv"), n), "x": rng.uniform(1, 3, n)})
    data["g"] = rng.integers(10, size=n)
    data["y"] = rng.normal(size=n) + rng.normal(size=10)[data["g"]] + (data["A"] == "b") * data["x"]
    return data[~((data["A"] == "c") & (data["B"] == "u"))] if missing else data


@pytest.mark.filterwarnings("ignore::mixedsparse.ground.errors.DroppedColumnsWarning")
@pytest.mark.parametrize("missing", [False, True], ids=["complete", "empty cell"])
@pytest.mark.parametrize("formula", FORMULAS)
def test_type_3_does_not_depend_on_contrasts(formula, missing):
    data = random_data(missing)
    known = [c for c in "AB" if c in formula]
    rng = np.random.default_rng(1)
    own = {c: rng.normal(size=(data[c].nunique(), data[c].nunique() - 1)) for c in known}
    want = ms.lmer(formula, data).anova()
    assert (want["NumDF"] > 0).all()
    for kind in (*CONTRASTS[1:], None):
        codes = own if kind is None else dict.fromkeys(known, kind)
        got = ms.lmer(formula, data, contrasts=codes).anova()
        assert list(got.columns) == list(want.columns)
        np.testing.assert_allclose(got[NUMBERS], want[NUMBERS], rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("formula", FORMULAS)
def test_structure_reproduces_indicators(formula):
    """X @ map are the columns of every level, whatever the contrasts."""
    data = random_data(False)
    by_kind = []
    for kind in ("treatment", "helmert"):
        design = ms.LinearMixedModel(formula, data, contrasts={c: kind for c in "AB" if c in formula}).design
        structure = read_structure(design.encoding.fixed)
        by_kind.append(design.X @ structure.map)
        for i, label in enumerate(structure.labels):
            if label in ("A:B", "A"):
                columns = by_kind[-1][:, structure.owner == i]
                np.testing.assert_allclose(columns.sum(axis=1), 1.0)
                np.testing.assert_allclose(columns, columns**2, atol=1e-10)
    np.testing.assert_allclose(*by_kind, atol=1e-10)


def test_empty_cell():
    # d2 <- d[!(d$Cu == levels(d$Cu)[2] & d$Evit == levels(d$Evit)[3]), ]
    # anova(lmer(Weight ~ Cu * Evit + Time + (1 | Pig), d2, control = ct))
    data = pigs()
    data = data[~((data["Cu"] == "Cu035") & (data["Evit"] == "Evit200"))]
    with pytest.warns(ms.DroppedColumnsWarning):
        table = ms.lmer("Weight ~ Cu*Evit + Time + (1 | Pig)", data).anova()
    assert table["NumDF"].tolist() == [2, 2, 1, 3]
    np.testing.assert_allclose(table["F"], [0.63603, 1.04965, 12138.40763, 0.13925], rtol=1e-4)
    np.testing.assert_allclose(table["DenDF"], [54.99451308, 54.99606581, 187.18271400, 54.99832165], rtol=1e-5)


def test_several_degrees_of_freedom_scale_kenward_roger():
    # m <- lmer(score ~ Machine + (1 | Worker) + (1 | Worker:Machine), Machines[seq_len(54) %% 5 != 2, ], control = ct)
    # anova(m); anova(m, ddf = "Kenward-Roger"); KRmodcomp(m, cbind(0, diag(2)))
    data = ms.datasets.load("Machines")
    fit = ms.lmer("score ~ Machine + (1 | Worker) + (1 | Worker:Machine)", data[np.arange(1, 55) % 5 != 2])
    assert fit.anova().iloc[0, 3:5].tolist() == pytest.approx([10.04310802, 18.43542], rel=1e-5)
    row = fit.anova(ddf="kenward-roger").iloc[0]
    assert row[["SumSq", "DenDF", "F", "p"]].tolist() == pytest.approx(
        [25.23654614, 9.999879899, 18.43530614, 0.0004420960541], rel=1e-6
    )


def test_dropped_terms_stay_in_the_table():
    data = random_data(False).assign(twice=lambda d: 1e6 * d["x"])
    with pytest.warns(ms.DroppedColumnsWarning):
        table = ms.lmer("y ~ x + twice + A + (1 | g)", data).anova()
    want = ms.lmer("y ~ x + A + (1 | g)", data).anova()
    assert list(table.index) == ["x", "twice", "A"]
    assert table.loc["twice", "NumDF"] == 0
    assert np.isnan(table.loc["twice", "F"])
    np.testing.assert_allclose(table.loc[["x", "A"]], want, rtol=1e-6)


def test_from_arrays_each_column_is_a_term():
    rng = np.random.default_rng(2)
    g = np.repeat(np.arange(10), 8)
    X = np.column_stack([np.ones(80), rng.normal(size=(80, 2))])
    y = rng.normal(size=10)[g] + rng.normal(size=80)
    term = ms.RandomTerm("g", g, np.ones(80))
    fit = ms.LinearMixedModel.from_arrays(y, X, [term], x_names=["1", "u", "v"]).fit()
    table = fit.anova()
    assert list(table.index) == ["u", "v"]
    np.testing.assert_allclose(table["F"], fit.tvalues[["u", "v"]] ** 2)


def test_intercept_only_has_an_empty_table():
    assert ms.lmer("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff")).anova().empty


@pytest.mark.parametrize("type", [4, "IV", 0, None])
def test_unknown_type(fit, type):
    with pytest.raises(ms.OptionError, match="is not known; use 1, 2 or 3"):
        fit.anova(type)


def test_roman_types(fit):
    pd.testing.assert_frame_equal(fit.anova("II"), fit.anova(2))
