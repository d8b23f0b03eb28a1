"""Worker processes that answer in lines of JSON."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

__all__ = ["REPOSITORY", "Worker", "WorkerError", "last_words", "thread_environment"]

REPOSITORY = Path(__file__).parents[2]  # workers start here, and import `benchmarks` from here
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


def last_words(status: int, errors: str) -> str:
    """Return how a process ended, and the last line of its errors."""
    lines = errors.strip().splitlines()
    return f"worker ended with status {status}: {lines[-1] if lines else 'no message'}"


class Worker:
    """A process that prints one JSON object per line. Use it in a ``with`` statement, so that none is left behind.

    Parameters
    ----------
    command : sequence of str
        Command line.
    threads : int
        Limit for all its thread pools.
    limit : float, optional
        Seconds to wait for any one answer; a worker that exceeds it is stopped.
    variables : mapping, optional
        Further environment variables.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        threads: int,
        limit: float | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self._limit = limit
        # A file, not a pipe: nobody reads it while the worker runs. `close` closes it.
        self._stderr: IO[str] = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self._process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env={**thread_environment(threads), **(variables or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
        )
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def ask(self, order: str) -> dict[str, Any]:
        """Send a line and return the answer to it.

        Raises
        ------
        WorkerError
            The answer is an error, or there is none within the limit.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{order}\n")
            self._process.stdin.flush()
        except BrokenPipeError as err:
            raise WorkerError(self._last_words()) from err
        return self.answer()

    def answer(self) -> dict[str, Any]:
        """Return the next answer; raises as `ask` does."""
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

    def close(self) -> None:
        """Stop the worker."""
        self._process.kill()
        self._process.communicate()
        self._stderr.close()

    def __enter__(self) -> Worker:
        """Return the worker itself."""
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

    def _last_words(self) -> str:
        status = self._process.wait()
        self._stderr.seek(0)
        return last_words(status, self._stderr.read())
