"""Where the time of a short call goes, stage by stage, without slowing it down: a sampling profiler.

A tracing profiler such as cProfile costs about as much per function call as the small functions of a small fit take
themselves, and so shifts the shares. Here a timer of processor time interrupts the repeated call, and each sample is
put down to the stage whose code is on the stack.
"""

from __future__ import annotations

import math
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import mixedsparse

__all__ = ["REST", "STAGES", "Share", "sample", "stage_of"]

PACKAGE = Path(mixedsparse.__file__).parent
INTERVAL = 0.001  # seconds of processor time between samples; the system rounds it up to its own tick, 1 to 10 ms
REST = "everything else"

# Stage of a file of the package, or of one function of it. The frame nearest to the running code decides; code that is
# not listed (small helpers, and all libraries) counts for its caller.
STAGES: Mapping[str, str] = {
    "data/formula/frames.py": "read the columns of the data frame",
    "data/formula": "formula and design",
    "core/problem/problem.py": "cross-products",
    "core/choose/make.py": "choose and analyse the engine",
    "core/choose": "choose and analyse the engine",
    "core/fitting/start.py": "search: starting values",
    "core/likelihood/criterion.py:evaluate": "search: factorise and solve",
    "core/engines": "search: factorise and solve",
    "core/engines/dense/cholesky.py:differentiate": "search: gradient and Hessian",
    "core/likelihood/derivatives.py": "search: gradient and Hessian",
    "core/newton/trust.py": "search: trust-region step",
    "core/newton": "search: bookkeeping",
    "core/fitting/objective.py": "search: bookkeeping",
    "core/fitting/optimize.py": "search: bookkeeping",
    "ground/threads.py": "set the number of BLAS threads",
    "core/fitting/estimates.py": "results",
    "core/fitting/fit.py": "results",
    "core/fitting/certificate.py": "results",
    "api/results": "results",
    "core/batch/responses.py": "cross-products",
    "inference/responses.py": "check the new response",
}


@dataclass(frozen=True)
class Share:
    """Share of the samples in one stage, and its standard error."""

    stage: str
    share: float
    error: float


def sample(call: Callable[[], object], seconds: float, stages: Mapping[str, str] = STAGES) -> list[Share]:
    """Repeat `call` for `seconds` of processor time; return the share of each stage, largest first.

    Parameters
    ----------
    call : callable
        Takes no arguments.
    seconds : float
        One sample is taken per tick.
    stages : mapping of str to str
        Stage by folder, file or ``file:function``, relative to the package; the more exact entry counts.

    Raises
    ------
    RuntimeError
        The system has no timer of processor time (Windows).
    """
    if not hasattr(signal, "setitimer"):
        raise RuntimeError(
            "Sampling needs setitimer, which this system does not have: run the report on Linux or macOS."
        )
    counts: Counter[str] = Counter()

    def note(number: int, frame: FrameType | None) -> None:
        counts[stage_of(frame, stages)] += 1

    before = signal.signal(signal.SIGPROF, note)
    signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL)
    try:
        end = time.process_time() + seconds
        while time.process_time() < end:
            call()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)
    total = counts.total()
    shares = [(stage, count / total) for stage, count in counts.most_common()]
    return [Share(stage, share, math.sqrt(share * (1.0 - share) / total)) for stage, share in shares]


def stage_of(frame: FrameType | None, stages: Mapping[str, str]) -> str:
    """Stage of the innermost frame that has one."""
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(PACKAGE):
            file = path.relative_to(PACKAGE)
            for key in (f"{file.as_posix()}:{frame.f_code.co_name}", *(p.as_posix() for p in (file, *file.parents))):
                if key in stages:
                    return stages[key]
        frame = frame.f_back
    return REST
