"""Progress with the time left: a bar where tqdm is installed, plain lines otherwise, or a function of the user's.

By default nothing is shown of work that is quick, and nothing where nobody watches: a bar appears on an interactive
terminal or in a notebook once the work takes, or is foreseen to take, longer than two seconds. The variable
MIXEDSPARSE_PROGRESS=0 of the environment hides these too.
"""

from __future__ import annotations

import math
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from typing import Any

__all__ = [
    "CountOption",
    "Iteration",
    "Note",
    "Progress",
    "ProgressOption",
    "announce",
    "counter",
    "duration_text",
    "reporter",
]


@dataclass(frozen=True, slots=True)
class Iteration:
    """One line of the search: evaluations so far, criterion, scaled gradient norm, length of the last step."""

    number: int
    nfev: int
    criterion: float
    gradient: float
    step: float


Progress = Callable[[Iteration], None]
ProgressOption = bool | Progress | None
CountOption = bool | Callable[[int, int], None] | None
Note = Callable[[int, int], None]

# Variable of the environment that, set to 0, hides what is not asked for: documents that are built in notebooks or on a
# terminal are then the same on slow machines and on fast ones.
_SWITCH = "MIXEDSPARSE_PROGRESS"
# Seconds from which on work counts as long; lines do not follow each other sooner either.
_LONG = 2.0
_BAR = "{desc}: {percentage:3.0f}%|{bar}| {n}/{total} [{elapsed}, {remaining} left{postfix}]"
# Evaluations of a search where nothing is foreseen, and those that are left when the scaled gradient is below so much:
# Newton's method squares the error.
_EVALUATIONS = 9
_LEFT = ((1e-3, 1), (0.1, 2), (1.0, 3))


@contextmanager
def counter(progress: CountOption, what: str, expected: float = 0.0) -> Iterator[Note]:
    """Context with a function of (done, total) that shows the progress of counted work.

    Parameters
    ----------
    progress : bool or callable, optional
        True always shows it, False never; None on an interactive terminal or in a notebook if the work is long. A
        callable is called.
    what : str
        Name of the work.
    expected : float
        Seconds that the work is foreseen to take, if that is known.
    """
    if callable(progress):
        yield progress
    elif progress is False or (progress is None and not _somebody_watches()):
        yield _silent
    else:
        with _Display(what, 0.0 if progress else _LONG, expected) as display:
            yield display


@contextmanager
def reporter(progress: ProgressOption, evaluations: int = 0, expected: float = 0.0) -> Iterator[Progress | None]:
    """Context with a function of an `Iteration` that shows the progress of a search, or None where nothing is shown.

    Parameters
    ----------
    progress : bool or callable, optional
        As in `counter`.
    evaluations : int
        Evaluations that the search is foreseen to take, 0 if that is not known.
    expected : float
        Seconds that it is foreseen to take.
    """
    evaluations = evaluations or _EVALUATIONS
    if callable(progress):
        yield progress
        return
    with counter(progress, "fit", expected) as note:
        if isinstance(note, _Display):
            note.tell(0, evaluations)
            yield lambda line: note.tell(line.nfev, line.nfev + _left(line, evaluations), _state(line))
        else:
            yield None


def announce(text: str) -> None:
    """Say, where progress is shown, why the work stands still: each thing once."""
    display = _display.get()
    if display is not None:
        display.say(text)


def _left(line: Iteration, evaluations: int) -> int:
    """Guess the evaluations that are left of a search."""
    for gradient, left in _LEFT:
        if line.gradient < gradient:
            return left
    return max(evaluations - line.nfev, _LEFT[-1][1] + 1)


def _state(line: Iteration) -> str:
    # The iterative method computes the criterion at the end only.
    criterion = "" if math.isnan(line.criterion) else f"criterion {line.criterion:.4f}, "
    return f"{criterion}gradient {line.gradient:.1e}"


def _somebody_watches() -> bool:
    """Whether errors go to an interactive terminal or to a notebook, and the environment does not say otherwise."""
    stream = sys.stderr
    if stream is None or os.environ.get(_SWITCH) == "0":
        return False
    return stream.isatty() or any(kind.__module__.split(".")[0] == "ipykernel" for kind in type(stream).__mro__)


def _silent(done: int, total: int) -> None:
    pass


class _Display:
    """A bar or lines, from `delay` seconds on, or at once if the work is foreseen to take that long."""

    def __init__(self, what: str, delay: float, expected: float) -> None:
        self.what = what
        self.began = time.monotonic()
        self.shown = self.began + (0.0 if expected > delay else delay)
        self.total, self.bar = 0, None
        self.said: set[str] = set()

    def __enter__(self) -> _Display:
        self.outer = _display.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        _display.reset(self.outer)
        if self.bar is not None:
            self.bar.close()

    def __call__(self, done: int, total: int) -> None:
        self.tell(done, total)

    @cached_property
    def make_bar(self) -> Any:
        """The class of the bar, imported when one is shown; None without tqdm."""
        try:
            with warnings.catch_warnings():
                # In a notebook without ipywidgets tqdm.auto warns, and draws with text.
                warnings.simplefilter("ignore")
                from tqdm.auto import tqdm
        except ImportError:
            return None
        return tqdm

    def tell(self, done: int, total: int, state: str = "") -> None:
        """Show that `done` of about `total` is done."""
        now = time.monotonic()
        self.total = total
        if now < self.shown:
            return
        if self.make_bar is not None:
            self._draw(done, state)
        else:
            self._print(done, now - self.began, state)
            self.shown = now + _LONG

    def say(self, text: str) -> None:
        """Write a line beside the bar, if it is not there yet."""
        if text not in self.said:
            self.said.add(text)
            write = print if self.bar is None else self.bar.write
            write(f"{self.what}: {text}", file=sys.stderr)

    def _draw(self, done: int, state: str) -> None:
        if self.bar is None:
            self.bar = self.make_bar(desc=self.what, total=self.total, leave=False, bar_format=_BAR)
            self.bar.start_t -= time.monotonic() - self.began
        # Without its own count of steps tqdm reckons the time left by the mean pace since the beginning.
        self.bar.n, self.bar.total = done, self.total
        self.bar.set_postfix_str(state)

    def _print(self, done: int, seconds: float, state: str) -> None:
        left = f", about {duration_text(seconds * (self.total - done) / done)} left" if 0 < done < self.total else ""
        line = f"{self.what}: {done} of {self.total}, {duration_text(seconds)}{left}"
        print(f"{line}; {state}" if state else line, file=sys.stderr, flush=True)


# Of the work that goes on in this thread.
_display: ContextVar[_Display | None] = ContextVar("display", default=None)


def duration_text(seconds: float) -> str:
    """Seconds to read."""
    for unit, size in (("seconds", 60.0), ("minutes", 60.0), ("hours", 24.0)):
        if seconds < 2.0 * size:
            return f"{seconds:.0f} {unit}" if seconds >= 1.5 else f"{seconds:.1f} {unit}"
        seconds /= size
    return f"{seconds:,.0f} days"
