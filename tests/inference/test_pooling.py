"""Rubin's rules, against the formulas of R's mice (pool.scalar, barnard.rubin) computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

import mixedsparse as ms
from mixedsparse.inference.pooling import rubin


def barnard_rubin(m, b, t, dfcom):
    """Return what mice:::barnard.rubin returns."""
    share = (1.0 + 1.0 / m) * b / t
    old = (m - 1) / share**2
    observed = (dfcom + 1) / (dfcom + 3) * dfcom * (1 - share)
    return old if np.isinf(dfcom) else old * observed / (old + observed)


@pytest.mark.parametrize("dfcom", [12.0, 500.0, np.inf])
def test_scalars_are_pooled_as_in_mice(dfcom):
    q, u = np.array([1.2, 1.5, 0.9, 1.1]), np.array([0.04, 0.05, 0.045, 0.06])
    found = rubin(q[:, None], u[:, None], dfcom)
    b, t = q.var(ddof=1), u.mean() + 1.25 * q.var(ddof=1)
    assert found["Estimate"][0] == pytest.approx(q.mean())
    assert found["SE"][0] == pytest.approx(np.sqrt(t))
    assert found["df"][0] == pytest.approx(barnard_rubin(4, b, t, dfcom), rel=1e-12)
    riv = 1.25 * b / u.mean()
    assert found["riv"][0] == pytest.approx(riv)
    assert found["fmi"][0] == pytest.approx((riv + 2 / (found["df"][0] + 3)) / (riv + 1))


@pytest.fixture(scope="module")
def fits():
    data, rng = ms.datasets.load("sleepstudy"), np.random.default_rng(1)
    completed = [data.assign(Days=data["Days"] + rng.normal(0, 1, len(data))) for _ in range(4)]
    return [ms.lmer("Reaction ~ Days + (1 | Subject)", one) for one in completed]


def test_fits_are_pooled(fits):
    pooled = ms.pool(fits)
    estimates = np.array([fit.params["Days"] for fit in fits])
    within, between = np.mean([fit.bse["Days"] ** 2 for fit in fits]), estimates.var(ddof=1)
    row = pooled.table.loc["Days"]
    assert row["Estimate"] == pytest.approx(estimates.mean())
    assert row["SE"] == pytest.approx(np.sqrt(within + 1.25 * between))
    nu = np.mean([fit.coef_table().loc["Days", "df"] for fit in fits])
    assert row["df"] == pytest.approx(barnard_rubin(4, between, row["SE"] ** 2, nu))
    assert pooled.cov_params().loc["Days", "Days"] == pytest.approx(row["SE"] ** 2)
    assert pooled.varcorr["sdcor"][1] == pytest.approx(np.mean([fit.sigma for fit in fits]))
    as_mice = ms.pool(fits, dfcom=fits[0].df_resid).table.loc["Days", "df"]
    assert as_mice == pytest.approx(barnard_rubin(4, between, row["SE"] ** 2, fits[0].df_resid))
    assert "pooled by Rubin's rules" in repr(pooled)


def test_equal_fits_have_nothing_missing(fits):
    pooled = ms.pool([fits[0]] * 3)
    want = fits[0].coef_table()
    np.testing.assert_allclose(pooled.table["SE"], want["SE"], rtol=1e-12)
    assert pooled.table["lambda"].max() < 1e-20
    # What Barnard and Rubin's formula leaves of the degrees of freedom of the complete data.
    np.testing.assert_allclose(pooled.table["df"], (want["df"] + 1) / (want["df"] + 3) * want["df"], rtol=1e-9)


def test_generalized_fits_are_pooled_by_normal_tests():
    data = ms.datasets.load("cbpp")
    fits = [
        ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", data.assign(incidence=moved))
        for moved in (data["incidence"], np.minimum(data["incidence"] + (data["size"] > 20), data["size"]))
    ]
    table = ms.pool(fits).table
    assert (table["df"] > 1).all()
    assert np.isfinite(table["p"]).all()


def test_what_does_not_belong_together_is_refused(fits):
    data = ms.datasets.load("sleepstudy")
    with pytest.raises(ms.OptionError, match="There is 1 fit to pool"):
        ms.pool(fits[:1])
    with pytest.raises(ms.DataError, match="Fit 1 has the coefficients Intercept, fit 0 Intercept, Days"):
        ms.pool([fits[0], ms.lmer("Reaction ~ 1 + (1 | Subject)", data)])
    with pytest.raises(ms.DataError, match="different random effects"):
        ms.pool([fits[0], ms.lmer("Reaction ~ Days + (Days | Subject)", data)])
    with pytest.raises(ms.OptionError, match="dfcom=-1 must be a positive number"):
        ms.pool(fits, dfcom=-1)
