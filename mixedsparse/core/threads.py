"""BLAS threads: one for small problems, where handing work over costs more than the work.

A second OpenBLAS thread gains nothing below a few hundred rows, and on a busy machine its spinning stretches a call of
microseconds to milliseconds. The only module that imports threadpoolctl.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

__all__ = ["blas_threads"]

# Multiply-adds of the largest dense operation below which one thread serves.
_SMALL = 2e8


def blas_threads(work: float) -> AbstractContextManager[Any]:
    """Context in which BLAS uses one thread if `work`, in multiply-adds of the largest operation, is small."""
    return _controller().limit(limits=1, user_api="blas") if work < _SMALL else nullcontext()


@cache
def _controller() -> Any:
    from threadpoolctl import ThreadpoolController

    # Made once: it scans the libraries that are loaded, and numpy's and scipy's are by now.
    return ThreadpoolController()
