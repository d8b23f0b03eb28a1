"""What must not change when the data are written in another way, and what must change by a known amount."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from tests.models import DESIGNS, make

# The search stops 1e-10 above the minimum, give or take rounding.
CRITERION_ABS = 1e-8
# There a parameter is off by the root of that in standard units; the last Newton step squares it.
REL = 1e-6
FORMULA = "y ~ x + (1 + x | g) + (1 | h)"


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    n = 300
    g, h, x = rng.integers(20, size=n), rng.integers(12, size=n), rng.normal(size=n)
    effects = rng.normal(size=(20, 2)) @ [[1.0, 0.4], [0.0, 0.6]]
    y = 3.0 + x + effects[g, 0] + effects[g, 1] * x + rng.normal(size=12)[h] + rng.normal(size=n)
    return pd.DataFrame({"y": y, "x": x, "g": g, "h": h, "w": rng.uniform(0.5, 2.0, n)})


@dataclass(frozen=True)
class Change:
    """Change of the criterion (per REML and ML), factors of beta, of sigma and of Lambda's entries."""

    criterion: float = 0.0
    beta: tuple[float, float] = (1.0, 1.0)
    sigma: float = 1.0
    theta: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)


UNCHANGED = Change()


def agree(one: ms.MixedResults, other: ms.MixedResults, change: Change = UNCHANGED, rel: float = REL) -> None:
    beta, theta = np.array(change.beta), np.array(change.theta[: len(one.theta)])
    assert other.criterion - one.criterion == pytest.approx(change.criterion, abs=CRITERION_ABS)
    np.testing.assert_allclose(other.params / beta, one.params, rtol=rel, atol=rel * one.bse.min())
    np.testing.assert_allclose(other.bse / np.abs(beta), one.bse, rtol=rel)
    np.testing.assert_allclose(other.theta / theta, one.theta, rtol=rel, atol=rel)
    assert other.sigma == pytest.approx(one.sigma * change.sigma, rel=rel)


methods = pytest.mark.parametrize("reml", [True, False], ids=["REML", "ML"])


def test_order_of_rows(data):
    base, mixed = ms.lmer(FORMULA, data), ms.lmer(FORMULA, data.sample(frac=1, random_state=1))
    agree(base, mixed)
    np.testing.assert_allclose(mixed.fittedvalues.sort_index(), base.fittedvalues, rtol=REL)


@pytest.mark.parametrize("name", DESIGNS)
def test_order_of_rows_on_every_design(name):
    small, rng = make(name, seed=20), np.random.default_rng(0)
    rows = rng.permutation(len(small.y))
    terms = [ms.RandomTerm(t.group, t.codes[rows], t.z[rows]) for t in small.terms]
    weights = None if small.weights is None else small.weights[rows]
    mixed = ms.LinearMixedModel.from_arrays(small.y[rows], small.X[rows], terms, weights=weights)
    theta = rng.normal(size=small.n_theta)
    assert mixed.objective(theta) == pytest.approx(small.model().objective(theta), rel=1e-12)


def test_names_of_levels(data):
    base = ms.lmer(FORMULA, data)
    names = {level: f"level {-7 * level % 20}" for level in range(20)}
    renamed = ms.lmer(FORMULA, data.assign(g=data["g"].map(names)))
    agree(base, renamed)
    modes = renamed.random_effects["g"].loc[[names[level] for level in base.random_effects["g"].index]]
    np.testing.assert_allclose(modes, base.random_effects["g"], rtol=1e-4, atol=REL)


def test_order_of_terms(data):
    base, turned = ms.lmer(FORMULA, data), ms.lmer("y ~ x + (1 | h) + (1 + x | g)", data)
    agree(base, turned)


@methods
def test_shift_of_y(data, reml):
    # 1e8 + y keeps 8 digits of y itself: compare with the fit of what is left.
    kept = (data["y"] + 1e8) - 1e8
    base, shifted = (ms.lmer(FORMULA, data.assign(y=y), reml=reml) for y in (kept, kept + 1e8))
    assert shifted.criterion == pytest.approx(base.criterion, abs=CRITERION_ABS)
    # Doubles near 1e8 are 1.5e-8 apart, and BLAS libraries add up in different orders.
    np.testing.assert_allclose(shifted.params - [1e8, 0.0], base.params, atol=1e-6)
    np.testing.assert_allclose(shifted.theta, base.theta, rtol=REL)
    np.testing.assert_allclose(shifted.bse, base.bse, rtol=REL)


@methods
@pytest.mark.parametrize("factor", [1e-6, -3.0, 1e6])
def test_scale_of_y(data, factor, reml):
    base, scaled = (ms.lmer(FORMULA, data.assign(y=c * data["y"]), reml=reml) for c in (1.0, factor))
    df = len(data) - 2 * reml
    change = Change(2 * df * np.log(abs(factor)), (factor, factor), abs(factor))
    agree(base, scaled, change)


@methods
@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_scale_of_x(data, factor, reml):
    base, scaled = (ms.lmer(FORMULA, data.assign(x=c * data["x"]), reml=reml) for c in (1.0, factor))
    change = Change(2 * reml * np.log(factor), (1.0, 1 / factor), 1.0, (1.0, 1 / factor, 1 / factor, 1.0))
    agree(base, scaled, change)


@methods
def test_shift_of_x(data, reml):
    # (1 + x | g) spans the same with x + c: Lambda' = [[1, -c], [0, 1]] Lambda up to a rotation.
    kept = (data["x"] + 1e6) - 1e6
    base, shifted = (ms.lmer(FORMULA, data.assign(x=x), reml=reml) for x in (kept, kept + 1e6))
    assert shifted.criterion == pytest.approx(base.criterion, abs=CRITERION_ABS)
    assert shifted.params["x"] == pytest.approx(base.params["x"], rel=REL)
    assert shifted.bse["x"] == pytest.approx(base.bse["x"], rel=REL)
    assert shifted.cov_re["g"].loc["x", "x"] == pytest.approx(base.cov_re["g"].loc["x", "x"], rel=REL)
    back = np.array([[1.0, 1e6], [0.0, 1.0]])
    # The variance at x = 0, a million standard deviations from the data, keeps 12 digits fewer than that of the slope.
    np.testing.assert_allclose(back @ shifted.cov_re["g"] @ back.T, base.cov_re["g"], rtol=0, atol=1e-2)
    np.testing.assert_allclose(shifted.fittedvalues, base.fittedvalues, rtol=0, atol=1e-6)


def test_other_basis_of_X(data):
    mix = np.array([[2.0, 0.3], [-1.0, 0.5]])
    X = np.column_stack([np.ones(300), data["x"]])
    terms = [ms.RandomTerm("g", data["g"].to_numpy(), X), ms.RandomTerm("h", data["h"].to_numpy(), np.ones(300))]
    for reml in (True, False):
        base, mixed = (ms.LinearMixedModel.from_arrays(data["y"], M, terms).fit(reml) for M in (X, X @ mix))
        shift = 2 * reml * np.log(abs(np.linalg.det(mix)))
        assert mixed.criterion - base.criterion == pytest.approx(shift, abs=CRITERION_ABS)
        np.testing.assert_allclose(mix @ mixed.params, base.params, rtol=REL)
        np.testing.assert_allclose(mix @ mixed.cov_params() @ mix.T, base.cov_params(), rtol=REL, atol=1e-9)
        np.testing.assert_allclose(mixed.theta, base.theta, rtol=REL)


def test_rows_twice_are_weights_of_two(data):
    # M and r^2 are the same: the criteria differ by the degrees of freedom and the logarithm of the weights.
    n = len(data)
    twice = ms.LinearMixedModel(FORMULA, pd.concat([data, data]))
    weighted = ms.LinearMixedModel(FORMULA, data, weights=np.full(n, 2.0))
    fit = twice.fit(reml=False)
    pwrss = 2 * n * fit.scale
    log_det = fit.criterion - 2 * n * (1 + np.log(2 * np.pi * pwrss / (2 * n)))
    want = log_det + n * (1 + np.log(2 * np.pi * pwrss / n)) - n * np.log(2.0)
    assert weighted.objective(fit.theta, reml=False) == pytest.approx(want, rel=1e-12)


def test_weights_times_a_constant(data):
    base, scaled = (ms.lmer(FORMULA, data.assign(w=c * data["w"]), weights="w") for c in (1.0, 50.0))
    root = np.sqrt(50.0)
    agree(base, scaled, Change(0.0, (1.0, 1.0), root, (1 / root,) * 4))


def test_weight_one_is_no_weight(data):
    agree(ms.lmer(FORMULA, data), ms.lmer(FORMULA, data, weights=np.ones(300)), rel=1e-9)


def test_offset_is_subtracted(data):
    moved = ms.lmer(FORMULA, data.assign(y=data["y"] + 5 * data["w"]), offset=5 * data["w"].to_numpy())
    agree(ms.lmer(FORMULA, data), moved)


def test_double_bar_is_two_terms(data):
    agree(ms.lmer("y ~ x + (1 | g) + (0 + x | g)", data), ms.lmer("y ~ x + (1 + x || g)", data))


@methods
def test_theta_zero_is_least_squares(data, reml):
    model = ms.LinearMixedModel(FORMULA, data)
    X = np.column_stack([np.ones(300), data["x"]])
    residual_ss = np.linalg.lstsq(X, data["y"], rcond=None)[1][0]
    df = 300 - 2 * reml
    want = df * (1 + np.log(2 * np.pi * residual_ss / df)) + reml * np.linalg.slogdet(X.T @ X)[1]
    assert model.objective(np.zeros(4), reml) == pytest.approx(want, rel=1e-13)
    np.testing.assert_array_equal(model.gradient(np.zeros(4), reml), 0.0)


def test_sign_of_a_column_of_lambda(data):
    model = ms.LinearMixedModel(FORMULA, data)
    base, other = model.objective([0.8, 0.3, 0.5, 0.7]), model.objective([-0.8, -0.3, -0.5, 0.7])
    assert other == pytest.approx(base, rel=1e-14)


def test_separate_halves_add_up(data):
    # Profiled over sigma the likelihoods of two halves do not add, but log|V_0| and r^2 do.
    formula, theta = "y ~ 0 + half:x + half + (1 + x | g)", np.array([0.9, 0.2, 0.5])
    both = data.assign(half=np.where(data["g"] < 10, "a", "b"))
    whole = ms.LinearMixedModel(formula, both)
    parts = [ms.LinearMixedModel("y ~ x + (1 + x | g)", d) for _, d in both.groupby("half")]

    def log_det_and_rss(model: ms.LinearMixedModel) -> np.ndarray:
        start = model.fit(False, start=theta, options=ms.FitOptions(max_evals=1))
        n, value = start.nobs, model.objective(start.theta, reml=False)
        return np.array([value - n * (1 + np.log(2 * np.pi * start.scale)), n * start.scale])

    with pytest.warns(ms.ConvergenceWarning, match="Stopped early after 1 evaluations"):
        total, pieces = log_det_and_rss(whole), sum(log_det_and_rss(part) for part in parts)
    np.testing.assert_allclose(total, pieces, rtol=1e-12)


def test_integer_and_single_precision_data(data):
    rounded = data.assign(x=(8 * data["x"]).round() / 8, y=(64 * data["y"]).round() / 64)
    base = ms.lmer(FORMULA, rounded)
    single = rounded.astype({"x": np.float32, "y": np.float32, "g": np.int8, "h": np.uint16})
    agree(base, ms.lmer(FORMULA, single), rel=1e-10)


def test_fits_do_not_depend_on_earlier_fits(data):
    model = ms.LinearMixedModel(FORMULA, data)
    first = model.fit()
    model.fit(reml=False)
    model.objective(np.zeros(4))
    again = model.fit()
    assert again.criterion == first.criterion
    np.testing.assert_array_equal(again.theta, first.theta)
    np.testing.assert_array_equal(again.params, first.params)
