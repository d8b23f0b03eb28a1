"""A likelihood without a maximum is said: small designs in which random and fixed effects reproduce the response.

Along c theta, c to infinity, the criterion goes as (r - n) log c^2: r is the rank of Z by ML and of [X, Z] by REML.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from mixedsparse import LinearMixedModel, RandomTerm
from mixedsparse.core.fitting import unbounded
from tests.oracle import dense
from tests.referee import exact_criterion


def fitted(formula: str, data, **options) -> ms.MixedResults:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ms.MixedSparseWarning)
        return ms.lmer(formula, data, **options)


def slope(fit: ms.MixedResults, direction, c: float = 1e3) -> float:
    """Change of the criterion per unit of log c^2 from c to 10 c."""
    low, high = (fit.model.objective(np.array(direction) * size, reml=fit.reml) for size in (c, 10 * c))
    return (high - low) / np.log(100.0)


@pytest.fixture(scope="module")
def cycle() -> pd.DataFrame:
    """Eight rows, each joining two of the eight levels in a ring: rank of Z 7, of [1, x, Z] 8."""
    rng, i = np.random.default_rng(3), np.arange(8)
    columns = {"g": [f"g{k // 2}" for k in i], "h": [f"h{(k + 1) // 2 % 4}" for k in i]}
    return pd.DataFrame({"y": rng.normal(size=8), "x": rng.normal(size=8), **columns})


def test_criterion_falls_as_its_closed_form_does_and_the_certificate_says_so():
    # Two pairs of rows and X = [1, x, x^2] leave one contrast k: r^2 = (k'y)^2 / (1 + theta^2 |Z'k|^2).
    x, y, codes = np.array([0.0, 1.0, 3.0, 7.0]), np.array([1.0, 4.0, 2.0, 2.5]), np.array([0, 0, 1, 1])
    X = np.column_stack([np.ones(4), x, x**2])
    model = LinearMixedModel.from_arrays(y, X, [RandomTerm("g", codes, np.ones((4, 1)))])
    with pytest.warns(ms.MixedSparseWarning, match="the likelihood is unbounded: .* random effects of g reproduce"):
        fit = model.fit(reml=False)
    k = np.linalg.qr(X, mode="complete")[0][:, 3]
    a = np.square(np.bincount(codes, k)).sum()
    for t in (0.5, 3.0, 40.0, 1e3, 1e5):
        closed = 2 * np.log1p(2 * t**2) + 4 * (1 + np.log(np.pi / 2 * (k @ y) ** 2 / (1 + a * t**2)))
        assert model.objective(np.array([t]), reml=False) == pytest.approx(closed, abs=1e-8)
    assert slope(fit, [1.0]) == pytest.approx(2 - 4, abs=1e-4)
    assert model.objective(np.array([1e5]), reml=False) < fit.fit.criterion - 20
    assert fit.certificate.unbounded
    # By REML the one contrast that is left says nothing on theta: no growth.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ms.MixedSparseWarning)
        assert not model.fit(reml=True).certificate.unbounded


def test_crossed_factors_are_unbounded_by_ml_and_bounded_by_reml(cycle):
    with pytest.warns(ms.ConvergenceWarning, match=r"random effects of g, h reproduce .* Fit by REML \(reml=True\)"):
        fit = ms.lmer("y ~ x + (1 | g) + (1 | h)", cycle, reml=False)
    assert fit.certificate.verdict == "converged on the boundary"
    assert fit.certificate.unbounded
    assert fit.converged
    assert "the likelihood is unbounded" in " ".join(str(fit.summary()).split())
    assert slope(fit, [1.0, 1.0]) == pytest.approx(7 - 8, abs=1e-3)
    X = np.column_stack([np.ones(8), cycle["x"]])
    terms = [RandomTerm(name, pd.factorize(cycle[name])[0], np.ones((8, 1))) for name in "gh"]
    for c in (1.0, 1e2, 1e4):
        value = dense(cycle["y"].to_numpy(), X, terms, np.array([c, c]), reml=False).criterion
        assert fit.model.objective(np.array([c, c]), reml=False) == pytest.approx(value, abs=1e-5)
    by_reml = fitted("y ~ x + (1 | g) + (1 | h)", cycle, reml=True)
    assert "unbounded" not in by_reml.certificate.message
    assert slope(by_reml, [1.0, 1.0]) == pytest.approx(0, abs=1e-3)


def test_reml_that_is_highest_without_residual_variance_is_said(cycle):
    with pytest.warns(ms.ConvergenceWarning, match="highest where the residual variance goes to 0"):
        fit = ms.lmer("y ~ x + (1 | g) + (1 | h)", cycle)
    assert fit.certificate.unbounded
    # Exact arithmetic: it falls along the whole ray, to a limit that nothing with a residual variance reaches.
    ray = [exact_criterion(fit.model, fit.theta * c) for c in (0.01, 0.1, 1.0, 10.0, 100.0)]
    assert (np.diff(ray) < 0).all()
    grid = 10.0 ** np.linspace(-2, 1, 13)
    assert min(fit.model.objective([a, b]) for a in (0.0, *grid) for b in (0.0, *grid)) > ray[-1] + 0.05
    # With a column less [X, Z] does not span the rows: an optimum.
    assert not fitted("y ~ 1 + (1 | g) + (1 | h)", cycle).certificate.unbounded


def test_an_optimum_of_reml_is_kept_and_the_lower_limit_is_said():
    rng, n = np.random.default_rng(7), 10
    g, h = np.arange(n) // 2, (np.arange(n) + 1) // 2 % 5
    data = pd.DataFrame({"y": rng.normal(size=n), "x": rng.normal(size=n), "g": g, "h": h}).astype({"g": str, "h": str})
    fit = fitted("y ~ x + (x | g) + (1 | h)", data)
    # lme4 1.1-31: bobyqa and nloptwrap end at this optimum, Nelder_Mead on its way to the limit 16.547665.
    assert fit.criterion == pytest.approx(17.209852, abs=1e-5)
    assert fit.sigma > 0.1
    assert fit.converged
    assert fit.certificate.unbounded
    assert "highest where the residual variance goes to 0" in fit.certificate.message
    theta = np.array([197268.7549, -4751.3926, 0.0, 117882.6352])
    assert exact_criterion(fit.model, theta) == pytest.approx(16.547665, abs=1e-5)
    assert exact_criterion(fit.model, 10 * theta) < exact_criterion(fit.model, theta)
    assert "highest where the residual variance goes to 0" in " ".join(str(fit.summary()).split())


def test_one_column_fewer_and_the_likelihood_has_a_maximum(cycle):
    fit = fitted("y ~ 1 + (1 | g) + (1 | h)", cycle, reml=False)
    assert not fit.certificate.unbounded
    # 7 columns of rank do not reach the 8 rows: the criterion rises by as many.
    assert slope(fit, [1.0, 1.0]) == pytest.approx(7, abs=1e-3)


@pytest.mark.parametrize(
    ("random", "codes", "direction", "growth"),
    [
        ("(1 + x || g)", [0, 0, 1, 1, 2, 2], [0.0, 1.0], 3 - 6),
        ("(x | g) + (1 | h)", [0, 0, 0, 1, 1, 2, 2], [0.0, 1.0, 0.5, 1.0], 6 - 7),
    ],
)
def test_a_part_of_the_effects_makes_it_unbounded_where_all_of_them_do_not(random, codes, direction, growth):
    rng, n = np.random.default_rng(14), len(codes)
    data = pd.DataFrame({name: rng.normal(size=n) for name in "yxz"})
    data = data.assign(z2=data["z"] ** 2, g=[f"g{c}" for c in codes], h=[f"h{c}" for c in np.arange(n) % 4])
    fit = fitted(f"y ~ z + z2 + {random}", data, reml=False)
    blocks = fit.model.problem.blocks
    Z = np.hstack([np.eye(b.n_levels)[b.codes] * b.z[:, [a]] for b in blocks for a in range(b.width)])
    assert np.linalg.matrix_rank(Z) == n
    assert fit.certificate.unbounded
    assert slope(fit, direction) == pytest.approx(growth, abs=0.01)
    assert not fitted(f"y ~ z + z2 + {random}", data).certificate.unbounded


@pytest.mark.parametrize("reml", [True, False], ids=["REML", "ML"])
def test_response_that_is_linear_within_levels_is_unbounded_by_reml_too(reml):
    # Of 9 rows [1, x, Z_g] spans 8 dimensions, Z_g 7: this response lies in them, others do not.
    rng = np.random.default_rng(6)
    g, h, x, u = np.array([0, 1, 2, 3, 4, 5, 6, 2, 4]), rng.integers(0, 3, 9), rng.normal(size=9), rng.normal(size=7)
    data = pd.DataFrame({"x": x, "g": [f"g{c}" for c in g], "h": [f"h{c}" for c in h]})
    engine = LinearMixedModel("y ~ x + (1 | g)", data.assign(y=u[g] + 4 * x)).engine()
    found = unbounded.reproduction(engine, reml)
    assert found is not None
    assert found.groups == ("g",)
    assert not found.any_response
    other = LinearMixedModel("y ~ x + (1 | g)", data.assign(y=rng.normal(size=9)))
    assert unbounded.reproduction(other.engine(), reml) is None
    low, high = (dense_of(data, u[g] + 4 * x, g, c, reml) for c in (1e2, 1e3))
    assert (high - low) / np.log(100) == pytest.approx(8 - 9 if reml else 7 - 9, abs=0.01)


def dense_of(data: pd.DataFrame, y: np.ndarray, g: np.ndarray, c: float, reml: bool) -> float:
    X = np.column_stack([np.ones(len(y)), data["x"]])
    return dense(y, X, [RandomTerm("g", g, np.ones((len(y), 1)))], np.array([c]), reml=reml).criterion


def test_search_that_follows_the_growth_ends_in_an_error_that_says_so():
    rng, g = np.random.default_rng(1), np.array([0, 0, 0, 1, 1, 2, 2])
    data = pd.DataFrame({name: rng.normal(size=7) for name in "yxz"})
    data = data.assign(z2=data["z"] ** 2, g=[f"g{c}" for c in g], h=[f"h{c}" for c in np.arange(7) % 4])
    with pytest.raises(
        ms.DataError, match=r"perfectly.* the likelihood of this model is unbounded.* by REML \(reml=True"
    ):
        fitted("y ~ z + z2 + (x | g) + (1 | h)", data, reml=False)


def test_weights_over_twelve_decades_change_nothing(cycle):
    w = 10.0 ** np.linspace(-6, 6, 8)
    for formula, expected in (("y ~ x + (1 | g) + (1 | h)", True), ("y ~ 1 + (1 | g) + (1 | h)", False)):
        engine = LinearMixedModel(formula, cycle, weights=w).engine()
        assert (unbounded.reproduction(engine, False) is not None) is expected


@pytest.mark.parametrize("method", ["direct", "iterative"])
@pytest.mark.slow
def test_sources_and_the_iterative_method(tmp_path: Path, cycle, method):
    pytest.importorskip("duckdb")
    cycle.to_parquet(tmp_path / "cycle.parquet")
    for formula, expected in (("y ~ x + (1 | g) + (1 | h)", True), ("y ~ 1 + (1 | g) + (1 | h)", False)):
        for data in (cycle, str(tmp_path / "cycle.parquet")):
            fit = fitted(formula, data, reml=False, method=method)
            assert fit.certificate.unbounded is expected
            assert ("unbounded" in fit.certificate.message) is expected
        # By REML it is a limit that is highest, which the direct method finds out on its way; probes lead there.
        if expected and method == "iterative":
            with pytest.raises(ms.DataError, match="fits 'y' perfectly: no residual variance is left"):
                fitted(formula, str(tmp_path / "cycle.parquet"), method=method)
        else:
            by_reml = fitted(formula, str(tmp_path / "cycle.parquet"), method=method)
            assert by_reml.certificate.unbounded is expected


def test_it_is_stored_and_the_look_alike_says_so(tmp_path: Path, cycle):
    fit = fitted("y ~ x + (1 | g) + (1 | h)", cycle, reml=False)
    fit.save(tmp_path / "fit.ms")
    loaded = ms.load(tmp_path / "fit.ms")
    assert loaded.certificate == fit.certificate
    assert loaded.certificate.unbounded
    data = pd.DataFrame({"y": [1.0, 4.0, 2.0, 2.5, 0.3, 1.0], "x": [0.0, 1.0, 3.0, 7.0, 4.0, 5.0], "g": list("aabbcc")})
    with pytest.warns(ms.MixedSparseWarning, match="the likelihood is unbounded"):
        ms.mixedlm("y ~ x + I(x ** 2) + I(x ** 3)", data, groups="g").fit(reml=False)


def test_refit_by_ml_says_so(cycle):
    fit = fitted("y ~ x + (1 | g) + (1 | h)", cycle, reml=True)
    other = fitted("y ~ 1 + (1 | g) + (1 | h)", cycle, reml=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ms.anova(other, fit)
    said = [str(w.message) for w in caught if w.category is ms.ConvergenceWarning]
    assert len(said) == 1
    assert said[0].startswith("Refit of the model itself: ")
    assert "the likelihood is unbounded" in said[0]


@pytest.mark.parametrize("reml", [True, False], ids=["REML", "ML"])
@pytest.mark.parametrize(
    ("formula", "name"),
    [
        ("Reaction ~ Days + (Days | Subject)", "sleepstudy"),
        ("Reaction ~ factor(Days) + (Days | Subject)", "sleepstudy"),
        ("diameter ~ 1 + (1 | plate) + (1 | sample)", "Penicillin"),
        ("score ~ Machine + (Machine | Worker)", "Machines"),
        ("strength ~ 1 + (1 | batch / cask)", "Pastes"),
    ],
)
def test_usual_designs_are_bounded(formula, name, reml):
    data = ms.datasets.load(name)
    engine = LinearMixedModel(formula.replace("factor(", "C("), data).engine()
    assert unbounded.reproduction(engine, reml) is None


@pytest.mark.parametrize("reml", [True, False], ids=["REML", "ML"])
def test_two_rows_per_level_with_a_slope_each_are_bounded(reml):
    """As many random effects as rows: the test of columns does not settle it, that of ranks does."""
    rng, g = np.random.default_rng(5), np.repeat(np.arange(12), 2)
    data = pd.DataFrame({"y": rng.normal(size=24) + g, "x": np.tile([0.0, 1.0], 12), "g": [f"g{c}" for c in g]})
    engine = LinearMixedModel("y ~ x + (1 + x || g)", data).engine()
    assert unbounded.reproduction(engine, reml) is None


def test_large_designs_are_not_looked_at(monkeypatch):
    monkeypatch.setattr(unbounded, "_in_memory", lambda problem: pytest.fail("dense algebra for a usual design"))
    assert not fitted("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy")).certificate.unbounded
