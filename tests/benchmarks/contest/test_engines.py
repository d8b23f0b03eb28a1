"""The wrappers of the engines: what they refuse, how they spell models, how they are installed. No network."""

import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.contest.engines import lme4, pip
from benchmarks.contest.engines import statsmodels as statsmodels_engine
from benchmarks.contest.engines.base import EngineUnavailableError, Job
from benchmarks.contest.engines.formula import by_columns, spelled_out
from benchmarks.contest.engines.glmm import theta_of
from benchmarks.contest.engines.registry import ENGINES
from benchmarks.contest.engines.statsmodels import spell
from benchmarks.contest.engines.worker import relative_factor
from benchmarks.problems import PROBLEMS, select

SLOPES = "correlated random slopes"
REFUSALS = {
    "gpboost": {
        **dict.fromkeys(("sleepstudy", "insteval_slopes", "psych60_a", "psych60", "kb07"), SLOPES),
    },
    "gpboost-iterative": {
        **dict.fromkeys(("sleepstudy", "insteval_slopes", "psych60_a", "psych60", "kb07"), SLOPES),
        "dyestuff2": "one grouping factor by iterative methods",
    },
    "statsmodels": dict.fromkeys(
        ("insteval_slopes", "psych60_a", "psych60", "kb07"), f"{SLOPES} with more than one grouping factor"
    ),
    "lme-python": {"insteval_slopes": "random slopes of the factor service"},
    "interlace": {"insteval_slopes": "random slopes of the factor service"},
}


def job_of(problem) -> Job:
    return Job(Path("data.csv"), problem.formula, problem.reml, problem.factors)


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_refuses_the_models_it_cannot_express_and_no_others(name):
    engine = ENGINES[name]
    refused = {problem.name: engine.refusal(job_of(problem)) for problem in PROBLEMS}
    assert {key: text for key, text in refused.items() if text is not None} == REFUSALS.get(name, {})


def test_names_are_those_of_the_engines():
    assert all(engine.name == name for name, engine in ENGINES.items())
    assert [name for name, engine in ENGINES.items() if not engine.reml] == ["gpboost", "gpboost-iterative"]


def test_statsmodels_has_one_group_components_in_the_coarsest_one_or_in_all_rows():
    sleep, machines, penicillin = select(["sleepstudy", "penicillin", "machines"])[::2] + select(["penicillin"])
    arguments, _ = spell(sleep.formula, sleep.load())
    assert arguments == {"formula": "Reaction ~ Days", "groups": "Subject", "re_formula": "~ 1 + Days"}
    arguments, frame = spell(machines.formula, machines.load())
    assert (arguments["groups"], arguments["re_formula"]) == ("Worker", "~ 1")
    assert arguments["vc_formula"] == {"Worker_Machine": "0 + C(Worker_Machine)"}
    assert frame["Worker_Machine"].nunique() == 18
    arguments, frame = spell(penicillin.formula, penicillin.load())
    assert list(arguments["vc_formula"]) == ["plate", "sample"]
    assert frame[arguments["groups"]].nunique() == 1


@pytest.mark.parametrize("name", ["machines", "penicillin", "sleepstudy"])
def test_statsmodels_estimates_come_in_the_order_of_the_formula(name):
    from mixedsparse import LinearMixedModel

    (problem,) = select([name])
    estimates = statsmodels_engine.fit(*spell(problem.formula, problem.load()), problem.reml)
    model = LinearMixedModel(problem.formula, problem.load())
    assert model.objective(estimates.theta, reml=problem.reml) == pytest.approx(problem.best_known, abs=1e-4)
    assert len(estimates.beta) == problem.p


def test_products_left_of_a_bar_are_columns_for_those_that_read_none():
    (psych,) = select(["psych60"])
    formula, frame = spelled_out(psych.formula, psych.load())
    assert formula == "y ~ A * B + (1 + A + B + A_B | subj) + (1 + A + B + A_B | item)"
    assert (frame["A_B"] == frame["A"] * frame["B"]).all()


def test_covariances_of_glmm_become_relative_factors_in_the_order_of_the_formula():
    result = SimpleNamespace(
        re_groups=[("item", ["(Intercept)"]), ("subj", ["(Intercept)", "x"])],
        varcorr=[[8.0], [18.0, 6.0, 10.0]],  # lower triangles by columns
        dispersion=2.0,
    )
    a, b, c, item = theta_of("y ~ x + (x | subj) + (1 | item)", result)
    assert (a * a, a * b, b * b + c * c) == pytest.approx((9.0, 3.0, 5.0))  # signs of columns are free
    assert item**2 == pytest.approx(4.0)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_relative_factor_is_the_lower_triangle_of_a_root_even_if_singular(rank):
    half = np.random.default_rng(rank).normal(size=(3, rank))
    lower = np.zeros((3, 3))
    lower.T[np.triu_indices(3)] = relative_factor(half @ half.T)
    np.testing.assert_allclose(lower @ lower.T, half @ half.T, atol=1e-14)


class Package(pip.PipEngine):
    name = "package"
    requirements = ("package==1.0",)


def test_a_failed_installation_is_the_last_line_of_pip(monkeypatch):
    def fail(name, requirements):
        raise subprocess.CalledProcessError(1, "pip", stderr="warning\nERROR: No matching distribution\n")

    monkeypatch.setattr(pip, "python_with", fail)
    with pytest.raises(EngineUnavailableError, match=r"could not install package==1\.0: ERROR: No matching"):
        Package().prepare()


def test_a_worker_gets_its_options_before_the_job(monkeypatch):
    monkeypatch.setattr(pip, "python_with", lambda name, requirements: Path("/venv") / name)
    command = ENGINES["gpboost-iterative"].command(job_of(PROBLEMS[0]))
    module = "benchmarks.contest.engines.gpboost"
    assert command[:5] == [str(Path("/venv/gpboost")), "-m", module, "iterative", "data.csv"]


@pytest.fixture
def bare_machine(monkeypatch):
    """No R; commands are recorded, and none succeeds."""
    ran = []

    def run(command, **options):
        ran.append(command)
        return subprocess.CompletedProcess(command, 100, "", "E: Unable to locate package r-cran-lme4\n")

    monkeypatch.setattr(lme4.subprocess, "run", run)
    lme4._failure_to_install.cache_clear()
    yield ran
    lme4._failure_to_install.cache_clear()


def test_without_apt_the_message_says_what_to_install(bare_machine, monkeypatch):
    monkeypatch.setattr(lme4.shutil, "which", lambda name: None)
    with pytest.raises(EngineUnavailableError, match=r"no apt-get here\. Install R with lme4 \(Debian: apt-get"):
        ENGINES["lme4"].prepare()
    assert bare_machine == []


def test_root_installs_once_and_a_failure_is_quoted(bare_machine, monkeypatch):
    monkeypatch.setattr(lme4.shutil, "which", lambda name: name if name == "apt-get" else None)
    monkeypatch.setattr(lme4.os, "geteuid", lambda: 0, raising=False)
    for _ in range(2):
        with pytest.raises(EngineUnavailableError, match="apt-get failed: E: Unable to locate package"):
            ENGINES["lme4"].prepare()
    assert [command[3] for command in bare_machine] == ["install", "update", "install"]


def test_others_install_only_by_a_sudo_that_does_not_ask(bare_machine, monkeypatch):
    monkeypatch.setattr(lme4.shutil, "which", lambda name: name if name in ("apt-get", "sudo") else None)
    monkeypatch.setattr(lme4.os, "geteuid", lambda: 1000, raising=False)
    with pytest.raises(EngineUnavailableError, match=r"apt-get needs an administrator\."):
        ENGINES["lme4"].prepare()
    assert bare_machine == [["sudo", "-n", "true"]]


def test_triangles_stacked_by_rows_are_judged_by_columns():
    assert by_columns([11, 21, 22, 31, 32, 33, 5], [3, 1]) == [11, 21, 31, 22, 32, 33, 5]
    with pytest.raises(ValueError, match="4 numbers are not the lower triangles"):
        by_columns([1, 2, 3, 4], [2])
