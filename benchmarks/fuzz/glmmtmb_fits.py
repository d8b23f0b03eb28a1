"""What glmmTMB reaches on the random generalized models: made by R once, stored, and read without R."""

from __future__ import annotations

import csv
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fuzz.generalized_designs import RandomGeneralized
from benchmarks.shared.records import RESULTS, read_rows, write_rows

__all__ = ["STORED", "GlmmtmbFit", "make", "stored"]

STORED = RESULTS / "fuzz_glmmtmb.csv"
SCRIPT = Path(__file__).with_name("glmmtmb_fits.R")


@dataclass(frozen=True)
class GlmmtmbFit:
    """The best of two fits of one model.

    Parameters
    ----------
    number, checksum : int
        Of the `RandomGeneralized`, and of the data that R was given.
    lowest : float
        -2 log-likelihood that glmmTMB reports; not finite where it failed.
    positive : bool
        Whether its Hessian is positive definite.
    theta, beta : str
        Where that was reached, terms in the order of both packages.
    dispersion : float
        Size or shape; not finite without one.
    """

    number: int
    checksum: int
    lowest: float
    positive: bool
    theta: str
    beta: str
    dispersion: float


def stored(path: Path = STORED) -> dict[int, GlmmtmbFit]:
    """Read the stored fits: number -> fit."""
    return {row.number: row for row in read_rows(path, GlmmtmbFit)} if path.exists() else {}


def make(models: Sequence[RandomGeneralized], folder: Path, path: Path = STORED) -> None:
    """Fit `models` by glmmTMB and store what it reaches.

    Raises
    ------
    RuntimeError
        R or glmmTMB is missing, or failed.
    """
    if shutil.which("Rscript") is None:
        raise RuntimeError(
            "Rscript is not on the path. Install R with glmmTMB (Debian: apt-get install r-cran-glmmtmb)."
        )
    with (folder / "jobs.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["number", "checksum", "formula", "family", "link", "offset"])
        for model in models:
            writer.writerow([model.number, model.checksum, model.formula, model.family, model.link, model.offset or ""])
            model.data.to_csv(folder / f"{model.number}.csv", index=False, float_format="%.17g")
    done = subprocess.run(["Rscript", "--vanilla", str(SCRIPT), str(folder)], text=True, stderr=subprocess.PIPE)
    if done.returncode != 0:
        raise RuntimeError(f"R failed: {done.stderr.strip()}")
    write_rows(read_rows(folder / "fits.csv", GlmmtmbFit), path)
