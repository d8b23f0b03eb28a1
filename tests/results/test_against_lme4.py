"""Every table against lme4 1.1.31 on R 4.2.2; the numbers are the output of this script.

library(lme4)
tight <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-12, maxfun = 1e5))
show <- function(m) {
  print(as.data.frame(VarCorr(m))); print(coef(summary(m))); print(vcov(m))
  print(getME(m, "theta")); print(c(logLik(m), AIC(m), BIC(m), df.residual(m)))
  print(head(fitted(m), 3)); print(head(resid(m), 3))
  print(quantile(residuals(m, type = "pearson", scaled = TRUE)))
  for (re in ranef(m, condVar = TRUE)) { print(head(re, 2)); print(attr(re, "postVar")) }  # [, , 1] below
}
show(lmer(Reaction ~ Days + (Days | Subject), sleepstudy, control = tight))
show(lmer(Reaction ~ Days + (0 + Days | Subject) + (1 | Subject), sleepstudy, REML = FALSE, control = tight,
          weights = 1 + Days / 10, offset = 2 * Days))
show(lmer(diameter ~ 1 + (1 | plate) + (1 | sample), Penicillin, control = tight))
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

import mixedsparse as ms

# lme4's search ends about 1e-6 from the optimum in theta.
CLOSE = {"rtol": 2e-5, "atol": 1e-8}


@dataclass(frozen=True)
class Expected:
    varcorr: list[tuple]  # grp, var1, var2, vcov, sdcor
    coef: list[list[float]]  # estimate, SE, t
    vcov: list[float]
    theta: list[float]
    likelihood: list[float]  # logLik, AIC, BIC
    df_resid: int
    fitted: list[float]
    resid: list[float]
    quantiles: list[float]
    effects: dict[str, list[list[float]]]  # first two levels
    condvar: dict[str, list]  # first level


SLEEP = Expected(
    varcorr=[
        ("Subject", "Intercept", None, 612.08974827467, 24.7404476166998),
        ("Subject", "Days", None, 35.07166234421, 5.9221332595791),
        ("Subject", "Intercept", "Days", 9.60433547475, 0.0655513428535),
        ("Residual", None, None, 654.94104068197, 25.5918158926241),
    ],
    coef=[
        [251.4051048485, 6.82455577628, 36.83831052014],
        [10.4672859596, 1.54578893243, 6.77148460569],
    ],
    vcov=[46.5745615435, -1.45109562721, -1.45109562721, 2.38946342362],
    theta=[0.966732791471, 0.0151690598804, 0.230909598085],
    likelihood=[-871.814135979, 1755.62827196, 1774.78601306],
    df_resid=174,
    fitted=[253.663670349, 273.329928213, 292.996186077],
    resid=[-4.10367034908, -14.6252282129, -42.1955860767],
    quantiles=[-3.95356374164, -0.463399616584, 0.0231171403219, 0.463399023787, 5.17925644553],
    effects={"Subject": [[2.25856550059, 9.19897190423], [-40.3985769249, -8.61970318296]]},
    condvar={"Subject": [[145.7050939873, -21.44442513376], [-21.4444251338, 5.31227349584]]},
)
WEIGHTED = Expected(
    varcorr=[
        ("Subject", "Days", None, 33.703757340, 5.80549372061),
        ("Subject.1", "Intercept", None, 572.617309915, 23.92942351824),
        ("Residual", None, None, 997.160889183, 31.57785441070),
    ],
    coef=[
        [250.62027661666, 6.92947023738, 36.16730688366],
        [8.62211601894, 1.53441854157, 5.61914222578],
    ],
    vcov=[48.0175577708, -2.44328850735, -2.44328850735, 2.3544402607],
    theta=[0.183846997491, 0.757791305483],
    likelihood=[-881.808367528, 1773.61673506, 1789.58151931],
    df_resid=175,
    fitted=[254.526193483, 274.159767987, 293.793342491],
    resid=[-4.96619348343, -15.4550679873, -42.9927424911],
    quantiles=[-4.20381344484, -0.426387949565, 0.0346301801681, 0.461839778104, 5.40807380025],
    effects={"Subject": [[9.0114584849, 3.90591686677], [-8.69611764725, -39.1602079926]]},
    condvar={"Subject": [5.40571966576, 172.104662717]},  # lme4 gives the diagonal only
)
PENICILLIN = Expected(
    varcorr=[
        ("plate", "Intercept", None, 0.716908340131, 0.846704399499),
        ("sample", "Intercept", None, 3.730919014311, 1.931558700716),
        ("Residual", None, None, 0.302415445062, 0.549923126502),
    ],
    coef=[[22.9722222222, 0.808573511695, 28.4108023451]],
    vcov=[0.653791123815],
    theta=[1.5396777453, 3.51241584074],
    likelihood=[-165.430294496, 338.860588991, 350.739842189],
    df_resid=140,
    fitted=[25.9638272485, 22.7662931278, 25.7146687456],
    resid=[1.03617275151, 0.233706872232, 0.285331254424],
    quantiles=[-2.07923240966, -0.671396679113, 0.062922505843, 0.583770435612, 2.97958359512],
    effects={"plate": [[0.80454705625], [0.80454705625]], "sample": [[2.18705797001], [-1.01047615071]]},
    condvar={"plate": [0.0736359998485], "sample": [0.0408730395964]},
)


def fit_sleepstudy():
    return ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))


def fit_weighted():
    data = ms.datasets.load("sleepstudy")
    return ms.lmer(
        "Reaction ~ Days + (0 + Days | Subject) + (1 | Subject)",
        data,
        reml=False,
        weights=1 + data["Days"] / 10,
        offset=2 * data["Days"],
    )


def fit_penicillin():
    return ms.lmer("diameter ~ 1 + (1 | plate) + (1 | sample)", ms.datasets.load("Penicillin"))


CASES = {
    "sleepstudy": (fit_sleepstudy, SLEEP),
    "weighted": (fit_weighted, WEIGHTED),
    "Penicillin": (fit_penicillin, PENICILLIN),
}


@pytest.fixture(scope="module", params=list(CASES))
def case(request):
    fit, expected = CASES[request.param]
    return fit(), expected


def test_varcorr(case):
    results, expected = case
    table = results.varcorr()
    assert list(table.columns) == ["grp", "var1", "var2", "vcov", "sdcor"]
    assert [tuple(row) for row in table.iloc[:, :3].to_numpy()] == [row[:3] for row in expected.varcorr]
    np.testing.assert_allclose(table[["vcov", "sdcor"]], [row[3:] for row in expected.varcorr], **CLOSE)


def test_fixed_effects(case):
    results, expected = case
    table = results.coef_table()
    np.testing.assert_allclose(table[["Estimate", "SE", "t"]], expected.coef, **CLOSE)
    np.testing.assert_allclose(results.cov_params().to_numpy().ravel(), expected.vcov, **CLOSE)


def test_theta(case):
    results, expected = case
    np.testing.assert_allclose(results.theta, expected.theta, **CLOSE)


def test_likelihood(case):
    results, expected = case
    np.testing.assert_allclose([results.llf, results.aic, results.bic], expected.likelihood, rtol=1e-10)
    assert results.criterion == -2 * results.llf
    assert results.df_resid == expected.df_resid
    assert results.df_model == results.nobs - expected.df_resid


def test_rows(case):
    results, expected = case
    np.testing.assert_allclose(results.fittedvalues[:3], expected.fitted, **CLOSE)
    np.testing.assert_allclose(results.resid[:3], expected.resid, rtol=1e-4)
    np.testing.assert_allclose(results.resid_quantiles(), expected.quantiles, rtol=1e-4)


def test_random_effects(case):
    results, expected = case
    for group, effects in expected.effects.items():
        np.testing.assert_allclose(results.random_effects[group][:2], effects, rtol=1e-4)
        cov = results.random_effects_cov[group][0]
        want = np.array(expected.condvar[group])
        np.testing.assert_allclose(cov if want.ndim == 2 else np.diag(cov), want, **CLOSE)
