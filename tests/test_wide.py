"""Wide factors: X has the numbers that are not 0 only, and fits are those of the ordinary X."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from mixedsparse.core.choose import memory
from mixedsparse.core.problem import sums
from mixedsparse.core.problem.narrowed import narrowed
from mixedsparse.core.problem.sparse_columns import ImplicitBasis, SparseColumns, ordered_root
from mixedsparse.data.formula import width
from mixedsparse.fitted.model import checked_problem
from mixedsparse.ground.errors import BackendError, DataError
from mixedsparse.ground.limits import Limits
from tests.limits import limited

LEVELS, SUBJECTS, ROWS = 24, 9, 700
FORMULAS = [
    ("y ~ C(item) + (1 | subj)", {}),
    ("y ~ s + x + (1 | subj) + (1 | site)", {"weights": "w"}),
    ("y ~ 0 + C(item) + (1 | subj)", {"offset": "o"}),
    ("y ~ x * s + (1 + x | subj)", {}),
    ("y ~ C(family) + C(item) + (1 | subj)", {}),  # families of items depend on these
    ("y ~ s + (1 | subj)", {"contrasts": {"s": "sum"}}),
    ("y ~ s * two + (1 | subj)", {"contrasts": {"two": "helmert"}}),
    ("y ~ C(item, contr.sum) + poly(x, 2) + (x || subj)", {}),
    ("y ~ x:s + two + (1 | subj)", {}),
]


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    """Items crossed with subjects, a covariate that is far from 0."""
    rng = np.random.default_rng(5)
    item, subj = rng.integers(0, LEVELS, ROWS), rng.integers(0, SUBJECTS, ROWS)
    x = rng.normal(50.0, 1.0, ROWS)
    slope, site = rng.normal(0.5, 0.3, SUBJECTS), rng.integers(0, 5, ROWS)
    return pd.DataFrame(
        {
            "item": item,
            "s": [f"i{i:02d}" for i in item],
            "family": item // 5,
            "two": rng.choice(["a", "b", "c"], ROWS),
            "subj": subj,
            "site": site,
            "x": x,
            "w": rng.uniform(0.5, 2.0, ROWS),
            "o": rng.normal(size=ROWS),
            "y": 1e3 + rng.normal(size=LEVELS)[item] + slope[subj] * x + site + rng.normal(size=ROWS),
        }
    )


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Take factors for wide that have few levels."""
    monkeypatch.setattr(width, "LIMITS", Limits(wide_columns=10, wide_bytes=0.0))
    return monkeypatch


def _fit(formula: str, data: object, **given: object) -> ms.MixedResults:
    """Fit with a search in the columns that meet random effects only."""
    return limited(ms.LinearMixedModel(formula, data, **given), narrowed=5).fit()


@pytest.mark.filterwarnings("ignore::mixedsparse.MixedSparseWarning")
@pytest.mark.parametrize(("formula", "given"), FORMULAS, ids=[formula for formula, _ in FORMULAS])
@pytest.mark.parametrize("reml", [True, False])
def test_sparse_and_ordinary_columns_give_the_same_fit(data, monkeypatch, formula, given, reml):
    ordinary = ms.LinearMixedModel(formula, data, **given).fit(reml=reml)
    monkeypatch.setattr(width, "LIMITS", Limits(wide_columns=5, wide_bytes=0.0))
    model = ms.LinearMixedModel(formula, data, **given)
    assert isinstance(model.design.X, SparseColumns)
    np.testing.assert_allclose(model.design.X.toarray(), ordinary.model.design.X, rtol=1e-14, atol=1e-12)
    for fit in (model.fit(reml=reml), limited(model, narrowed=5).fit(reml=reml)):
        assert list(fit.params.index) == list(ordinary.params.index)
        assert fit._fitted.criterion == pytest.approx(ordinary._fitted.criterion, abs=1e-8)
        np.testing.assert_allclose(fit.theta, ordinary.theta, rtol=1e-8, atol=1e-8)
        scale = np.abs(ordinary.params).max()
        np.testing.assert_allclose(fit.params, ordinary.params, rtol=1e-8, atol=1e-10 * scale)
        np.testing.assert_allclose(fit.bse, ordinary.bse, rtol=1e-8)
        np.testing.assert_allclose(fit.pvalues, ordinary.pvalues, rtol=1e-7, atol=1e-12)


@pytest.mark.filterwarnings("ignore::mixedsparse.MixedSparseWarning")
@pytest.mark.parametrize(("formula", "given"), FORMULAS[:6], ids=[formula for formula, _ in FORMULAS[:6]])
def test_sums_of_wide_factors_in_files_give_the_same_fit(data, tmp_path, monkeypatch, formula, given):
    data.to_parquet(tmp_path / "rows.parquet")
    ordinary = ms.lmer(formula, data, **given)
    monkeypatch.setattr(sums, "_WIDE", 5)
    monkeypatch.setattr(sums, "_MANY", 5)
    fit = _fit(formula, str(tmp_path / "rows.parquet"), **given)
    assert fit._fitted.criterion == pytest.approx(ordinary._fitted.criterion, abs=1e-7)
    assert list(fit.params.index) == list(ordinary.params.index)
    np.testing.assert_allclose(fit.params, ordinary.params, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(fit.bse, ordinary.bse, rtol=1e-8)
    np.testing.assert_allclose(fit.pvalues, ordinary.pvalues, rtol=1e-6, atol=1e-12)


def test_what_is_computed_from_a_wide_fit_is_that_of_the_ordinary_one(data, wide, tmp_path):
    formula, given = FORMULAS[1]
    fit = _fit(formula, data, **given)
    wide.undo()
    ordinary = ms.lmer(formula, data, **given)
    wide.setattr(width, "LIMITS", Limits(wide_columns=10, wide_bytes=0.0))
    new = data.iloc[:30].assign(x=lambda d: d.x.where(d.index != 3))
    asked = {
        "cov_params": lambda r: r.cov_params(),
        "conf_int": lambda r: r.conf_int(),
        "anova": lambda r: r.anova().select_dtypes("number"),
        "fitted": lambda r: r.fittedvalues,
        "residuals": lambda r: r.residuals("scaled"),
        "means": lambda r: r.predict(new),
        "intervals": lambda r: r.predict(new, interval="prediction"),
        "own intervals": lambda r: r.predict(interval="confidence"),
        "population": lambda r: r.predict(new.assign(subj=-1), random="population", interval="confidence"),
        "emmeans": lambda r: r.emmeans("s").table.select_dtypes("number"),
        "simulate": lambda r: r.simulate(nsim=2, seed=1),
        "bootstrap": lambda r: r.bootstrap(nsim=3, seed=1).table.select_dtypes("number"),
        "refit": lambda r: r.refit(2.0 * data.y.to_numpy()).params,
        "ranova": lambda r: r.ranova().select_dtypes("number"),
        "drop1": lambda r: r.drop1().select_dtypes("number"),
        "r2": lambda r: pd.Series(r.r2()),
        "vif": lambda r: r.vif().select_dtypes("number"),
        "matrix": lambda r: r.get("X") @ np.ones(len(r.params)),
        "objective": lambda r: r.model.objective(r.theta),
    }
    for name, ask in asked.items():
        found, expected = np.asarray(ask(fit), float), np.asarray(ask(ordinary), float)
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7, err_msg=name)
    fit.save(tmp_path / "rows.ms")
    np.testing.assert_array_equal(ms.load(tmp_path / "rows.ms").fittedvalues, fit.fittedvalues)
    fit.save(tmp_path / "sums.ms", data=False)
    np.testing.assert_allclose(ms.load(tmp_path / "sums.ms").bse, fit.bse, rtol=1e-12)


def test_what_needs_every_zero_is_refused(data, wide):
    fit = _fit("y ~ C(item) + (1 | subj)", data)
    with pytest.raises(BackendError, match=r"only the numbers that are not 0 are kept.*\(1 \| factor\)"):
        fit.influence()
    with pytest.raises(BackendError, match=r"profile likelihood holds matrices .* 24 of them"):
        fit.profile()
    with pytest.raises(BackendError, match=r"Kenward-Roger's method .* Use ddf='satterthwaite'"):
        fit.anova(ddf="kenward-roger")


def test_random_effects_beside_a_wide_factor_that_do_not_fit_are_refused_with_a_number(data, wide):
    design = ms.LinearMixedModel("y ~ s + (1 | subj)", data).design
    wide.setattr(memory, "available_memory", lambda: 2e4)
    words = r"24 coefficients beside 9 random effects would take about 44 KiB .* make the widest"
    with pytest.raises(BackendError, match=words):
        checked_problem(design)


def test_a_column_that_cannot_be_told_from_others_is_refused(data, wide):
    near = data.assign(z=data.x + 3e-6 * np.sin(np.arange(len(data))))
    with pytest.raises(DataError, match=r"Column 26 .* nearly a combination"):
        ms.LinearMixedModel("y ~ s + x + z + (1 | subj)", near)


def test_values_that_are_not_finite_are_refused_by_name(data, wide):
    with np.errstate(divide="ignore"), pytest.raises(DataError, match=r"np.log\(x - x\)"):
        ms.LinearMixedModel("y ~ C(item) + np.log(x - x) + (1 | subj)", data)


def test_an_implicit_basis_is_orthonormal(data, wide):
    problem = ms.LinearMixedModel("y ~ x * s + (1 | subj)", data, weights="w").problem
    basis, X = problem.basis, ms.LinearMixedModel("y ~ x * s + (1 | subj)", data).design.X
    assert isinstance(basis.q, ImplicitBasis)
    Q = basis.q @ np.eye(len(basis.kept))
    np.testing.assert_allclose(Q.T @ Q, np.eye(len(Q.T)), atol=1e-10)
    weighted = X.toarray()[:, basis.kept] * np.sqrt(data.w.to_numpy())[:, None]
    np.testing.assert_allclose(Q @ basis.root, weighted, atol=1e-8)
    np.testing.assert_allclose(np.eye(3, len(Q)) @ basis.q, Q[:3], atol=1e-14)


def test_columns_that_meet_no_random_effect_change_nothing(data, wide):
    problem = ms.LinearMixedModel("y ~ C(item) + (1 | subj)", data).problem
    small = narrowed(problem, 5)
    assert small is not None
    assert small.problem.p == SUBJECTS
    assert small.problem.degrees(True) == problem.degrees(True)
    assert small.problem.degrees(False) == problem.degrees(False)
    assert narrowed(problem, LEVELS) is None


@pytest.mark.parametrize("panel", [3, 128])
def test_the_ordered_root_leaves_dependent_columns_out(panel, monkeypatch):
    from mixedsparse.core.problem import sparse_columns

    monkeypatch.setattr(sparse_columns, "_PANEL", panel)
    columns = np.random.default_rng(0).normal(size=(40, 9))
    columns[:, 4] = columns[:, 0] - columns[:, 3]
    columns[:, 7] = columns[:, 5]
    columns /= np.linalg.norm(columns, axis=0)
    gram = columns.T @ columns
    root = ordered_root(gram)
    assert np.flatnonzero(np.diagonal(root) == 0).tolist() == [4, 7]
    np.testing.assert_allclose(root.T @ root, gram, atol=1e-14)
    np.testing.assert_array_equal(root, np.triu(root))


def test_restricted_likelihoods_of_wide_fits_compare_by_their_columns(data, wide):
    first, second = _fit("y ~ s + (1 | subj)", data), _fit("y ~ s + (1 | subj) + (1 | site)", data)
    wide.undo()
    ordinary = [ms.lmer(f"y ~ s + (1 | subj){more}", data) for more in ("", " + (1 | site)")]
    found, expected = (ms.anova(*fits, refit=False)["Chisq"].iloc[1] for fits in ((first, second), ordinary))
    assert found == pytest.approx(expected, rel=1e-7)


def test_many_responses_are_refused_for_a_wide_factor(data, wide):
    fitted = limited(ms.LinearMixedModel("y ~ s + (1 | subj)", data), narrowed=5)
    with pytest.raises(BackendError, match=r"Fits of many responses .* 24 of them"):
        fitted.fit_many(data[["y", "o"]])


def test_a_missing_row_stays_missing_where_the_first_column_was_left_out(data, wide):
    frame = data.assign(zero=0.0)
    with pytest.warns(ms.DroppedColumnsWarning, match="zero"):
        fit = _fit("y ~ 0 + zero + x + s + (1 | subj)", frame)
    new = frame.iloc[:4].assign(x=[np.nan, *frame["x"].iloc[1:4]], s=[*frame["s"].iloc[:3], None])
    assert fit.predict(new).isna().tolist() == [True, False, False, True]
    assert fit.predict(frame.iloc[:3].assign(x=np.nan)).isna().all()


def test_narrowed_searches_end_with_the_digits_of_the_rows(data):
    """Random effects thousands of times the residuals: products of columns have lost what the rows have."""
    frame = data.assign(y=data["y"] + 1e4 * np.random.default_rng(1).normal(size=SUBJECTS)[data["subj"]])
    model = ms.LinearMixedModel("y ~ x + s + (1 | subj)", frame)
    fit = limited(model, narrowed=5).fit()
    usual = model.fit()
    np.testing.assert_allclose(fit.theta, usual.theta, rtol=1e-8)
    np.testing.assert_allclose(fit.bse, usual.bse, rtol=1e-8)
