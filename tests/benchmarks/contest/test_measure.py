"""The runner, with engines of a few lines in place of the real ones."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from string import Template
from typing import Any

import pandas as pd
import pytest

from benchmarks.contest.contestant import LONG_CALL
from benchmarks.contest.engines import lme4
from benchmarks.contest.engines.base import EngineUnavailableError, Job
from benchmarks.contest.engines.lme4 import Lme4
from benchmarks.contest.engines.mixedsparse import Mixedsparse
from benchmarks.contest.engines.session import Session
from benchmarks.contest.measure import Terms
from benchmarks.contest.measure import measure as contest
from benchmarks.contest.rows import CANNOT, NOT_RUN, Row
from benchmarks.problems import Problem, select
from benchmarks.shared.workers import WorkerError

WORKER = Template("""
import json, os, sys, time

def fit(number):
    $behaviour
    return dict(seconds=$seconds + number, cpu_seconds=0.5, evaluations=7, criterion=$criterion,
                theta=$theta, p=1, peak_mb=10.0 + number)

def table():
    $printing
    return dict(seconds=$seconds + 1, cpu_seconds=0.5, df="$df")

threads = os.environ['OPENBLAS_NUM_THREADS']
rows = open(sys.argv[1]).read().splitlines()
print("chatter of a library")
print(json.dumps({"version": "1.0", "n": len(rows) - 1}), flush=True)
for number, line in enumerate(sys.stdin):
    with open("$log", "a") as log:
        log.write("$name" if line.strip() == "fit" else "$name".upper())
    print(json.dumps(fit(number) if line.strip() == "fit" else table()), flush=True)
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
    reml: bool = True
    refuses: str | None = None
    printing: str = "pass"
    df: str = "Satterthwaite"

    def refusal(self, job: Job) -> str | None:
        return self.refuses

    def prepare(self) -> None:
        if self.unavailable:
            raise EngineUnavailableError(self.unavailable)

    def command(self, job: Job) -> list[str]:
        return [sys.executable, "-c", WORKER.substitute(vars(self)), *job.to_arguments()]


class FakeJudge:
    """Takes the first theta for the criterion: 100 for 1. An ML criterion is 10 lower than a REML one."""

    def __init__(self, problem: Problem) -> None:
        self.best_known = problem.best_known

    def criterion(self, theta: Sequence[float], reml: bool) -> float:
        return 99.0 + theta[0] - 10.0 * (not reml)

    def best(self, reml: bool) -> float:
        return (99.5 if self.best_known is None else self.best_known) - 10.0 * (not reml)

    def nonzeros(self) -> int:
        return 11


def measure(
    problem: Problem,
    engines: Sequence[Fake],
    *,
    repetitions: int,
    threads: tuple[int, ...] = (2,),
    limit: float = 60.0,
    budget: float = 60.0,
    tables: int = 0,
    **others: Any,
) -> list[Row]:
    return contest(problem, engines, Terms(repetitions, threads, limit, budget, tables), judge=FakeJudge, **others)


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
    )


@pytest.fixture
def log(tmp_path) -> Path:
    return tmp_path / "calls"


def test_engines_take_turns_after_one_warm_up_each(problem, log):
    first, second = measure(problem, [Fake("a", log), Fake("b", log)], repetitions=3)
    assert log.read_text() == "ab" + "ababab"
    assert (first.engine, first.version, first.repetitions, first.error) == ("a", "1.0", 3, None)
    assert (second.engine, second.version, second.repetitions, second.error) == ("b", "1.0", 3, None)
    assert (first.seconds_min, first.seconds, first.seconds_max) == (2.0, 3.0, 4.0)
    assert (first.evaluations, first.cpu_seconds, first.peak_mb) == (7, 0.5, 13.0)


def test_a_long_first_call_counts_unless_the_engine_compiles(problem, log):
    slow = LONG_CALL + 1
    engines = [Fake("a", log, seconds=slow), Fake("b", log, seconds=slow, compiles=True)]
    rows = measure(problem, engines, repetitions=2)
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
    bad, good = measure(problem, [Fake("a", log, behaviour), Fake("b", log)], repetitions=2)
    assert (bad.error, bad.seconds, bad.criterion) == (message, None, None)
    assert (good.error, good.repetitions) == (None, 2)


def test_an_engine_that_is_not_installed_gets_an_error_row(problem, log):
    (row,) = measure(problem, [Fake("a", log, unavailable="Install R.")], repetitions=1)
    assert (row.error, row.version, row.repetitions) == ("Install R.", None, 0)


def test_a_call_beyond_the_limit_is_stopped(problem, log):
    (row,) = measure(problem, [Fake("a", log, "time.sleep(60)")], repetitions=1, limit=0.2)
    assert row.error == "not finished within 0.2 s"


def test_another_model_is_an_error(problem, log):
    (row,) = measure(problem, [Fake("a", log, theta="[1.0]")], repetitions=1)
    assert row.error == "fitted another model: p and number of theta are (1, 1), expected (1, 2)"


def test_a_solution_that_is_no_number_is_an_error(problem, log):
    (row,) = measure(problem, [Fake("a", log, theta="[1.0, float('nan')]")], repetitions=1)
    assert row.error == "the solution is [1.0, nan]"


def test_other_data_are_an_error(problem, log):
    (row,) = measure(replace(problem, n=4), [Fake("a", log)], repetitions=1)
    assert row.error == "read 3 rows instead of 4"


def test_threads_are_limited_in_the_worker(problem, log):
    behaviour = "return {'error': os.environ['OPENBLAS_NUM_THREADS'] + os.environ['NUMBA_NUM_THREADS']}"
    (row,) = measure(problem, [Fake("a", log, behaviour)], repetitions=1, threads=(3,))
    assert row.error == "33"


@pytest.mark.parametrize(("slow", "chosen"), [("1", 2), ("2", 1)])
def test_an_engine_goes_on_with_the_threads_that_suit_it(problem, log, slow, chosen):
    behaviour = f"number += 3 if threads == '{slow}' else 0"
    (row,) = measure(problem, [Fake("a", log, behaviour)], repetitions=2, threads=(1, 2))
    assert log.read_text() == "a" * (2 + 2 + 2)  # a warm-up and a trial with either, then the rounds
    # The worker counts its calls from 0, and takes a second and as many more.
    assert (row.threads, row.seconds_min, row.other_seconds) == (chosen, 1.0 + 2, 1.0 + 1 + 3)


def test_what_ends_with_one_number_of_threads_only_goes_on_with_it(problem, log):
    (row,) = measure(problem, [Fake("a", log, "threads == '1' or sys.exit('lost')")], repetitions=1, threads=(1, 2))
    assert (row.error, row.threads, row.other_seconds) == (None, 1, None)
    failing = Fake("a", log, "time.sleep(60)")
    (row,) = measure(problem, [failing], repetitions=1, threads=(1, 2), limit=0.2)
    assert row.error == "not finished within 0.2 s"


def test_tables_are_timed_after_the_estimates_and_the_first_only_warms_up(problem, log):
    engines = [Fake("a", log, df="z"), Fake("b", log, seconds=LONG_CALL + 1)]
    a, b = measure(problem, engines, repetitions=1, tables=2)
    assert log.read_text() == "ab" + "a" + "AAB" + "AB"
    assert (a.table_seconds, a.table_seconds_min, a.table_repetitions, a.df) == (2.0, 2.0, 2, "z")
    assert (b.table_repetitions, b.df, b.table_error) == (2, "Satterthwaite", None)


def test_a_table_that_fails_leaves_the_estimates(problem, log):
    (row,) = measure(problem, [Fake("a", log, printing="sys.exit('no table')")], repetitions=1, tables=2)
    assert (row.error, row.repetitions, row.table_seconds) == (None, 1, None)
    assert row.table_error == "worker ended with status 1: no table"


def test_the_judge_counts_and_not_what_engines_report(problem, log):
    engines = [Fake("a", log, criterion=50.0), Fake("b", log, theta="[1.5, 0.5]")]
    near, far = measure(problem, engines, repetitions=1)
    assert (near.criterion, near.reported, near.excess) == (100.0, 50.0, 0.5)
    assert (far.criterion, far.reported, far.excess) == (100.5, 100.0, 1.0)


def test_an_engine_may_be_better_than_what_is_known(problem, log):
    engines = [Fake("a", log), Fake("b", log, theta="[1.5, 0.5]")]
    rows = measure(replace(problem, best_known=200.0), engines, repetitions=1)
    assert [row.excess for row in rows] == [0.0, 0.5]


def test_an_engine_without_reml_fits_and_is_judged_by_maximum_likelihood(problem, log):
    behaviour = "import sys; assert sys.argv[3] == '{}', sys.argv"
    engines = [
        Fake("a", log, behaviour.format("REML")),
        Fake("b", log, behaviour.format("ML"), reml=False, theta="[1.25, 0.5]"),
    ]
    reml, ml = measure(problem, engines, repetitions=1)
    assert (reml.error, reml.method, reml.criterion, reml.excess) == (None, "REML", 100.0, 0.5)
    assert (ml.error, ml.method, ml.criterion, ml.excess) == (None, "ML", 90.25, 0.75)


def test_refused_and_skipped_models_have_rows_and_no_worker(problem, log):
    engines = [Fake("a", log, refuses="random slopes"), Fake("b", log), Fake("c", log)]
    reasons = {("b", "toy"): "an hour expected"}
    a, b, c = measure(problem, engines, repetitions=1, not_run=lambda *key: reasons.get(key))
    assert (a.error, b.error, c.error) == (f"{CANNOT}random slopes", f"{NOT_RUN}an hour expected", None)
    assert log.read_text() == "cc"


def test_no_call_begins_when_the_time_of_an_engine_is_spent(problem, log):
    slow = Fake("a", log, "time.sleep(0.3)", seconds=LONG_CALL + 1)
    rows = measure(problem, [slow, Fake("b", log)], repetitions=3, budget=0.1)
    assert log.read_text() == "ab" + "b" * 3
    assert [row.repetitions for row in rows] == [1, 3]


def test_only_our_own_row_has_the_size_of_the_factor(problem, log):
    rows = measure(problem, [Fake("mixedsparse", log), Fake("b", log)], repetitions=1)
    assert [row.nnz_L for row in rows] == [11, None]


def test_session_reports_a_worker_that_does_not_start():
    with pytest.raises(WorkerError, match="worker ended with status 3: no message"):
        Session([sys.executable, "-c", "raise SystemExit(3)"], threads=1, limit=60.0)


@pytest.mark.slow
@pytest.mark.parametrize("engine", [Lme4(), Mixedsparse()], ids=lambda engine: engine.name)
def test_real_engines_reach_the_optimum_of_sleepstudy_and_print_it(engine):
    if isinstance(engine, Lme4) and not lme4.installed():  # `prepare` would install it
        pytest.skip("R's lme4 is not installed")
    (row,) = contest(*select(["sleepstudy"]), [engine], Terms(1, threads=(1,), tables=1))
    assert (row.error, row.table_error) == (None, None)
    assert 0 < row.table_seconds
    assert not row.stops_above
    assert 0 < row.seconds
    assert 10 < row.peak_mb
    assert row.evaluations >= 1


def test_job_survives_the_command_line():
    job = Job(Path("data.csv"), "y ~ x + (1 | g)", False, ("g", "x"))
    assert Job.from_arguments(job.to_arguments()) == job
