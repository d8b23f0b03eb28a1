"""R's lme4; where it is missing and can be had without asking anybody, from the packages of Debian and its kin."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

from benchmarks.contest.engines.base import EngineUnavailableError, Job

__all__ = ["Lme4", "installed"]

WORKER = Path(__file__).with_name("lme4_worker.R")
PACKAGES = ("r-cran-lme4", "r-cran-lmertest", "libopenblas0-pthread")
HINT = f"Install R with lme4 (Debian: apt-get install {' '.join(PACKAGES)})."
HAS_LME4 = ("Rscript", "-e", "quit(status = !requireNamespace('lme4', quietly = TRUE))")


class Lme4:
    """`lme4::lmer` with the defaults of its releases from 1.1-38 on, and the table of lmerTest; see the worker."""

    name = "lme4"
    compiles = False
    reml = True

    def refusal(self, job: Job) -> str | None:
        """Refuse nothing: the formulas of the table are lme4's."""
        return None

    def prepare(self) -> None:
        """Look for R and lme4, and install them where that is possible."""
        if not installed():
            _install()

    def command(self, job: Job) -> list[str]:
        """Return the command line of a worker for `job`."""
        return ["Rscript", str(WORKER), *job.to_arguments()]


def installed() -> bool:
    """Return whether R is there and has lme4."""
    return shutil.which("Rscript") is not None and subprocess.run(HAS_LME4, capture_output=True).returncode == 0


@cache  # of failures too: one attempt per run
def _failure_to_install() -> str | None:
    """Install by apt-get as root, or by a sudo that asks no password; return why not, None on success."""
    if shutil.which("apt-get") is None:
        return "There is no apt-get here."
    sudo: list[str] = []
    if os.geteuid() != 0:
        if shutil.which("sudo") is None or subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode != 0:
            return "apt-get needs an administrator."
        sudo = ["sudo", "-n"]
    apt = [*sudo, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
    install = [*apt, "install", "-y", "--no-install-recommends", *PACKAGES]
    # The package lists of a fresh machine are empty or out of date.
    for command in (install, [*apt, "update"], install):
        done = subprocess.run(command, capture_output=True, text=True)
        if command is install and done.returncode == 0:
            return None
    return f"apt-get failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}"


def _install() -> None:
    failure = _failure_to_install()
    if failure is not None or not installed():
        raise EngineUnavailableError(f"R with lme4 was not found. {failure or 'apt-get did not bring it.'} {HINT}")
