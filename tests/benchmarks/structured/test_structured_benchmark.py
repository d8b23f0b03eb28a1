"""The benchmark of structured models: problems have the sizes that they say, bars and table what was measured."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

import mixedsparse as ms
from benchmarks.shared.records import read_rows
from benchmarks.structured.__main__ import main
from benchmarks.structured.measure import measure
from benchmarks.structured.problems import PROBLEMS, select
from benchmarks.structured.rows import OUT, StructuredRow, bars, render

# Problems whose data and fit take less than a second or two.
QUICK = ("ar1", "cs", "intercept_ar1", "strata", "crossed_strata", "us5", "roles")


def row(problem, engine, seconds, criterion=1.0, **changes) -> StructuredRow:
    known = {"date": "2026-11-27", "machine": "M", "cores": 2, "load": 1.0, "version": "1", "n": problem.n}
    known |= {"n_parameters": problem.n_parameters, "repetitions": 3, "cpu_seconds": seconds, "evaluations": 5}
    known |= {"cpu_seconds_min": seconds, "criterion": criterion}
    return StructuredRow(problem=problem.name, engine=engine, **known | changes)


@pytest.mark.slow
@pytest.mark.parametrize("name", QUICK)
def test_sizes_are_those_of_the_models(name):
    problem = select([name])[0]
    data = problem.load()
    assert len(data) == problem.n
    fit = ms.lmer(problem.formula, data, **problem.options)
    assert fit.df_model == problem.n_parameters
    assert fit.converged
    if problem.evaluations is not None:
        assert fit.optim.nfev <= problem.evaluations


def test_names_are_distinct_and_chosen_in_order():
    names = [problem.name for problem in PROBLEMS]
    assert len(set(names)) == len(names)
    assert [problem.name for problem in select(["us10", "ar1"])] == ["ar1", "us10"]
    assert select(None) == PROBLEMS


def test_bars_and_table_say_what_was_measured():
    problem = select(["crossed_strata"])[0]
    rows = [row(problem, "mixedsparse", 0.02), row(problem, "glmmTMB", 0.8, 1.5)]
    assert bars(rows) == ["crossed_strata, glmmTMB: 40.0×, bar 50×, missed", "crossed_strata: 20 ms, bar 40 ms, met"]
    table = render(rows)
    assert "| 20 ms | 800 ms, 0.5 above, 40× | – | – |" in table.replace("nlme", "glmmTMB")
    assert "dispersion='~ s'`" in table
    failed = replace(rows[1], cpu_seconds_min=None, cpu_seconds=None, criterion=None, error="it broke")
    assert "failed" in render([rows[0], failed])
    with pytest.raises(ValueError, match=r"Run .python -m benchmarks"):
        render([])


def test_results_in_the_repository_can_be_read():
    rows = read_rows(OUT, StructuredRow)
    assert {r.problem for r in rows if r.engine == "mixedsparse"} == {problem.name for problem in PROBLEMS}
    assert all(r.error is None for r in rows)


@pytest.mark.slow
def test_a_run_writes_rows_and_keeps_the_others(tmp_path, capsys):
    out = tmp_path / "rows.csv"
    for name in ("ar1", "strata"):
        assert main(["--problems", name, "--programs", "mixedsparse", "--out", str(out)]) == 0
    rows = read_rows(out, StructuredRow)
    assert [r.problem for r in rows] == ["ar1", "strata"]
    assert all(r.cpu_seconds_min > 0 and r.error is None for r in rows)
    assert "ar1: " in capsys.readouterr().out


def test_a_program_that_is_not_there_is_a_row_with_the_reason(monkeypatch):
    problem = replace(select(["ar1"])[0], repetitions=1)
    monkeypatch.setattr(shutil, "which", lambda command: None if command == "Rscript" else command)
    (found,) = measure(problem, ["glmmTMB"], 60.0, lambda words: None)
    assert found.error == "Rscript was not found"
    assert found.cpu_seconds is None
