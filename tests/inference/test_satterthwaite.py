"""Satterthwaite's degrees of freedom: against their definition, against lmerTest, and at the boundary."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import mixedsparse as ms
from mixedsparse.core.engines.cholmod import cholmod
from mixedsparse.inference.contrast import contrast_tests, joint_test
from mixedsparse.inference.curvature import curvature
from tests.inference.dense import satterthwaite_df
from tests.limits import limited
from tests.models import make

INTERIOR = ("intercept", "slopes", "crossed", "crossed_slopes", "double_bar", "weighted", "rank_deficient", "scattered")


def fitted(name: str, *, reml: bool = True) -> ms.MixedResults:
    return make(name, 1).model().fit(reml)


@pytest.fixture
def unbalanced():
    data = ms.datasets.load("sleepstudy")
    return data[np.arange(1, 181) % 7 != 3]


@pytest.mark.filterwarnings("ignore::mixedsparse.ground.errors.DroppedColumnsWarning")
@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("name", INTERIOR)
def test_against_the_definition(name, reml):
    results = fitted(name, reml=reml)
    assert not results.singular
    p = len(results.params)
    L = np.vstack([np.eye(p), np.arange(1.0, p + 1)])
    want = satterthwaite_df(make(name, 1), results, L)
    np.testing.assert_allclose(contrast_tests(results._fitted, L).df, want, rtol=2e-4)


@pytest.mark.parametrize("name", ["crossed_slopes", "double_bar", "slopes"])
def test_every_way_to_the_hessian_agrees(name):
    model = make(name, 1).model()
    results = model.fit()
    want = curvature(model.engine(), results.fit.search, True).hessian
    model = limited(model, written=0)
    # Exact entries among the rest, differences for the eliminated factor; then differences only.
    np.testing.assert_allclose(curvature(model.engine(), results.fit.search, True).hessian, want, rtol=1e-6, atol=1e-6)
    if cholmod.available():
        engine = model.engine("cholmod")
        np.testing.assert_allclose(curvature(engine, results.fit.search, True).hessian, want, rtol=1e-6, atol=1e-6)


# s <- sleepstudy[seq_len(180) %% 7 != 3, ]; s$w <- 1 + s$Days / 3              lmerTest 3.1-3, lme4 1.1-31
# ct <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 1e5))
# coef(summary(lmer(Reaction ~ Days + (Days | Subject), s, control = ct)))  # REML = FALSE; weights = w, offset = 2*Days
LMERTEST = {
    "REML": ([251.8495028, 10.3082309], [6.879252016, 1.471990414], [17.45838287, 17.74411134]),
    "ML": ([251.84722794, 10.30872561], [6.688662444, 1.431795707], [18.51373565, 18.82698399]),
    "weights": ([251.554513689, 8.350787971], [7.870516304, 1.527701099], [17.32162573, 17.83450704]),
}


@pytest.mark.parametrize("kind", LMERTEST)
def test_lmertest(unbalanced, kind):
    extra = {"weights": 1 + unbalanced["Days"] / 3, "offset": 2.0 * unbalanced["Days"]} if kind == "weights" else {}
    table = ms.lmer("Reaction ~ Days + (Days | Subject)", unbalanced, reml=kind != "ML", **extra).coef_table()
    for column, want in zip(("Estimate", "SE", "df"), LMERTEST[kind], strict=True):
        np.testing.assert_allclose(table[column], want, rtol=2e-5)


def test_lmertest_several_rows(unbalanced):
    results = ms.lmer("Reaction ~ Days + (Days | Subject)", unbalanced)
    test = joint_test(results._fitted, np.eye(2))  # contest(m, diag(2))
    assert (test.F, test.den_df) == pytest.approx((722.9099631, 17.54812801), rel=1e-5)
    test = joint_test(results._fitted, np.eye(2), rhs=np.array([250.0, 10.0]))  # contest(m, diag(2), rhs = c(250, 10))
    assert (test.F, test.p) == pytest.approx((0.06352518652, 0.9386652817), rel=1e-5)


def test_single_coefficient():
    # coef(summary(lmer(Yield ~ 1 + (1 | Batch), Dyestuff[1:27, ])))
    table = ms.lmer("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff").iloc[:27]).coef_table()
    assert table.loc["Intercept", ["SE", "df"]].tolist() == pytest.approx([17.74928613, 4.93367755], rel=1e-5)


@pytest.mark.filterwarnings("ignore::mixedsparse.ground.errors.SingularFitWarning")
def test_no_variance_leaves_least_squares():
    table = ms.lmer("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff2")).coef_table()
    assert table.loc["Intercept", "df"] == pytest.approx(29.0, rel=1e-9)  # lmerTest: 29


@pytest.mark.filterwarnings("ignore::mixedsparse.ground.errors.SingularFitWarning")
@pytest.mark.filterwarnings("ignore::mixedsparse.ground.errors.NotIdentifiedWarning")
@pytest.mark.parametrize("name", ["dependent_basis", "twins", "factor_slopes"])
def test_singular_fits_have_finite_degrees_of_freedom(name):
    found = 0
    for seed in range(6):
        small = make(name, seed)
        results = replace(small, y=np.random.default_rng(seed).normal(size=len(small.y))).model().fit()
        found += results.singular
        df = results.coef_table()["df"]
        assert ((df > 0) & (df <= results.nobs)).all()
    assert found


def test_boundary_columns_do_not_matter():
    """A term without variance, and a direction of a term without: the same as the model that leaves it out."""
    rng = np.random.default_rng(8)
    g, x = np.repeat(np.arange(12), 6), rng.normal(size=72)
    y = rng.normal(size=12)[g] + rng.normal(size=72)
    y -= sum(np.polynomial.polynomial.polyval(x, [0, b]) * (g == level) for level, b in enumerate(_slopes(y, x, g)))
    X = np.column_stack([np.ones(72), x])
    with pytest.warns(ms.SingularFitWarning):
        both = ms.LinearMixedModel.from_arrays(
            y, X, [ms.RandomTerm("g", g, np.ones(72)), ms.RandomTerm("g", g, x, columns=("x",))]
        ).fit()
    one = ms.LinearMixedModel.from_arrays(y, X, [ms.RandomTerm("g", g, np.ones(72))]).fit()
    np.testing.assert_allclose(both.coef_table()["df"], one.coef_table()["df"], rtol=1e-5)


def _slopes(y, x, g):
    """Least-squares slopes within groups."""
    return [np.polyfit(x[g == level], y[g == level], 1)[0] for level in range(g.max() + 1)]


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_units_do_not_matter(unbalanced, factor):
    want = ms.lmer("Reaction ~ Days + (Days | Subject)", unbalanced).coef_table()["df"]
    scaled = unbalanced.assign(Days=factor * unbalanced["Days"], Reaction=3.0 * unbalanced["Reaction"])
    got = ms.lmer("Reaction ~ Days + (Days | Subject)", scaled).coef_table()["df"]
    np.testing.assert_allclose(got, want, rtol=1e-6)


@pytest.mark.parametrize("ddf", ["satterthwaite", "kenward-roger", "normal"])
def test_no_fixed_effects(ddf):
    fit = make("no_fixed", 1).model().fit()
    assert fit.coef_table(ddf).empty
    assert fit.anova(ddf=ddf).empty


@pytest.mark.slow
def test_insteval():
    # v12-like design: lmerTest needs minutes; its numbers are in the reference fits
    data = ms.datasets.load("InstEval")
    table = ms.lmer("y ~ service + (1 | s) + (1 | d) + (1 | dept)", data).coef_table()
    np.testing.assert_allclose(table["df"], [15.35949, 37613.974], rtol=1e-5)
