"""Counters of instructions: perf where the processor lets it, else callgrind, which simulates the processor."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["COUNTERS", "Counter", "find_counter"]


@dataclass(frozen=True)
class Counter:
    """A program that counts instructions of another.

    Attributes
    ----------
    name : str
        ``perf`` or ``callgrind``: tells the worker how to switch it on and off.
    command : callable
        Command line in front of the worker's own, from the file for the result and the pipes for orders and answers.
    parse : callable
        Number of instructions from the text of the result, None if it holds none.
    """

    name: str
    command: Callable[[Path, Path, Path], list[str]]
    parse: Callable[[str], int | None]


def _perf(result: Path, orders: Path, answers: Path) -> list[str]:
    control = ["-D", "-1", "--control", f"fifo:{orders},{answers}"]
    return ["perf", "stat", "-x,", "-e", "instructions:u", "-o", str(result), *control]


def _callgrind(result: Path, orders: Path, answers: Path) -> list[str]:
    return ["valgrind", "-q", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={result}"]


def parse_perf(text: str) -> int | None:
    """Read the table of ``perf stat -x,``: count, unit, event, ..."""
    found = re.search(r"^(\d+),[^,]*,instructions", text, re.MULTILINE)
    return int(found.group(1)) if found else None


def parse_callgrind(text: str) -> int | None:
    """Read the totals of callgrind's output file."""
    found = re.search(r"^totals: (\d+)", text, re.MULTILINE)
    return int(found.group(1)) if found else None


COUNTERS = {
    "perf": Counter("perf", _perf, parse_perf),
    "callgrind": Counter("callgrind", _callgrind, parse_callgrind),
}


def find_counter(name: str = "auto") -> Counter | None:
    """Return the counter called `name`, the first that works for ``auto``, None if none does or for ``none``."""
    wanted = COUNTERS if name == "auto" else {name: COUNTERS[name]} if name in COUNTERS else {}
    works = {"perf": _perf_works, "callgrind": lambda: shutil.which("callgrind_control") is not None}
    return next((counter for key, counter in wanted.items() if works[key]()), None)


def _perf_works() -> bool:
    """Whether perf is there, and the machine (often a virtual one) has a counter of instructions."""
    if shutil.which("perf") is None:
        return False
    command = ["perf", "stat", "-x,", "-e", "instructions:u", "true"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode == 0 and parse_perf(done.stderr) is not None
