"""What the engines from PyPI share: an environment of their own, and a worker inside it."""

from __future__ import annotations

import subprocess

from benchmarks.contest.engines.base import EngineUnavailableError, Job
from benchmarks.contest.environments import python_with

__all__ = ["PipEngine"]


class PipEngine:
    """A package from PyPI. The module of a subclass, run as a program, is its worker.

    Attributes
    ----------
    requirements : tuple of str
        For pip; the first is the package itself.
    environment : str
        Directory of the environment, the name of the engine unless engines share one.
    options : tuple of str
        Arguments of the worker before those of the job.
    """

    name: str
    requirements: tuple[str, ...]
    compiles = False
    reml = True
    options: tuple[str, ...] = ()

    @property
    def environment(self) -> str:
        return self.name

    def prepare(self) -> None:
        """Make the environment."""
        try:
            python_with(self.environment, self.requirements)
        except subprocess.CalledProcessError as err:
            lines = (err.stderr or "").strip().splitlines() or [str(err)]
            raise EngineUnavailableError(f"pip could not install {self.requirements[0]}: {lines[-1]}") from err

    def refusal(self, job: Job) -> str | None:
        """Nothing is refused unless a subclass says so."""
        return None

    def command(self, job: Job) -> list[str]:
        """Return the command line of a worker for `job`."""
        interpreter = python_with(self.environment, self.requirements)
        return [str(interpreter), "-m", type(self).__module__, *self.options, *job.to_arguments()]
