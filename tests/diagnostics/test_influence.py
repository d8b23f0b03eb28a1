"""Deletions of rows and groups, against fits to the rows that are left."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from mixedsparse.core.choose.make import make_engine
from mixedsparse.core.deletion.deletion import Deleter, Deletions
from mixedsparse.core.engines.cholmod.cholmod import available
from mixedsparse.core.fitting.fit import fit_problem
from mixedsparse.core.problem.edits import Rows
from mixedsparse.ground.errors import ConvergenceWarning, DataError, DroppedColumnsWarning, OptionError
from tests.diagnostics.dense import without
from tests.diagnostics.test_leverage import WANTED, fitted
from tests.models import DESIGNS, Small, make
from tests.oracle import dense

# Of a standard error: a search ends where the criterion no longer shows a step.
SAME = 1e-6
# The same by average information, which does not square the last error.
SAME_BY_CHOLMOD = 1e-4

# influence() of lme4 refits with its default tolerance, whatever that of the fit.
LME4_REFIT = 1e-4

pytestmark = pytest.mark.filterwarnings(
    "ignore::mixedsparse.ground.errors.SingularFitWarning",
    "ignore:Left out of X:mixedsparse.ground.errors.DroppedColumnsWarning",
)


def levels_of(small: Small, group: str) -> np.ndarray:
    return next(term.codes for term in small.terms if term.group == group)


def close(got: np.ndarray, want: np.ndarray, unit: np.ndarray | float, limit: float = SAME) -> None:
    assert (np.abs(got - want) <= limit * unit).all()


@pytest.mark.filterwarnings("ignore::mixedsparse.ground.errors.NotIdentifiedWarning")
@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.slow
def test_groups_match_fits_to_the_rows_that_are_left(name, reml):
    small = make(name, 0)
    fit = small.model().fit(reml)
    for group in dict.fromkeys(term.group for term in small.terms):
        got, codes = fit.influence(group), levels_of(small, group)
        for level in (0, codes.max()):
            left = without(small, np.flatnonzero(codes == level)).model().fit(reml)
            close(got.params.iloc[level], left.params, left.bse)
            assert got.table["sigma"].iloc[level] == pytest.approx(left.sigma, rel=SAME)
            np.testing.assert_allclose(got.dfbetas.iloc[level], (fit.params - left.params) / left.bse, atol=1e-5)


@pytest.mark.skipif(not available(), reason="needs scikit-sparse")
@pytest.mark.parametrize("name", ["crossed_slopes", "scattered", "weighted"])
def test_groups_match_by_cholmod(name):
    small = make(name, 0)
    engine = make_engine(small.problem(), "cholmod")
    fit = fit_problem(engine, True)
    deleter = Deleter(engine, fit, Rows(small.y, small.X_kept, small.weights), refit=True, make_engine=make_engine)
    out = Deletions.empty(engine.problem, 2)
    codes = small.terms[0].codes
    for level in range(2):
        deleter(np.flatnonzero(codes == level), out, level)
        left = without(small, np.flatnonzero(codes == level)).model().fit()
        close(out.beta[level], left.params, left.bse, SAME_BY_CHOLMOD)
        assert out.sigma2[level] == pytest.approx(left.scale, rel=SAME_BY_CHOLMOD)
    assert not out.failures


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("name", ["slopes", "crossed_slopes", "weighted", "rank_deficient", "double_bar"])
def test_single_rows_at_fixed_theta_match_dense_algebra(name, reml):
    small = make(name, 1)
    fit = small.model().fit(reml)
    rows = fit.influence()
    assert rows.theta == "fixed"
    for i in (0, 5, 31):
        left = without(small, np.array([i]))
        if any(old.n_levels != new.n_levels for old, new in zip(small.terms, left.terms, strict=True)):
            continue
        want = dense(left.y, left.X_kept, left.terms, fit.theta, reml=reml, weights=left.weights)
        np.testing.assert_allclose(rows.params.iloc[i], want.beta, rtol=1e-9)
        assert rows.table["sigma"].iloc[i] ** 2 == pytest.approx(want.sigma2, rel=1e-9)
        error = np.sqrt(np.diag(want.cov_beta))
        np.testing.assert_allclose(rows.dfbetas.iloc[i], (fit.params - want.beta) / error, rtol=1e-6, atol=1e-10)
        ratio = np.linalg.det(want.cov_beta) / np.linalg.det(fit.cov_params())
        assert rows.table["covratio"].iloc[i] == pytest.approx(ratio, rel=1e-8)
        move = fit.params - want.beta
        cooks = move @ np.linalg.solve(fit.cov_params(), move) / len(move)
        assert rows.cooks_distance.iloc[i] == pytest.approx(cooks, rel=1e-7)


@pytest.mark.parametrize("name", ["crossed_slopes", "weighted"])
def test_downdating_at_fixed_theta_agrees_with_the_closed_form(name):
    fit = make(name, 2).model().fit()
    rows = fit.influence(theta="fixed")
    groups = fit.influence(np.arange(len(rows.table)), theta="fixed")
    np.testing.assert_allclose(groups.params, rows.params, rtol=1e-8)
    np.testing.assert_allclose(groups.table, rows.table, rtol=1e-7, atol=1e-12)


def test_single_rows_with_refits():
    small = make("crossed", 4)
    got = small.model().fit().influence(theta="refit")
    for i in (0, 44, 89):
        left = without(small, np.array([i])).model().fit()
        close(got.params.iloc[i], left.params, left.bse)
        assert got.table["sigma"].iloc[i] == pytest.approx(left.sigma, rel=SAME)


@pytest.mark.parametrize("name", ["slopes", "weighted", "nested"])
def test_groups_match_lme4(name):
    want = WANTED[name]["groups"]
    got = fitted(name).influence("Worker" if name == "nested" else "Subject")
    levels = list(got.table.index.astype(str))
    order = [levels.index(level) for level in want["levels"]]
    assert sorted(order) == list(range(len(levels)))
    np.testing.assert_allclose(got.params.iloc[order], want["params"], rtol=LME4_REFIT)
    np.testing.assert_allclose(got.dfbetas.iloc[order], want["dfbetas"], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(got.cooks_distance.iloc[order], want["cooks_distance"], rtol=1e-3)
    np.testing.assert_allclose(got.table["sigma"].iloc[order], want["sigma"], rtol=LME4_REFIT)


def test_levels_of_other_factors_that_are_emptied():
    small = make("nested", 5)
    fit = small.model().fit()
    got = fit.influence("school")
    codes = levels_of(small, "school")
    assert (np.bincount(levels_of(small, "class")[codes == 1]) > 0).sum() > 1
    left = without(small, np.flatnonzero(codes == 1)).model().fit()
    close(got.params.iloc[1], left.params, left.bse)
    assert got.table.loc[1, "rows"] == (codes == 1).sum()


@pytest.mark.parametrize("name", ["Dyestuff2", "Dyestuff"])
def test_fits_leave_and_reach_the_boundary(name):
    data = ms.datasets.load(name)
    fit = ms.lmer("Yield ~ 1 + (1 | Batch)", data, reml=False)
    got = fit.influence("Batch")
    for batch in got.params.index:
        kept = data[data["Batch"] != batch].assign(Batch=lambda frame: frame["Batch"].astype(str))
        left = ms.lmer("Yield ~ 1 + (1 | Batch)", kept, reml=False)
        close(got.params.loc[batch], left.params, left.bse)
        want = left.varcorr()["sdcor"].iloc[0]
        assert got.parameters.loc[batch, "sd(Intercept|Batch)"] == pytest.approx(want, abs=1e-4)


def test_coefficient_that_only_the_deleted_rows_identify():
    data = ms.datasets.load("sleepstudy")
    data["first"] = (data["Subject"].astype(str) == "308") * data["Days"]
    fit = ms.lmer("Reaction ~ first + Days + (1 | Subject)", data)
    with pytest.warns(DroppedColumnsWarning, match="first cannot be estimated without 308: NaN there"):
        got = fit.influence("Subject")
    assert np.isnan(got.params.loc["308", "first"])
    assert np.isnan(got.cooks_distance["308"])
    left = ms.lmer(
        "Reaction ~ Days + (1 | Subject)", data[data["Subject"].astype(str) != "308"].astype({"Subject": str})
    )
    close(got.params.loc["308", ["Intercept", "Days"]], left.params, left.bse)
    assert got.params.drop("308").notna().all(axis=None)


def test_rows_that_outweigh_all_others_leave_no_rounding_behind():
    data = ms.datasets.load("sleepstudy")
    inside = data["Subject"].astype(str) == "330"
    data.loc[inside, "Reaction"] += 1e9 * np.random.default_rng(1).normal(size=inside.sum())
    fit = ms.lmer("Reaction ~ Days + (1 | Subject)", data)
    got = fit.influence("Subject")
    left = ms.lmer("Reaction ~ Days + (1 | Subject)", data[~inside].astype({"Subject": str}))
    close(got.params.loc["330"], left.params, left.bse)
    assert got.table.loc["330", "sigma"] == pytest.approx(left.sigma, rel=SAME)


def test_row_that_alone_identifies_a_coefficient():
    data = ms.datasets.load("sleepstudy")
    data["only"] = (np.arange(180) == 20).astype(float)
    fit = ms.lmer("Reaction ~ Days + only + (1 | Subject)", data)
    with pytest.warns(ConvergenceWarning, match="No estimates without 20: the fit reproduces this row"):
        got = fit.influence()
    assert got.failures.index.tolist() == [20]
    assert np.flatnonzero(got.params.isna().any(axis=1)).tolist() == [20]


def test_nothing_left_is_a_failure_with_its_reason():
    data = ms.datasets.load("sleepstudy")
    fit = ms.lmer("Reaction ~ Days + (1 | Subject)", data)
    halves = np.where(np.arange(180) < 178, "most", "two")
    with pytest.warns(ConvergenceWarning, match="No estimates without most: 2 rows are left, too few for 2 fixed"):
        got = fit.influence(halves)
    assert got.table.loc["most", ["cooks_distance", "covratio", "sigma"]].isna().all()
    assert np.isfinite(got.cooks_distance["two"])


def test_factor_that_keeps_a_single_level():
    rng = np.random.default_rng(3)
    g, h = np.repeat([0, 1], 30), np.tile(np.arange(10), 6)
    y = rng.normal(size=10)[h] + rng.normal(size=60)
    terms = [ms.RandomTerm("h", h, np.ones(60)), ms.RandomTerm("g", g, np.ones(60))]
    fit = ms.LinearMixedModel.from_arrays(y, np.ones((60, 1)), terms).fit(reml=False)
    got = fit.influence("g")
    left = ms.LinearMixedModel.from_arrays(y[:30], np.ones((30, 1)), [ms.RandomTerm("h", h[:30], np.ones(30))])
    want = left.fit(reml=False)
    close(got.params.loc[1], want.params.to_numpy(), want.bse.to_numpy())


def test_offset_and_index():
    data = ms.datasets.load("sleepstudy").set_index(np.arange(180)[::-1])
    data["known"] = np.linspace(-20.0, 20.0, 180)
    fit = ms.lmer("Reaction ~ Days + (Days | Subject)", data, offset="known")
    shifted = ms.lmer("Reaction ~ Days + (Days | Subject)", data.assign(Reaction=data["Reaction"] - data["known"]))
    pd.testing.assert_frame_equal(fit.influence("Subject").params, shifted.influence("Subject").params)
    assert fit.influence().table.index.equals(data.index)


def test_labels_instead_of_a_factor():
    data = ms.datasets.load("sleepstudy")
    fit = ms.lmer("Reaction ~ Days + (Days | Subject)", data)
    by_label = fit.influence(data["Subject"].astype(str).rename("Subject"))
    pd.testing.assert_frame_equal(by_label.params, fit.influence("Subject").params, check_index_type=False)
    shuffled = fit.influence(data["Subject"].sample(frac=1.0, random_state=1))
    pd.testing.assert_frame_equal(shuffled.params, by_label.params, check_index_type=False)
    pd.testing.assert_series_equal(fit.cooks_distance("Subject"), fit.influence("Subject").cooks_distance)
    pd.testing.assert_frame_equal(fit.dfbetas("Subject"), fit.influence("Subject").dfbetas)


def test_progress_counts_deletions():
    seen = []
    fitted("crossed").influence("sample", progress=lambda done, total: seen.append((done, total)))
    assert seen == [(i, 6) for i in range(1, 7)]


def test_no_fixed_effects():
    fit = make("no_fixed", 0).model().fit()
    for got in (fit.influence(), fit.influence("s")):
        assert got.params.shape[1] == 0
        assert got.cooks_distance.isna().all()
        assert got.table["sigma"].notna().all()
        assert "largest" not in repr(got)


def test_results_are_not_changed():
    fit = fitted("crossed")
    before = fit.params, fit.leverage(), fit.criterion
    fit.influence("plate")
    assert (fit.params == before[0]).all()
    assert (fit.leverage() == before[1]).all()
    assert fit.model.objective(fit.theta) == pytest.approx(before[2], rel=1e-14)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"group": "Plate"},
            OptionError,
            "'Plate' is not a grouping factor; use one of 'plate', 'sample', or",
        ),
        ({"theta": "free"}, OptionError, "theta='free' is not known; use one of 'refit', 'fixed'"),
        ({"group": [1, 2, 3]}, DataError, r"group has shape \(3,\), but 144 rows were fitted"),
        ({"group": [None] * 2 + ["a"] * 142}, DataError, "group is missing in 2 of the fitted rows"),
    ],
)
def test_bad_input(arguments, error, message):
    with pytest.raises(error, match=message):
        fitted("crossed").influence(**arguments)
