"""The command line of the runner: what is run, and what becomes of the rows that are there."""

from dataclasses import replace

import pytest

from benchmarks import run
from benchmarks.contest.engines.registry import ENGINES
from benchmarks.contest.rows import Row
from benchmarks.problems import PROBLEMS, select
from benchmarks.shared.records import read_rows
from tests.benchmarks.sample_rows import row

SLEEP, PENICILLIN, DYESTUFF2 = select(["sleepstudy", "penicillin", "dyestuff2"])


@pytest.fixture
def contests(monkeypatch) -> list[tuple]:
    """Contests in place of real ones: a row per engine, slower with every contest; the third is interrupted."""
    made = []

    def measure(problem, engines, terms, **others):
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append((problem.name, [engine.name for engine in engines], terms, others["not_run"]))
        return [row(problem.name, engine.name, float(len(made)), threads=terms.threads[0]) for engine in engines]

    monkeypatch.setattr(run, "measure", measure)
    known = (SLEEP, PENICILLIN)
    monkeypatch.setattr(run, "select", lambda names: [p for p in known if names is None or p.name in names])
    return made


def table_of(path) -> dict[tuple[str, str], float]:
    return {(r.problem, r.engine): r.seconds for r in read_rows(path, Row)}


def test_a_selection_replaces_its_rows_and_keeps_the_others(contests, tmp_path):
    out = tmp_path / "rows.csv"
    assert run.main(["--problems", "penicillin", "--engines", "lme4", "mixedlm", "--out", str(out)]) == 0
    assert run.main(["--problems", "penicillin", "--engines", "lme4", "--out", str(out)]) == 0
    assert table_of(out) == {("penicillin", "lme4"): 2.0, ("penicillin", "mixedlm"): 1.0}


def test_rows_stand_in_the_order_of_the_tables(contests, tmp_path):
    out = tmp_path / "rows.csv"
    run.main(["--problems", "penicillin", "--engines", "mixedlm", "lme4", "--out", str(out)])
    run.main(["--problems", "sleepstudy", "--engines", "mixedlm", "--out", str(out)])
    assert list(table_of(out)) == [("sleepstudy", "mixedlm"), ("penicillin", "lme4"), ("penicillin", "mixedlm")]


def test_a_whole_run_begins_anew(contests, tmp_path, monkeypatch):
    out = tmp_path / "rows.csv"
    run.main(["--problems", "penicillin", "--engines", "lme4", "--out", str(out)])
    monkeypatch.setattr(run, "select", lambda names: [SLEEP])
    run.main(["--out", str(out)])
    assert set(table_of(out)) == {("sleepstudy", name) for name in ENGINES}


def test_an_interrupted_run_keeps_its_rows_and_is_resumed(contests, tmp_path, monkeypatch, capsys):
    out = tmp_path / "rows.csv"
    monkeypatch.setattr(run, "select", lambda names: [SLEEP, PENICILLIN, DYESTUFF2])
    assert run.main(["--out", str(out)]) == run.INTERRUPTED
    assert "dyestuff2: interrupted" in capsys.readouterr().err
    assert {problem for problem, _ in table_of(out)} == {"sleepstudy", "penicillin"}
    contests.clear()
    assert run.main(["--resume", "--out", str(out)]) == 0
    assert [name for name, *_ in contests] == ["dyestuff2"]
    assert len(table_of(out)) == 3 * len(ENGINES)
    assert "sleepstudy: has its rows already" in capsys.readouterr().err


def test_rows_that_stay_are_judged_by_the_new_best(contests, tmp_path, monkeypatch):
    out = tmp_path / "rows.csv"
    run.main(["--problems", "sleepstudy", "--engines", "lme4", "--out", str(out)])
    better = row("sleepstudy", "mixedlm", 1.0, criterion=99.0)
    monkeypatch.setattr(run, "measure", lambda *arguments, **others: [better])
    run.main(["--problems", "sleepstudy", "--engines", "mixedlm", "--out", str(out)])
    assert [r.excess for r in read_rows(out, Row)] == [1.0, 0.0]


def test_quick_runs_have_short_calls_another_file_and_leave_problems_out(contests, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(run, "QUICK", tmp_path / "quick.csv")
    monkeypatch.setattr(run, "select", lambda names: [SLEEP, replace(PENICILLIN, quick_repetitions=0)])
    assert run.main(["--quick", "--threads", "1", "--tables", "2"]) == 0
    (_, _, terms, not_run), *others = contests
    assert others == []
    assert (terms.repetitions, terms.threads, terms.limit) == (SLEEP.quick_repetitions, (1,), run.QUICK_LIMIT)
    assert terms.tables == 2
    assert "too long for calls up to 5 s" in not_run("lme4", "kb07")
    assert not_run("lme4", "sleepstudy") is None
    assert "penicillin: left out of the quick run" in capsys.readouterr().err


def test_a_quick_run_leaves_problems_for_later_when_its_time_is_over(contests, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(run, "QUICK_TOTAL", -1.0)
    assert run.main(["--quick", "--out", str(tmp_path / "quick.csv")]) == 0
    assert contests == []
    assert "sleepstudy: left for '--resume'" in capsys.readouterr().err


def test_all_makes_every_call(contests, tmp_path):
    run.main(["--problems", "sleepstudy", "--out", str(tmp_path / "a.csv")])
    run.main(["--problems", "sleepstudy", "--all", "--limit", "60", "--out", str(tmp_path / "a.csv")])
    usual, everything = contests
    assert "--all runs it" in usual[3]("lme4", "ratings5m")
    assert everything[3]("lme4", "ratings5m") is None
    assert (usual[2].limit, everything[2].limit) == (run.LIMIT, 60.0)


def test_a_limit_leaves_out_what_is_expected_to_exceed_it_and_a_budget_ends_the_calls(contests, tmp_path):
    run.main(["--problems", "sleepstudy", "--limit", "60", "--budget", "20", "--out", str(tmp_path / "a.csv")])
    ((_, _, terms, not_run),) = contests
    assert (terms.limit, terms.budget) == (60.0, 20.0)
    assert "too long for calls up to 60 s" in not_run("mixedlm", "kb07")
    assert not_run("lme4", "psych60") is None


def test_no_problem_begins_after_the_total(contests, tmp_path, monkeypatch, capsys):
    ticks = iter(range(0, 1000, 10))
    monkeypatch.setattr(run.time, "monotonic", lambda: next(ticks))
    out = tmp_path / "a.csv"
    run.main(["--total", "30", "--out", str(out)])
    assert [name for name, *_ in contests] == ["sleepstudy"]
    assert "penicillin: left for '--resume', the 30 s of the run are over" in capsys.readouterr().err


def test_command_line_knows_only_the_table(capsys):
    with pytest.raises(SystemExit):
        run.main(["--problems", "nonsense"])
    assert PROBLEMS[0].name in capsys.readouterr().err
