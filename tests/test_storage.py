"""Results in files: what comes back, and what is refused."""

from __future__ import annotations

import hashlib
import json
import pickle
import re
import zipfile

import numpy as np
import pandas as pd
import polars as pl
import pytest

import mixedsparse as ms
from mixedsparse.storage import StorageError, load

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


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "fit"
    CASES["slopes"]().save(path)
    return path


def rewrite(saved, path, **header):
    """Copy of a file with another header, or another payload."""
    payload = header.pop("payload", None)
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(path, "w") as new:
        new.writestr("header.json", json.dumps(json.loads(old.read("header.json")) | header))
        new.writestr("results.pickle", old.read("results.pickle") if payload is None else payload)
    return path


@pytest.mark.parametrize("header", [{"mixedsparse": "99.0.1"}, {"format_version": 99, "mixedsparse": "99.0.1"}])
def test_a_file_of_a_newer_version_says_so(saved, tmp_path, header):
    message = f"was written by mixedsparse 99.0.1, and this is the older version {re.escape(ms.__version__)}: install"
    with pytest.raises(StorageError, match=message):
        load(rewrite(saved, tmp_path / "newer", **header))


def test_a_file_of_an_older_version_is_read(saved, tmp_path):
    assert load(rewrite(saved, tmp_path / "older", mixedsparse="0.0.9")).nobs == 180


def test_internals_that_are_gone_name_the_version_that_had_them(saved, tmp_path):
    with zipfile.ZipFile(saved) as archive:
        old = archive.read("results.pickle").replace(b"ThetaLayout", b"ThetaLayoot")
    path = rewrite(saved, tmp_path / "old", payload=old, sha256=hashlib.sha256(old).hexdigest(), mixedsparse="0.0.9")
    with pytest.raises(StorageError, match=r"written by mixedsparse 0\.0\.9 with numpy .*cannot rebuild it"):
        load(path)


def test_damage_is_noticed(saved, tmp_path):
    whole, beta = saved.read_bytes(), load(saved).params
    noticed = 0
    for at in range(0, len(whole), len(whole) // 40):
        broken = bytearray(whole)
        broken[at] ^= 0xFF
        (tmp_path / "broken").write_bytes(broken)
        try:
            again = load(tmp_path / "broken")
        except StorageError as err:
            noticed += re.search("is damaged|is not a file of mixedsparse", str(err)) is not None
        else:
            # A byte of the archive that carries nothing, such as a time stamp.
            pd.testing.assert_series_equal(again.params, beta)
    assert noticed > 30
    (tmp_path / "short").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StorageError, match="is damaged"):
        load(tmp_path / "short")
    with pytest.raises(StorageError, match="is damaged"):
        load(rewrite(saved, tmp_path / "swapped", payload=b"something else"))


def test_files_of_other_programs_are_refused(saved, tmp_path):
    (tmp_path / "text").write_text("y ~ x")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "pickle").write_bytes(pickle.dumps({"a": 1}))
    np.savez(tmp_path / "arrays.npz", a=np.ones(3))
    rewrite(saved, tmp_path / "other", format="other-results")
    for name in ("text", "empty", "pickle", "arrays.npz", "other"):
        with pytest.raises(StorageError, match="is not a file of mixedsparse"):
            load(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nowhere")


FOREIGN = [b"cos\nsystem\n(S'true'\ntR.", b"cbuiltins\neval\n(S'1'\ntR.", b"cnumpy\nos.system\n."]


@pytest.mark.parametrize("code", FOREIGN)
def test_foreign_code_is_not_run(saved, tmp_path, code):
    path = rewrite(saved, tmp_path / "bad", payload=code, size=len(code), sha256=hashlib.sha256(code).hexdigest())
    with pytest.raises(StorageError, match=r"which no file of mixedsparse does|cannot rebuild it"):
        load(path)


def test_saving_again_replaces_the_file_and_leaves_nothing_else(tmp_path):
    for case in ("slopes", "contrasts"):
        CASES[case]().save(tmp_path / "fit")
    assert [path.name for path in tmp_path.iterdir()] == ["fit"]
    assert load(tmp_path / "fit").formula.startswith("yield")
