"""Tasks worked off here or by joblib, in whatever back end the user has chosen there: processes, dask, ray."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from mixedsparse.ground.errors import BackendError

__all__ = ["work_off"]

Task, Result = TypeVar("Task"), TypeVar("Result")


def work_off(function: Callable[[Any], Result], tasks: Sequence[Any], n_jobs: int) -> Iterator[Result]:
    """Yield function(task) in the order of the tasks, each as soon as it is there.

    Raises
    ------
    BackendError
        `n_jobs` is not 1, and joblib is not installed.
    """
    return map(function, tasks) if n_jobs == 1 else _parallel(function, tasks, n_jobs)


def _parallel(function: Callable[[Any], Result], tasks: Sequence[Any], n_jobs: int) -> Iterator[Result]:
    try:
        from joblib import Parallel, delayed
        from joblib.parallel import get_active_backend
    except ImportError as err:
        raise BackendError(f"n_jobs={n_jobs} needs joblib: install it, or use n_jobs=1.") from err
    streams = get_active_backend()[0].supports_return_generator
    run = Parallel(n_jobs=n_jobs, return_as="generator" if streams else "list")
    results = run(delayed(function)(task) for task in tasks)
    try:
        for result in results:  # noqa: UP028 - `yield from` would close it before it gets here
            yield result
    except GeneratorExit:
        # Whoever stops asking knows that tasks are left; joblib would warn of them.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            results.close()
        raise
