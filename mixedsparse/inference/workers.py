"""Tasks worked off here or by joblib, in whatever back end the user has chosen there: processes, dask, ray."""

from __future__ import annotations

import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from typing import Any, TypeVar

from mixedsparse.ground.errors import BackendError

__all__ = ["WorkersLostError", "work_off"]

Task, Result = TypeVar("Task"), TypeVar("Result")


class WorkersLostError(BackendError):
    """Workers died over a task: it took more memory than they have, or something ended them."""


def work_off(function: Callable[[Any], Result], tasks: Sequence[Any], n_jobs: int) -> Iterator[Result]:
    """Yield function(task) in the order of the tasks, each as soon as it is there.

    Raises
    ------
    BackendError
        `n_jobs` is not 1, and joblib is not installed.
    WorkersLostError
        Workers died; the message names the task.
    """
    return map(function, tasks) if n_jobs == 1 else _parallel(function, tasks, n_jobs)


def _parallel(function: Callable[[Any], Result], tasks: Sequence[Any], n_jobs: int) -> Iterator[Result]:
    try:
        from joblib.parallel import get_active_backend
    except ImportError as err:
        raise BackendError(f"n_jobs={n_jobs} needs joblib: install it, or use n_jobs=1.") from err
    backend = get_active_backend()[0]
    client = getattr(backend, "client", None)
    if type(client).__module__.split(".")[0] == "distributed":
        return _on_dask(client, function, tasks)
    return _by_joblib(function, tasks, n_jobs, backend.supports_return_generator)


def _by_joblib(function: Callable[[Any], Result], tasks: Sequence[Any], n_jobs: int, streams: bool) -> Iterator[Result]:
    from joblib import Parallel, delayed

    run = Parallel(n_jobs=n_jobs, return_as="generator" if streams else "list")
    results, done = run(delayed(function)(task) for task in tasks), 0
    try:
        for result in results:
            yield result
            done += 1
    except BrokenExecutor as err:
        raise _lost(f"A worker died with one of the tasks {done + 1} to {len(tasks)}", done) from err
    except GeneratorExit:
        # Whoever stops asking knows that tasks are left; joblib would warn of them.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            results.close()
        raise


def _on_dask(client: Any, function: Callable[[Any], Result], tasks: Sequence[Any]) -> Iterator[Result]:
    """Submit the tasks themselves: joblib waits for ever for one that dask has given up."""
    from distributed.scheduler import KilledWorker

    call = uuid.uuid4().hex
    # A task, which dask repeats where its result is lost with a worker.
    shared = client.submit(_itself, function, key=f"mixedsparse-function-{call}")
    futures = [
        client.submit(_called, shared, task, key=f"mixedsparse-task-{i + 1}-{call}") for i, task in enumerate(tasks)
    ]
    done = 0
    try:
        for future in futures:
            yield future.result()
            done += 1
    except KilledWorker as err:
        who = f"{err.allowed_failures + 1} workers, one after another," if err.allowed_failures else "A worker"
        raise _lost(f"{who} died with task {done + 1} of {len(tasks)}", done) from err
    finally:
        client.cancel([*futures[done:], shared])


def _lost(how: str, done: int) -> WorkersLostError:
    return WorkersLostError(
        f"{how} ({done} are done): see what ended them, e.g. too little memory for each, or a statistic that ends its "
        "process; fewer workers at a time have more memory each."
    )


def _itself(function: Any) -> Any:
    return function


def _called(function: Callable[[Any], Result], task: Any) -> Result:
    return function(task)
