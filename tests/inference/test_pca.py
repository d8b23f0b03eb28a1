"""Principal components of the random effects against lme4's rePCA."""

from __future__ import annotations

import numpy as np
import pytest

import mixedsparse as ms
from tests.inference.golden_means import WANTED, cases_with, fit_of, golden_case, numbers

# lme4 1.1 codes the left of the bar by treatment whatever `contrasts` says.
CASES = [name for name in cases_with("rePCA") if not golden_case(name).random_coding_differs()]
# Theta agrees to about 1e-4 at the optimum; a zero of ours may be 1e-6 of theirs.
SDEV_ABS = 1e-4


@pytest.mark.parametrize("name", CASES)
def test_components_are_those_of_lme4(name):
    pca = fit_of(name).rePCA()
    for group, want in WANTED[name]["rePCA"].items():
        mine = pca[group if group in pca else ":".join(reversed(group.split(":")))]
        scale = max(1.0, *numbers(want["sdev"]))
        np.testing.assert_allclose(mine.sdev, numbers(want["sdev"]), atol=SDEV_ABS * scale)
        np.testing.assert_allclose(mine.prop_var, numbers(want["prop_var"]), atol=1e-3)


def test_loadings_and_table():
    fit = fit_of("v01_sleepstudy_corr_slope")
    pca = fit.rePCA()
    # abs(rePCA(m)$Subject$rotation)
    np.testing.assert_allclose(
        np.abs(pca["Subject"].loadings), [[0.99986158, 0.01663785], [0.01663785, 0.99986158]], rtol=1e-4
    )
    rebuilt = pca["Subject"].loadings.to_numpy() * pca["Subject"].sdev.to_numpy()
    np.testing.assert_allclose(rebuilt @ rebuilt.T * fit.scale, fit.cov_re["Subject"], rtol=1e-10)
    assert pca.dimensions == {"Subject": (2, 2)}
    assert pca.table["cumulative"].iloc[-1] == pytest.approx(1.0)
    assert "PC2" in repr(pca)


def test_singular_fit_supports_fewer_dimensions():
    assert fit_of("v10_Dyestuff2_singular_ML").rePCA().dimensions == {"Batch": (0, 1)}
    supported, effects = fit_of("v30_sk2011_maximal").rePCA().dimensions["id"]
    assert supported < effects == 4


def test_correlation_scale_does_not_depend_on_units():
    data = ms.datasets.load("sleepstudy").assign(Hours=lambda d: 24.0 * d["Days"])
    days, hours = (ms.lmer(f"Reaction ~ {x} + ({x} | Subject)", data).rePCA(corr=True) for x in ("Days", "Hours"))
    np.testing.assert_allclose(days["Subject"].prop_var, hours["Subject"].prop_var, rtol=1e-5)


def test_unknown_group():
    with pytest.raises(ms.OptionError, match="'Item' is not a grouping factor of this model; it has 'Subject'"):
        fit_of("v01_sleepstudy_corr_slope").rePCA()["Item"]
