"""How much memory a fit may still take: what the machine has free, and what its container may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from mixedsparse.ground.errors import BackendError

__all__ = ["available_memory", "check_memory", "memory_text"]

# Share of what is free that a fit may plan with; the rest is for the arrays that nobody counts.
_SHARE = 0.8
# Of the machine's whole memory where the system does not say what is free.
_SHARE_OF_ALL = 0.7
_CGROUPS = Path("/sys/fs/cgroup")
# Limit, use, and the part of the use that the kernel gives back when asked (files it has cached).
_FILES_V2 = ("memory.max", "memory.current", "inactive_file")
_FILES_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def available_memory() -> float:
    """Bytes of memory that a fit may take.

    The least of what the kernel holds to be available (``MemAvailable``), what is left to the control groups of this
    process, which is how containers are limited, and what is left of its own address space (``ulimit -v``), less a
    reserve. Infinity where the system says nothing.
    """
    free = [_free_in_machine(), *_free_in_groups(_CGROUPS, Path("/proc/self/cgroup")), _free_addresses()]
    return _SHARE * max(min(free), 0.0)


def check_memory(needed: float, what: str, mend: str) -> None:
    """Refuse what takes more memory than there is, before it is allocated.

    Parameters
    ----------
    needed : float
        Bytes.
    what, mend : str
        What takes them, and what to do instead.

    Raises
    ------
    BackendError
        More than `available_memory`.
    """
    there = available_memory()
    if needed > there:
        raise BackendError(
            f"{what} would take about {memory_text(needed)} of memory, and {memory_text(there)} are available: {mend}."
        )


def memory_text(count: float) -> str:
    """Bytes to read."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024.0:
            return f"{count:.0f} {unit}"
        count /= 1024.0
    return f"{count:,.1f} GiB"


def _free_in_machine(meminfo: Path = Path("/proc/meminfo")) -> float:
    """Memory that can be had without swapping; a share of all where that is not told, as outside Linux."""
    try:
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024.0 * float(line.split()[1])
    except (OSError, ValueError, IndexError):
        pass
    try:
        return _SHARE_OF_ALL / _SHARE * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return float("inf")


def _free_addresses(statm: Path = Path("/proc/self/statm")) -> float:
    """Bytes of address space that the limit of this process leaves; infinity without one."""
    try:
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit == resource.RLIM_INFINITY:
            return float("inf")
        return float(limit) - float(statm.read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (ImportError, AttributeError, OSError, ValueError, IndexError):
        return float("inf")


def _free_in_groups(root: Path, own: Path) -> Iterator[float]:
    """Yield what each control group above this process leaves, by version 2 or the memory controller of version 1."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            base, files = root, _FILES_V2
        elif "memory" in controllers.split(","):
            base, files = root / "memory", _FILES_V1
        else:
            continue
        inside = PurePosixPath(path.lstrip("/"))
        # Inside a container the path may be the host's; its own group is then the root of what is mounted.
        for folder in (inside, *inside.parents):
            left = _left(base / folder, files)
            if left is not None:
                yield left


def _left(group: Path, files: tuple[str, str, str]) -> float | None:
    """Limit less use of one control group; None without a limit."""
    try:
        limit, used = ((group / name).read_text().strip() for name in files[:2])
        if limit == "max":
            return None
        stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        return float(limit) - float(used) + float(stat.get(files[2], 0))
    except (OSError, ValueError):
        return None
