"""One call in a process of its own: ``python -m benchmarks.beyond.worker PROBLEM THREADS SMALL FILE``.

Answers `benchmarks.beyond` with one line of JSON. What is loaded or compiled once per process is, on the file SMALL.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from typing import Any

from benchmarks.beyond.problems import BigProblem, problem_named
from benchmarks.shared.memory import peak_mb

__all__ = ["measure"]


def measure(problem: BigProblem, small: str, path: str) -> dict[str, Any]:
    """Return the columns of `BeyondRow` that the process itself knows, for the data in the file `path`.

    Raises
    ------
    RuntimeError
        The fit did not converge.
    """
    import mixedsparse as ms

    for method in ("direct", "iterative"):
        _call(problem, small, method)
    cpu, wall = time.process_time(), time.perf_counter()
    model, fit = _call(problem, path, "auto")
    seconds, cpu_seconds = time.perf_counter() - wall, time.process_time() - cpu
    if fit is not None and not fit.converged:
        raise RuntimeError(f"The fit did not converge: {fit.certificate.message}")
    errors = None if fit is None else fit.monte_carlo
    return {
        "version": ms.__version__,
        "n": model.problem.n,
        "levels": "x".join(map(str, model.problem.layout.n_levels)),
        "peak_mb": peak_mb(),
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "solver": None if fit is None else fit.solver,
        "evaluations": None if fit is None else fit.optim.nfev,
        "mc_share": None if errors is None else errors.share,
    }


def _call(problem: BigProblem, path: str, method: str) -> tuple[Any, Any]:
    """Return the model, and the fit if there is to be one."""
    import mixedsparse as ms

    if not problem.fits:
        return ms.LinearMixedModel(problem.formula, path), None
    if problem.family is not None:
        fit: Any = ms.glmer(problem.formula, path, problem.family, method=method, progress=False)
        return fit.model, fit
    fit = ms.lmer(problem.formula, path, method=method, progress=False)
    return fit.model, fit


def _confine(threads: int) -> None:
    """Leave this process that many processors: DuckDB heeds no variable. Only Linux can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    name, threads, small, path = sys.argv[1:]
    _confine(int(threads))
    try:
        print(json.dumps(measure(problem_named(name), small, path)))
    except Exception as err:  # `benchmarks.beyond` says what failed
        print(json.dumps({"error": f"{type(err).__name__}: {err}"}))
