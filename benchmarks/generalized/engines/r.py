"""lme4's glmer and glmmTMB, in R."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from benchmarks.contest.engines.base import EngineUnavailableError
from benchmarks.generalized.engines.base import GeneralizedJob

__all__ = ["RProgram"]

WORKER = Path(__file__).with_name("worker.R")


class RProgram:
    """`lme4::glmer` (nAGQ = 1) or `glmmTMB::glmmTMB` with their defaults; standard errors by `vcov`."""

    def __init__(self, package: str) -> None:
        self.name = package

    def refusal(self, job: GeneralizedJob) -> str | None:
        """Refuse nothing: the formulas of the table are those of R."""
        return None

    def prepare(self) -> None:
        """Look for R and the package."""
        test = ("Rscript", "-e", f"quit(status = !requireNamespace('{self.name}', quietly = TRUE))")
        if shutil.which("Rscript") is None or subprocess.run(test, capture_output=True).returncode != 0:
            hint = f"Debian: apt-get install r-cran-{self.name.lower()}"
            raise EngineUnavailableError(f"R with {self.name} was not found. Install it ({hint}).")

    def command(self, job: GeneralizedJob) -> list[str]:
        """Return the command line of a worker for `job`."""
        return ["Rscript", str(WORKER), self.name, *job.to_arguments()]
