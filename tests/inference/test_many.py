"""Many responses with one design: every number is that of a fit of the response alone, and every failure is told."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from mixedsparse.inference.replicates import estimates_of

TESTS = ("Estimate", "SE", "df", "t", "p")
COLUMNS = ("estimate", "SE", "df", "statistic", "p")


def crossed(subjects=14, items=12, responses=30, seed=1, slope=0.5, item=0.6):
    """Every subject sees every item; responses of all sizes."""
    rng = np.random.default_rng(seed)
    s, i = (code.ravel() for code in np.meshgrid(range(subjects), range(items), indexing="ij"))
    c = rng.choice([-0.5, 0.5], len(s))
    effects = [
        scale * rng.normal(size=(n, responses)) for n, scale in ((subjects, 1.0), (subjects, slope), (items, item))
    ]
    Y = 1.0 + 0.4 * c[:, None] + effects[0][s] + effects[1][s] * c[:, None] + effects[2][i]
    Y += rng.normal(size=Y.shape)
    data = pd.DataFrame({"c": c, "s": [f"s{k}" for k in s], "i": [f"i{k}" for k in i]})
    return data, (Y + 50.0) * 10.0 ** rng.integers(-3, 4, responses)


def check(found, data, Y, formula, chosen, rel=1e-6, **options):
    """Compare the responses `chosen` with fits of their own."""
    for k in chosen:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ms.MixedSparseWarning)
            fit = ms.lmer(f"y {formula}", data.assign(y=Y[:, k]), **options)
        mine = found.table[found.table["response"] == k]
        assert mine["verdict"].iloc[0] == fit.certificate.verdict
        assert mine["criterion"].iloc[0] == pytest.approx(fit.criterion, abs=1e-6)
        assert mine["nobs"].iloc[0] == fit.nobs
        wanted = fit.coef_table()
        assert list(mine["term"]) == list(wanted.index)
        for name, other in zip(COLUMNS, TESTS, strict=True):
            np.testing.assert_allclose(mine[name], wanted[other], rtol=rel, atol=1e-12, err_msg=f"{k} {name}")
        values = estimates_of(fit._fitted)[len(wanted) :]
        got = mine.iloc[0, list(mine.columns).index("verdict") + 1 :].to_numpy(dtype=float)
        np.testing.assert_allclose(got, values, rtol=rel, atol=rel * fit.sigma, err_msg=str(k))


CROSSED = "~ c + (1 + c | s) + (1 | i)"


@pytest.mark.parametrize("reml", [True, False])
def test_crossed_responses_are_those_of_their_own_fits(reml):
    data, Y = crossed()
    found = ms.fit_many(CROSSED, data, Y, reml=reml)
    assert found.failed.empty
    check(found, data, Y, CROSSED, range(0, 30, 6), reml=reml)


def test_responses_whose_optimum_is_on_the_boundary_are_those_of_their_own_fits():
    data, Y = crossed(slope=0.05, item=0.02, seed=2)
    found = ms.fit_many(CROSSED, data, Y)
    assert (found.table["verdict"] == "converged on the boundary").sum() > 10
    check(found, data, Y, CROSSED, range(0, 30, 4))


@pytest.mark.slow
def test_larger_crossed_responses_go_by_the_batch_that_eliminates_a_factor():
    data, Y = crossed(subjects=34, items=30, seed=3)
    found = ms.fit_many(CROSSED, data, Y)
    check(found, data, Y, CROSSED, (0, 11, 29))


def test_one_factor_with_weights_and_offset():
    data = ms.datasets.load("sleepstudy")
    rng = np.random.default_rng(4)
    data = data.assign(w=rng.uniform(0.5, 2.0, len(data)), o=rng.normal(size=len(data)))
    Y = data["Reaction"].to_numpy()[:, None] + 20.0 * rng.normal(size=(len(data), 8))
    found = ms.fit_many("~ Days + (Days | Subject)", data, Y, weights="w", offset="o")
    check(found, data, Y, "~ Days + (Days | Subject)", (0, 3, 7), weights="w", offset="o")


def test_missing_values_of_a_response_are_left_out_of_its_fit_alone():
    data, Y = crossed(seed=5)
    Y[3:30, 4] = np.nan  # a pattern of its own
    Y[::7, 8:24] = np.nan  # one of many responses
    found = ms.fit_many(CROSSED, data, Y)
    check(found, data, Y, CROSSED, (3, 4, 8, 23))


def test_transforms_are_those_of_the_rows_of_a_response():
    data, Y = crossed(seed=6, responses=6)
    data["x"] = np.linspace(3.0, 9.0, len(data)) ** 2
    Y[:40, 2] = np.nan
    formula = "~ center(x) + (1 | s)"
    check(ms.fit_many(formula, data, Y), data, Y, formula, (1, 2))


def test_rows_without_a_covariate_are_left_out_of_all():
    data, Y = crossed(seed=7, responses=5)
    data.loc[10:15, "c"] = np.nan
    with pytest.warns(ms.DroppedRowsWarning, match="6 rows"):
        found = ms.fit_many(CROSSED, data, Y)
    check(found, data, Y, CROSSED, (0, 4))


def test_what_cannot_be_fitted_says_why():
    data, Y = crossed(seed=8)
    Y[:, 3], Y[:, 5] = 2.0, np.nan
    Y[7, 9] = np.inf
    Y[:, 11] = 1.0 + data["c"]
    found = ms.fit_many(CROSSED, data, Y)
    assert list(found.failed.index) == [3, 5, 9, 11]
    for number, why in zip(found.failed.index, ("constant", "no values", "infinite", "perfectly"), strict=True):
        assert why in found.failed[number]
        mine = found.table[found.table["response"] == number]
        assert (mine["verdict"] == "no fit").all()
        assert mine[list(COLUMNS)].isna().to_numpy().all()
    check(found, data, Y, CROSSED, (4, 12))


def test_a_model_fits_responses_that_have_its_rows():
    data, Y = crossed(seed=9, responses=5)
    model = ms.LinearMixedModel(f"y {CROSSED}", data.assign(y=Y[:, 0]))
    check(model.fit_many(Y), data, Y, CROSSED, (0, 3))
    with pytest.raises(ms.DataError, match="168"):
        model.fit_many(Y[:-1])


def test_responses_of_a_labelled_frame_go_by_its_index():
    data, Y = crossed(seed=10, responses=4)
    data.index = [f"r{k}" for k in range(len(data))]
    frame = pd.DataFrame(Y, index=data.index, columns=["v0", "v1", "v2", "v3"])
    straight = ms.fit_many(CROSSED, data, frame).table
    turned = ms.fit_many(CROSSED, data, frame[::-1]).table
    pd.testing.assert_frame_equal(straight, turned)
    named = ms.fit_many(CROSSED, data.join(frame), list(frame)).table
    pd.testing.assert_frame_equal(straight, named)
    assert straight["response"].tolist() == ["v0", "v0", "v1", "v1", "v2", "v2", "v3", "v3"]


def test_linear_functions_take_the_place_of_coefficients():
    data, Y = crossed(seed=11, responses=4, slope=1.0)
    found = ms.fit_many(CROSSED, data, Y, L="c = 1, Intercept + c")
    fit = ms.lmer(f"y {CROSSED}", data.assign(y=Y[:, 2]))
    wanted, mine = fit.t_test("c = 1, Intercept + c"), found.table[found.table["response"] == 2]
    for name, other in zip(COLUMNS, TESTS, strict=True):
        np.testing.assert_allclose(mine[name], wanted[other], rtol=1e-6)
    assert list(mine["term"]) == list(wanted.index)


def test_p_values_are_adjusted_over_the_responses_of_a_term():
    # By R: p.adjust(c(0.01, 0.04, 0.03), "BH") is 0.03 0.04 0.04, and "holm" 0.03 0.06 0.06.
    from mixedsparse.inference.adjust import steps

    p = np.array([0.01, 0.04, 0.03])
    np.testing.assert_allclose(steps(p, "fdr"), [0.03, 0.04, 0.04])
    np.testing.assert_allclose(steps(p, "holm"), [0.03, 0.06, 0.06])
    data, Y = crossed(seed=12)
    Y[:, 0] = 3.0
    table = ms.fit_many(CROSSED, data, Y).table
    for _, own in table.groupby("term"):
        there = own["p"].notna()
        assert there.sum() == 29
        np.testing.assert_allclose(own["p_fdr"][there], steps(own["p"][there].to_numpy(), "fdr"))
        np.testing.assert_allclose(own["p_holm"][there], steps(own["p"][there].to_numpy(), "holm"))
        assert own["p_fdr"][~there].isna().all()


def test_files_are_read_and_written_a_few_responses_at_a_time(tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    from mixedsparse.api import many
    from mixedsparse.inference import many_table

    monkeypatch.setattr(many, "_LARGEST", 7)
    monkeypatch.setattr(many_table, "_ROWS", 20)
    data, Y = crossed(seed=13)
    Y[:, 2] = 1.0
    pd.DataFrame(Y, columns=[f"v{k}" for k in range(30)]).to_parquet(tmp_path / "Y.parquet")
    told = []
    written = ms.fit_many(
        CROSSED,
        data,
        tmp_path / "Y.parquet",
        out=tmp_path / "out.parquet",
        progress=lambda done, total: told.append((done, total)),
    )
    assert told[-1] == (30, 30)
    assert list(written.failed.index) == ["v2"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Y.parquet", "out.parquet"]
    whole = ms.fit_many(CROSSED, data, Y)
    assert written.table["response"].tolist() == [f"v{k}" for k in whole.table["response"]]
    pd.testing.assert_frame_equal(written.table.drop(columns="response"), whole.table.drop(columns="response"))


@pytest.mark.slow
def test_workers_find_the_same():
    pytest.importorskip("joblib")
    data, Y = crossed(seed=14)
    pd.testing.assert_frame_equal(ms.fit_many(CROSSED, data, Y).table, ms.fit_many(CROSSED, data, Y, n_jobs=2).table)


def test_structures_and_relations_are_fitted_one_by_one():
    data = ms.datasets.load("Machines")
    Y = data["score"].to_numpy()[:, None] + np.random.default_rng(15).normal(size=(len(data), 4))
    formula = "~ Machine + cs(0 + Machine | Worker)"
    check(ms.fit_many(formula, data, Y), data, Y, formula, (1,))


def test_arguments_that_have_no_meaning_are_refused():
    data, Y = crossed(seed=16, responses=3)
    with pytest.raises(ms.FormulaError, match="left side"):
        ms.fit_many(f"log(y) {CROSSED}", data, Y)
    with pytest.raises(ms.OptionError, match="satterthwaite"):
        ms.fit_many(CROSSED, data, Y, ddf="kenward-roger")
    with pytest.raises(ms.DataError, match="10 rows"):
        ms.fit_many(CROSSED, data, Y[:10])
    with pytest.raises(ms.ColumnError, match="nowhere"):
        ms.fit_many(CROSSED, data, ["nowhere"])
    with pytest.raises(ms.DataError, match="Parquet"):
        ms.fit_many(CROSSED, data, "nowhere.parquet")
    with pytest.raises(ms.DataError, match="memory"):
        ms.fit_many(CROSSED, "data.parquet", Y)
