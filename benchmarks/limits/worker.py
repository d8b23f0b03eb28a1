"""Time one crossed problem beside its floor, in a process of its own: ``python -m benchmarks.limits.worker NAME``.

Prints one line of JSON for `benchmarks.limits`, which sets the number of threads for the process.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from benchmarks.limits.floor import kernels, rest_size
from benchmarks.problems import Problem, select
from benchmarks.shared.clock import seconds_of

__all__ = ["alternating_medians", "measure"]

# Diagonal entries of theta that are 0 at the optimum are moved off it by as much as the search does.
_OFF_ZERO = 1e-7

Task = Callable[[], float]


def measure(problem: Problem, *, rounds: int, budget: float) -> dict[str, Any]:
    """Return medians of seconds by name, with the sizes of the problem.

    Parameters
    ----------
    problem : Problem
    rounds : int
        Rounds that count, in each of which every task runs once.
    budget : float
        Seconds after which no further round starts.
    """
    import mixedsparse as ms
    from mixedsparse.ground.threads import blas_threads

    frame = problem.load()
    model = ms.LinearMixedModel(problem.formula, frame)
    engine = model.engine()
    results = model.fit(problem.reml)
    tasks = {
        **kernels(model.problem),
        **_evaluations(model, problem.reml, results.fit.search.theta),
        "fit": partial(seconds_of, lambda: model.fit(problem.reml)),
        "call": partial(seconds_of, lambda: ms.lmer(problem.formula, frame, reml=problem.reml)),
    }
    # The limit that a fit sets for itself on small problems holds for all tasks.
    with blas_threads(engine.work):
        seconds, counted = alternating_medians(tasks, rounds, budget)
    return {
        "n": model.problem.n,
        "q": model.problem.layout.q,
        "rest": rest_size(model.problem),
        "n_theta": model.problem.n_theta,
        "backend": engine.name,
        "rounds": counted,
        "evaluations": results.optim.nfev,
        "seconds": seconds,
    }


def _evaluations(model: Any, reml: bool, theta: np.ndarray) -> dict[str, Task]:
    """Evaluations at the optimum: the criterion, with its gradient, with its gradient and Hessian."""
    from mixedsparse.core.likelihood.derivatives import differentiate
    from mixedsparse.core.likelihood.pls import solve_pls

    problem, engine = model.problem, model.engine()
    zero = problem.layout.is_diagonal & (np.abs(theta) < _OFF_ZERO)
    factors = problem.layout.lams(np.where(zero, _OFF_ZERO, theta))

    def value() -> Any:
        return solve_pls(problem, engine.factorize(factors), reml)

    return {
        "value": partial(seconds_of, value),
        "gradient": partial(seconds_of, lambda: differentiate(engine, value(), second=False)),
        "hessian": partial(seconds_of, lambda: differentiate(engine, value())),
    }


def alternating_medians(tasks: Mapping[str, Task], rounds: int, budget: float) -> tuple[dict[str, float], int]:
    """Run all tasks once per round; return medians of seconds and the rounds that count.

    The first round warms up and does not count, unless it alone takes longer than the budget.
    """
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    start = time.perf_counter()
    for number in range(rounds + 1):
        if number > 0 and time.perf_counter() - start > budget:
            break
        for name, task in tasks.items():
            seconds[name].append(task())
    counted = {name: values[1:] or values for name, values in seconds.items()}
    return {name: statistics.median(values) for name, values in counted.items()}, min(map(len, counted.values()))


def main(arguments: list[str]) -> int:
    """Measure the problem named first, with the rounds and the budget that follow."""
    name, rounds, budget = arguments
    warnings.simplefilter("ignore")
    print(json.dumps(measure(select([name])[0], rounds=int(rounds), budget=float(budget))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
