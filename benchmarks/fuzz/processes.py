"""Threads, processes and faults, each in a process of its own under a time limit."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.fuzz.attempt import Finding
from benchmarks.shared.workers import REPOSITORY

__all__ = ["CHECKS", "FAULTS", "LAYERS", "THREADS", "check_processes"]

LIMIT = 180
LAYERS = ("workqueue", "omp")
THREADS = {
    "same numbers": "fits and tables from eight threads are those of one",
    "threads restored": "BLAS has as many threads after as before",
    "one result, many threads": "methods of one fit from eight threads",
    "fork": "a pool of forked processes after fits that compiled kernels",
    "spawn": "a pool of new processes",
}
FAULTS = {
    "killed while saving": "the file is the old or the new fit, and nothing else is left",
    "full disk": "an error of the package, and the old file",
    "Ctrl-C in a fit": "the fit so far, with a warning",
    "Ctrl-C in a bootstrap": "the replicates so far",
    "file replaced while read": "an error of the package, or one file's numbers",
    "connection closed": "an error of the package",
    "no memory": "an error of the package, or MemoryError, and the next fit is right",
}
CHECKS = {"threads and processes": THREADS, "faults injected": FAULTS}


def check_processes(folder: Path, repeats: int = 3) -> Iterator[Finding]:
    """Run every script, threads by each of numba's layers."""
    for check in THREADS:
        for layer in LAYERS:
            fault = _run("threads", check, folder, {"NUMBA_THREADING_LAYER": layer})
            yield Finding("threads and processes", check, f"{check}, {layer}", fault)
    for check in FAULTS:
        for repeat in range(repeats):
            yield Finding("faults injected", check, f"{check} {repeat}", _run("faults", check, folder, {}, repeat))


def _run(module: str, check: str, folder: Path, settings: Mapping[str, str], repeat: int = 0) -> str:
    """Run one script; return its last line if it failed, nothing if it held."""
    command = [sys.executable, "-m", f"benchmarks.fuzz.{module}", check, str(folder), str(repeat)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), **settings}
    process = subprocess.Popen(
        command,
        env=environment,
        cwd=REPOSITORY,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.communicate()
        return f"no end within {LIMIT} s"
    if process.returncode == 0:
        return ""
    lines = said.strip().splitlines() or ["nothing said"]
    return f"exit {process.returncode}: {lines[-1][:160]}"
