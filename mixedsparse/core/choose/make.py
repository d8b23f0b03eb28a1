"""The engine of a problem: the one place that makes them."""

from __future__ import annotations

from mixedsparse.core.choose.plan import is_small, plan
from mixedsparse.core.engines.cholmod.engine import CholmodEngine
from mixedsparse.core.engines.empty.engine import EmptyEngine
from mixedsparse.core.engines.split.engine import SplitEngine
from mixedsparse.core.likelihood.interface import Engine
from mixedsparse.core.problem.problem import Problem
from mixedsparse.ground.limits import LIMITS, Limits

__all__ = ["make_engine"]


def make_engine(problem: Problem, backend: str = "auto", method: str = "direct", limits: Limits = LIMITS) -> Engine:
    """Make the engine for `problem`; `plan` chooses it.

    Parameters
    ----------
    problem : Problem
    backend : {"auto", "cholmod", "split"}
        ``"auto"`` takes CHOLMOD where it can be imported and its factor needs fewer operations, weighted by speed.
    method : {"direct", "iterative", "auto"}
    limits : Limits

    Raises
    ------
    BackendError
        CHOLMOD is asked for and cannot be imported, or what is asked for does not fit into memory.
    """
    if not problem.terms:
        return EmptyEngine(problem, limits)
    if backend == "auto" and method != "iterative" and is_small(problem, limits):
        return SplitEngine(problem, limits=limits)
    planned = plan(problem, backend, method, limits)
    if planned.cost.backend == "iterative":
        # Late: its compiled loops take time to import.
        from mixedsparse.core.engines.krylov.engine import KrylovEngine

        return KrylovEngine(problem, limits=limits)
    if planned.cost.backend == "split":
        return SplitEngine(problem, limits=limits)
    return CholmodEngine(problem, limits) if planned.engine is None else planned.engine
