"""The benchmark of generalized models: problems, judge, rows, table, and a run with engines that are here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.generalized.__main__ import main
from benchmarks.generalized.engines.base import GeneralizedJob
from benchmarks.generalized.engines.gpboost import GpBoost
from benchmarks.generalized.engines.trials import as_proportion
from benchmarks.generalized.judge import GeneralizedJudge
from benchmarks.generalized.problems import PROBLEMS, maximal, select
from benchmarks.generalized.rows import GeneralizedRow, judged
from benchmarks.generalized.tables import bars, render
from benchmarks.shared.records import merged, read_rows

SMALL = ["cbpp", "contraception", "grouseticks", "verbagg"]


def row(engine, cpu=None, criterion=None, **more):
    return GeneralizedRow(
        **{
            "date": "2026-11-27",
            "machine": "EPYC",
            "cores": 2,
            "load": 3.5,
            "problem": "cbpp",
            "engine": engine,
            "version": "1.0",
            "n": 56,
            "q": 15,
            "n_parameters": 5,
            "repetitions": 3,
            "cpu_seconds": cpu,
            "cpu_seconds_min": cpu,
            "criterion": criterion,
            **more,
        }
    )


@pytest.mark.parametrize("problem", select(SMALL), ids=SMALL)
def test_sizes_of_the_table_are_those_of_the_models(problem):
    model = GeneralizedJudge(problem).model.problem
    assert (model.n, model.layout.q, model.p, model.n_theta) == (problem.n, problem.q, problem.p, problem.n_theta)


def test_sizes_of_the_maximal_design():
    (problem,) = select(["maximal6k"])
    frame = problem.load()
    assert len(frame) == problem.n
    assert 4 * (frame["s"].nunique() + frame["i"].nunique()) == problem.q
    assert maximal(10).equals(maximal(10))


@pytest.mark.parametrize(
    ("name", "beta", "covariances", "criterion"),
    [
        # Estimates and -2 log-likelihoods of glmmTMB 1.1.5 and lme4 1.1-31, the latter with tolPwrss = 1e-13.
        (
            "cbpp",
            [-1.3985324664, -0.9923322929, -1.1286712975, -1.5803136871],
            {"herd": [[0.6422614349**2]]},
            184.0525637,
        ),
        (
            "grouseticks",
            [0.3727815733, 1.1804101681, -0.9786961638, -0.0237605605],
            {"LOCATION": [[0.5287199639**2]], "INDEX": [[0.5415088448**2]], "BROOD": [[0.7500336851**2]]},
            1780.5426601,
        ),
    ],
)
def test_judge_gives_the_criterion_of_other_programs_at_their_estimates(name, beta, covariances, criterion):
    (problem,) = select([name])
    judge = GeneralizedJudge(problem)
    assert judge.criterion(beta, covariances) == pytest.approx(criterion, abs=1e-6)
    assert judge.criterion(np.add(beta, 0.01), covariances) > criterion + 1e-4


def test_excess_is_towards_the_lowest_of_the_problem():
    rows = judged([row("mixedsparse", 0.01, 10.0), row("lme4", 0.2, 10.5), row("glmm", error="died")])
    assert [found.excess for found in rows] == [0.0, 0.5, None]


def test_new_rows_replace_their_predecessors_in_order():
    old = [row("mixedsparse", 0.01, 10.0), row("lme4", 0.2, 10.5)]
    found = judged(merged(old, [row("lme4", 0.3, 9.0)], ["cbpp"], ["mixedsparse", "lme4"]))
    assert [(kept.engine, kept.cpu_seconds, kept.excess) for kept in found] == [
        ("mixedsparse", 0.01, 1.0),
        ("lme4", 0.3, 0.0),
    ]


def test_table_says_ratio_excess_and_what_did_not_end():
    rows = judged(
        [
            row("mixedsparse", 0.01, 10.0, evaluations=4),
            row("lme4", 0.2, 10.5, seconds=0.8),
            row("glmm", error="not finished within 60 s"),
        ]
    )
    page = render(rows)
    assert "| cbpp | 56 | 15 | 5 | 4 | 10 ms | 200 ms, 0.5 above, 20× | not finished |" in page
    assert "- glmm on cbpp: not finished within 60 s." in page
    assert "load 3.5 to 3.5" in page
    assert "of which a call got 25% of a core." in page


def test_bars_compare_ratio_evaluations_and_excess():
    own = row("mixedsparse", 0.01, 10.0, evaluations=15)
    lines = bars(judged([own, row("lme4", 0.2, 9.0), row("glmmTMB", 0.02, 9.5), row("glmm", error="died")]))
    assert lines == [
        "cbpp, lme4: 20×, bar 15×, met",
        "cbpp, glmmTMB: 2×, bar 8×, missed",
        "cbpp, glmm: died, bar 1×",
        "cbpp: 15 evaluations, bar 14, missed",
        "cbpp: 1.0e+00 above the lowest, bar 1e-06, missed",
    ]


def test_nothing_to_tabulate_is_said():
    with pytest.raises(ValueError, match="no results"):
        render([])


def test_a_run_writes_the_row_of_an_engine_and_keeps_the_others(tmp_path):
    out = tmp_path / "generalized.csv"
    arguments = ["--problems", "cbpp", "--engines", "mixedsparse", "--repetitions", "1", "--limit", "300"]
    assert main([*arguments, "--out", str(out)]) == 0
    (found,) = read_rows(out, GeneralizedRow)
    assert found.error is None
    assert found.criterion == pytest.approx(184.05256373, abs=1e-7)
    assert found.reported == pytest.approx(found.criterion, abs=1e-9)
    assert found.evaluations == 4
    assert replace(found, cpu_seconds=0.0) != found


def test_optional_problems_run_only_on_request():
    assert "crossed1m" not in [problem.name for problem in select(None)]
    assert [problem.name for problem in select(None, everything=True)] == [problem.name for problem in PROBLEMS]


def test_successes_and_failures_become_a_proportion_with_trials():
    frame = pd.DataFrame({"k": [1, 0], "m": [3, 2], "x": [0.5, 1.5]})
    formula, (made, trials) = as_proportion("cbind(k, m) ~ x + (1 | g)", frame)
    assert (formula, trials) == ("proportion ~ x + (1 | g)", "trials")
    assert made["proportion"].tolist() == [0.25, 0.0]
    assert made["trials"].tolist() == [4.0, 2.0]
    assert as_proportion("y ~ x", frame) == ("y ~ x", (frame, None))


def test_gpboost_refuses_what_it_cannot_express():
    refused = {problem.name for problem in PROBLEMS if GpBoost().refusal(job_of(problem)) is not None}
    assert refused == {"cbpp", "contraception", "maximal6k", "maximal58k"}


def job_of(problem):
    return GeneralizedJob(Path("data.csv"), problem.formula, problem.family, problem.factors)


def test_jobs_survive_the_command_line():
    job = job_of(PROBLEMS[0])
    assert GeneralizedJob.from_arguments(job.to_arguments()) == job
