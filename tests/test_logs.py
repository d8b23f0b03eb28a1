"""The logger and the versions: what a program that runs unattended, or a report of a fault, needs."""

from __future__ import annotations

import logging

import pytest

import mixedsparse as ms


def test_fits_are_logged_and_silent_by_default(caplog, capsys):
    data = ms.datasets.load("Dyestuff")
    with caplog.at_level(logging.INFO, logger="mixedsparse"):
        ms.lmer("Yield ~ 1 + (1 | Batch)", data)
    assert "Yield ~ 1 + (1 | Batch) by REML, 30 rows: converged (criterion 319.65" in caplog.text
    caplog.clear()
    ms.lmer("Yield ~ 1 + (1 | Batch)", data)
    assert not caplog.text
    assert not capsys.readouterr().err


def test_generalized_fits_are_logged(caplog):
    with caplog.at_level(logging.INFO, logger="mixedsparse"):
        fit = ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", ms.datasets.load("cbpp"))
    assert f"by nAGQ=1, 56 rows: converged (criterion {fit.criterion:.4f}, {fit.fit.evaluations} eval" in caplog.text


def test_an_early_stop_is_logged_as_a_warning(caplog):
    data = ms.datasets.load("sleepstudy")
    with caplog.at_level(logging.WARNING, logger="mixedsparse"), pytest.warns(ms.ConvergenceWarning):
        ms.lmer("Reaction ~ Days + (Days | Subject)", data, start=[2.0, 0.0, 0.3], options=ms.FitOptions(max_evals=2))
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_versions_are_shown(capsys):
    ms.show_versions()
    text = capsys.readouterr().out
    assert f"mixedsparse {ms.__version__}" in text
    assert "numpy: " in text
    assert "blas: " in text
