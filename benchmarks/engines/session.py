"""A running worker, asked with a time limit."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import IO, Any

from benchmarks.engines.base import Reply

__all__ = ["Session", "WorkerError", "thread_environment"]

REPOSITORY = Path(__file__).parents[2]  # workers import `benchmarks` from here
THREAD_VARIABLES = (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
    "RAYON_NUM_THREADS",
)


class WorkerError(RuntimeError):
    """The worker reported an error, died or exceeded its time; the message says which."""


def thread_environment(threads: int) -> dict[str, str]:
    """Return this process's environment with every thread pool limited to `threads`."""
    return {**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(threads))}


class Session:
    """A worker process. Close it, or use it in a ``with`` statement, so that none is left behind.

    Parameters
    ----------
    command : list of str
        Command line of the worker.
    threads : int
        Limit for all its thread pools.
    limit : float
        Seconds to wait for any one answer; a worker that exceeds it is stopped.

    Raises
    ------
    WorkerError
        The worker did not start, or could not read its data.
    """

    def __init__(self, command: list[str], *, threads: int, limit: float) -> None:
        self._limit = limit
        # A file, not a pipe: nobody reads it while the worker runs. `close` closes it.
        self._stderr: IO[str] = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self._process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env=thread_environment(threads),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
        )
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        try:
            greeting = self._next()
        except WorkerError:
            self.close()
            raise
        self.version: str = greeting["version"]
        self.n: int = greeting["n"]

    def fit(self) -> Reply:
        """Have the worker fit once.

        Raises
        ------
        WorkerError
            The fit failed or took longer than the limit.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write("fit\n")
            self._process.stdin.flush()
        except BrokenPipeError as err:
            raise WorkerError(self._last_words()) from err
        return Reply(**self._next())

    def close(self) -> None:
        """Stop the worker."""
        self._process.kill()
        self._process.communicate()
        self._stderr.close()

    def __enter__(self) -> Session:
        """Return the session itself."""
        return self

    def __exit__(self, *raised: object) -> None:
        """Stop the worker."""
        self.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):  # anything else is chatter of a library
                self._lines.put(line)
        self._lines.put(None)

    def _next(self) -> dict[str, Any]:
        try:
            line = self._lines.get(timeout=self._limit)
        except queue.Empty:
            self._process.kill()
            raise WorkerError(f"not finished within {self._limit:g} s") from None
        if line is None:
            raise WorkerError(self._last_words())
        try:
            answer: dict[str, Any] = json.loads(line)
        except json.JSONDecodeError as err:
            raise WorkerError(f"answered what is not JSON: {line.strip()}") from err
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer

    def _last_words(self) -> str:
        status = self._process.wait()
        self._stderr.seek(0)
        lines = self._stderr.read().strip().splitlines()
        return f"worker ended with status {status}: {lines[-1] if lines else 'no message'}"
