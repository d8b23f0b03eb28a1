"""This package, in the environment of the runner."""

from __future__ import annotations

import sys
from importlib import metadata
from typing import TYPE_CHECKING

from benchmarks.contest.engines.mixedsparse import Mixedsparse
from benchmarks.generalized.engines.base import GeneralizedEstimates, GeneralizedJob, serve

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MixedsparseGlmer"]


class MixedsparseGlmer:
    """`mixedsparse.glmer` with its defaults, and joint standard errors."""

    name = "mixedsparse"

    def refusal(self, job: GeneralizedJob) -> str | None:
        """Refuse nothing: every model of the table is one of ours."""
        return None

    def prepare(self) -> None:
        """Check that the package is installed."""
        Mixedsparse().prepare()

    def command(self, job: GeneralizedJob) -> list[str]:
        """Return the command line of a worker for `job`."""
        return [sys.executable, "-m", __name__, *job.to_arguments()]


def fit(formula: str, data: pd.DataFrame, family: str) -> GeneralizedEstimates:
    """Fit with the public call."""
    import mixedsparse as ms

    result = ms.glmer(formula, data, family)
    result.bse.to_numpy()
    covariances = {name: frame.to_numpy().tolist() for name, frame in result.cov_re.items()}
    return GeneralizedEstimates(
        int(result.optim.nfev), float(result.criterion), result.params.to_numpy().tolist(), covariances
    )


if __name__ == "__main__":
    serve(fit, metadata.version("mixedsparse"))
