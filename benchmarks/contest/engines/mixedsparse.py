"""This package, in the environment of the runner."""

from __future__ import annotations

import sys
from importlib import metadata
from typing import TYPE_CHECKING

from benchmarks.contest.engines.base import EngineUnavailableError, Job
from benchmarks.contest.engines.worker import Estimates, Printed, serve

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Mixedsparse"]


class Mixedsparse:
    """`mixedsparse.lmer` with its defaults."""

    name = "mixedsparse"
    compiles = True
    reml = True

    def refusal(self, job: Job) -> str | None:
        """Refuse nothing: every model of the table is one of ours."""
        return None

    def prepare(self) -> None:
        """Check that the package is installed."""
        try:
            metadata.version(self.name)
        except metadata.PackageNotFoundError as err:
            raise EngineUnavailableError("mixedsparse is not installed here. Run 'pip install -e .' first.") from err

    def command(self, job: Job) -> list[str]:
        """Return the command line of a worker for `job`."""
        return [sys.executable, "-m", __name__, *job.to_arguments()]


def fit(formula: str, data: pd.DataFrame, reml: bool) -> Estimates:
    """Fit with the public call."""
    import mixedsparse as ms

    result = ms.lmer(formula, data, reml=reml)
    return Estimates(
        float(result.criterion), int(result.optim.nfev), result.theta.tolist(), result.params.to_numpy().tolist()
    )


def table(formula: str, data: pd.DataFrame, reml: bool) -> Printed:
    """Fit and print the summary."""
    import mixedsparse as ms

    return Printed(str(ms.lmer(formula, data, reml=reml).summary()), "Satterthwaite")


if __name__ == "__main__":
    serve(fit, table, metadata.version("mixedsparse"))
