"""The comparison of commits, on a repository made here whose package turns the clock on instead of fitting."""

from __future__ import annotations

import subprocess

import pytest

from benchmarks import compare as module
from benchmarks.compare import WORK, CompareError, compare, main
from benchmarks.regression.counting import Counter, find_counter, parse_callgrind, parse_perf
from benchmarks.regression.paired import judge_pairs
from benchmarks.regression.tasks import NAMES, Task, write_tasks
from benchmarks.shared.workers import WorkerError

QUICK, SLOW = 0.05, 0.1
TASK = Task("nap", "import mixedsparse", "mixedsparse.lmer()", counted=True)


def package(seconds):
    """Code of a package that puts a clock of its own in the place of the worker's."""
    clock = "import time\nnow = 0.0\ntime.perf_counter = lambda: now\n"
    return f"{clock}def lmer():\n    global now\n    now += {seconds}\n"


def git(folder, *arguments):
    identity = ("-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, "-C", str(folder), *arguments], check=True, capture_output=True)


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """Tags `quick` and `broken`; the files themselves are slow and not committed."""
    folder = tmp_path_factory.mktemp("repository")
    source = folder / "mixedsparse" / "__init__.py"
    source.parent.mkdir()
    git(folder, "init", "--quiet")
    for tag, text in (("broken", "raise ImportError('no such thing')\n"), ("quick", package(QUICK))):
        source.write_text(text)
        git(folder, "add", ".")
        git(folder, "commit", "--quiet", "-m", tag)
        git(folder, "tag", tag)
    source.write_text(package(SLOW))
    return folder


def test_files_that_take_twice_as_long_are_slower(repository):
    (found,) = compare("quick", WORK, [TASK], threshold=1.3, rounds=5, repository=repository)
    assert found.verdict.slow
    assert (found.verdict.base, found.verdict.head, found.verdict.ratio) == pytest.approx((QUICK, SLOW, 2.0))
    assert found.unit == "seconds"  # without a counter


def test_commit_against_itself_is_not_slower_and_nothing_is_left_behind(repository):
    (found,) = compare("quick", "quick", [TASK], threshold=1.5, rounds=3, repository=repository)
    assert not found.verdict.slow
    assert found.verdict.ratio == pytest.approx(1.0)
    listed = subprocess.run(["git", "-C", repository, "worktree", "list"], capture_output=True, text=True, check=True)
    assert len(listed.stdout.strip().splitlines()) == 1


def test_instructions_are_compared_where_there_is_a_counter(repository, monkeypatch):
    counts = iter([1000.0, 1200.0])
    monkeypatch.setattr(module, "count_calls", lambda *arguments: next(counts))
    counter = Counter("none of these", lambda *paths: [], lambda text: None)
    (found,) = compare("quick", WORK, [TASK], threshold=1.1, rounds=1, counter=counter, repository=repository)
    assert (found.unit, found.verdict.ratio, found.verdict.slow) == ("instructions", 1.2, True)


def test_unknown_commit_is_named(repository):
    with pytest.raises(CompareError, match="'nonsense' is not a commit"):
        compare("nonsense", WORK, [TASK], threshold=1.1, rounds=1, repository=repository)


def test_failing_commit_is_an_error(repository):
    with pytest.raises(WorkerError, match=r"nap fails on the files in .*no such thing"):
        compare("broken", "quick", [TASK], threshold=1.1, rounds=1, repository=repository)


def test_missing_git_is_named(repository, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(CompareError, match="git is not on the path"):
        compare("quick", WORK, [TASK], threshold=1.1, rounds=1, repository=repository)


def test_exit_status(monkeypatch, capsys):
    monkeypatch.setattr(module, "write_tasks", lambda names, folder: [TASK])
    monkeypatch.setattr(module, "find_counter", lambda name: None)
    assert main(["no-such-commit"]) == 2
    assert "is not a commit" in capsys.readouterr().err
    slow = judge_pairs([(1.0, 2.0)] * 3, 1.1)
    monkeypatch.setattr(module, "compare", lambda *a, **k: [module.Comparison("nap", "seconds", slow)])
    assert main(["HEAD"]) == 1
    said = capsys.readouterr().out
    assert "1 ->            2 seconds" in said
    assert "Slower than 1.1 times HEAD: nap." in said
    with pytest.raises(SystemExit):
        main(["HEAD", "--threshold", "0.9"])


def test_noise_is_no_slow_down():
    steady = [(1.0, 1.2), (1.1, 1.32), (0.9, 1.08), (1.0, 1.21), (1.3, 1.55)]
    assert judge_pairs(steady, 1.1).slow
    assert not judge_pairs(steady, 1.25).slow
    noisy = [(1.0, 1.2), (1.0, 0.7), (1.0, 1.9), (1.0, 0.8), (1.0, 1.4)]
    verdict = judge_pairs(noisy, 1.1)
    assert verdict.ratio == 1.2
    assert verdict.at_least < 1.0
    assert not verdict.slow


def test_figures_are_those_of_the_pair_that_has_the_ratio():
    # The least of each side are 0.9 and 1.5, whose ratio, 1.67, is that of no pair.
    verdict = judge_pairs([(1.0, 2.0), (0.9, 3.0), (1.5, 1.5), (2.0, 2.2)], 1.1)
    assert (verdict.base, verdict.head) == (2.0, 2.2)
    assert verdict.ratio == 1.1 == verdict.head / verdict.base


def test_counts_are_read():
    assert parse_perf("# started\n\n123456,,instructions:u,99,100.00,,\n") == 123456
    assert parse_perf("<not supported>,,instructions:u,0,100.00,,\n") is None
    assert parse_callgrind("events: Ir\nsummary: 0\ntotals: 70020630\n") == 70020630
    assert parse_callgrind("") is None


def test_no_counter_where_no_program_is(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert find_counter("auto") is None
    assert find_counter("none") is None


def test_tasks_run(tmp_path):
    tasks = write_tasks(["sleepstudy", "sleepstudy_refit"], tmp_path)
    assert [task.name for task in tasks] == ["sleepstudy", "sleepstudy_refit"]
    assert len(NAMES) == len(set(NAMES))
    for task in tasks:
        scope: dict[str, object] = {}
        exec(task.setup, scope)
        exec(f"found = {task.statement}", scope)
        assert scope["found"].converged
