"""Results in files: what comes back, and what is refused."""

from __future__ import annotations

import json
import pickle
import zipfile

import numpy as np
import pandas as pd
import polars as pl
import pytest

import mixedsparse as ms
from mixedsparse import StorageError, load
from tests.storage.cases import CASES as KINDS
from tests.storage.cases import new_rows
from tests.storage.cases import shift as _shift

DATA = ms.datasets.load("sleepstudy")


def shift(x):
    return x + 1.0


def rows(frame):
    """Rows to predict, levels and columns of the fit."""
    return frame.iloc[::7].reset_index(drop=True)


def same(first, second):
    """Equal to the last bit."""
    assert np.asarray(first).tobytes() == np.asarray(second).tobytes()


def dated(data):
    return data.assign(part=pd.Categorical(["am", "pm"] * 90)).set_index(pd.date_range("2026-01-01", periods=180))


CASES = {
    "slopes": lambda: ms.lmer("Reaction ~ Days + (Days | Subject)", DATA),
    "transforms": lambda: ms.lmer("Reaction ~ poly(Days, 2) + log(Days + 1) + (1 | Subject)", DATA, reml=False),
    "contrasts": lambda: ms.lmer(
        "yield ~ nitro * Variety + (1 | Block/Variety)", ms.datasets.load("Oats"), contrasts={"Variety": "sum"}
    ),
    "weights and dates": lambda: ms.lmer(
        "Reaction ~ part + offset(Days) + (1 | Subject)", dated(DATA), weights=np.linspace(1, 2, 180)
    ),
    "polars": lambda: ms.lmer("Reaction ~ Days + (Days || Subject)", pl.DataFrame(DATA.to_dict("list"))),
    "crossed": lambda: ms.lmer("y ~ service + (1 | s) + (1 | d)", ms.datasets.load("InstEval").head(3000)),
    "arrays": lambda: ms.LinearMixedModel.from_arrays(
        DATA["Reaction"], np.ones((180, 1)), [ms.RandomTerm("g", np.repeat(np.arange(18), 10), np.ones(180))]
    ).fit(),
}


@pytest.mark.parametrize("case", CASES)
def test_everything_comes_back_to_the_last_bit(case, tmp_path):
    fit = CASES[case]()
    fit.save(tmp_path / "fit")
    again = load(tmp_path / "fit")
    assert repr(again) == repr(fit)
    assert str(again.summary()) == str(fit.summary())
    for name in ("params", "theta", "fittedvalues", "resid_scaled"):
        same(getattr(again, name), getattr(fit, name))
    same(again.cov_params(), fit.cov_params())
    pd.testing.assert_index_equal(again.fittedvalues.index, fit.fittedvalues.index)
    for group, modes in fit.random_effects.items():
        pd.testing.assert_frame_equal(again.random_effects[group], modes, check_exact=True)
        same(again.random_effects_cov[group], fit.random_effects_cov[group])


@pytest.mark.parametrize("case", ["slopes", "transforms", "contrasts"])
def test_predictions_for_new_rows_are_equal_to_the_last_bit(case, tmp_path):
    fit = CASES[case]()
    fit.save(tmp_path / "fit")
    new = rows(ms.datasets.load("Oats") if case == "contrasts" else DATA)
    again = load(tmp_path / "fit")
    same(again.predict(new), fit.predict(new))
    same(again.predict(new, interval="prediction"), fit.predict(new, interval="prediction"))


def test_the_cholmod_engine_comes_back(tmp_path):
    pytest.importorskip("sksparse.cholmod")
    data = ms.datasets.load("InstEval").head(3000)
    fit = ms.lmer("y ~ service + (1 | s) + (1 | d)", data, options=ms.FitOptions(backend="cholmod"))
    fit.save(tmp_path / "fit")
    again = load(tmp_path / "fit")
    same(again.predict(data, interval="confidence"), fit.predict(data, interval="confidence"))
    same(again.random_effects_cov["s"], fit.random_effects_cov["s"])


def test_a_loaded_fit_can_be_used_like_any_other(tmp_path):
    fit = CASES["slopes"]()
    fit.save(str(tmp_path / "fit"))
    again = load(str(tmp_path / "fit"))
    assert again.model.fit(reml=False).criterion == fit.model.fit(reml=False).criterion
    assert again.coef_table().equals(fit.coef_table())
    pickle.loads(pickle.dumps(again))


def test_the_header_tells_what_the_file_holds(tmp_path):
    CASES["slopes"]().save(tmp_path / "fit")
    with zipfile.ZipFile(tmp_path / "fit") as archive:
        header = json.loads(archive.read("header.json"))
    assert header["mixedsparse"] == ms.__version__
    assert header["formula"] == "Reaction ~ Days + (Days | Subject)"
    assert (header["nobs"], header["method"]) == (180, "REML")
    assert set(header["libraries"]) == {"numpy", "scipy", "pandas", "formulaic"}


def test_functions_of_the_session_are_found_in_the_session_that_loads(tmp_path):
    local = lambda x: np.sqrt(x)  # noqa: E731, F841 - a function that no pickle could hold
    fit = ms.lmer("Reaction ~ shift(Days) + local(Days) + (1 | Subject)", DATA)
    fit.save(tmp_path / "fit")
    again = load(tmp_path / "fit")
    same(again.fittedvalues, fit.fittedvalues)
    with pytest.raises(StorageError, match=r"uses 'shift' of the session.*define it before loading"):
        load(tmp_path / "fit", env={})
    doubled = load(tmp_path / "fit", env={"shift": lambda x: 2.0 * x, "local": np.sqrt})
    np.testing.assert_allclose(doubled.model.design.matrices(DATA).X[:, 1], 2.0 * DATA["Days"])


class Strange:
    """Value of a class that a file does not hold."""


def test_values_that_a_file_cannot_hold_are_refused_when_saving(tmp_path):
    data = DATA.copy()
    data.index = pd.Index([Strange() for _ in range(180)], dtype=object)
    fit = ms.lmer("Reaction ~ Days + (1 | Subject)", data)
    with pytest.raises(StorageError, match=r"Strange, which a file cannot"):
        fit.save(tmp_path / "fit")
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore::mixedsparse.ground.errors.MixedSparseWarning")
@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_fit_predicts_to_the_last_bit_with_and_without_its_data(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fit = KINDS[name]()
    rows, env = new_rows(name), {"shift": _shift}
    for data in (True, False):
        fit.save(tmp_path / "fit", data=data)
        again = load(tmp_path / "fit", env=env)
        assert str(again.summary()) == str(fit.summary())
        same(again.cov_params(), fit.cov_params())
        for group, modes in fit.random_effects.items():
            pd.testing.assert_frame_equal(again.random_effects[group], modes, check_exact=True)
        if rows is not None:
            same(again.predict(rows), fit.predict(rows))
            same(again.predict(rows, random="population"), fit.predict(rows, random="population"))
        if rows is not None and name != "iterative":
            found, expected = (f.predict(rows, interval="prediction", weights=1) for f in (again, fit))
            same(found, expected)


def test_without_data_reference_grids_and_tests_stay_and_observations_say_where_they_are(tmp_path):
    fit = CASES["contrasts"]()
    fit.save(tmp_path / "fit", data=False)
    again = load(tmp_path / "fit")
    pd.testing.assert_frame_equal(again.emmeans("Variety").table, fit.emmeans("Variety").table, check_exact=True)
    pd.testing.assert_frame_equal(again.anova(), fit.anova(), check_exact=True)
    pd.testing.assert_frame_equal(again.conf_int(), fit.conf_int(), check_exact=True)
    assert again.model.fit(reml=False).criterion == fit.model.fit(reml=False).criterion
    with pytest.raises(ms.RowsElsewhereError, match="left out of the file that it was saved in"):
        again.fittedvalues.sum()
    again.save(tmp_path / "again")
    assert str(load(tmp_path / "again").summary()) == str(fit.summary())
    with zipfile.ZipFile(tmp_path / "fit") as archive:
        assert json.loads(archive.read("header.json"))["rows"] is False


def test_without_data_two_models_of_the_same_rows_compare_as_before(tmp_path):
    fits = [ms.lmer(f"Reaction ~ {x} + (1 | Subject)", DATA, reml=False) for x in ("1", "Days")]
    for i, fit in enumerate(fits):
        fit.save(tmp_path / str(i), data=False)
    again = [load(tmp_path / str(i)) for i in range(2)]
    pd.testing.assert_frame_equal(ms.anova(*again), ms.anova(*fits))
    other = ms.lmer("Reaction ~ Days + (1 | Subject)", DATA.assign(Reaction=DATA["Reaction"] + 1.0), reml=False)
    other.save(tmp_path / "other", data=False)
    with pytest.raises(ms.DataError, match="different responses or rows"):
        ms.anova(again[0], load(tmp_path / "other"))


def test_without_data_a_file_does_not_grow_with_the_rows(tmp_path):
    sizes = []
    for copies in (1, 20):
        data = pd.concat([DATA] * copies, ignore_index=True)
        data["Reaction"] += np.random.default_rng(copies).normal(size=len(data))
        fit = ms.lmer("Reaction ~ Days + (Days | Subject)", data)
        fit.save(tmp_path / "fit", data=False)
        sizes.append((tmp_path / "fit").stat().st_size)
    assert sizes[1] < 1.05 * sizes[0]


def test_contrasts_of_a_class_of_ones_own_are_code_and_refused(tmp_path):
    from formulaic.transforms.contrasts import SumContrasts

    class Own(SumContrasts):
        """Code of the user."""

    fit = ms.lmer("yield ~ C(Variety, Own()) + (1 | Block)", ms.datasets.load("Oats"))
    with pytest.raises(StorageError, match=r"contrasts of your own class Own, and code is not stored"):
        fit.save(tmp_path / "fit")


def test_saving_again_replaces_the_file_and_leaves_nothing_else(tmp_path):
    for case in ("slopes", "contrasts"):
        CASES[case]().save(tmp_path / "fit")
    assert [path.name for path in tmp_path.iterdir()] == ["fit"]
    assert load(tmp_path / "fit").formula.startswith("yield")


@pytest.mark.parametrize("formula", ["Weight ~ 0 + Time + (1 | Pig)", "Weight ~ 0 + I(Time**2) + Time + (1 | Pig)"])
def test_without_rows_and_intercept_shares_of_variance_are_the_same(tmp_path, formula):
    fit = ms.lmer(formula, ms.datasets.load("dietox"))
    fit.save(tmp_path / "fit", data=False)
    again = ms.load(tmp_path / "fit")
    again.save(tmp_path / "again", data=False)
    for found in (again, ms.load(tmp_path / "again")):
        np.testing.assert_allclose(found.r2(), fit.r2(), rtol=1e-9)
        np.testing.assert_allclose(found.icc(), fit.icc(), rtol=1e-9)
        np.testing.assert_allclose(found.vif(), fit.vif(), rtol=1e-9)
