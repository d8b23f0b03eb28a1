"""Worker processes that run a task on the files of one commit, by the clock or under a counter of instructions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.regression.counting import Counter
from benchmarks.regression.tasks import Task
from benchmarks.shared.workers import Worker, WorkerError, last_words, thread_environment

__all__ = ["TimedCalls", "count_calls"]

SCRIPT = Path(__file__).with_name("worker.py")
COUNTED_CALLS = 5


class TimedCalls(Worker):
    """A worker that sets `task` up and warms it on the files in `tree`."""

    def __init__(self, task: Task, tree: Path, threads: int) -> None:
        super().__init__(_command(task, "clock"), threads=threads, variables=_variables(tree))
        self._task, self._tree = task, tree

    def time(self, calls: int) -> float:
        """Seconds per call over `calls` calls."""
        try:
            return float(self.ask(str(calls))["seconds"])
        except WorkerError as err:
            raise _failure(self._task, self._tree, str(err)) from err


def count_calls(task: Task, tree: Path, counter: Counter, threads: int) -> float:
    """Instructions per call of `task` on the files in `tree`."""
    with tempfile.TemporaryDirectory(prefix="mixedsparse-count-") as folder:
        result, *pipes = (Path(folder) / name for name in ("counted", "orders", "answers"))
        if counter.name == "perf":
            for pipe in pipes:
                os.mkfifo(pipe)
        mode = (counter.name, str(COUNTED_CALLS), *map(str, pipes))
        command = [*counter.command(result, *pipes), *_command(task, *mode)]
        environment = {**thread_environment(threads), **_variables(tree)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        count = counter.parse(result.read_text(encoding="utf-8")) if result.exists() else None
    if done.returncode != 0 or not count:
        raise _failure(task, tree, last_words(done.returncode, done.stderr))
    return count / COUNTED_CALLS


def _command(task: Task, *mode: str) -> list[str]:
    return [sys.executable, str(SCRIPT), json.dumps({"setup": task.setup, "statement": task.statement}), *mode]


def _variables(tree: Path) -> dict[str, str]:
    """Variables by which `import mixedsparse` finds the files in `tree`, and hashing is always the same."""
    return {"PYTHONPATH": str(tree), "PYTHONHASHSEED": "0"}


def _failure(task: Task, tree: Path, how: str) -> WorkerError:
    return WorkerError(f"{task.name} fails on the files in {tree}: {how}")
