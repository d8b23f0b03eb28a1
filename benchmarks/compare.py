"""Compare the speed of two commits: ``python benchmarks/compare.py BASE [HEAD]``.

Both are checked out into temporary work trees; HEAD may be ``WORK``, the files as they are (the default). Whole calls
of a fixed set of problems run in worker processes, one per commit: small problems under a counter of instructions
(``perf``, else callgrind), which a busy machine does not change; large ones by the clock, BASE and HEAD in turn.

The exit status is 0 if nothing is slower than ``--threshold`` times BASE, 1 if something is, 2 if it cannot be told.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

REPOSITORY = Path(__file__).resolve().parents[1]
if __package__ in (None, ""):  # run as a file: its own folder is on the path instead of the repository
    sys.path[0] = str(REPOSITORY)

from benchmarks.regression.calls import TimedCalls, count_calls  # noqa: E402
from benchmarks.regression.counting import COUNTERS, Counter, find_counter  # noqa: E402
from benchmarks.regression.paired import Verdict, judge_pairs  # noqa: E402
from benchmarks.regression.tasks import NAMES, Task, write_tasks  # noqa: E402
from benchmarks.shared.workers import WorkerError  # noqa: E402

__all__ = ["WORK", "CompareError", "Comparison", "compare", "main"]

WORK = "WORK"
# Seconds that the calls of one timing take together at least, so that the clock and single interruptions do not count.
LONG_ENOUGH = 0.1
# How often rounds are added while a ratio is past the threshold but may be noise.
EXTENSIONS = 2


class CompareError(RuntimeError):
    """The comparison cannot be made; the message says why."""


@dataclass(frozen=True)
class Comparison:
    """One task: the verdict, and the unit of its figures per call of each commit."""

    task: str
    unit: str
    verdict: Verdict


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, print a line per task, return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        with TemporaryDirectory(prefix="mixedsparse-compare-") as folder:
            found = compare(
                options.base,
                options.head,
                write_tasks(options.problems, Path(folder)),
                threshold=options.threshold,
                rounds=options.rounds,
                threads=options.threads,
                counter=find_counter(options.counter),
                say=lambda text: print(text, file=sys.stderr, flush=True),
            )
    except (CompareError, WorkerError) as err:
        print(f"compare: {err}", file=sys.stderr)
        return 2
    for line in found:
        print(_sentence(line))
    slow = [line.task for line in found if line.verdict.slow]
    print(f"Slower than {options.threshold:g} times {options.base}: {', '.join(slow) if slow else 'nothing'}.")
    return 1 if slow else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="compare.py", description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("base", metavar="BASE", help="commit to compare with")
    parser.add_argument("head", metavar="HEAD", nargs="?", default=WORK, help="commit, or WORK (default): files as is")
    parser.add_argument("--threshold", type=_ratio, default=1.10, help="ratio that counts as slower (default 1.10)")
    parser.add_argument("--problems", nargs="+", choices=NAMES, default=NAMES, metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--rounds", type=int, default=11, help="timings per commit of a large problem (default 11)")
    parser.add_argument("--threads", type=int, default=1, help="threads of BLAS and compiled loops (default 1)")
    parser.add_argument("--counter", choices=("auto", *COUNTERS, "none"), default="auto", help="of instructions")
    return parser


def _ratio(text: str) -> float:
    value = float(text)
    if not value > 1.0:
        raise argparse.ArgumentTypeError(f"{text} must be above 1, the ratio of equal speeds")
    return value


def compare(
    base: str,
    head: str,
    tasks: Sequence[Task],
    *,
    threshold: float,
    rounds: int,
    threads: int = 1,
    counter: Counter | None = None,
    repository: Path = REPOSITORY,
    say: Callable[[str], None] = lambda text: None,
) -> list[Comparison]:
    """Compare two commits of `repository` on `tasks`.

    Parameters
    ----------
    base, head : str
        Commits; `head` may be ``"WORK"``.
    tasks : sequence of Task
    threshold : float
        Ratio of head to base from which a task counts as slower.
    rounds : int
        Timings per commit, taken in turn.
    threads : int
        Limit of all thread pools of the workers.
    counter : Counter, optional
        Counts instructions of the tasks that ask for it; without one they are timed too.
    repository : Path
    say : callable
        Receives a line of progress per task.

    Raises
    ------
    CompareError
        git is missing, or a commit is unknown.
    WorkerError
        A task fails on a commit.
    """
    with ExitStack() as stack:
        trees = [_checkout(name, repository, stack) for name in (base, head)]
        found = []
        for task in tasks:
            if task.counted and counter is not None:
                say(f"{task.name}: counting instructions with {counter.name}")
                counts = [count_calls(task, tree, counter, threads) for tree in trees]
                ratio = counts[1] / counts[0]
                verdict = Verdict(ratio, ratio, slow=ratio > threshold, base=counts[0], head=counts[1])
                found.append(Comparison(task.name, "instructions", verdict))
            else:
                note = " (no counter of instructions here)" if task.counted else ""
                say(f"{task.name}: timing{note}")
                found.append(_timed(task, trees, threshold, rounds, threads))
    return found


def _timed(task: Task, trees: Sequence[Path], threshold: float, rounds: int, threads: int) -> Comparison:
    with ExitStack() as stack:
        workers = [stack.enter_context(TimedCalls(task, tree, threads)) for tree in trees]
        slowest = max(worker.time(1) for worker in workers)
        calls = max(1, math.ceil(LONG_ENOUGH / slowest))
        pairs: list[tuple[float, float]] = []
        for _ in range(1 + EXTENSIONS):
            for _ in range(rounds):
                # Who goes first changes from round to round, so that what follows a pause meets both.
                order = (0, 1) if len(pairs) % 2 == 0 else (1, 0)
                seconds = {index: workers[index].time(calls) for index in order}
                pairs.append((seconds[0], seconds[1]))
            verdict = judge_pairs(pairs, threshold)
            if verdict.slow or verdict.ratio <= threshold:
                break
    return Comparison(task.name, "seconds", verdict)


def _checkout(name: str, repository: Path, stack: ExitStack) -> Path:
    """Return the folder with the files of commit `name`; temporary ones go when `stack` closes."""
    if name == WORK:
        return repository
    commit = _git(repository, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if not commit:
        raise CompareError(f"{name!r} is not a commit of {repository}. 'git log --oneline' lists them.")
    folder = Path(stack.enter_context(TemporaryDirectory(prefix="mixedsparse-commit-"))) / "tree"
    _git(repository, "worktree", "add", "--detach", "--force", str(folder), commit)
    stack.callback(_git, repository, "worktree", "remove", "--force", str(folder))
    if not folder.is_dir():
        raise CompareError(f"git could not check out {name!r} into a work tree of {repository}.")
    return folder


def _git(repository: Path, *arguments: str) -> str:
    """Output of git, empty if it fails."""
    try:
        done = subprocess.run(["git", "-C", str(repository), *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError as err:
        raise CompareError("git is not on the path: install it, it checks out the commits to compare.") from err
    return done.stdout.strip() if done.returncode == 0 else ""


def _sentence(line: Comparison) -> str:
    verdict = line.verdict
    sizes = f"{verdict.base:12.5g} -> {verdict.head:12.5g} {line.unit}"
    spread = f", at least {verdict.at_least:.3f}" if verdict.at_least != verdict.ratio else ""
    return f"{line.task:18s} {sizes:44s} ratio {verdict.ratio:.3f}{spread}{'  SLOWER' if verdict.slow else ''}"


if __name__ == "__main__":
    sys.exit(main())
