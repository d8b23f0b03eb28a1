"""R squared and intraclass correlation against performance 0.10."""

from __future__ import annotations

import pytest

from tests.inference.golden_means import WANTED, cases_with, fit_of, golden_case

# performance 0.10 reads slopes from the columns of X: it misses those that are not fixed effects in the same coding,
# and all but one of the terms of `||`. On singular fits it gives nothing.
READ_WRONGLY = ("v20", "v24", "v38")


def comparable(name: str, key: str) -> bool:
    values = WANTED[name][key].values()
    return not (name.startswith(READ_WRONGLY) or "||" in golden_case(name).formula or None in values)


@pytest.mark.parametrize("name", [n for n in cases_with("r2_nakagawa") if comparable(n, "r2_nakagawa")])
def test_r2_is_that_of_performance(name):
    assert fit_of(name).r2().to_dict() == pytest.approx(WANTED[name]["r2_nakagawa"], abs=1e-5)


@pytest.mark.parametrize("name", [n for n in cases_with("icc") if comparable(n, "icc")])
def test_icc_is_that_of_performance(name):
    fit = fit_of(name)
    assert fit.icc().to_dict() == pytest.approx(WANTED[name]["icc"], abs=1e-5)
    assert fit.icc(by_group=True).sum() == pytest.approx(fit.icc()["adjusted"])


def test_singular_fits_have_shares():
    fit = fit_of("v10_Dyestuff2_singular_ML")
    assert fit.icc().to_dict() == {"adjusted": 0.0, "unadjusted": 0.0}
    assert fit.r2().to_dict() == pytest.approx({"marginal": 0.0, "conditional": 0.0}, abs=1e-20)


def test_parametrisation_does_not_matter():
    import mixedsparse as ms

    data = ms.datasets.load("Machines")
    fits = [ms.lmer(f"score ~ Machine + ({left} | Worker)", data) for left in ("Machine", "0 + Machine")]
    assert fits[0].r2().to_dict() == pytest.approx(fits[1].r2().to_dict(), rel=1e-5)
