"""BLAS threads: one for small problems, where handing work over costs more than the work.

A second OpenBLAS thread gains little below a thousand rows, and on a busy machine its spinning stretches a call of
microseconds to milliseconds. The only module that imports threadpoolctl.

The number of threads of a BLAS is one number for the whole process. Limits are therefore counted over all Python
threads: the first sets it to one, the last puts back what was there. A process that was forked keeps the limits of the
thread that forked, and knows whether compiled loops had started threads before, which no fork takes along.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from pathlib import PurePath
from typing import Any

__all__ = [
    "allowed_threads",
    "blas_threads",
    "interrupts_deferred",
    "lapack_threads",
    "thread_libraries",
    "threads_were_lost",
]

# Multiply-adds of the largest dense operation below which one thread serves. At 1.5e9 (InstEval) a fit took 0.37 s with
# one thread and 0.30 s with two on a quiet machine, but 0.65 s and 2 s beside other work.
_SMALL = 2e9
# Of OpenMP 5.0: free all that its threads hold; they start anew when they are needed.
_PAUSE_HARD = 2


def blas_threads(work: float) -> AbstractContextManager[Any]:
    """Context in which BLAS uses one thread if `work`, in multiply-adds of the largest operation, is small."""
    return _limiter.single(_libraries()) if work < _SMALL else nullcontext()


def lapack_threads(work: float) -> AbstractContextManager[Any]:
    """Context of a search, whose large operations are LAPACK's, through SciPy: `blas_threads`, but NumPy gets one.

    NumPy and SciPy each carry a BLAS with threads of its own, which spin for a while after every product: two sets of
    them on the same cores take twice the time of one.
    """
    if work < _SMALL:
        return blas_threads(work)
    numpys = [library for library in _libraries() if "numpy.libs" in PurePath(library.filepath).parts]
    return _limiter.single(numpys) if 0 < len(numpys) < len(_libraries()) else nullcontext()


def allowed_threads() -> int:
    """Threads that BLAS may use now: limits of the environment or of threadpoolctl hold for compiled loops too."""
    return max((_limiter.allowed(library) for library in _libraries()), default=1)


def thread_libraries() -> list[str]:
    """Libraries with threads of their own, their versions, and how many threads each has."""
    found = [library.info() for library in _libraries()]
    return [
        f"{one.get('user_api')}: {one.get('internal_api')} {one.get('version')}, {one.get('num_threads')} threads"
        for one in found
    ]


@contextmanager
def interrupts_deferred() -> Iterator[None]:
    """Context in which a Ctrl-C waits: it is raised at the end. In the main thread only, which alone gets them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting: list[tuple[int, Any]] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: waiting.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if waiting and callable(before):
        before(*waiting[0])


def threads_were_lost() -> bool:
    """Whether this process was forked from one in which compiled loops had started threads: new ones would hang."""
    return _limiter.threads_lost


@cache
def _libraries() -> list[Any]:
    from threadpoolctl import ThreadpoolController

    # Looked for once: it scans the libraries that are loaded, and numpy's and scipy's are by now.
    return [library for library in ThreadpoolController().lib_controllers if library.user_api == "blas"]


class _Limiter:
    """Limits of one thread that are open, counted for each library over all Python threads."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        # Library -> number of threads before the first limit, and the limits that are open with the thread of each.
        self.open: dict[str, tuple[int, dict[object, int]]] = {}
        self.threads_lost = False

    @contextmanager
    def single(self, libraries: Sequence[Any]) -> Iterator[None]:
        """Context in which each library has one thread."""
        token = object()
        with self.lock:
            for library in libraries:
                self._enter(library, token)
        try:
            yield
        finally:
            with self.lock:
                for library in libraries:
                    self._leave(library, token)

    def allowed(self, library: Any) -> int:
        """Threads that a library may use but for limits of other Python threads."""
        now = int(library.num_threads)
        before, tokens = self.open.get(library.filepath, (now, {}))
        return before if now == 1 and threading.get_ident() not in tokens.values() else now

    def _enter(self, library: Any, token: object) -> None:
        if library.filepath not in self.open:
            before = library.num_threads
            self.open[library.filepath] = before, {}
            if before != 1:
                library.set_num_threads(1)
        self.open[library.filepath][1][token] = threading.get_ident()

    def _leave(self, library: Any, token: object) -> None:
        if library.filepath not in self.open:
            return
        before, tokens = self.open[library.filepath]
        tokens.pop(token, None)
        if tokens:
            return
        del self.open[library.filepath]
        # Whoever has set another number in the meantime means it.
        if before != 1 and library.num_threads == 1:
            library.set_num_threads(before)

    def forget_other_threads(self, libraries: Sequence[Any]) -> None:
        """In a child, drop the limits of threads that only the parent has."""
        self.lock = threading.RLock()
        numba = sys.modules.get("numba")
        if numba is not None and not self.threads_lost:
            self.threads_lost = _has_started(numba)
        mine = threading.get_ident()
        for library in libraries:
            for token, thread in list(self.open.get(library.filepath, (0, {}))[1].items()):
                if thread != mine:
                    self._leave(library, token)


def _has_started(numba: Any) -> bool:
    """Whether numba has started threads, whoever asked it to."""
    try:
        numba.threading_layer()
    except (AttributeError, ValueError):
        return False
    return True


def _rest_openmp() -> None:
    """Let GNU's OpenMP end its threads before a fork: a child would wait forever for those that CHOLMOD used."""
    if not {"sksparse.cholmod", "numba"} & set(sys.modules):
        return
    from threadpoolctl import ThreadpoolController

    for library in ThreadpoolController().lib_controllers:
        if library.prefix == "libgomp" and hasattr(library.dynlib, "omp_pause_resource_all"):
            library.dynlib.omp_pause_resource_all(_PAUSE_HARD)


def _before_fork() -> None:
    _rest_openmp()
    _limiter.lock.acquire()


_limiter = _Limiter()

if hasattr(os, "register_at_fork"):
    # Held over a fork, the lock keeps what it guards whole for the child.
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=lambda: _limiter.lock.release(),
        after_in_child=lambda: _limiter.forget_other_threads(_libraries() if _limiter.open else []),
    )
