"""How fast this machine is, which only seconds that are told rest on."""

from __future__ import annotations

import time
from functools import cache

import numpy as np

__all__ = ["seconds_per_unit"]

# Rows of the product that tells the speed of the machine, and time of a unit of work over that of its multiply-adds.
_TRIAL, _FACTOR_SECONDS = 256, 0.7


@cache
def seconds_per_unit() -> float:
    """Seconds of one multiply-add of a dense factorisation, from the quickest of a few small products."""
    a = np.ones((_TRIAL, _TRIAL))
    quickest = np.inf
    for _ in range(3):
        began = time.perf_counter()
        a @ a
        quickest = min(quickest, time.perf_counter() - began)
    return _FACTOR_SECONDS * quickest / _TRIAL**3
