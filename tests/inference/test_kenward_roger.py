"""Kenward & Roger: against its definition in n-space, against pbkrtest, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import mixedsparse as ms
from mixedsparse.core.engines.cholmod import cholmod
from mixedsparse.inference import traces
from mixedsparse.inference.contrast import joint_test
from mixedsparse.inference.denominators import denominator
from tests.inference.dense import kenward_roger
from tests.models import DESIGNS, make

pytestmark = [
    pytest.mark.filterwarnings("ignore::mixedsparse.ground.errors.SingularFitWarning"),
    pytest.mark.filterwarnings("ignore::mixedsparse.ground.errors.NotIdentifiedWarning"),
    pytest.mark.filterwarnings("ignore::mixedsparse.ground.errors.DroppedColumnsWarning"),
]


@pytest.mark.parametrize("name", [name for name in DESIGNS if name not in ("no_fixed", "filled")])
def test_against_the_definition(name):
    small = make(name, 1)
    results = small.model().fit()
    Phi, adjusted, match = kenward_roger(small, results)
    method = denominator(results._fitted, "kenward-roger")
    size = np.sqrt(np.outer(np.diag(Phi), np.diag(Phi)))
    np.testing.assert_allclose(method.cov / size, adjusted / size, rtol=1e-6, atol=1e-9)
    p = len(results.params)
    for row in np.eye(p):
        assert method.single(row[None])[0] == pytest.approx(match(row[None])[0], rel=1e-6)
    for rows in (np.eye(p), np.tri(p)[:2]):
        assert method.joint(rows) == pytest.approx(match(rows), rel=1e-6)


@pytest.mark.skipif(not cholmod.available(), reason="needs scikit-sparse")
def test_either_engine():
    small = make("three_factors", 1)
    model = small.model()
    want = model.fit().coef_table("kenward-roger")
    model._engines.made["auto"] = model.engine("cholmod")
    np.testing.assert_allclose(model.fit().coef_table("kenward-roger"), want, rtol=1e-6)


@pytest.fixture(scope="module")
def unbalanced():
    data = ms.datasets.load("sleepstudy")
    return ms.lmer("Reaction ~ Days + (Days | Subject)", data[np.arange(1, 181) % 7 != 3])


def test_pbkrtest(unbalanced):
    # s <- sleepstudy[seq_len(180) %% 7 != 3, ]; m <- lmer(Reaction ~ Days + (Days | Subject), s, control = ct)
    # coef(summary(m, ddf = "Kenward-Roger")); contest(m, diag(2), ddf = "Kenward-Roger")      pbkrtest 0.5.2
    table = unbalanced.coef_table("kenward-roger")
    np.testing.assert_allclose(table["SE"], [6.884835352, 1.473054362], rtol=1e-6)
    np.testing.assert_allclose(table["df"], [16.94394187, 16.95438690], rtol=1e-6)
    np.testing.assert_allclose(table["t"], [36.58032327, 6.99786183], rtol=1e-6)
    test = joint_test(unbalanced._fitted, np.eye(2), "kenward-roger")
    assert (test.F, test.den_df) == pytest.approx((679.6796081, 15.9422479), rel=1e-6)


def test_single_coefficient():
    # coef(summary(lmer(Yield ~ 1 + (1 | Batch), Dyestuff[1:27, ]), ddf = "Kenward-Roger")); Dyestuff2: SE .678388, df 5
    data = ms.datasets.load("Dyestuff").iloc[:27]
    table = ms.lmer("Yield ~ 1 + (1 | Batch)", data).coef_table("kenward-roger")
    assert table.loc["Intercept", ["SE", "df"]].tolist() == pytest.approx([17.84946466, 4.888329019], rel=1e-6)
    singular = ms.lmer("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff2")).coef_table("kenward-roger")
    assert singular.loc["Intercept", ["SE", "df"]].tolist() == pytest.approx([0.6783880312, 5.0], rel=1e-6)


def test_ml_is_refitted_and_says_so(unbalanced):
    ml = unbalanced.model.fit(reml=False)
    with pytest.warns(ms.MixedSparseWarning, match="refitted by REML") as caught:
        table = ml.coef_table("kenward-roger")
    assert caught[0].filename == __file__
    np.testing.assert_allclose(table, unbalanced.coef_table("kenward-roger"), rtol=1e-6)
    assert ml.coef_table("kenward-roger").equals(table)  # kept: no second warning


def test_weights_are_prior_weights():
    """Rows that are means of r replicates, with weight r, make the same tests as in the definition; not pbkrtest's."""
    data = ms.datasets.load("sleepstudy")
    whole = ms.lmer("Reaction ~ Days + (1 | Subject)", data, weights=np.full(180, 4.0))
    plain = ms.lmer("Reaction ~ Days + (1 | Subject)", data)
    np.testing.assert_allclose(whole.coef_table("kenward-roger"), plain.coef_table("kenward-roger"), rtol=1e-6)


def test_no_F_distribution_is_said():
    """Three groups cannot carry a test on three degrees of freedom: pbkrtest's formula gives negative ones."""
    rng = np.random.default_rng(1)
    g, x = np.repeat(np.arange(3), 6), rng.normal(size=18)
    X = np.column_stack([np.ones(18), g == 0, x])
    fit = ms.LinearMixedModel.from_arrays(rng.normal(size=18), X, [ms.RandomTerm("g", g, X[:, [0, 2]])]).fit()
    with pytest.warns(
        ms.MixedSparseWarning, match="too little on the covariance parameters.*DenDF and p are NaN"
    ) as caught:
        table = fit.wald_test(np.eye(3), "kenward-roger")
    assert caught[0].filename == __file__
    assert np.isnan(table[["DenDF", "p"]].to_numpy()).all()
    assert np.isfinite(table["F"].item())
    assert (fit.coef_table("kenward-roger")["df"] > 0).all()


def test_too_large_is_refused_with_an_estimate(monkeypatch):
    results = make("crossed", 1).model().fit()
    monkeypatch.setattr(traces, "available_memory", lambda: 1e3)
    with pytest.raises(ms.BackendError, match=r"q = 24 about 0\.0 GiB of memory.*ddf='satterthwaite'"):
        results.coef_table("kenward-roger")
    # One grouping factor needs no such matrix.
    assert make("slopes", 1).model().fit().coef_table("kenward-roger")["df"].gt(0).all()


def test_weights_are_those_of_the_transformed_model():
    """Rows times the roots of the weights: the same model without weights (pbkrtest's numbers differ there)."""
    rng = np.random.default_rng(11)
    g, x = rng.permutation(np.arange(60) % 7), rng.normal(size=60)
    X, weights = np.column_stack([np.ones(60), x, np.arange(60) % 3 == 1]), rng.uniform(0.1, 8.0, 60)
    y = X @ [1.0, 0.5, -0.3] + rng.normal(size=7)[g] + rng.normal(size=60) / np.sqrt(weights)
    root = np.sqrt(weights)
    given = ms.LinearMixedModel.from_arrays(y, X, [ms.RandomTerm("g", g, np.ones(60))], weights=weights).fit()
    turned = ms.LinearMixedModel.from_arrays(y * root, X * root[:, None], [ms.RandomTerm("g", g, root)]).fit()
    columns = ["Estimate", "SE", "df", "p"]
    want = turned.coef_table("kenward-roger")[columns].to_numpy()
    np.testing.assert_allclose(given.coef_table("kenward-roger")[columns], want, rtol=1e-6)
    # The weights matter: left out of the residual's covariance the degrees of freedom are others.
    plain = ms.LinearMixedModel.from_arrays(y, X, [ms.RandomTerm("g", g, np.ones(60))]).fit()
    assert abs(plain.coef_table("kenward-roger")["df"].iloc[0] - want[0, 2]) > 0.1


def test_a_variance_below_zero_is_undefined_and_said(monkeypatch):
    fit = ms.lmer("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff"))
    method = denominator(fit._fitted, "kenward-roger")
    monkeypatch.setitem(vars(fit._fitted), "kenward-roger denominator", replace(method, cov=-method.cov))
    with pytest.warns(ms.UndefinedTestWarning, match="is not positive"):
        table = fit.coef_table(ddf="kenward-roger")
    assert table[["SE", "t", "p"]].isna().all(axis=None)
    for ask in (lambda: fit.t_test([1.0], ddf="kenward-roger"), lambda: fit.wald_test([[1.0]], ddf="kenward-roger")):
        with pytest.warns(ms.UndefinedTestWarning, match="is not positive"):
            ask()
    slopes = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
    method = denominator(slopes._fitted, "kenward-roger")
    monkeypatch.setitem(vars(slopes._fitted), "kenward-roger denominator", replace(method, cov=-method.cov))
    for kind in (1, 2, 3):
        with pytest.warns(ms.UndefinedTestWarning, match="is not positive"):
            row = slopes.anova(type=kind, ddf="kenward-roger").loc["Days"]
        assert row["NumDF"] == 1
        assert row[["DenDF", "F", "p"]].isna().all()
