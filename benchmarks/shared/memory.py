"""The highest resident memory of this process."""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["peak_mb", "reset_peak"]


def reset_peak() -> None:
    """Forget the peak up to now; only Linux can."""
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5", encoding="ascii")


def peak_mb() -> float:
    """Return the highest resident set since the start of the process or `reset_peak`, in units of 2^20 bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # not getrusage: its maximum starts at the memory of the parent process
        line = next(line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 1024
