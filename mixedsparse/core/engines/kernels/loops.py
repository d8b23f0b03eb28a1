"""Compiled loops in two forms, with threads and without, and the one place that says which may run.

Of numba's threading layers, OpenMP does not live through a fork, and the work queue serves one Python thread at a time:
both end the process where it is done all the same. So a forked process runs the loops without threads once its parent
has started some, and loops of several Python threads take turns on a work queue.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import nullcontext
from types import FunctionType
from typing import Any

import numba
from numba import config, get_num_threads, njit, set_num_threads

from mixedsparse.ground.threads import threads_were_lost

__all__ = ["Loop", "most_threads"]


class Loop:
    """A function with a ``prange``, compiled when it is first called, once with threads and once without."""

    def __init__(self, function: Callable[..., None]) -> None:
        options: dict[str, Any] = {"cache": True, "fastmath": {"contract"}}
        self._threaded = njit(parallel=True, **options)(function)
        self._serial = njit(**options)(_renamed(function))

    def __call__(self, *arguments: Any, threads: int) -> None:
        """Run it on at most that many threads; each gives the same numbers."""
        if threads == 1 or threads_were_lost():
            self._serial(*arguments)
            return
        own = get_num_threads()  # starts the threads, so that the layer is known
        with _turn if _layer() == "workqueue" else nullcontext():
            set_num_threads(min(threads, own))
            try:
                self._threaded(*arguments)
            finally:
                set_num_threads(own)


def most_threads() -> int:
    """Threads that loops may use in this Python thread; 1 in a process that may start none."""
    return 1 if threads_were_lost() else int(config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]


def _layer() -> str:
    return str(numba.threading_layer())  # type: ignore[attr-defined]


def _renamed(function: Callable[..., None]) -> Callable[..., None]:
    """Copy under another name: numba keeps compiled code by name, and would take one form for the other."""
    assert isinstance(function, FunctionType)
    copy = FunctionType(function.__code__, function.__globals__, f"{function.__name__}_serial", function.__defaults__)
    copy.__qualname__ = f"{function.__qualname__}_serial"
    copy.__module__ = function.__module__
    return copy


_turn = threading.RLock()


def _renew_turn() -> None:
    """In a child, nobody is left to give the lock back."""
    global _turn
    _turn = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_turn)
