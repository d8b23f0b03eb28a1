"""Labels, shapes, immutability, pickling, and what a result refuses."""

from __future__ import annotations

import contextlib
import dataclasses
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms


@pytest.fixture(scope="module")
def sleep():
    return ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))


@pytest.fixture(scope="module")
def awkward():
    """String index, missing rows, a dependent column, integer levels, a nested factor, no variance between groups."""
    rng = np.random.default_rng(3)
    n = 90
    data = pd.DataFrame({"y": rng.normal(size=n), "x": rng.normal(size=n)}, index=[f"row{i}" for i in range(n)])
    data["twice"] = 2 * data["x"]
    data["a"], data["b"] = np.arange(n) % 6 + 10, np.arange(n) // 6 % 3
    data["y"] -= data.groupby("a")["y"].transform("mean")
    data.loc["row4", "y"] = np.nan
    with pytest.warns(ms.MixedSparseWarning) as caught:
        results = ms.lmer("y ~ x + twice + (1 | a/b)", data)
    assert {w.category for w in caught} == {
        ms.DroppedRowsWarning,
        ms.DroppedColumnsWarning,
        ms.SingularFitWarning,
    }
    return results


def test_fixed_effects_share_one_index(sleep):
    for series in (sleep.params, sleep.bse, sleep.tvalues, sleep.pvalues, sleep.fe_params, sleep.bse_fe, sleep.fixef()):
        assert series.index.tolist() == ["Intercept", "Days"]
    assert sleep.cov_params().shape == (2, 2)
    pd.testing.assert_series_equal(sleep.fe_params, sleep.params)
    pd.testing.assert_series_equal(sleep.bse_fe, sleep.bse)


def test_coef_table_is_two_sided(sleep):
    table = sleep.coef_table()
    assert list(table.columns) == ["Estimate", "SE", "df", "t", "p"]
    # 2 * pt(-6.771484608, 17) in R
    assert table.loc["Days", "p"] == pytest.approx(3.26379e-06, rel=1e-4)
    np.testing.assert_array_equal(sleep.pvalues, table["p"])


def test_coef_table_by_the_normal_distribution(sleep):
    table = sleep.coef_table(ddf="normal")
    assert np.isinf(table["df"]).all()
    # pnorm(-6.771484608, lower.tail = TRUE) * 2 in R
    assert table.loc["Days", "p"] == pytest.approx(1.2746e-11, rel=1e-3)


def test_scalars(sleep):
    assert sleep.nobs == 180
    assert sleep.ngroups == {"Subject": 18}
    assert sleep.scale == pytest.approx(sleep.sigma**2)
    assert sleep.reml
    assert sleep.method == "REML"
    assert sleep.formula == "Reaction ~ Days + (Days | Subject)"
    assert sleep.nmissing == 0
    assert sleep.dropped_columns == []


def test_outcome(sleep):
    assert sleep.converged
    assert not sleep.singular
    optim = sleep.optim
    assert optim.nfev > optim.nit >= 0
    assert optim.grad_norm == sleep.certificate.scaled_gradient < 1e-4
    assert optim.message == sleep.certificate.message
    assert optim.path[-1].criterion == pytest.approx(sleep.criterion)
    assert optim.seconds > 0


def test_awkward_labels(awkward):
    assert awkward.nmissing == 1
    assert awkward.nobs == 89
    assert awkward.dropped_columns == ["twice"]
    assert awkward.params.index.tolist() == ["Intercept", "x"]
    assert "row4" not in awkward.fittedvalues.index
    assert awkward.resid.index[:5].tolist() == ["row0", "row1", "row2", "row3", "row5"]
    assert awkward.random_effects["a"].index.tolist() == list(range(10, 16))
    nested = awkward.random_effects["a:b"]
    assert nested.shape == (18, 1)
    assert "10:0" in nested.index
    assert awkward.get("X").shape == (89, 2)


def test_singular_fit_is_said(awkward):
    assert awkward.converged
    assert awkward.singular
    assert "boundary" in awkward.optim.message


def test_correlation_with_an_effect_without_variance_is_nan():
    results = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
    flat = np.array([[0.0, 0.0], [0.0, 0.2]])
    fit = dataclasses.replace(results.fit, templates=(flat,))
    table = ms.MixedResults(results.model, fit).varcorr()
    assert table.loc[2, "vcov"] == 0
    assert np.isnan(table.loc[2, "sdcor"])


def test_factor_called_like_the_label_of_a_further_term():
    rng = np.random.default_rng(1)
    g, h = np.arange(60) % 6, np.arange(60) // 12
    model = ms.LinearMixedModel.from_arrays(
        rng.normal(size=60) + g + h,
        np.ones((60, 1)),
        [
            ms.RandomTerm("g", g, np.ones(60)),
            ms.RandomTerm("g", g, rng.normal(size=60), columns=("x",)),
            ms.RandomTerm("g.1", h, np.ones(60)),
        ],
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ms.SingularFitWarning)
        results = model.fit()
    assert results.varcorr()["grp"].tolist() == ["g", "g.2", "g.1", "Residual"]


def test_results_are_frozen(sleep):
    with pytest.raises(dataclasses.FrozenInstanceError):
        sleep.params = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        sleep.model = None
    with pytest.raises(ValueError, match="read-only"):
        sleep.theta[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        sleep.random_effects_cov["Subject"][0] = 1


@pytest.mark.parametrize("name", ["params", "bse", "fittedvalues", "resid", "vcomp"])
def test_changing_a_series_does_not_change_the_results(sleep, name):
    before = getattr(sleep, name).to_numpy().copy()
    mine = getattr(sleep, name)
    with contextlib.suppress(ValueError):  # pandas 2 without copy-on-write: the array is read-only
        mine.iloc[0] = 1e9
    np.testing.assert_array_equal(getattr(sleep, name), before)


@pytest.mark.parametrize("name", ["random_effects", "cov_re"])
def test_changing_a_frame_does_not_change_the_results(sleep, name):
    before = getattr(sleep, name)["Subject"].to_numpy().copy()
    mine = getattr(sleep, name)
    mine["Subject"]["more"] = 1.0
    with contextlib.suppress(ValueError):
        mine["Subject"].iloc[0, 0] = 1e9
    mine["other"] = None
    assert list(getattr(sleep, name)) == ["Subject"]
    np.testing.assert_array_equal(getattr(sleep, name)["Subject"], before)


@pytest.mark.parametrize("backend", ["split", "cholmod"])
def test_pickle(backend):
    if backend == "cholmod":
        pytest.importorskip("sksparse.cholmod")
    results = ms.lmer(
        "diameter ~ 1 + (1 | plate) + (1 | sample)",
        ms.datasets.load("Penicillin"),
        options=ms.FitOptions(backend=backend),
    )
    again = pickle.loads(pickle.dumps(results))
    pd.testing.assert_series_equal(again.params, results.params)
    pd.testing.assert_frame_equal(again.random_effects["plate"], results.random_effects["plate"])
    np.testing.assert_allclose(again.random_effects_cov["plate"], results.random_effects_cov["plate"])
    assert str(again.summary()) == str(results.summary())


def test_repr_is_short():
    data = ms.datasets.load("sleepstudy")
    long = " + ".join(f"I(Days - {i})" for i in range(30))
    with pytest.warns(ms.DroppedColumnsWarning):
        results = ms.lmer(f"Reaction ~ {long} + (Days | Subject)", data)
    assert len(repr(results)) < 160
    assert "REML, 180 observations, converged" in repr(results)


class TestMarginalCov:
    def test_labels(self, awkward):
        cov = awkward.marginal_cov(["row3", "row5"])
        assert cov.index.tolist() == cov.columns.tolist() == ["row3", "row5"]
        pd.testing.assert_frame_equal(awkward.marginal_cov("row3"), cov.iloc[:1, :1])

    def test_positions_where_labels_are_not_numbers(self, awkward):
        assert awkward.marginal_cov([3, 4, -1]).index.tolist() == ["row3", "row5", "row89"]

    def test_numbers_are_labels_where_the_index_has_numbers(self):
        data = ms.datasets.load("sleepstudy")
        data.index = range(180, 0, -1)
        results = ms.lmer("Reaction ~ Days + (1 | Subject)", data)
        assert results.marginal_cov([180]).index.tolist() == [180]
        with pytest.raises(ms.DataError, match="Row 0 is not among the 180 fitted rows"):
            results.marginal_cov([0])

    def test_mask_and_slice(self, sleep):
        mask = np.zeros(180, dtype=bool)
        mask[[2, 5]] = True
        assert sleep.marginal_cov(mask).index.tolist() == [2, 5]
        assert sleep.marginal_cov(slice(0, 20, 10)).index.tolist() == [0, 10]
        with pytest.raises(ms.DataError, match="mask has 3 entries, but 180 rows"):
            sleep.marginal_cov([True, False, True])

    def test_row_that_was_left_out(self, awkward):
        with pytest.raises(ms.DataError, match="'row4' is not among the 89 fitted rows"):
            awkward.marginal_cov(["row3", "row4"])
        with pytest.raises(ms.DataError, match="Row 89 is not among"):
            awkward.marginal_cov([89])


def test_unknown_matrix(sleep):
    with pytest.raises(ms.OptionError, match=r"name='RX' is not known; use one of 'y', 'X'"):
        sleep.get("RX")
