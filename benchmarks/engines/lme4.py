"""R's lme4, as installed on the machine."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from benchmarks.engines.base import EngineUnavailableError, Job

__all__ = ["Lme4"]

WORKER = Path(__file__).with_name("lme4_worker.R")
HINT = "Install R with lme4 (Debian: apt-get install r-cran-lme4 libopenblas0-pthread)."


class Lme4:
    """`lme4::lmer` with its defaults; see the worker for the one exception."""

    name = "lme4"
    compiles = False

    def prepare(self) -> None:
        """Look for R and lme4."""
        if shutil.which("Rscript") is None:
            raise EngineUnavailableError(f"Rscript is not on the PATH. {HINT}")
        check = ["Rscript", "-e", "quit(status = !requireNamespace('lme4', quietly = TRUE))"]
        if subprocess.run(check, capture_output=True).returncode != 0:
            raise EngineUnavailableError(f"R has no package lme4. {HINT}")

    def command(self, job: Job) -> list[str]:
        """Return the command line of a worker for `job`."""
        return ["Rscript", str(WORKER), *job.to_arguments()]
