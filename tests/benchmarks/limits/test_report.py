"""Rows of the limits make a report, in which what misses is bold."""

from __future__ import annotations

import pytest

from benchmarks.limits.crossed import LimitRow, make_row, measure
from benchmarks.limits.evaluations import EvaluationRow
from benchmarks.limits.report import AIMS, report
from benchmarks.limits.stages import CALL, REFIT, TOTAL, StageRow
from benchmarks.shared.records import read_rows, write_rows
from tests.benchmarks.limits.sample_rows import evaluation

SECONDS = {"potrf": 0.01, "potri": 0.02, "pass (loop)": 0.01, "pass (syrk)": 0.5}
FOUND = {
    "n": 100,
    "q": 50,
    "rest": 20,
    "n_theta": 2,
    "backend": "split",
    "rounds": 3,
    "evaluations": 5,
    "seconds": {**SECONDS, "value": 0.02, "gradient": 0.06, "hessian": 0.09, "fit": 0.60, "call": 0.7},
}


def test_a_row_takes_the_quicker_form_of_the_pass():
    row = make_row("p", 1, FOUND)
    assert (row.form, row.cross_products) == ("loop", 0.01)
    assert row.floor == pytest.approx(0.04)
    assert make_row("p", 1, {"error": "no memory"}).error == "no memory"


def test_rows_survive_their_files_and_what_misses_is_bold(tmp_path):
    limits = [make_row("crossed1", 1, FOUND), make_row("crossed2", 1, {"error": "no memory"})]
    stages = [
        StageRow(call=call, stage=TOTAL, evaluations=6, seconds=s, seconds_min=s, share=1.0, error=0.0)
        for call, s in ((CALL, 0.5 * AIMS[CALL]), (REFIT, 2 * AIMS[REFIT]))
    ]
    evaluations = [evaluation(), evaluation(model="slow one", evaluations=9)]
    for name, rows in (("l", limits), ("s", stages), ("e", evaluations)):
        write_rows(rows, tmp_path / name)
    assert read_rows(tmp_path / "l", LimitRow) == limits
    assert read_rows(tmp_path / "e", EvaluationRow) == evaluations
    text = report(limits, read_rows(tmp_path / "s", StageRow), evaluations)
    assert "| 1.50 |" in text  # evaluation with gradient: 60 ms over 40 ms
    assert "| **15.00** |" in text  # fit: 600 ms, past 12 times
    assert "median 1.5 ms" in text
    assert "median **1 ms**" in text
    assert "| no correlations | 2 | 7 | 9 | 9 | **slow one (9)** |" in text
    assert "crossed2: not measured: no memory." in text


def test_a_process_that_fails_has_a_row():
    assert "No problem is called ['nonsense']" in measure("nonsense", 1, rounds=1, budget=1.0).error
