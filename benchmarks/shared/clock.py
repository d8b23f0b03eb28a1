"""Seconds of calls, and what is said of several."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence

__all__ = ["repeated", "seconds_of", "spread", "teller"]


def seconds_of(call: Callable[[], object]) -> float:
    """Return the wall time of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def repeated(timing: Callable[[], float], times: int) -> list[float]:
    """Return what `timing` returns over `times` calls, after one that does not count: it fills caches."""
    timing()
    return [timing() for _ in range(times)]


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """Return median, least and greatest, by the names of the columns in the results."""
    return {"seconds": statistics.median(seconds), "seconds_min": min(seconds), "seconds_max": max(seconds)}


def teller() -> Callable[[str], None]:
    """Return what writes a line of progress, with the seconds since now, to standard error."""
    started = time.monotonic()

    def say(words: str) -> None:
        print(f"[{time.monotonic() - started:6.0f} s] {words}", file=sys.stderr, flush=True)

    return say
