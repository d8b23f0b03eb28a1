"""Optima on the boundary, saddles, absurd starts: what the search must survive, and the verdict in words."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

import mixedsparse as ms
from mixedsparse.core.fitting.certificate import _echelon as echelon
from tests.golden_cases import hard_cases

CRITERION_ABS = 1e-8


@pytest.fixture(scope="module")
def sleepstudy() -> ms.LinearMixedModel:
    return ms.LinearMixedModel("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    g, x = np.repeat(np.arange(20), 6), rng.normal(size=120)
    y = 1.0 + x + rng.normal(size=20)[g] + rng.normal(size=120)
    return pd.DataFrame({"y": y, "x": x, "g": g, "h": np.tile(np.arange(6), 20)})


def test_interior(sleepstudy):
    certificate = sleepstudy.fit().certificate
    assert (certificate.verdict, certificate.boundary) == ("converged", ())
    assert certificate.scaled_gradient < 1e-4
    assert certificate.smallest_eigenvalue > 0


@pytest.mark.parametrize("reml", [True, False])
def test_no_variance(reml):
    model = ms.LinearMixedModel("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff2"))
    with pytest.warns(ms.SingularFitWarning, match="no variance for Intercept in Batch"):
        results = model.fit(reml)
    assert results.certificate.verdict == "converged on the boundary"
    assert results.singular
    assert results.theta.tolist() == [0.0]
    assert results.vcomp.tolist() == [0.0]
    assert (results.random_effects["Batch"] == 0.0).all(axis=None)
    assert results.criterion == pytest.approx(model.objective([0.0], reml), abs=1e-12)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_correlation_of_one(data, sign):
    # The slope is a multiple of the intercept, but for noise that happens to hide the rest.
    rng = np.random.default_rng(1)
    u = rng.normal(size=20)
    y = data["x"] + (1.0 + sign * data["x"]) * u[data["g"]] + rng.normal(size=120)
    model = ms.LinearMixedModel("y ~ x + (1 + x | g)", data.assign(y=y))
    with pytest.warns(ms.SingularFitWarning, match="Intercept .* x .SD units. in g"):
        results = model.fit()
    assert results.certificate.verdict == "converged on the boundary"
    assert results.theta[2] == 0.0
    cov = results.cov_re["g"]
    assert cov.iloc[0, 1] / np.sqrt(cov.iloc[0, 0] * cov.iloc[1, 1]) == pytest.approx(sign, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_null_directions_are_told_in_one_basis(seed):
    # Of five effects three span what varies: whichever basis of the null space rounding gives, the words are the same.
    rng = np.random.default_rng(seed)
    null, _ = np.linalg.qr(np.array([[1.0, 0.5, 0.0, 0.2, 0.0], [0.0, 0.3, -1.0, 0.0, 0.6]]).T)
    turn, _ = np.linalg.qr(rng.normal(size=(2, 2)))
    found = echelon(null @ turn @ (null @ turn).T)
    assert found == pytest.approx(echelon(null @ null.T), abs=1e-12)
    pivots = [int(np.flatnonzero(np.abs(column - 1.0) < 1e-12)[0]) for column in found.T]
    assert found[pivots] == pytest.approx(np.eye(2), abs=1e-12)
    assert found @ np.linalg.lstsq(found, null, rcond=None)[0] == pytest.approx(null, abs=1e-12)


def test_of_effects_that_lie_equally_in_a_null_space_the_first_has_weight_one():
    v = np.array([1.0, -1.0, 1.0]) / np.sqrt(3.0)
    for noise in (-1e-9, 1e-9):
        tilted = v + noise * np.array([-1.0, 1.0, 1.0])
        assert echelon(np.outer(tilted, tilted))[:, 0] == pytest.approx([1.0, -1.0, 1.0], abs=1e-7)


def test_effect_without_variance_is_named(data):
    # y has no slopes that vary: that row of Lambda is zero, and with it the correlation.
    rng = np.random.default_rng(4)
    y = rng.normal(size=20)[data["g"]] + data["x"] + rng.normal(size=120)
    with pytest.warns(ms.SingularFitWarning, match="no variance for x in g"):
        results = ms.lmer("y ~ x + (1 | g) + (0 + x | g)", data.assign(y=y - _slopes(data, y)))
    assert results.theta[1] == 0.0


def _slopes(data: pd.DataFrame, y: np.ndarray) -> np.ndarray:
    """The part of y that slopes of x within g explain, beyond the common one."""
    out = np.zeros(len(y))
    centred = data["x"] - data.groupby("g")["x"].transform("mean")
    common = (centred * y).sum() / (centred**2).sum()
    for rows in data.groupby("g").indices.values():
        c = centred.to_numpy()[rows]
        out[rows] = ((c @ y[rows]) / (c @ c) - common) * c
    return out


def on_boundary(model: ms.LinearMixedModel, free: list[int], start: list[float]) -> np.ndarray:
    """The optimum with the other entries of theta at 0: stationary, since the criterion is even in them."""

    def embed(x: np.ndarray) -> np.ndarray:
        theta = np.zeros(model.problem.n_theta)
        theta[free] = x
        return theta

    def gradient(x: np.ndarray) -> np.ndarray:
        return model.gradient(embed(x))[free]

    found = minimize(lambda x: model.objective(embed(x)), start, jac=gradient, method="BFGS", tol=1e-9)
    return embed(found.x)


def test_saddle_of_the_bioequivalence_trial_is_escaped():
    # MixedModels.jl issue 705: the over-parameterised form has a stationary saddle 1.84 above the optimum.
    case = next(case for case in hard_cases() if case.name == "saddle705")
    formula = case.formula.replace("(0 + trt | sub)", "(trt | sub)")
    assert formula != case.formula
    model = ms.LinearMixedModel(formula, case.data())
    saddle = on_boundary(model, [0, 1, 2], [20.0, 15.0, -15.0])
    assert model.objective(saddle) == pytest.approx(-284.331125, abs=1e-6)
    assert np.abs(model.gradient(saddle)).max() < 1e-3
    assert np.linalg.eigvalsh(model.hessian(saddle))[0] < -0.01
    with pytest.warns(ms.DroppedRowsWarning, match="8 rows"):
        results = model.fit(start=saddle)
    assert results.certificate.verdict == "converged"
    assert results.criterion == pytest.approx(case.criterion, abs=1e-6)


def test_constructed_saddle_is_escaped(sleepstudy):
    # Correlation 1 is stationary and a saddle: only the curvature in the last diagonal entry shows the way down.
    saddle = on_boundary(sleepstudy, [0, 1], [1.0, 0.1])
    best = sleepstudy.fit().criterion
    assert sleepstudy.objective(saddle) > best + 5
    results = sleepstudy.fit(start=saddle)
    assert results.certificate.verdict == "converged"
    assert results.criterion == pytest.approx(best, abs=CRITERION_ABS)


@pytest.mark.parametrize("start", [[0, 0, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 1], [-1, 0, -1]])
def test_starts_on_the_boundary(sleepstudy, start):
    results = sleepstudy.fit(start=start)
    assert results.converged
    assert results.criterion == pytest.approx(sleepstudy.fit().criterion, abs=CRITERION_ABS)


MISSCALED = {
    "sleepstudy": "Reaction ~ Days + (Days | Subject)",
    "Penicillin": "diameter ~ 1 + (1 | plate) + (1 | sample)",
    "Machines": "score ~ Machine + (Machine | Worker)",
    "Dyestuff": "Yield ~ 1 + (1 | Batch)",
}


@pytest.mark.parametrize("backend", ["auto", "cholmod"])
@pytest.mark.parametrize("factor", [1e-8, 1e-4, 1e2, 1e4, 1e8])
@pytest.mark.parametrize("name", MISSCALED)
def test_misscaled_starts(name, factor, backend):
    if backend == "cholmod":
        pytest.importorskip("sksparse")
    model = ms.LinearMixedModel(MISSCALED[name], ms.datasets.load(name))
    best = model.fit()
    results = model.fit(start=factor * best.theta, options=ms.FitOptions(backend=backend))
    assert results.converged
    assert results.criterion == pytest.approx(best.criterion, abs=CRITERION_ABS)


def test_misscaled_start_of_a_singular_fit():
    model = ms.LinearMixedModel("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff2"))
    for start in ([1e8], [1e-8]):
        with pytest.warns(ms.SingularFitWarning):
            results = model.fit(start=start)
        assert results.theta.tolist() == [0.0]


@pytest.mark.parametrize("crossed", [False, True])
@pytest.mark.parametrize("ratio", [1e2, 1e3])
def test_large_variance_ratios(data, ratio, crossed):
    # The residual's share of the variance is the inverse square of the ratio; the one-way form is known.
    rng = np.random.default_rng(3)
    y = ratio * rng.normal(size=20)[data["g"]] + rng.normal(size=120)
    within = (y - pd.Series(y).groupby(data["g"]).transform("mean")).pow(2).sum() / 100
    if crossed:
        table = y.reshape(20, 6) - y.mean()
        within = np.square(table - table.mean(axis=1)[:, None] - table.mean(axis=0)).sum() / 95
        y = y + ratio * rng.normal(size=6)[data["h"]]
    formula = "y ~ 1 + (1 | g)" + " + (1 | h)" * crossed
    results = ms.lmer(formula, data.assign(y=y))
    assert results.converged
    # Crossed factors cost 16 digits less twice those of the ratio, and a few more.
    assert results.scale == pytest.approx(within, rel=1e-6)


def test_a_covariate_far_from_zero_is_no_boundary(data):
    # Against the year, intercepts at year 0 and slopes correlate to nearly -1, yet no direction lacks variance.
    rng = np.random.default_rng(6)
    slopes = 0.8 * rng.normal(size=20)
    y = data["y"] + slopes[data["g"]] * data["x"]
    near = ms.lmer("y ~ x + (1 + x | g)", data.assign(y=y))
    far = ms.lmer("y ~ x + (1 + x | g)", data.assign(y=y, x=data["x"] + 2000))
    assert near.certificate.verdict == far.certificate.verdict == "converged"
    assert far.criterion == pytest.approx(near.criterion, abs=CRITERION_ABS)


def test_stopped_early_says_so(sleepstudy):
    with pytest.warns(ms.ConvergenceWarning, match=r"Stopped early after 2 evaluations.*max_evals"):
        results = sleepstudy.fit(options=ms.FitOptions(max_evals=2), start=[2.0, 0.0, 0.3])
    assert not results.converged
    assert results.certificate.verdict == "stopped early"
    assert results.optim.message.startswith("Stopped early")


def test_level_with_one_row(data):
    lonely = pd.concat([data, pd.DataFrame({"y": [2.0], "x": [0.5], "g": [99], "h": [0]})], ignore_index=True)
    results = ms.lmer("y ~ x + (1 | g)", lonely)
    assert results.converged
    assert 99 in results.random_effects["g"].index


def test_every_level_with_one_row_but_some(data):
    g = np.where(data.index < 90, data.index + 1000, data["g"])
    results = ms.lmer("y ~ x + (1 | g)", data.assign(g=g))
    assert results.ngroups["g"] == 95
    assert results.converged


CODES = {
    "int": lambda g: g,
    "negative": lambda g: g - 10,
    "float": lambda g: g.astype(float),
    "text": lambda g: g.map("level {:02d}".format),
    "object": lambda g: g.map("level {:02d}".format).astype(object),
    "category": lambda g: g.astype("category"),
    "unused categories": lambda g: pd.Categorical(g, categories=[*range(-5, 40)]),
    "ordered": lambda g: pd.Categorical(g, ordered=True),
    "dates": lambda g: pd.Timestamp("2020-01-01") + pd.to_timedelta(g, unit="D"),
    "sparse integers": lambda g: g * 10**12,
}


@pytest.mark.parametrize("kind", CODES)
def test_grouping_columns_of_any_kind(data, kind):
    base = ms.lmer("y ~ x + (1 | g)", data)
    other = ms.lmer("y ~ x + (1 | g)", data.assign(g=CODES[kind](data["g"])))
    assert other.criterion == pytest.approx(base.criterion, abs=1e-10)
    assert other.ngroups == {"g": 20}
    np.testing.assert_allclose(other.random_effects["g"], base.random_effects["g"], atol=1e-7)


def test_boolean_grouping_column(data):
    flag = data["g"] % 2 == 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ms.SingularFitWarning)
        results, other = (ms.lmer("y ~ x + (1 | f)", data.assign(f=f)) for f in (flag, flag.astype(int)))
    assert results.ngroups == {"f": 2}
    assert results.criterion == other.criterion


def test_index_of_the_data_is_kept(data):
    moved = data.set_index(pd.Index([f"row {i}" for i in range(120)][::-1]))
    results = ms.lmer("y ~ x + (1 | g)", moved)
    assert results.fittedvalues.index.equals(moved.index)
    np.testing.assert_allclose(results.fittedvalues, ms.lmer("y ~ x + (1 | g)", data).fittedvalues)
