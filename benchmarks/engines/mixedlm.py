"""mixedlm from PyPI, in a virtual environment of its own."""

from __future__ import annotations

import subprocess
from importlib import metadata
from typing import TYPE_CHECKING

from benchmarks.engines.base import EngineUnavailableError, Job
from benchmarks.engines.worker import Estimates, serve
from benchmarks.environments import python_with

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Mixedlm"]

REQUIREMENTS = ("mixedlm==1.3.0",)


class Mixedlm:
    """`mixedlm.lmer` with its defaults."""

    name = "mixedlm"
    compiles = False

    def prepare(self) -> None:
        """Make the environment."""
        try:
            python_with(self.name, REQUIREMENTS)
        except subprocess.CalledProcessError as err:
            raise EngineUnavailableError(f"pip could not install {REQUIREMENTS[0]}: {err}.") from err

    def command(self, job: Job) -> list[str]:
        """Return the command line of a worker for `job`."""
        return [str(python_with(self.name, REQUIREMENTS)), "-m", __name__, *job.to_arguments()]


def fit(formula: str, data: pd.DataFrame, reml: bool) -> Estimates:
    """Fit with the public call. `deviance` holds the REML criterion after REML."""
    import mixedlm

    result = mixedlm.lmer(formula, data, REML=reml)
    return Estimates(float(result.deviance), int(result.function_evals), result.theta.tolist(), result.beta.tolist())


if __name__ == "__main__":
    serve(fit, metadata.version("mixedlm"))
