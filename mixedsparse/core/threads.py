"""BLAS threads: one for small problems, where handing work over costs more than the work.

A second OpenBLAS thread gains little below a thousand rows, and on a busy machine its spinning stretches a call of
microseconds to milliseconds. The only module that imports threadpoolctl.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import PurePath
from typing import Any

__all__ = ["allowed_threads", "blas_threads", "lapack_threads"]

# Multiply-adds of the largest dense operation below which one thread serves. At 1.5e9 (InstEval) a fit took 0.37 s with
# one thread and 0.30 s with two on a quiet machine, but 0.65 s and 2 s beside other work.
_SMALL = 2e9


def blas_threads(work: float) -> AbstractContextManager[Any]:
    """Context in which BLAS uses one thread if `work`, in multiply-adds of the largest operation, is small."""
    return _controller().limit(limits=1, user_api="blas") if work < _SMALL else nullcontext()


def lapack_threads(work: float) -> AbstractContextManager[Any]:
    """Context of a search, whose large operations are LAPACK's, through SciPy: `blas_threads`, but NumPy gets one.

    NumPy and SciPy each carry a BLAS with threads of its own, which spin for a while after every product: two sets of
    them on the same cores take twice the time of one.
    """
    numpys = [library.filepath for library in _libraries() if "numpy.libs" in PurePath(library.filepath).parts]
    if work < _SMALL or not numpys or len(numpys) == len(_libraries()):
        return blas_threads(work)
    return _controller().select(filepath=numpys).limit(limits=1)


def allowed_threads() -> int:
    """Threads that BLAS may use now: limits of the environment or of threadpoolctl hold for compiled loops too."""
    return max((library.num_threads for library in _libraries()), default=1)


def _libraries() -> list[Any]:
    return [library for library in _controller().lib_controllers if library.user_api == "blas"]


@cache
def _controller() -> Any:
    from threadpoolctl import ThreadpoolController

    # Made once: it scans the libraries that are loaded, and numpy's and scipy's are by now.
    return ThreadpoolController()
