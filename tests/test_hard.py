"""Models on which common optimisers fail, from the default and from random starts; models with a closed form."""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from tests.golden_cases import HardCase, closed_forms, hard_cases

# The stated optima have six decimals or more, and were found by searches that stop within 1e-6.
ABOVE_OPTIMUM = 1e-5
THETA_ABS = 1e-5  # as many digits as are stated
STARTS = 20
CLOSED_FORM_REL = 1e-8
# Evaluations of the criterion allowed from the default start: by number of covariance parameters, and when singular.
LIMITS = {1: 10, 4: 15, 10: 30, 16: 30, 20: 30, 72: 35}

CASES = [pytest.param(case, id=case.name) for case in hard_cases()]


@cache
def model_of(name: str) -> ms.LinearMixedModel:
    case = next(case for case in hard_cases() if case.name == name)
    return ms.LinearMixedModel(case.formula, case.data())


def fit(case: HardCase, start: np.ndarray | None = None) -> ms.MixedResults:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ms.SingularFitWarning)
        warnings.simplefilter("ignore", ms.DroppedRowsWarning)
        return model_of(case.name).fit(case.reml, start=start)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_default_start(case):
    results = fit(case)
    assert results.converged
    assert abs(results.criterion - case.criterion) < ABOVE_OPTIMUM
    assert results.optim.nfev <= LIMITS[len(results.theta)]
    if case.theta is not None:
        np.testing.assert_allclose(results.theta, case.theta, atol=THETA_ABS)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_random_starts(case):
    rng = np.random.default_rng(20)
    m = model_of(case.name).problem.n_theta
    scales = np.geomspace(0.1, 3.0, STARTS)
    above = [fit(case, scale * rng.normal(size=m)).criterion - case.criterion for scale in scales]
    assert np.abs(above).max() < ABOVE_OPTIMUM


@pytest.mark.parametrize("entry", closed_forms(), ids=lambda entry: entry["data"])
def test_closed_forms(entry):
    results = ms.lmer(entry["formula"], ms.datasets.load(entry["data"]), reml=entry["reml"])
    assert results.converged
    assert results.scale == pytest.approx(entry["sigma2"], rel=CLOSED_FORM_REL)
    for group, variance in entry["variances"].items():
        assert results.vcomp[group].item() == pytest.approx(variance, rel=CLOSED_FORM_REL)


def one_way(levels: int, per_level: int, effect_sd: float, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(levels), per_level)
    return pd.DataFrame({"y": effect_sd * rng.normal(size=levels)[g] + rng.normal(size=len(g)), "g": g})


def mean_squares(data: pd.DataFrame) -> tuple[float, float, int]:
    """Between, within, rows per level."""
    groups = data.groupby("g")["y"]
    a, n = groups.ngroups, len(data) // groups.ngroups
    between = n * groups.mean().var()
    within = (data["y"] - groups.transform("mean")).pow(2).sum() / (a * (n - 1))
    return between, within, n


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("effect_sd", [0.3, 3.0])
@pytest.mark.parametrize("shape", [(5, 4), (12, 10), (40, 2)])
def test_balanced_one_way(shape, effect_sd, seed):
    data = one_way(*shape, effect_sd, seed)
    between, within, n = mean_squares(data)
    if between <= within:
        with pytest.warns(ms.SingularFitWarning, match="no variance for Intercept in g"):
            results = ms.lmer("y ~ 1 + (1 | g)", data)
        total = ((data["y"] - data["y"].mean()) ** 2).sum() / (len(data) - 1)
        assert results.vcomp.item() == 0.0
        assert results.scale == pytest.approx(total, rel=CLOSED_FORM_REL)
        return
    results = ms.lmer("y ~ 1 + (1 | g)", data)
    assert results.scale == pytest.approx(within, rel=CLOSED_FORM_REL)
    assert results.vcomp.item() == pytest.approx((between - within) / n, rel=CLOSED_FORM_REL)


def test_one_way_layouts_include_truncated_ones():
    outcomes = [between <= within for between, within, _ in (mean_squares(one_way(5, 4, 0.3, s)) for s in range(4))]
    assert any(outcomes)
    assert not all(outcomes)


@pytest.mark.parametrize("seed", range(3))
def test_balanced_two_way_crossed(seed):
    rng = np.random.default_rng(seed)
    a, b = (codes.ravel() for codes in np.indices((9, 7)))
    y = 2 * rng.normal(size=9)[a] + 1.5 * rng.normal(size=7)[b] + rng.normal(size=63)
    table = y.reshape(9, 7) - y.mean()
    rows, columns = table.mean(axis=1), table.mean(axis=0)
    msa, msb = 7 * np.square(rows).sum() / 8, 9 * np.square(columns).sum() / 6
    mse = np.square(table - rows[:, None] - columns).sum() / 48
    results = ms.lmer("y ~ 1 + (1 | a) + (1 | b)", {"y": y, "a": a, "b": b})
    assert results.scale == pytest.approx(mse, rel=CLOSED_FORM_REL)
    assert results.vcomp["a"].item() == pytest.approx((msa - mse) / 7, rel=CLOSED_FORM_REL)
    assert results.vcomp["b"].item() == pytest.approx((msb - mse) / 9, rel=CLOSED_FORM_REL)


# Layouts like SmLs01 to SmLs09 of NIST's Statistical Reference Datasets: nine treatments, values that agree in more and
# more leading digits. As random effects theta^2 = (F - 1) / n.
LADDER = [(n, level) for level in (1.0, 1e6, 1e12) for n in (21, 201, 2001)]


@pytest.mark.parametrize(("n", "level"), LADDER)
def test_nist_ladder(n, level):
    treatment = np.repeat(np.arange(9), n)
    inside = np.tile(np.concatenate([[0.0], np.tile([-1.0, 1.0], n // 2)]), 9)
    # Multiples of an eighth, where the originals have tenths: every step of the ladder holds the same numbers exactly.
    y = level + (treatment - 4 + inside) / 8
    between, within, rows = mean_squares(pd.DataFrame({"y": y - level, "g": treatment}))
    results = ms.lmer("y ~ 1 + (1 | g)", {"y": y, "g": treatment})
    assert results.theta[0] ** 2 == pytest.approx((between / within - 1) / rows, rel=CLOSED_FORM_REL)
    assert results.scale == pytest.approx(within, rel=CLOSED_FORM_REL)
    assert results.params.iloc[0] == pytest.approx(y.mean(), rel=1e-10)
