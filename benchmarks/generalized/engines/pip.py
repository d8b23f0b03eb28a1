"""What the engines from PyPI share: an environment of their own below `benchmarks/.venvs`, and a worker inside it."""

from __future__ import annotations

from benchmarks.contest.engines.pip import PipEngine
from benchmarks.contest.environments import python_with
from benchmarks.generalized.engines.base import GeneralizedJob

__all__ = ["GeneralizedPipEngine"]


class GeneralizedPipEngine:
    """A package from PyPI, by its `name` and `requirements`; the module of a subclass is its worker."""

    name: str
    requirements: tuple[str, ...]

    def refusal(self, job: GeneralizedJob) -> str | None:
        """Nothing is refused unless a subclass says so."""
        return None

    def prepare(self) -> None:
        """Make the environment."""
        environment = PipEngine()
        environment.name, environment.requirements = self.name, self.requirements
        environment.prepare()

    def command(self, job: GeneralizedJob) -> list[str]:
        """Return the command line of a worker for `job`."""
        interpreter = python_with(self.name, self.requirements)
        return [str(interpreter), "-m", type(self).__module__, *job.to_arguments()]
