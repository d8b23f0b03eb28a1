"""Correlated residuals beside random effects that cross their groups: nlme's values, equalities, what follows a fit."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms

FORMULA = "FEV1 ~ ARMCD + SEX + (1 | AVISIT)"


@pytest.fixture(scope="module")
def fev():
    return ms.datasets.load("fev").dropna(subset=["FEV1"])


@pytest.fixture(scope="module")
def fit(fev):
    return ms.lmer(FORMULA, fev, residual="hetar1(AVISIT | USUBJID)")


# lme of nlme 3.1-162 with random = list(one = pdIdent(~ 0 + AVISIT)), where `one` has one level; correlation = corAR1,
# corCompSymm or corSymm of the visits within one/USUBJID, weights = varIdent(form = ~ 1 | AVISIT) for us and hetar1.
NLME = [
    ("ar1", True, 3600.56775143791),
    ("ar1", False, 3607.07514299918),
    ("homcs", True, 3597.11483729246),
    ("homcs", False, 3603.67925807233),
    ("hetar1", True, 3495.99671577694),
    ("hetar1", False, 3501.79573027884),
    ("us", True, 3478.34363990364),
    ("us", False, 3484.24097744684),
]


@pytest.mark.parametrize(("structure", "reml", "criterion"), NLME)
def test_optimum_is_that_of_nlme(fev, structure, reml, criterion):
    fit = ms.lmer(FORMULA, fev, residual=f"{structure}(AVISIT | USUBJID)", reml=reml)
    assert fit.criterion == pytest.approx(criterion, abs=1e-6)
    assert fit.certificate.verdict == "converged"
    if structure == "ar1" and reml:
        assert fit.sigma == pytest.approx(7.104235, rel=1e-6)
        assert fit.bse.to_numpy() == pytest.approx([3.359414, 0.7317273, 0.7326339], rel=1e-5)


def test_estimates_are_those_of_dense_matrices(fit):
    V, X, y = fit.marginal_cov(slice(None)).to_numpy(), fit.model.design.X, fit.model.design.y
    inverse = np.linalg.inv(V)
    cov = np.linalg.inv(X.T @ inverse @ X)
    beta = cov @ X.T @ inverse @ y
    assert np.allclose(fit.params, beta, rtol=1e-10)
    assert np.allclose(fit.cov_params(), cov, rtol=1e-9)
    visits = pd.get_dummies(fit.model.design.terms[0].codes).to_numpy(dtype=float)
    modes = fit.cov_re["AVISIT"].to_numpy()[0, 0] * visits.T @ inverse @ (y - X @ beta)
    assert np.allclose(fit.random_effects["AVISIT"].to_numpy()[:, 0], modes, rtol=1e-9)
    e = fit.residuals("normalized").to_numpy()
    R = V - visits @ visits.T * fit.cov_re["AVISIT"].to_numpy()[0, 0]
    resid = y - X @ beta - visits @ modes
    assert e @ e == pytest.approx(resid @ np.linalg.solve(R, resid), rel=1e-9)


def test_compound_symmetry_beside_a_crossed_term_is_two_crossed_terms():
    data = ms.datasets.load("Penicillin")
    two = ms.lmer("diameter ~ 1 + (1 | plate) + (1 | sample)", data)
    one = ms.lmer("diameter ~ 1 + (1 | sample)", data, residual="cs(1 | plate)")
    assert one.criterion == pytest.approx(two.criterion, abs=1e-9)
    table = two.coef_table("kenward-roger")
    for ddf, information in (("satterthwaite", None), ("kenward-roger", "expected")):
        given = {} if information is None else {"information": information}
        assert np.allclose(one.coef_table(ddf, **given), table, rtol=1e-5)
    taken = one.ranova().iloc[1]
    assert taken["logLik"] == pytest.approx(-0.5 * ms.lmer("diameter ~ 1 + (1 | plate)", data).criterion, abs=1e-6)


def test_reciprocity_of_dyads_is_a_residual_correlation_beside_roles():
    # One row per direction: cs of the two rows of a dyad is cs(0 + direction | dyad, hom=True) where it is positive.
    rng = np.random.default_rng(5)
    i, j = np.triu_indices(12, 1)
    d = pd.DataFrame({"s": np.append(i, j), "r": np.append(j, i), "dyad": np.tile(np.arange(len(i)), 2)})
    a, b, e = rng.normal(size=12), rng.normal(size=12), rng.normal(size=len(i))
    d["y"] = a[d["s"]] + (0.5 * a + b)[d["r"]] + 0.8 * np.tile(e, 2) + rng.normal(size=len(d))
    d = d.astype({"s": str, "r": str, "dyad": str})
    residual = ms.lmer("y ~ 1 + (1 | roles(s, r))", d, residual="cs(1 | dyad)")
    effects = ms.lmer("y ~ 1 + (1 | roles(s, r)) + (1 | dyad)", d)
    assert residual.criterion == pytest.approx(effects.criterion, abs=1e-8)
    assert np.allclose(residual.cov_re["roles(s, r)"], effects.cov_re["roles(s, r)"], rtol=1e-4)
    dyads = effects.cov_re["dyad"].to_numpy()[0, 0]
    share = dyads / (dyads + effects.sigma**2)
    assert residual.residual_params["estimate"].iloc[1] == pytest.approx(share, rel=1e-4)


def test_negative_reciprocity_has_no_random_effect_and_a_residual_correlation():
    rng = np.random.default_rng(6)
    i, j = np.triu_indices(10, 1)
    e = rng.normal(size=(2, len(i)))
    e -= 0.8 * e.mean(axis=0)
    d = pd.DataFrame({"s": np.append(i, j), "r": np.append(j, i), "dyad": np.tile(np.arange(len(i)), 2)}).astype(str)
    d["y"] = rng.normal(size=10)[np.append(i, j)] + e.ravel()
    fit = ms.lmer("y ~ 1 + (1 | s)", d, residual="cs(1 | dyad)")
    assert fit.residual_params["estimate"].iloc[1] < -0.3
    assert fit.certificate.verdict == "converged"


@pytest.mark.parametrize("structure", ["ar1", "us"])
def test_shuffled_rows_other_units_and_names_leave_the_fit_as_it_is(fev, structure):
    given = {"residual": f"{structure}(AVISIT | USUBJID)", "dispersion": "~ SEX" if structure == "ar1" else None}
    weights = pd.Series(np.random.default_rng(1).uniform(0.5, 2.0, len(fev)), index=fev.index)
    fit = ms.lmer(FORMULA, fev, weights=weights, **given)
    mixed = fev.sample(frac=1.0, random_state=3).assign(USUBJID=lambda d: "p" + d["USUBJID"].astype(str))
    other = ms.lmer(FORMULA, mixed.assign(FEV1=100.0 * mixed["FEV1"]), weights=weights, **given)
    assert other.criterion - 2.0 * (len(fev) - 3) * np.log(100.0) == pytest.approx(fit.criterion, abs=1e-7)
    assert np.allclose(other.coef_table()["df"], fit.coef_table()["df"], rtol=1e-4)
    assert np.allclose(other.residuals("normalized")[fev.index], fit.residuals("normalized"), atol=1e-5)


def test_what_follows_a_fit_knows_crossed_terms(fit, fev, tmp_path):
    assert np.isfinite(fit.coef_table()).all(axis=None)
    tables = [fit.coef_table("kenward-roger", information=name) for name in ("observed", "expected")]
    assert np.allclose(tables[0]["SE"], tables[1]["SE"], rtol=0.01)
    fit.save(tmp_path / "fit.mix")
    new = fev.head(4)
    for again in (ms.load(tmp_path / "fit.mix"), pickle.loads(pickle.dumps(fit))):
        assert np.allclose(again.coef_table("kenward-roger"), fit.coef_table("kenward-roger"), rtol=1e-6)
        assert np.allclose(again.residuals("normalized"), fit.residuals("normalized"))
        assert again.model.fit().criterion == pytest.approx(fit.criterion, abs=1e-9)
        pd.testing.assert_frame_equal(
            again.predict(new, interval="prediction"), fit.predict(new, interval="prediction"), rtol=1e-6
        )
    draw = fit.simulate(1, seed=1)[0]
    pd.testing.assert_series_equal(draw, again.simulate(1, seed=1)[0], rtol=1e-6)
    fresh = ms.lmer(FORMULA, fev.assign(FEV1=draw), residual="hetar1(AVISIT | USUBJID)")
    assert fit.refit(draw).criterion == pytest.approx(fresh.criterion, abs=1e-7)
    assert fit.bootstrap(2, seed=1).table.notna().all(axis=None)
    assert fit.drop1()["npar"].tolist() == [9, 8, 8]
    assert fit.ranova()["Df"].iloc[1] == 1.0


def test_simulations_of_crossed_terms_have_the_covariance_of_the_fit(fit):
    e = fit.simulate(4000, seed=2).sub(fit.model.design.X @ fit.params, axis=0)
    rows = e.index[:6]
    want = fit.marginal_cov(rows).to_numpy()
    assert np.allclose(np.cov(e.loc[rows].to_numpy()), want, atol=0.1 * want.max())


def test_a_variance_of_each_row_is_told_from_an_autoregression():
    # AR(1) and measurement error: a term whose levels are the rows crosses every series.
    rng = np.random.default_rng(8)
    g, t = np.repeat(np.arange(30), 8), np.tile(np.arange(8), 30)
    e = rng.normal(size=(30, 8))
    for k in range(1, 8):
        e[:, k] = 0.8 * e[:, k - 1] + 0.6 * e[:, k]
    d = pd.DataFrame(
        {"g": g, "t": t, "row": [f"r{i}" for i in range(240)], "y": e.ravel() + 0.5 * rng.normal(size=240)}
    )
    fit = ms.lmer("y ~ 1 + (1 | row)", d, residual="ar1(t | g)")
    assert fit.certificate.verdict == "converged"
    assert fit.criterion < ms.lmer("y ~ 1", d, residual="ar1(t | g)").criterion - 1.0
    with pytest.raises(ms.DataError, match="cannot be told from the residual's"):
        ms.lmer("y ~ 1 + (1 | row)", d, residual="cs(1 | g)")


def test_more_pairs_of_rows_than_memory_holds_are_refused(monkeypatch):
    d = pd.DataFrame({"g": np.repeat([0, 1], 50), "item": np.tile(np.arange(5), 20), "y": np.arange(100.0) % 7})
    monkeypatch.setattr("mixedsparse.core.choose.memory.available_memory", lambda: 1e4)
    with pytest.raises(ms.BackendError, match=r"cs\(1 \| g\).* 2,450 pairs of rows.*random effect of g"):
        ms.lmer("y ~ 1 + (1 | item)", d, residual="cs(1 | g)")


def test_a_stratum_without_variance_is_named_beside_a_crossed_term():
    rng = np.random.default_rng(9)
    d = pd.DataFrame({"g": np.repeat(np.arange(20), 6), "item": np.tile(np.arange(6), 20)})
    d["s"] = np.where(d["g"] < 10, "a", "b")
    d["y"] = np.where(d["s"] == "b", 3.0, rng.normal(size=6)[d["item"]] + rng.normal(size=120))
    with pytest.raises(ms.DataError, match=r"the rows with s\[T.b\] = 1 have no residual variance"):
        ms.lmer("y ~ s + (0 + I(1.0 * (g < 10)) | item)", d, residual="ar1(item | g)", dispersion="~ s")
