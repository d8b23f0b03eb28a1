"""The fixed set of whole calls that `compare` runs: some of the problems, and a refit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.problems import Problem, select

__all__ = ["NAMES", "Task", "write_tasks"]

# Problem, and whether instructions are counted. BLAS on large matrices does more or fewer instructions per second
# depending on their kind, so for these only seconds are fair.
COUNTED = {"sleepstudy": True, "penicillin": True, "chem97": False, "psych60": False, "kb07": False, "insteval3": False}
REFIT = "sleepstudy_refit"
NAMES = (*COUNTED, REFIT)


@dataclass(frozen=True)
class Task:
    """Python code, as for `timeit`: `setup` runs once, `statement` is measured; `counted` asks for instructions."""

    name: str
    setup: str
    statement: str
    counted: bool


def write_tasks(names: Sequence[str], folder: Path) -> list[Task]:
    """Return the tasks called `names`, with their data written into `folder`, so that both commits read the same."""
    tasks = []
    for name in NAMES:
        if name in names:
            problem = select([name.removesuffix("_refit")])[0]
            path = folder / f"{problem.name}.csv"
            if not path.exists():
                problem.load().to_csv(path, index=False)
            tasks.append(_refit(problem, path) if name == REFIT else _call(problem, path))
    return tasks


def _call(problem: Problem, path: Path) -> Task:
    return Task(problem.name, _reading(problem, path), _fit(problem), COUNTED[problem.name])


def _refit(problem: Problem, path: Path) -> Task:
    response = "y = fit.fittedvalues.to_numpy() + fit.resid.to_numpy()[::-1]"
    setup = f"{_reading(problem, path)}\nfit = {_fit(problem)}\n{response}"
    return Task(REFIT, setup, "fit.refit(y)", counted=True)


def _reading(problem: Problem, path: Path) -> str:
    types = dict.fromkeys(problem.factors, "category")
    return (
        "import warnings\nimport pandas as pd\nimport mixedsparse as ms\n"
        "warnings.simplefilter('ignore')\n"
        f"data = pd.read_csv({str(path)!r}, dtype={types!r})"
    )


def _fit(problem: Problem) -> str:
    return f"ms.lmer({problem.formula!r}, data, reml={problem.reml})"
