"""The runner, with engines of a few lines in place of the real ones."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from string import Template

import pandas as pd
import pytest

from benchmarks import run
from benchmarks.contest import LONG_CALL, judge, measure
from benchmarks.engines.base import EngineUnavailableError, Job
from benchmarks.engines.lme4 import Lme4
from benchmarks.engines.mixedsparse import Mixedsparse
from benchmarks.engines.registry import ENGINES
from benchmarks.engines.session import Session, WorkerError
from benchmarks.problems import PROBLEMS, Problem, select
from benchmarks.rows import Row, read_rows

WORKER = Template("""
import json, os, sys, time

def fit(number):
    $behaviour
    return dict(seconds=$seconds + number, cpu_seconds=0.5, evaluations=7, criterion=$criterion,
                theta=$theta, p=1, peak_mb=10.0 + number)

rows = open(sys.argv[1]).read().splitlines()
print("chatter of a library")
print(json.dumps({"version": "1.0", "n": len(rows) - 1}), flush=True)
for number, line in enumerate(sys.stdin):
    with open("$log", "a") as log:
        log.write("$name")
    print(json.dumps(fit(number)), flush=True)
""")


@dataclass
class Fake:
    name: str
    log: Path
    behaviour: str = "pass"
    criterion: float | str = 100.0
    seconds: float = 1.0
    theta: str = "[1.0, 0.5]"
    compiles: bool = False
    unavailable: str = ""

    def prepare(self) -> None:
        if self.unavailable:
            raise EngineUnavailableError(self.unavailable)

    def command(self, job: Job) -> list[str]:
        return [sys.executable, "-c", WORKER.substitute(vars(self)), *job.to_arguments()]


@pytest.fixture
def problem() -> Problem:
    return Problem(
        name="toy",
        formula="y ~ 1 + (1 | g) + (1 | h)",
        loader=lambda: pd.DataFrame({"y": [1.0, 2.0, 3.0], "g": [1, 1, 2], "h": [1, 2, 2]}),
        factors=("g", "h"),
        structure="crossed",
        n=3,
        q=4,
        p=1,
        n_theta=2,
        limit=60.0,
    )


@pytest.fixture
def log(tmp_path) -> Path:
    return tmp_path / "calls"


def test_engines_take_turns_after_one_warm_up_each(problem, log):
    first, second = measure(problem, [Fake("a", log), Fake("b", log)], repetitions=3, threads=2)
    assert log.read_text() == "ab" + "ababab"
    assert (first.engine, first.version, first.repetitions, first.error) == ("a", "1.0", 3, None)
    assert (second.engine, second.version, second.repetitions, second.error) == ("b", "1.0", 3, None)
    assert (first.seconds_min, first.seconds, first.seconds_max) == (2.0, 3.0, 4.0)
    assert (first.evaluations, first.cpu_seconds, first.peak_mb) == (7, 0.5, 13.0)


def test_a_long_first_call_counts_unless_the_engine_compiles(problem, log):
    slow = LONG_CALL + 1
    engines = [Fake("a", log, seconds=slow), Fake("b", log, seconds=slow, compiles=True)]
    rows = measure(problem, engines, repetitions=2, threads=2)
    assert log.read_text() == "ab" + "ab" + "b"
    assert [row.seconds_min for row in rows] == [slow, slow + 1]


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        ("sys.exit('out of memory')", "worker ended with status 1: out of memory"),
        ("return {'error': 'singular matrix'}", "singular matrix"),
        ("if number: sys.exit('died later')", "worker ended with status 1: died later"),
        ("print('{half', flush=True)", "answered what is not JSON: {half"),
    ],
)
def test_a_failing_engine_gets_an_error_row_and_the_others_go_on(problem, log, behaviour, message):
    bad, good = measure(problem, [Fake("a", log, behaviour), Fake("b", log)], repetitions=2, threads=2)
    assert (bad.error, bad.seconds, bad.criterion) == (message, None, None)
    assert (good.error, good.repetitions) == (None, 2)


def test_an_engine_that_is_not_installed_gets_an_error_row(problem, log):
    (row,) = measure(problem, [Fake("a", log, unavailable="Install R.")], repetitions=1, threads=2)
    assert (row.error, row.version, row.repetitions) == ("Install R.", None, 0)


def test_a_call_beyond_the_limit_is_stopped(problem, log):
    impatient = replace(problem, limit=0.2)
    (row,) = measure(impatient, [Fake("a", log, "time.sleep(60)")], repetitions=1, threads=2)
    assert row.error == "not finished within 0.2 s"


def test_another_model_is_an_error(problem, log):
    (row,) = measure(problem, [Fake("a", log, theta="[1.0]")], repetitions=1, threads=2)
    assert row.error == "fitted another model: p and number of theta are (1, 1), expected (1, 2)"


def test_a_criterion_that_is_no_number_is_an_error(problem, log):
    (row,) = measure(problem, [Fake("a", log, criterion="float('nan')")], repetitions=1, threads=2)
    assert row.error == "the criterion at the solution is nan"


def test_other_data_are_an_error(problem, log):
    (row,) = measure(replace(problem, n=4), [Fake("a", log)], repetitions=1, threads=2)
    assert row.error == "read 3 rows instead of 4"


def test_threads_are_limited_in_the_worker(problem, log):
    behaviour = "return {'error': os.environ['OPENBLAS_NUM_THREADS'] + os.environ['NUMBA_NUM_THREADS']}"
    (row,) = measure(problem, [Fake("a", log, behaviour)], repetitions=1, threads=3)
    assert row.error == "33"


def test_the_best_known_criterion_may_be_an_engine_s_or_the_table_s(problem, log):
    engines = [Fake("a", log, criterion=100.0), Fake("b", log, criterion=100.5)]
    within = measure(problem, engines, repetitions=1, threads=2)
    assert [row.excess for row in within] == [0.0, 0.5]
    rejudged = judge(within, {"toy": 99.0})
    assert [row.excess for row in rejudged] == [1.0, 1.5]


def test_session_reports_a_worker_that_does_not_start():
    with pytest.raises(WorkerError, match="worker ended with status 3: no message"):
        Session([sys.executable, "-c", "raise SystemExit(3)"], threads=1, limit=60.0)


@pytest.mark.slow
@pytest.mark.parametrize("engine", [Lme4(), Mixedsparse()], ids=lambda engine: engine.name)
def test_real_engines_reach_the_optimum_of_sleepstudy(engine):
    try:
        engine.prepare()
    except EngineUnavailableError as err:
        pytest.skip(str(err))
    (row,) = measure(*select(["sleepstudy"]), [engine], repetitions=1, threads=1)
    assert row.error is None
    assert not row.stops_above
    assert 0 < row.seconds
    assert 10 < row.peak_mb
    assert 1 < row.evaluations


def test_job_survives_the_command_line():
    job = Job(Path("data.csv"), "y ~ x + (1 | g)", False, ("g", "x"))
    assert Job.from_arguments(job.to_arguments()) == job


def test_command_line_runs_the_chosen_problems_and_writes_the_file(problem, log, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(ENGINES, "lme4", Fake("lme4", log))
    monkeypatch.setattr(run, "select", lambda names: (problem, replace(problem, name="big", quick_repetitions=0)))
    out = tmp_path / "rows.csv"
    assert run.main(["--quick", "--engines", "lme4", "--threads", "1", "--out", str(out)]) == 0
    (row,) = read_rows(out, Row)
    assert (row.problem, row.engine, row.threads, row.repetitions) == ("toy", "lme4", 1, 1)
    assert "big: left out of the quick run" in capsys.readouterr().err


def test_command_line_knows_only_the_table(capsys):
    with pytest.raises(SystemExit):
        run.main(["--problems", "nonsense"])
    assert PROBLEMS[0].name in capsys.readouterr().err
