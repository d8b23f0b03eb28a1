"""The fuzzer: it holds what it should, sees what it should, and counts right."""

from __future__ import annotations

import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import mixedsparse as ms
from benchmarks.fuzz import lme4_fits, models, processes
from benchmarks.fuzz.__main__ import MODELS, SEED, main
from benchmarks.fuzz.attempt import Finding, attempt
from benchmarks.fuzz.designs import random_model
from benchmarks.fuzz.files import check_files
from benchmarks.fuzz.inputs import ODD_FRAMES, check_frames
from benchmarks.fuzz.models import check_models
from benchmarks.fuzz.report import BEGIN, END, OUT, FuzzRow, count, render
from benchmarks.shared.records import PAGE, read_rows
from tests.referee import exact_criterion

FEW = range(12)


def faults(findings):
    return [f"{f.check}: {f.case}: {f.fault}" for f in findings if f.fault]


@pytest.mark.slow
def test_random_models_hold():
    assert not faults(check_models([random_model(SEED, k) for k in FEW], lme4_fits.stored()))


def test_models_of_lme4_are_those_that_are_drawn():
    theirs = lme4_fits.stored()
    assert len(theirs) == 2 * MODELS
    assert all(theirs[k, True].checksum == random_model(SEED, k).checksum for k in range(MODELS))


def test_a_model_depends_on_its_number_and_the_seed_alone():
    assert random_model(1, 5).checksum == random_model(1, 5).checksum != random_model(2, 5).checksum


def test_a_fit_above_lme4_is_found(monkeypatch):
    model = random_model(SEED, 0)
    low = lme4_fits.Lme4Criterion(0, model.checksum, True, lowest=-1e6, highest=0.0)
    monkeypatch.setattr(models, "RESTARTS", 1)
    found = list(check_models([model], {(0, True): low}))
    assert [f.check for f in found if f.fault] == ["lme4"]


def test_digits_that_lme4_lost_are_not_a_lower_optimum(monkeypatch):
    # Weights over twelve decades: lme4 1.1-31 says 155.776605924 at this theta, and exact arithmetic does not.
    model, theta = random_model(7, 42), "23.644907759095524 1849.9342968710466"
    there = ms.LinearMixedModel(model.formula, model.data, **model.arguments)
    values = [float(value) for value in theta.split()]
    assert exact_criterion(there, values) == pytest.approx(155.776841161, abs=1e-8)
    assert there.objective(values) == pytest.approx(155.776841161, abs=1e-8)
    low = lme4_fits.Lme4Criterion(42, model.checksum, True, lowest=155.776605924, highest=157.488764513, theta=theta)
    monkeypatch.setattr(models, "RESTARTS", 1)
    assert not [f.fault for f in check_models([model], {(42, True): low}) if f.check == "lme4" and f.fault]
    unchecked = replace(low, theta="")
    assert [f.fault for f in check_models([model], {(42, True): unchecked}) if f.check == "lme4" and f.fault]


def test_data_that_r_was_not_given_are_not_compared(monkeypatch):
    model = random_model(SEED, 0)
    low = lme4_fits.Lme4Criterion(0, model.checksum + 1, True, lowest=-1e6, highest=0.0)
    monkeypatch.setattr(models, "RESTARTS", 1)
    assert "lme4" not in {f.check for f in check_models([model], {(0, True): low})}


def test_damaged_files_hold(tmp_path):
    assert not faults(check_files(tmp_path, each=5))


def test_odd_frames_hold():
    found = list(check_frames())
    assert len(found) == 2 * len(ODD_FRAMES)
    assert not faults(found)


def test_foreign_exceptions_late_ends_and_leaks_are_faults():
    assert "ZeroDivisionError" in attempt(lambda: 1 / 0).fault
    assert "no end within 1 s" in attempt(lambda: [np.sort(np.arange(1e6)) for _ in range(10_000)], seconds=1).fault
    assert "leaked UserWarning" in attempt(lambda: warnings.warn("x", UserWarning, stacklevel=1)).fault
    refused = attempt(lambda: ms.lmer("y ~ x", None))
    assert refused.refusal is not None
    assert not refused.fault


def test_a_process_that_fails_is_a_fault(monkeypatch, tmp_path):
    monkeypatch.setattr(processes, "LIMIT", 60)
    fault = processes._run("faults", "no such check", tmp_path, {})
    assert fault.startswith("exit 1: KeyError")


def test_counts_and_table():
    found = [Finding("models", "lme4", "a"), Finding("models", "lme4", "b", "1 above"), Finding("models", "ends", "a")]
    rows = count(found)
    assert [(row.check, row.tried, row.held) for row in rows] == [("ends", 1, 1), ("lme4", 2, 1)]
    assert "| models | a fit or one of the package's own errors | 1 | 1 |" in render(rows)


def test_other_seeds_write_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.fuzz.__main__.check_models", lambda models, theirs: iter([]))
    out = SimpleNamespace(path=tmp_path / "fuzz.csv")
    assert main(["--seed", "1", "--models", "1", "--kinds", "models", "--out", str(out.path)]) == 0
    assert not out.path.exists()


def test_the_page_shows_the_stored_counts():
    page = PAGE.read_text(encoding="utf-8")
    table = page.partition(BEGIN)[2].partition(END)[0]
    assert table.strip() == render(read_rows(OUT, FuzzRow)).strip()
