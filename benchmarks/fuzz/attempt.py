"""One call under watch: what came of it, which warnings were not ours, and whether it ended in time."""

from __future__ import annotations

import os
import signal
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mixedsparse as ms

__all__ = ["Attempt", "Finding", "attempt"]

PACKAGE = Path(ms.__file__).parent
# Clock time that a call may take, over its limit of processor time.
_WAITING = 15


class _TooLongError(BaseException):
    """The call took longer than it may; not an Exception, so that no handler swallows it."""


@dataclass(frozen=True)
class Finding:
    """One thing that was tried.

    Parameters
    ----------
    kind : str
        Row of the table: ``"models"``, ``"bad inputs"``, ...
    check : str
        What was asked of it.
    case : str
        Which model, input or file.
    fault : str
        What did not hold; empty where it held.
    """

    kind: str
    check: str
    case: str
    fault: str = ""


@dataclass(frozen=True)
class Attempt:
    """What came of a call.

    Attributes
    ----------
    value : object
        What it returned, or None.
    refusal : MixedSparseError or None
        The package's own error.
    fault : str
        A foreign exception with its place, no end in time, or a warning that is not the package's.
    warned : tuple of type
        Classes of the package's own warnings.
    """

    value: Any = None
    refusal: ms.MixedSparseError | None = None
    fault: str = ""
    warned: tuple[type, ...] = field(default=())


def attempt(call: Callable[[], Any], seconds: int = 20) -> Attempt:
    """Run `call`, for so many seconds of the processor at the most."""
    value, refusal, fault = None, None, ""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            with _time_limit(seconds):
                value = call()
        except ms.MixedSparseError as err:
            refusal = err
        except _TooLongError:
            fault = f"no end within {seconds} s"
        except Exception as err:
            fault = f"{type(err).__name__}: {str(err)[:100]}{_place(err)}"
    ours = tuple(w.category for w in caught if issubclass(w.category, ms.MixedSparseWarning))
    foreign = [w for w in caught if not issubclass(w.category, ms.MixedSparseWarning)]
    if foreign and not fault:
        fault = f"leaked {foreign[0].category.__name__}: {str(foreign[0].message)[:100]}"
    return Attempt(value, refusal, fault, ours)


@contextmanager
def _time_limit(seconds: int) -> Iterator[None]:
    """End the block by an alarm, where the system has them."""
    if os.name != "posix":
        yield
        return

    def late(*_: Any) -> None:
        raise _TooLongError

    # Of the processor's time, so that neighbours do not count; and of the clock, for what waits for ever.
    timers = {signal.SIGPROF: (signal.ITIMER_PROF, seconds), signal.SIGALRM: (signal.ITIMER_REAL, _WAITING * seconds)}
    before = {number: signal.signal(number, late) for number in timers}
    for timer, limit in timers.values():
        signal.setitimer(timer, limit)
    try:
        yield
    finally:
        for number, (timer, _) in timers.items():
            signal.setitimer(timer, 0)
            signal.signal(number, before[number])


def _place(err: BaseException) -> str:
    """Last line of the package that the exception came through."""
    for frame in reversed(traceback.extract_tb(err.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(PACKAGE):
            return f" at {path.relative_to(PACKAGE).as_posix()}:{frame.lineno}"
    return ""
